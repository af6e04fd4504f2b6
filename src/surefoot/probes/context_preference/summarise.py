"""Puts the context-preference probe's summary together from rows and the texts of the tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from surefoot.probes.context_preference.filters import AIG, AIR, sift
from surefoot.probes.context_preference.matching import token_matching
from surefoot.probes.context_preference.preference import ALL, preference
from surefoot.probes.context_preference.similarity import (
    Curve,
    Similarities,
    curve,
    jaccard,
    lexical,
    semantic,
    sentence_jaccard,
)
from surefoot.probes.context_preference.splitting import word_count
from surefoot.probes.context_preference.summary import Accuracy, ContextPreferenceSummary, Count, Lengths
from surefoot.probes.context_preference.units import Texts, Unit, texts_of, units_of
from surefoot.probes.phrasing.noise import noise_floor, truncated_cells
from surefoot.runs.source import Rows
from surefoot.stats.intervals import wilson
from surefoot.tasks.contexts import CONDITIONS, HYBRID
from surefoot.tasks.task import Task
from surefoot.text.instruction import RIGHT

if TYPE_CHECKING:
    from surefoot.probes.context_preference.probe import ContextPreference


def summarise_preference(
    rows: Rows, tasks: Sequence[Task], model: str, probe: ContextPreference, complete: bool
) -> ContextPreferenceSummary:
    """The finding of one model. Neither the rows' order nor the tasks' changes it."""
    ordered = sorted(tasks, key=lambda task: CONDITIONS.index(task.name))
    texts = texts_of(ordered)
    units = units_of(rows, ordered, model)
    sifted = sift(units, parametric=probe.parametric)
    kept = tuple(unit for own in sifted.kept.values() for unit in own)
    sets = {**{name: sifted.kept[name] for name in (AIG, AIR)}, ALL: kept}
    orders = {name: [unit.among([name]) for unit in kept] for name in HYBRID}
    return ContextPreferenceSummary(
        model=model,
        answering=probe.answering,
        order=probe.order,
        least=probe.least,
        units=len(units),
        counts=tuple(Count(name, count) for name, count in sifted.counts.items()),
        accuracy=tuple(_accuracy(rows, ordered, model)),
        sets=tuple(preference(name, own, least=probe.least, seed=probe.seed) for name, own in sets.items()),
        orders=tuple(preference(name, own, least=probe.least, seed=probe.seed) for name, own in orders.items()),
        curves=tuple(_curves(texts, kept, probe)),
        lengths=lengths([*texts.values()]),
        noise=noise_floor(rows, ordered, model),
        rows=rows.count,
        truncated=truncated_cells(rows, model),
        complete=complete,
    )


def lengths(texts: Sequence[Texts]) -> Lengths:
    """Mean words of both kinds of context, and (generated - retrieved) / retrieved."""
    if not texts:
        return Lengths(nan, nan, nan)
    retrieved, generated = (
        sum(word_count(text) for text in own) / len(texts)
        for own in ([one.retrieved for one in texts], [one.generated for one in texts])
    )
    return Lengths(retrieved, generated, (generated - retrieved) / retrieved if retrieved else nan)


def _accuracy(rows: Rows, tasks: Sequence[Task], model: str) -> Iterator[Accuracy]:
    right_wording = pc.field("klass").isin(sorted(RIGHT))
    for task in tasks:
        where = (pc.field("model") == model) & (pc.field("task") == task.name) & ~pc.field("recheck") & right_wording
        table = rows.select(("item", "outcome"), where)
        question = {example.id: example.fields.get("question", example.id).strip() for example in task.examples}
        answered: dict[str, list[bool]] = {}
        for item, outcome in zip(table["item"].to_pylist(), table["outcome"].to_pylist(), strict=True):
            answered.setdefault(question.get(item, item), []).append(outcome == "right")
        right = sum(sum(own) / len(own) for _, own in sorted(answered.items()))
        yield Accuracy(task.name, len(answered), wilson(min(right, len(answered)), len(answered)))


def _curves(texts: Mapping[str, Texts], kept: Sequence[Unit], probe: ContextPreference) -> Iterator[Curve]:
    asked = {unit.item for unit in kept}
    shown = {id: own for id, own in texts.items() if id in asked}
    if not shown:
        return
    measures: dict[str, Similarities] = {
        "Jaccard": lexical(shown, jaccard),
        "Jaccard, best sentence": lexical(shown, sentence_jaccard),
    }
    if probe.encoder:
        from surefoot.models.encoders import SentenceEncoder

        encoder = SentenceEncoder(None if probe.encoder == "minilm" else probe.encoder)
        measures["cosine, best sentence"] = semantic(shown, encoder)
        measures["tokens matched, best sentence"] = token_matching(shown, encoder)
    for name, similarities in measures.items():
        yield curve(name, similarities, kept, probe.slices, least=probe.least)
