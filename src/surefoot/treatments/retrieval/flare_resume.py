"""What an interrupted call of FLARE leaves, and how the next one takes it up: whole steps, all told by the trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from surefoot.models.base import Generation
from surefoot.models.trace import Event, Trace
from surefoot.retrieval.retriever import Document
from surefoot.treatments.retrieval.flare_calls import next_call
from surefoot.treatments.retrieval.flare_steps import Documents, Line
from surefoot.treatments.retrieval.grounded import Log, with_trace

if TYPE_CHECKING:
    from surefoot.treatments.retrieval.flare import FlareModel


def mark(lines: Iterable[Line]) -> None:
    """Remember each text as it is at the end of a step: no draft or search of a step that did not end is in it."""
    for line in lines:
        line.whole = with_trace(replace(line.written, finish_reason="interrupted"), line.log)


def left(model: FlareModel, lines: Iterable[Line]) -> Iterator[tuple[int, Generation]]:
    """What there is of texts that were not given, each with its place, to be gone on with."""
    return ((line.place, model.finished(line) if line.done else line.whole) for line in lines)


def go_on(model: FlareModel, line: Line, begun: Generation) -> None:
    """Take up a text as `mark` left it: documents, steps, and the calls that were answered."""
    trace = begun.trace or Trace()
    line.log = Log([*trace.events], trace.calls, trace.searches, trace.tokens)
    line.written = replace(begun, trace=None)
    writes = [place for place, event in enumerate(trace.events) if event.kind == "write"]
    searches = [place for place, event in enumerate(trace.events) if event.kind == "search"]
    line.steps, line.last = len(writes), trace.events[writes[-1]].text if writes else ""
    if searches and model.initial != "none":
        line.initial = model.fit(line.prompt, found_by(trace.events[searches[0]])).kept
    answered = [place for place in searches if writes and place > writes[0]]
    if model.mode.calls is None or not answered:
        return
    for _ in answered:
        call = next_call(model.mode.calls, line.written.text, line.answered)
        line.answered = call.end if call else line.answered
    line.searched = sum(len(event.tokens) for event in trace.events[: answered[-1]] if event.kind == "write")
    line.reading = model.fit(line.prompt, model.shown_after(line, found_by(trace.events[answered[-1]]))).kept


def found_by(event: Event) -> Documents:
    """The documents of a search."""
    return tuple(Document(one.id, one.title, one.text) for one in event.documents)


def unbegun(lines: Sequence[Line]) -> list[Line]:
    """Texts of which nothing was done yet."""
    return [line for line in lines if not line.log.events and not line.steps]
