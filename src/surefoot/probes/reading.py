"""What a probe gives back: its rows, what follows from them, and ways to look at both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.probes.first_prompts import FirstPrompt
from surefoot.probes.phrasing_summary import PhrasingSummary, to_dict

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Reading:
    """The finding of one probe on one model.

    `rows` is a pyarrow table of `surefoot.runs.rows.ROW_SCHEMA`, `summary` all that is derived from it, `record` the
    run's settings and versions. Printing a reading shows its tables; a notebook shows them as HTML.
    """

    summary: PhrasingSummary
    rows: pa.Table
    record: Mapping[str, Any]
    first_prompts: tuple[FirstPrompt, ...] = ()
    path: str | None = None

    @cached_property
    def mean(self) -> float:
        """Mean over tasks and right wordings, 0..1."""
        return self.summary.mean.value

    @cached_property
    def spread(self) -> float:
        """Unweighted mean over tasks of the standard deviation over right wordings, 0..1."""
        return self.summary.mean_sd

    def save(self, path: str | Path) -> Path:
        """Write the report into one HTML file that opens without network; `.json` writes the summary instead."""
        if str(path).endswith(".json"):
            Path(path).write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n")
            return Path(path)
        from surefoot.report import write_report

        return write_report(path, self.summary, record=self.record, first_prompts=self.first_prompts, rows=self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain JSON."""
        return to_dict(self.summary)

    def __str__(self) -> str:
        from surefoot.report import summary_text

        return summary_text(self.summary)

    def __repr__(self) -> str:
        numbers = f"mean {self.mean:.3f}, spread {self.spread:.3f}, {self.rows.num_rows} rows"
        return f"<Reading of {self.summary.model}: {numbers}>"

    def _repr_html_(self) -> str:
        from surefoot.report import summary_html

        return summary_html(self.summary)
