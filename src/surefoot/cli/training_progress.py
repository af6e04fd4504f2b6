"""Progress of a training on standard error: steps done, losses, and the time that remains."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from surefoot.progress import Progress, minutes

if TYPE_CHECKING:
    from surefoot.training.fit import FitStep


class TrainingProgress(Progress):
    """A bar on a terminal; elsewhere a line now and then."""

    _told = float("-inf")

    def step(self, step: FitStep) -> None:
        """Show one step."""
        losses = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in step.losses.items())
        left = f"{minutes(step.seconds / step.of_this_call * (step.steps - step.step))} left"
        if self.console.is_terminal:
            self._show(step, f"{losses}, {left}")
        elif step.step == step.steps or time.monotonic() - self._told >= self.every:
            self._told = time.monotonic()
            self.say(f"step {step.step} of {step.steps}, {losses}, {left}")

    def _show(self, step: FitStep, text: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        if self._bar is None:
            columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("[dim]{task.description}"))
            self._bar = Bar(*columns, console=self.console)
            self._bar.start()
            self._job = self._bar.add_task("", total=step.steps)
        self._bar.update(self._job, completed=step.step, description=text)
