"""The next sentence behind each of several prompts, with the probability of each of its tokens.

A model that shows its tokens goes on with the ids that were written before, so neither chat template nor cache is
disturbed. One that does not (an endpoint, a script) reads what was written before as the end of its prompt: behind the
cue, which a chat endpoint finds in the user's turn.
Source: Jiang et al. 2023 (EMNLP), arXiv:2305.06983, section 3.2 and released code (64 tokens, the first sentence).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.writing import before_stop, one_each
from surefoot.text.prompt import Part, Prompt
from surefoot.text.sentences import first_sentence

if TYPE_CHECKING:
    from surefoot.decoding.branch import Branch
    from surefoot.decoding.loop import Write
    from surefoot.decoding.rows import Draft, Vocabulary

LOOK_AHEAD = 64
BEHIND = 3  # tokens that are read behind a sentence before it counts as ended: `Dr.` alone says nothing
MAY_END = re.compile(r"[.!?…。！？।॥։؟۔።]\W*\s|[。！？।॥]|\S\s*\n\s*\S")  # cheap: nothing ends without one of these


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it leaves its text.

    `text` is what was added, with the space before it; `tokens` are the texts of its tokens and `probabilities` theirs
    at temperature 1, before truncation (both empty where the model does not tell). `so_far` is all that was written
    behind the prompt, this sentence included, to be given as `begun` for the next one. `ended` says that the model
    wrote nothing behind it: its end token, a stop text, or nothing at all. `asked` counts the tokens that the model
    wrote, those that were cut off included.
    """

    text: str
    tokens: tuple[str, ...]
    probabilities: tuple[float, ...]
    so_far: Generation
    ended: bool
    asked: int


def next_sentences(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    begun: Sequence[Generation] | None = None,
    look_ahead: int | Sequence[int] = LOOK_AHEAD,
    sampling: Sampling | Sequence[Sampling] | None = None,
) -> list[Sentence]:
    """The next sentence behind each prompt and what was begun behind it, from at most `look_ahead` tokens (one for all
    or one a prompt). A text that had ended is asked to go on all the same.

    Where no sentence ends within them, all of them are the sentence. `max_new_tokens` of the sampling is not used.
    """
    before = list(begun) if begun is not None else [Generation("", (), (), "interrupted")] * len(prompts)
    samplings = one_each(sampling, len(prompts))
    ahead = [look_ahead] * len(prompts) if isinstance(look_ahead, int) else list(look_ahead)
    if not prompts:
        return []
    if "logits" in model.can:
        return _by_tokens(model, prompts, before, ahead, samplings)
    return _by_text(model, prompts, before, ahead, samplings)


def _by_tokens(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    begun: Sequence[Generation],
    look_ahead: Sequence[int],
    samplings: Sequence[Sampling],
) -> list[Sentence]:
    from surefoot.models.writing import generate

    starts = [len(text.token_ids) for text in begun]
    rooms = [replace(s, max_new_tokens=n + more) for s, n, more in zip(samplings, starts, look_ahead, strict=True)]
    texts = generate(model, prompts, rooms, [_open(text) for text in begun], how=_until_sentences_end(starts))
    decode = model.vocabulary.decode
    return [_cut(text, len(b.token_ids), s.stop, decode) for text, b, s in zip(texts, begun, samplings, strict=True)]


def _open(text: Generation) -> Generation:
    """The text as one to be gone on with: without the end token that it may have had."""
    n = len(text.token_ids)
    return replace(
        text,
        finish_reason="interrupted",
        logprobs=text.logprobs[:n],
        sampled_logprobs=text.sampled_logprobs[:n],
        plain_logprobs=text.plain_logprobs[:n],
    )


