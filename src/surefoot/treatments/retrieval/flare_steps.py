"""What one step of each mode does: draft and decide, ask with what was written last, or wait for the model to ask.

Every step takes prompts that go forward together, searches in one batch and writes in one batch; it puts at least one
token behind each text or ends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.flare_calls import FOLLOW_UP, SEARCH, Call, next_call
from surefoot.treatments.retrieval.flare_pieces import Piece, everything
from surefoot.treatments.retrieval.flare_query import is_unlikely, triggered
from surefoot.treatments.retrieval.grounded import Log
from surefoot.treatments.retrieval.pool import NOTHING

if TYPE_CHECKING:
    from surefoot.treatments.retrieval.flare import FlareModel

Documents = tuple[Document, ...]


@dataclass
class Line:
    """One prompt, at its place in the request, and what was written behind it so far.

    `initial` are the documents of the question, `reading` those of the last search that the text asked for. `last` is
    the last piece; `answered` is up to which character calls were answered, `searched` up to which token. `whole` is
    the text with its trace at the end of the last step, which is what an interruption leaves.
    """

    place: int
    prompt: Prompt
    question: str
    sampling: Sampling
    log: Log = field(default_factory=Log)
    written: Generation = NOTHING
    whole: Generation = NOTHING
    initial: Documents = ()
    reading: Documents = ()
    last: str = ""
    answered: int = 0
    searched: int | None = None
    steps: int = 0
    stopped: str = ""

    @property
    def done(self) -> bool:
        """Whether the text has come to its end."""
        return bool(self.stopped)


Step = Callable[["FlareModel", Sequence[Line]], None]


def active(model: FlareModel, lines: Sequence[Line]) -> None:
    """Draft a sentence; where a token of it is unlikely, search with it and write the sentence anew."""
    settings = model.settings.drafting
    first = [model.first_context(line) for line in lines]
    drafts = model.write_sentences(lines, first)
    doubtful: list[tuple[Line, Piece]] = []
    for line, draft, documents in zip(lines, drafts, first, strict=True):
        line.log.note("draft", draft.text, tokens=draft.tokens, probabilities=draft.probabilities)
        search = bool(draft.text.strip()) and triggered(draft.probabilities, settings.theta, settings.rule)
        line.log.note("decide", note=_decision(draft, search, settings.theta, settings.rule))
        if search:
            doubtful.append((line, draft))
        else:
            model.keep(line, draft, documents)
    if not doubtful:
        return
    again = [line for line, _ in doubtful]
    found = model.find(again, model.queries(doubtful))
    shown = [model.context(line, documents) for line, documents in zip(again, found, strict=True)]
    pieces = model.write_sentences(again, shown)
    for line, piece, documents in zip(again, pieces, shown, strict=True):
        model.keep(line, piece, documents)


def passive(model: FlareModel, lines: Sequence[Line], unit: str) -> None:
    """Search with what was written last, whatever it was, then write the next `unit`: a window or a sentence."""
    later = [line for line in lines if line.steps]
    for line, documents in zip(
        later, model.find(later, [[line.last.strip() or line.question] for line in later]), strict=True
    ):
        line.reading = model.context(line, documents)
    shown = [line.reading if line.steps else line.initial for line in lines]
    if unit == "sentence":
        pieces = model.write_sentences(lines, shown)
    else:
        pieces = model.write(lines, shown, [everything] * len(lines), model.settings.drafting.window)
    for line, piece, documents in zip(lines, pieces, shown, strict=True):
        model.keep(line, piece, documents)


def whole(model: FlareModel, lines: Sequence[Line]) -> None:
    """Write everything behind the documents of the question."""
    shown = [line.initial for line in lines]
    length = max(line.sampling.max_new_tokens for line in lines)
    pieces = model.write(lines, shown, [everything] * len(lines), length)
    for line, piece, documents in zip(lines, pieces, shown, strict=True):
        model.keep(line, piece, documents)


def called(model: FlareModel, lines: Sequence[Line], pattern: re.Pattern[str]) -> None:
    """Write until the text asks for a search; what that finds stands before the model from then on."""
    shown = [line.reading if line.searched is not None else line.initial for line in lines]
    cuts = [UpToCall(pattern, line.answered) for line in lines]
    pieces = model.write(lines, shown, cuts, model.settings.drafting.look_ahead)
    asking: list[tuple[Line, str]] = []
    for line, piece, cut, documents in zip(lines, pieces, cuts, shown, strict=True):
        model.keep(line, piece, documents)
        if cut.call and not line.stopped:
            line.answered, line.searched = cut.call.end, len(line.written.token_ids)
            asking.append((line, cut.call.query))
    found = model.find([line for line, _ in asking], [[query] for _, query in asking])
    for (line, _), documents in zip(asking, found, strict=True):
        line.reading = model.context(line, documents)


class Mode(NamedTuple):
    """How a mode goes forward. `needs` are capabilities of the model; `initial` overrides the setting where given.

    `opening` names the text that stands before the prompt; `calls` is the pattern of searches that the model asks for.
    """

    step: Step
    needs: tuple[str, ...] = ("generate",)
    initial: str = ""
    opening: str = ""
    calls: re.Pattern[str] | None = None


MODES: Mapping[str, Mode] = {
    "direct": Mode(active, ("generate", "logprobs")),
    "instruct": Mode(partial(called, pattern=SEARCH), opening="instruct.txt", calls=SEARCH),
    "previous-window": Mode(partial(passive, unit="window")),
    "previous-sentence": Mode(partial(passive, unit="sentence")),
    "decomposition": Mode(partial(called, pattern=FOLLOW_UP), opening="decomposition.txt", calls=FOLLOW_UP),
    "single": Mode(whole, initial="first"),
    "none": Mode(whole, initial="none"),
}
"""FLARE's two ways and its baselines, all on the same prompts and the same index."""


class UpToCall:
    """A cut behind the first call that is not answered yet, which it remembers; no cut where there is none."""

    def __init__(self, pattern: re.Pattern[str], answered: int) -> None:
        self.pattern = pattern
        self.answered = answered
        self.call: Call | None = None

    def __call__(self, before: str, new: str) -> int:
        self.call = next_call(self.pattern, before + new, self.answered)
        return self.call.end - len(before) if self.call else len(new)


def _decision(draft: Piece, search: bool, theta: float, rule: str) -> str:
    if not draft.probabilities:
        return "kept: nothing was drafted"
    lowest = min(range(len(draft.probabilities)), key=draft.probabilities.__getitem__)
    doubted = sum(is_unlikely(p, theta, rule) for p in draft.probabilities)
    below = "at most" if rule == "released" else "below"
    return (
        f"{'search' if search else 'keep'}: {doubted} of {len(draft.tokens)} tokens {below} {theta:g}, "
        f'the lowest {draft.probabilities[lowest]:.3f} of "{draft.tokens[lowest].strip()}"'
    )
