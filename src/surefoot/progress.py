"""Progress on the terminal: rows done, tokens a second, and a remaining time from the first second on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from surefoot.errors import BadInput

if TYPE_CHECKING:
    from surefoot.endpoints.budget import Meter
    from surefoot.models.base import LanguageModel
    from surefoot.probes.filling import Filling, Step
    from surefoot.tasks.task import Task


class Progress:
    """A bar on standard error while a run fills; a line now and then where standard error is no terminal."""

    def __init__(self, quiet: bool = False, every: float = 20.0) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, quiet=quiet)
        self.every = every
        self._bar: Any = None
        self._job: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line of what goes on."""
        self.console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)

    def watch(
        self, model: LanguageModel, tasks: Sequence[Task], filling: Filling, folder: str
    ) -> Callable[[Step], None]:
        """The watcher of a run: starts with an estimate from the preflight, then goes by what is measured."""
        from surefoot.probes.filling import planned
        from surefoot.probes.preflight import preflight

        found = preflight(model, tasks, filling.answering, states=filling.states)
        for finding in found.findings:
            self.say(f"{finding.level}: {finding.sentence}")
        total = planned(tasks, filling)
        stored = _stored(folder)
        meter = _meter(model)
        if meter is not None and found.requests is not None:
            share = 1 - stored / total
            cost = f"about {found.requests * share:,.0f} requests and {found.asked * share:,.0f} tokens to ask"
            self.say(f"{cost}; the budget is {meter.budget}, and finding out what is offered took {meter}")
        if stored:
            self.say(f"{stored:,} of {total:,} rows are there already")
        clock = _Clock(total - stored, found.minutes and found.minutes * 60 * (1 - stored / total))
        self._start(total, stored, clock)

        def watch(step: Step) -> None:
            clock.note(step.cells, step.computed)
            spent = "" if meter is None else f"{meter}, "
            self._update(stored + step.cells, total, clock, f"{spent}{step.task}: {step.wording}")

        return watch

    def _start(self, total: int, stored: int, clock: _Clock) -> None:
        if not self.console.is_terminal or self.console.quiet:
            self.say(f"{_percent(stored, total)} % of {total:,} rows, {clock.remaining()}")
            self._last = time.monotonic()
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"))
        clocks = _Remaining(clock)
        self._bar = Bar(*columns, clocks.column(), TextColumn("[dim]{task.description}"), console=self.console)
        self._bar.start()
        self._job = self._bar.add_task("", total=total, completed=stored, speed="")

    def _update(self, done: int, total: int, clock: _Clock, what: str) -> None:
        if self._bar is not None:
            self._bar.update(self._job, completed=done, description=what, speed=clock.speed())
        elif time.monotonic() - self._last >= self.every or done == total:
            self._last = time.monotonic()
            self.say(f"{_percent(done, total)} % of {total:,} rows, {clock.speed()}, {clock.remaining()}, {what}")


def _percent(done: int, total: int) -> int:
    """Whole percents, rounded down, so that 100 means all."""
    return 100 * done // total if total else 100


def minutes(seconds: float) -> str:
    """`2:05` for 125 seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class _Clock:
    """Remaining time: the estimate at first, then more and more the measured rate."""

    def __init__(self, cells: int, seconds: float | None) -> None:
        self.cells, self.seconds = cells, seconds
        self.start = time.monotonic()
        self.done = self.tokens = 0
        self.at = self.start

    def note(self, done: int, tokens: int) -> None:
        self.done, self.tokens, self.at = done, tokens, time.monotonic()

    def speed(self) -> str:
        return f"{self.tokens / max(1e-9, self.at - self.start):,.0f} tokens/s" if self.tokens else ""

    def left(self) -> float | None:
        share = self.done / self.cells if self.cells else 1.0
        since = time.monotonic() - self.at
        measured = (self.at - self.start) * (1 - share) / share if share else None
        if measured is None or self.seconds is None:
            whole = self.seconds if measured is None else measured
            return None if whole is None else max(0.0, whole - since)
        trust = min(1.0, 5 * share)  # after a fifth of the cells the estimate no longer counts
        return max(0.0, trust * measured + (1 - trust) * self.seconds * (1 - share) - since)

    def remaining(self) -> str:
        left = self.left()
        return "" if left is None else f"{minutes(left)} left"


class _Remaining:
    def __init__(self, clock: _Clock) -> None:
        self.clock = clock

    def column(self) -> Any:
        from rich.progress import ProgressColumn
        from rich.text import Text

        clock = self.clock

        class Left(ProgressColumn):
            def render(self, task: Any) -> Text:
                return Text(clock.remaining())

        return Left()


def _meter(model: LanguageModel) -> Meter | None:
    """What counts requests and tokens, where the model is behind an endpoint."""
    from surefoot.probes.pricing import endpoint_of

    behind = endpoint_of(model)
    return behind and behind.model.client.meter


def _stored(folder: str) -> int:
    """Rows that a run folder holds already."""
    from surefoot.runs import query_rows

    try:
        return int(query_rows(folder, "SELECT count(*) AS n FROM rows")["n"][0].as_py())
    except BadInput:  # no run yet, or a damaged shard, of which opening the run tells
        return 0