def _until_sentences_end(starts: Sequence[int]) -> Write:
    """Writes until each row's first new sentence has `BEHIND` tokens behind it; `starts` are tokens begun, a prompt."""

    def how(branch: Branch, drafts: Sequence[Draft], samplings: Sequence[Sampling], vocabulary: Vocabulary) -> None:
        from surefoot.decoding.loop import Batch

        batch = Batch(branch, drafts, samplings, vocabulary)
        while batch.lines:
            batch.pick()
            for line in batch.lines:
                own = line.draft.written[starts[line.draft.index] :]
                if line.draft.finish_reason == "interrupted" and _has_ended(own[:-BEHIND], own, vocabulary.decode):
                    line.draft.finish_reason = "length"
            batch.advance()

    return how


def _has_ended(first: Sequence[int], ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> bool:
    """Whether a sentence ends within the tokens `first`, judged by all of `ids`."""
    if not first:
        return False
    text = decode(ids)
    return bool(MAY_END.search(text)) and first_sentence(text) <= len(decode(first).rstrip("\ufffd"))


def _cut(text: Generation, start: int, stops: Sequence[str], decode: Callable[[Sequence[int]], str]) -> Sentence:
    """The first sentence behind the first `start` tokens."""
    ids = text.token_ids
    ends = [len(decode(ids[:n]).rstrip("\ufffd")) for n in range(start, len(ids) + 1)]
    begin, whole = ends[0], decode(ids)
    own = before_stop(whole[begin:], stops)
    end = first_sentence(own)
    count = next((n for n, at in enumerate(ends) if at >= begin + end), len(ids) - start) if end else 0
    last = own[end:].strip() == "" and text.finish_reason == "stop"
    stop = start + count
    weighed = len(text.logprobs) if last else stop  # the end token, where drawn, has a log-probability of its own
    kept = replace(
        text,
        text=decode(ids[:stop]),
        token_ids=ids[:stop],
        logprobs=text.logprobs[:weighed],
        sampled_logprobs=text.sampled_logprobs[:weighed],
        plain_logprobs=text.plain_logprobs[:weighed],
        finish_reason="stop" if last else "interrupted",
    )
    pieces = tuple(whole[a:b] for a, b in pairwise(ends[: count + 1]))
    chances = tuple(math.exp(value) for value in text.logprobs[start:stop])
    return Sentence(whole[begin : ends[count]], pieces, chances, kept, last, len(text.logprobs) - start)


def _by_text(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    begun: Sequence[Generation],
    look_ahead: Sequence[int],
    samplings: Sequence[Sampling],
) -> list[Sentence]:
    asked = [gone_on(prompt, text.text) for prompt, text in zip(prompts, begun, strict=True)]
    texts = model.generate(asked, [replace(s, max_new_tokens=n) for s, n in zip(samplings, look_ahead, strict=True)])
    return [_cut_text(text, before) for text, before in zip(texts, begun, strict=True)]


def gone_on(prompt: Prompt, text: str) -> Prompt:
    """The prompt with what was written behind it as part of its cue."""
    if not text:
        return prompt
    gap = "" if prompt.text[-1:].isspace() or text[:1].isspace() else " "
    return prompt._with((*prompt.parts, Part("cue", gap + text)))


def _cut_text(text: Generation, before: Generation) -> Sentence:
    """The first sentence of a text that came without its tokens; words stand for them."""
    end = first_sentence(text.text)
    own = text.text[:end]
    words = tuple(re.findall(r"\s*\S+", own))
    told = len(text.logprobs) == len(text.token_ids) >= len(words)
    chances = tuple(math.exp(value) for value in text.logprobs[: len(words)]) if told else ()
    last = not text.text[end:].strip() and text.finish_reason == "stop"
    gap = " " if before.text and own and not before.text[-1].isspace() and not own[0].isspace() else ""
    kept = Generation(
        before.text + gap + own,
        tuple(range(len(before.token_ids) + len(words))),
        (*before.logprobs, *text.logprobs[: len(words)]) if told else (),
        "stop" if last else "interrupted",
        text.prompt_tokens,
        text.truncated,
    )
    return Sentence(own, words, chances, kept, last, len(text.token_ids))
