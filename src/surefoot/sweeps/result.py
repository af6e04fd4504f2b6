"""What a sweep gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from surefoot.probes.class_comparison import ClassComparison
from surefoot.probes.phrasing.summary import PhrasingSummary
from surefoot.probes.summary import Table, plain
from surefoot.report.numbers import percent


@dataclass(frozen=True)
class ArmFinding:
    """What one arm found. `gap` is None where no task has wordings of both classes; `parameters` of a local model."""

    label: str
    shots: int
    parameters: int | None
    summary: PhrasingSummary
    gap: ClassComparison | None


@dataclass(frozen=True)
class Sweep:
    """The findings of all arms, in the order of the sweep; `left` and `right` are the classes of the gap."""

    name: str
    left: str
    right: str
    arms: tuple[ArmFinding, ...]
    record: Mapping[str, Any] = field(default_factory=dict, compare=False)

    probe: ClassVar[str] = "sweep"

    @property
    def model(self) -> str:
        return f"{self.name}: {', '.join(arm.label for arm in self.arms)}"

    @property
    def complete(self) -> bool:
        return all(arm.summary.complete for arm in self.arms)

    def sentence(self) -> str:
        """The finding in a sentence."""
        from surefoot.sweeps.tables import gap_words

        parts = [f"{arm.label}: mean {percent(arm.summary.mean.value)}, {gap_words(self, arm)}" for arm in self.arms]
        return "; ".join(parts) + "."

    def warnings(self) -> tuple[str, ...]:
        """Guards that were raised, arms that are unfinished, arms that asked different items."""
        found = [f"{arm.label}: {arm.summary.guard.sentence}" for arm in self.arms if arm.summary.guard.raised]
        found += [f"{arm.label} is unfinished." for arm in self.arms if not arm.summary.complete]
        if len({arm.summary.items for arm in self.arms}) > 1:
            found.append("The arms asked different numbers of items (worked examples are taken out of the items).")
        return tuple(found)

    def tables(self) -> tuple[Table, ...]:
        """Classes, drops from right wordings, spread, gaps between the two classes, and the tasks."""
        from surefoot.sweeps.tables import tables_of

        return tables_of(self)

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain JSON."""
        found: dict[str, Any] = plain(self)
        return found

    def save(self, path: str | Path) -> Path:
        """Write one HTML file that opens without network; `.json` writes the numbers instead."""
        import json

        from surefoot.report.html import write_text
        from surefoot.report.sweep import sweep_html

        if str(path).endswith(".json"):
            return write_text(path, json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n")
        return write_text(path, sweep_html(self))

    def __str__(self) -> str:
        import io

        from rich.console import Console

        from surefoot.report.plain import terminal

        file = io.StringIO()
        Console(file=file, width=120, color_system=None, force_terminal=False, emoji=False).print(terminal(self))
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"

    def _repr_html_(self) -> str:
        from surefoot.report.plain import fragment

        return str(fragment(self))
