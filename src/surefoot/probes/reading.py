"""What a probe gives back: its rows, what follows from them, and ways to look at both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.probes.first_prompts import FirstPrompt

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.runs.source import Rows


@dataclass(frozen=True, eq=False)
class Reading:
    """The finding of one probe on one model.

    `summary` is all that is derived from the rows (the probe's own dataclass, see `surefoot.probes.summary`), `source`
    where the rows are, `record` the run's settings and versions, `path` its folder. Printing a reading shows its
    tables; a notebook shows them as HTML.
    """

    summary: Any
    source: Rows | pa.Table
    record: Mapping[str, Any]
    first_prompts: tuple[FirstPrompt, ...] = ()
    path: str | None = None

    @cached_property
    def rows(self) -> pa.Table:
        """All rows as a pyarrow table (for answers: `surefoot.runs.rows.ROW_SCHEMA`), read when first asked for."""
        from surefoot.runs.source import Rows

        return Rows.of(self.source).table()

    @property
    def probe(self) -> str:
        """The probe's name."""
        return str(self.summary.probe)

    @property
    def mean(self) -> float:
        """Of the phrasing probe: mean over tasks and right wordings, 0..1."""
        self._must_be_of("phrasing", "mean")
        return float(self.summary.mean.value)

    @property
    def spread(self) -> float:
        """Of the phrasing probe: unweighted mean over tasks of the standard deviation over right wordings, 0..1."""
        self._must_be_of("phrasing", "spread")
        return float(self.summary.mean_sd)

    def save(self, path: str | Path) -> Path:
        """Write the report into one HTML file that opens without network; `.json` writes the summary instead."""
        if str(path).endswith(".json"):
            Path(path).write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n")
            return Path(path)
        from surefoot.report import write_report

        return write_report(path, self.summary, record=self.record, first_prompts=self.first_prompts, rows=self.source)

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain JSON."""
        found: dict[str, Any] = self.summary.to_dict()
        return found

    def __str__(self) -> str:
        from surefoot.report import summary_text

        return summary_text(self.summary)

    def __repr__(self) -> str:
        return f"<Reading of {self.summary.model} by the {self.probe} probe>"

    def _repr_html_(self) -> str:
        from surefoot.report import summary_html

        return summary_html(self.summary)

    def _must_be_of(self, probe: str, what: str) -> None:
        if self.probe != probe:
            raise BadInput(f'A reading of the {self.probe} probe has no "{what}"; its numbers are in .summary.')
