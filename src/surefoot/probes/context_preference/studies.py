"""Several readings of the probe side by side: generators by readers, variants of completeness."""

from __future__ import annotations

from collections.abc import Mapping, Sized

from surefoot.errors import BadInput
from surefoot.probes.context_preference.summary import ContextPreferenceSummary
from surefoot.probes.context_preference.words import signed
from surefoot.probes.summary import Table


def generator_table(summaries: Mapping[tuple[str, str], ContextPreferenceSummary], subset: str = "AIR") -> Table:
    """DiffGR by who wrote the generated contexts (lines) and who read them (columns); a dash where nothing was read.

    Keys are (generator, reader), as `{("a", "b"): reading.summary}`. The names keep the order of the mapping.
    """
    _refuse_empty(summaries)
    generators, readers = (list(dict.fromkeys(key[place] for key in summaries)) for place in (0, 1))
    rows = [(one, *(_told(summaries.get((one, reader)), subset) for reader in readers)) for one in generators]
    note = "A model that reads what it wrote itself stands where line and column have one name."
    return Table(f"DiffGR on {subset}, by generator and reader", ("generator", *readers), tuple(rows), note)


def variant_table(summaries: Mapping[str, ContextPreferenceSummary]) -> Table:
    """DiffGR of the same questions with their generated contexts changed, a line a variant."""
    _refuse_empty(summaries)
    rows = [
        (name, f"{one.lengths.generated:.1f}", f"{one.lengths.retrieved:.1f}", *(_told(one, s) for s in ("AIG", "AIR")))
        for name, one in summaries.items()
    ]
    columns = ("variant", "words generated", "words retrieved", "DiffGR on AIG", "DiffGR on AIR")
    return Table("DiffGR by variant of the generated contexts", columns, tuple(rows))


def _told(summary: ContextPreferenceSummary | None, subset: str) -> str:
    return "–" if summary is None else signed(summary.preference(subset).diff_gr)


def _refuse_empty(summaries: Sized) -> None:
    if not summaries:
        raise BadInput("There is no summary to set side by side; give at least one.")
