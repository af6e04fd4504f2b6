"""From rows to the memorisation probe's summary: every answer against its work, and against unrelated windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from surefoot.errors import BadInput
from surefoot.memorisation.chance import Null, draws
from surefoot.memorisation.works import UNSEEN, read_works
from surefoot.metrics.overlap import Overlap, overlap
from surefoot.probes.asking import Cell
from surefoot.probes.memorisation.rows import Asked, asked, common_run
from surefoot.probes.memorisation.summary import KindFinding, Level, MemorisationSummary, WorkFinding
from surefoot.probes.phrasing.noise import rechecked_pairs, truncated_cells
from surefoot.runs.source import Rows
from surefoot.stats.holm import holm
from surefoot.stats.intervals import Floats
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.template import fields_of
from surefoot.text.words import words_of

if TYPE_CHECKING:
    from surefoot.probes.memorisation.probe import Memorisation

POOL = 40_000  # unrelated words at most


class Answered(NamedTuple):
    """One cell: its answers' scores (an `Overlap` of arrays, one entry an answer), and the same against unrelated
    windows (an `Overlap` of arrays, answers x windows)."""

    cell: Cell
    asked: Asked
    scores: Overlap
    null: Overlap

    def best(self, name: str) -> float:
        """The largest of a score over the answers."""
        return float(getattr(self.scores, name).max())

    def by_chance(self, name: str) -> Floats:
        """The same maximum against each unrelated window; shape (windows,)."""
        drawn: Floats = getattr(self.null, name).max(axis=0)
        return drawn


def summarise(
    rows: Rows, tasks: Sequence[Task], model: str, probe: Memorisation, complete: bool
) -> MemorisationSummary:
    """The finding; `rows` may be those of an unfinished run."""
    from surefoot.probes.memorisation.groups import differences, popularity, thresholds

    found = [each for task in tasks for each in _answered(rows, task, model, probe)]
    works = {key: [one for one in found if _key(one) == key] for key in dict.fromkeys(map(_key, found))}
    best = [_work(cells, probe) for cells in works.values() if any(one.cell.wording.is_right for one in cells)]
    again = rechecked_pairs(rows, tasks, model, ("text", "samples"))
    p_holm = holm([work.p for work in best])
    findings = [replace(work, p_holm=p) for work, p in zip(best, p_holm, strict=True)]
    return MemorisationSummary(
        model=model,
        by=probe.by,
        least=probe.least,
        windows=min((one.by_chance("run").size for one in found if one.cell.wording.is_right), default=0),
        kinds=tuple(_kinds(found, probe)),
        works=tuple(sorted(findings, key=lambda work: -work.excess)),
        thresholds=thresholds([[one for one in cells if one.cell.wording.is_right] for cells in works.values()]),
        differences=differences(findings, probe.seed),
        popularity=popularity(findings, tasks, probe.seed),
        rechecked=len(again),
        changed=sum(first != second for first, second in again),
        rows=rows.count,
        truncated=truncated_cells(rows, model),
        complete=complete,
        seed=probe.seed,
    )


def refuse_without_null(task: Task, probe: Memorisation) -> None:
    """Raise `BadInput` where some work has no unrelated text to measure chance on."""
    for titles in {_related(example, wording) for example in task.examples for wording in task.wordings}:
        _unrelated(task, titles, probe)


def null_of(task: Task, titles: Collection[str], probe: Memorisation) -> Null:
    """Windows of the texts whose titles are not among `titles`, each text cut so that all of them count."""
    texts = _unrelated(task, titles, probe)
    each = max(probe.window, POOL // len(texts))
    return Null(tuple(words_of(text, probe.normalise)[:each] for text in texts), probe.nulls)


def _unrelated(task: Task, titles: Collection[str], probe: Memorisation) -> list[str]:
    if probe.null == "bundled":
        texts = [work.text for work in read_works() if work.group == UNSEEN and work.title not in titles]
    else:
        wanted = (other for other in task.examples if other.fields["title"] not in titles)
        texts = [o.answers[0] for o in wanted if probe.null == "others" or o.fields.get("group") == UNSEEN]
    if not texts:
        raise BadInput(
            f'The task "{task.name}" has no text unrelated to "{min(titles)}" to measure chance on '
            f"(null={probe.null}); give three works or more, or take the bundled texts: --set null=bundled."
        )
    return texts


def _answered(rows: Rows, task: Task, model: str, probe: Memorisation) -> Iterator[Answered]:
    where = (pc.field("model") == model) & (pc.field("task") == task.name) & ~pc.field("recheck")
    table = rows.select(("wording", "item", "text", "samples"), where)
    by_cell = {(row["item"], row["wording"]): row for row in table.to_pylist()}
    for example in task.examples:
        nulls: dict[frozenset[str], Null] = {}
        for wording in task.wordings:
            row = by_cell.get((example.id, wording.id))
            if row is not None:
                titles = _related(example, wording)
                null = nulls.setdefault(titles, nulls.get(titles) or null_of(task, titles, probe))
                yield _scored(Cell(task, wording, example), row, null, probe)


def _related(example: Example, wording: Instruction) -> frozenset[str]:
    """The work's title, and that of the work that a control asks for."""
    other = any(name.startswith("other_") for name in fields_of(wording.template))
    return frozenset({example.fields["title"], *([example.fields["other_title"]] if other else [])})


