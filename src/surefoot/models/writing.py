"""Text behind prompts, by the decoding loop, for every model that gives next-token distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Generation, TokenCount
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    from surefoot.decoding.branch import Continuation
    from surefoot.decoding.loop import Write
    from surefoot.decoding.rows import Draft, Vocabulary

Samplings = Sampling | Sequence[Sampling] | None


class Writer(Protocol):
    """What generation needs of a model."""

    @property
    def tokens(self) -> TokenCount: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation: ...


class GenerationInterrupted(KeyboardInterrupt):
    """Generation was interrupted. `written` is what there was of each prompt; `begun=written` goes on with it."""

    def __init__(self, written: list[Generation]) -> None:
        super().__init__(f"interrupted with {sum(len(w.token_ids) for w in written)} tokens written")
        self.written = written


def generate(
    model: Writer,
    prompts: Sequence[Prompt | str],
    sampling: Samplings = None,
    begun: Sequence[Generation] | None = None,
    how: Write | None = None,
) -> list[Generation]:
    """Text behind each prompt. `sampling` is one for all or one a prompt; `begun` is gone on with, to the same end.

    `how` writes a batch; token by token by default.
    """
    from surefoot.decoding.loop import decode

    samplings = one_each(sampling, len(prompts))
    continuation = model.continuing(prompts, [s.max_new_tokens for s in samplings])
    drafts = drafted(continuation, begun)
    before = sum(len(draft.logprobs) for draft in drafts)
    try:
        decode(continuation, drafts, samplings, model.vocabulary, how=how)
    except KeyboardInterrupt as interrupt:
        raise GenerationInterrupted(finished(model, continuation, drafts, samplings)) from interrupt
    model.tokens.asked += sum(continuation.lengths) + sum(len(draft.logprobs) for draft in drafts) - before
    return finished(model, continuation, drafts, samplings)


def one_each(sampling: Samplings, count: int) -> list[Sampling]:
    """The settings of each prompt."""
    if sampling is None or isinstance(sampling, Sampling):
        return [sampling or Sampling()] * count
    if len(sampling) != count:
        raise BadInput(f"There are {len(sampling)} samplings for {count} prompts; give one for all or one each.")
    return list(sampling)


def drafted(continuation: Continuation, begun: Sequence[Generation] | None) -> list[Draft]:
    """Rows to write, from the beginning or from what there is."""
    from surefoot.decoding.rows import Draft

    drafts = [Draft(index, prompt) for index, prompt in enumerate(continuation.prompts)]
    if begun is None:
        return drafts
    if len(begun) != len(drafts):
        raise BadInput(f"{len(begun)} texts were begun for {len(drafts)} prompts; give one for each, in their order.")
    return [begun_draft(draft, text) for draft, text in zip(drafts, begun, strict=True)]


def begun_draft(draft: Draft, text: Generation) -> Draft:
    """The draft with what was begun of it."""
    draft.written, draft.logprobs = list(text.token_ids), list(text.logprobs)
    draft.sampled, draft.plain = list(text.sampled_logprobs), list(text.plain_logprobs)
    draft.finish_reason = text.finish_reason
    return draft


def finished(
    model: Writer, continuation: Continuation, drafts: Sequence[Draft], samplings: Sequence[Sampling]
) -> list[Generation]:
    """The drafts as what was generated."""
    told_of = zip(drafts, samplings, continuation.lengths, continuation.truncated, strict=True)
    return [told(draft, sampling, n, cut, model.vocabulary) for draft, sampling, n, cut in told_of]


def told(draft: Draft, sampling: Sampling, length: int, truncated: bool, vocabulary: Vocabulary) -> Generation:
    """A draft as what was generated behind a prompt of so many tokens, cut before a stop text."""
    return Generation(
        before_stop(vocabulary.decode(draft.written), sampling.stop),
        tuple(draft.written),
        tuple(draft.logprobs),
        draft.finish_reason,
        length,
        truncated,
        tuple(draft.sampled),
        tuple(draft.plain),
    )


def before_stop(text: str, stops: Sequence[str]) -> str:
    """The text up to the first stop text in it."""
    found = [text.index(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else text
