"""The timeline of one question: what each model searched, read, drafted and wrote, in that order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from surefoot.models.trace import Event, EventKind, Shown, Trace
from surefoot.report.numbers import visible
from surefoot.report.page import render

if TYPE_CHECKING:
    from markupsafe import Markup
    from rich.console import Group
    from rich.text import Text

STYLE = "timeline.css"
VERBS: dict[EventKind, str] = {
    "search": "searched",
    "draft": "drafted",
    "decide": "decided",
    "write": "wrote",
    "read": "read and answered",
    "stop": "stopped",
}
ENDS = {"stop": "the model ended the text", "length": "the limit of tokens", "interrupted": "it was interrupted"}
DOUBT = (0.2, 0.4, 0.6, 0.8)  # a token below the first has class p0, one at or above the last p4


@dataclass(frozen=True)
class Told:
    """One model's answer to the question, and its trace; `outcome` is empty where no right answer is known.

    `tokens` is how many it wrote where there is no trace that counts them; 0 if that is not known.
    """

    model: str
    answer: str
    text: str = ""
    outcome: str = ""
    trace: Trace | None = None
    tokens: int = 0

    @property
    def cost(self) -> str:
        """What the answer took, in words; empty where nothing was counted."""
        trace = self.trace
        if trace is None:
            return f"1 call, {self.tokens} {_plural(self.tokens, 'token')}" if self.tokens else ""
        counts = ((trace.calls, "call"), (trace.searches, "search"), (trace.tokens, "token"))
        return ", ".join(f"{n} {_plural(n, noun)}" for n, noun in counts)


class Piece(NamedTuple):
    """A token as it is shown: `level` is p0 (improbable) to p4, or empty where no probability is known."""

    text: str
    level: str
    probability: float | None


class Paper(NamedTuple):
    """A document of an event: whether this is the first time it appears in the prompt, and whether it is a gold one.

    Its name is its title, with the id where another document of the trace has the same one.
    """

    document: Shown
    name: str
    is_new: bool
    is_gold: bool


class Moment(NamedTuple):
    """One event, ready to be shown."""

    number: int
    kind: EventKind
    verb: str
    pieces: tuple[Piece, ...]
    queries: tuple[str, ...]
    papers: tuple[Paper, ...]
    note: str


def moments(trace: Trace, gold: Collection[str] = ()) -> tuple[Moment, ...]:
    """The events in order. A document is new in the first event of its kind (search, or write and read) that has it."""
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    names = _names(trace)
    found = []
    for number, event in enumerate(trace.events, 1):
        known = seen[event.kind == "search"]
        papers = tuple(
            Paper(shown, names[shown.id], shown.id not in known, shown.id in gold) for shown in event.documents
        )
        known |= {shown.id for shown in event.documents}
        note = ENDS.get(event.note, event.note) if event.kind == "stop" else event.note
        found.append(Moment(number, event.kind, VERBS[event.kind], _pieces(event), event.queries, papers, note))
    return tuple(found)


def timeline(question: str, told: Sequence[Told], answers: Sequence[str] = (), gold: Collection[str] = ()) -> Markup:
    """The question with every model's timeline below it, as HTML; its page needs the style sheet `STYLE`.

    `answers` are the accepted ones, `gold` the ids of the documents that hold them. All texts are escaped.
    """
    models = [(one, moments(one.trace, gold) if one.trace else ()) for one in told]
    is_marked = any(piece.level for _, own in models for moment in own for piece in moment.pieces)
    return render(
        "timeline.jinja",
        question=question,
        models=models,
        answers=" / ".join(answers),
        has_gold=bool(gold),
        is_marked=is_marked,
    )


def terminal_timeline(
    question: str, told: Sequence[Told], answers: Sequence[str] = (), gold: Collection[str] = ()
) -> Group:
    """The same for a rich console: doubtful tokens are underlined, gold documents marked with a star."""
    from rich.console import Group
    from rich.text import Text

    lines = [Text(visible(question), style="bold")]
    lines += [Text(f"Right: {visible(' / '.join(answers))}")] if answers else []
    for one in told:
        outcome = f" ({one.outcome})" if one.outcome else ""
        lines += [
            Text(),
            Text(visible(one.model), style="bold"),
            Text(f"  answer: {visible(one.answer) or '–'}{outcome}"),
        ]
        if one.trace is None:
            lines += [Text(f"  {one.cost}")] if one.cost else []
            lines.append(Text(f"  read nothing, and wrote: {visible(one.text.strip())}"))
            continue
        lines.append(Text(f"  {one.cost}"))
        for moment in moments(one.trace, gold):
            lines += _terminal(moment)
    return Group(*lines)


def _terminal(moment: Moment) -> list[Text]:
    from rich.text import Text

    head = Text(f"  {moment.number:>2}. {moment.verb}")
    head.append(f" {'; '.join(visible(query) for query in moment.queries)}" if moment.queries else "")
    if moment.pieces:
        head.append(": ")
    for piece in moment.pieces:  # in one paragraph, as on the page
        text = visible(re.sub(r"\s+", " ", piece.text))
        text = text.lstrip() if head.plain.endswith(" ") else text
        head.append(text, style="underline" if piece.level in ("p0", "p1") else "")
    head.append(f" [{visible(moment.note)}]" if moment.note else "")
    names = [f"{'*' if paper.is_gold else ''}{visible(paper.name)}" for paper in moment.papers]
    if moment.kind == "search":
        return [head, Text(f"      found: {'; '.join(names) or 'nothing'}", style="dim")]
    return [head, *([Text(f"      reading: {'; '.join(names)}", style="dim")] if names else [])]


def _names(trace: Trace) -> dict[str, str]:
    """What each document is called, by its id."""
    titles = {shown.id: shown.title for event in trace.events for shown in event.documents}
    shared = {title for title, count in Counter(titles.values()).items() if count > 1}
    return {id: f"{title} ({id})" if title and title in shared else title or id for id, title in titles.items()}


def _pieces(event: Event) -> tuple[Piece, ...]:
    """The tokens with their probabilities where both are there, else the text in one piece."""
    if event.tokens and len(event.tokens) == len(event.probabilities):
        pairs = zip(event.tokens, event.probabilities, strict=True)
        return tuple(Piece(token, f"p{sum(p >= edge for edge in DOUBT)}", p) for token, p in pairs)
    return (Piece(event.text.strip(), "", None),) if event.text.strip() else ()


def _plural(n: int, noun: str) -> str:
    return noun if n == 1 else "searches" if noun == "search" else f"{noun}s"