def _scored(cell: Cell, row: Mapping[str, Any], null: Null, probe: Memorisation) -> Answered:
    one = asked(probe, cell, dict(row))
    scores = [overlap(words, one.reference, probe.least) for words in one.answers]
    drawn = [draws(words, null, len(one.reference), probe.least) for words in one.answers]
    return Answered(cell, one, _stacked(scores), _stacked(drawn))


def _stacked(overlaps: Sequence[Overlap]) -> Overlap:
    """An `Overlap` of arrays, one line for each of these."""
    columns = [
        np.stack([np.asarray(value, dtype=np.float64) for value in each]) for each in zip(*overlaps, strict=True)
    ]
    return Overlap(*columns)  # type: ignore[arg-type]


def _key(one: Answered) -> tuple[str, str]:
    return one.cell.task.name, one.cell.example.id


def _work(cells: Sequence[Answered], probe: Memorisation) -> WorkFinding:
    """A work over its right wordings. The null takes the same maximum over wordings at the same places of the ring, so
    that asking in many ways is paid for."""
    right = [one for one in cells if one.cell.wording.is_right]
    top = max(right, key=lambda one: one.best("run"))
    best = {name: max(one.best(name) for one in right) for name in ("run", "subsequence")}
    chance = {name: np.max([one.by_chance(name) for one in right], axis=0) for name in best}
    at_least = int((chance[probe.by] >= best[probe.by]).sum())
    fields, p = top.cell.example.fields, (1 + at_least) / (1 + chance["run"].size)
    answer = top.asked.answers[int(top.scores.run.argmax())]  # type: ignore[attr-defined]
    return WorkFinding(
        work=top.cell.example.id,
        title=fields["title"],
        group=fields.get("group", ""),
        wording=top.cell.wording.id,
        text=" ".join(common_run(answer, top.asked.reference)),
        reference=max(len(one.asked.reference) for one in right),
        run=best["run"],
        chance_run=float(chance["run"].mean()),
        high_run=float(np.quantile(chance["run"], 0.99)),
        subsequence=best["subsequence"],
        chance_subsequence=float(chance["subsequence"].mean()),
        high_subsequence=float(np.quantile(chance["subsequence"], 0.99)),
        p=p,
        p_holm=p,
    )


def _kinds(found: Sequence[Answered], probe: Memorisation) -> Iterator[KindFinding]:
    groups = dict.fromkeys(one.cell.example.fields.get("group", "") for one in found)
    wordings = dict.fromkeys(one.cell.wording.id for one in found)
    for group in groups:
        for wording in wordings:
            cells = [
                o for o in found if (o.cell.example.fields.get("group", ""), o.cell.wording.id) == (group, wording)
            ]
            if cells:
                yield _kind(group, cells, probe)


def _kind(group: str, cells: Sequence[Answered], probe: Memorisation) -> KindFinding:
    wording = cells[0].cell.wording
    above = sum(one.best(probe.by) > np.quantile(one.by_chance(probe.by), 0.99) for one in cells)
    level = Level(
        mean=_over(cells, lambda x: x.mean(), "scores"),
        best=Overlap(*(_extreme(cells, name) for name in Overlap._fields)),
        chance=_over(cells, lambda x: x.mean(), "null"),
        high=_over(cells, lambda x: np.quantile(x, 0.99), "null"),
    )
    empty = sum(not any(map(len, one.asked.answers)) for one in cells)
    echoed = sum(one.asked.echoed for one in cells)
    return KindFinding(group, wording.id, wording.is_right, len(cells), level, int(above), echoed, empty)


def _over(cells: Sequence[Answered], of: Any, which: str) -> Overlap:
    """Mean over cells of a statistic of each score."""
    return Overlap(*(float(np.mean([of(getattr(getattr(o, which), n)) for o in cells])) for n in Overlap._fields))


def _extreme(cells: Sequence[Answered], name: str) -> float:
    values = np.concatenate([getattr(one.scores, name) for one in cells])
    return float(values.min() if name == "edit" else values.max())
