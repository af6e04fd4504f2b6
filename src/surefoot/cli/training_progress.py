"""Progress of a training on standard error: steps done, losses, and the time that remains."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from surefoot.training.fit import FitStep


class TrainingProgress:
    """A bar on a terminal; elsewhere a line now and then."""

    def __init__(self, every: float = 20.0) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.every = every
        self._bar: Any = None
        self._told = float("-inf")

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

    def watch(self, step: FitStep) -> None:
        """Show one step."""
        losses = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in step.losses.items())
        left = f"{_clock(step.seconds / step.of_this_call * (step.steps - step.step))} left"
        if self.console.is_terminal:
            self._show(step, f"{losses}, {left}")
        elif step.step == step.steps or time.monotonic() - self._told >= self.every:
            self._told = time.monotonic()
            self.say(f"step {step.step} of {step.steps}, {losses}, {left}")

    def _show(self, step: FitStep, text: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self._bar is None:
            columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("[dim]{task.description}"))
            self._bar = Progress(*columns, console=self.console)
            self._bar.start()
            self._job = self._bar.add_task("", total=step.steps)
        self._bar.update(self._job, completed=step.step, description=text)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
