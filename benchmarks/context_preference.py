"""What SmolLM2 prefers when one of two contexts was written by itself: `python benchmarks/context_preference.py`.

Invented facts, so that nothing is known without a context. The retrieved context is a paragraph of the world with one
value; the generated one is written by the model, which is told to state another one. Which side is right is a coin.
Texts are kept in `--out` and not written again. Prints DiffGR for contexts matched in length, the paired effect of the
question's words before one context, and the variants of completeness.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import surefoot as sf
from surefoot.models.base import LanguageModel
from surefoot.probes.context_preference.building import Draft, generated_contexts, length_difference, matched
from surefoot.probes.context_preference.filters import occurs, sift
from surefoot.probes.context_preference.interventions import SIDES, VARIANTS, complete_as, shift, with_question
from surefoot.probes.context_preference.studies import variant_table
from surefoot.probes.context_preference.units import Unit, units_of
from surefoot.probes.reading import Reading
from surefoot.probes.summary import Table
from surefoot.runs.source import Rows
from surefoot.tasks.contexts import ContextPair, context_tasks
from surefoot.worlds.contexts import planted_pair
from surefoot.worlds.facts import Fact, FactWorld

MATCHED, LONG = (20, 30, 40), 80


def main() -> None:
    """All parts, with one model as generator and reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--facts", type=int, default=120)
    parser.add_argument("--out", type=Path, default=Path("runs/contexts"))
    words = parser.parse_args()
    model = sf.load(words.model)
    facts = list(FactWorld(seed=12, size=words.facts))
    pairs = [_pair(fact) for fact in facts]
    drafts = _drafts(model, facts, pairs, words.out / "drafts.jsonl")
    near = matched(pairs, [[draft for draft in own if draft.target != LONG] for own in drafts])
    print(f"{len(near)} pairs, generated contexts {100 * length_difference(near):+.1f} % words")
    before = _read(model, near)
    _print(before)
    for side in SIDES:
        found = shift(_kept(before, near), _kept(_read(model, with_question(near, side)), near), side)
        print(f"question's words before the {side} context: {found}")
    long = [[draft for draft in own if draft.target == LONG] for own in drafts]
    whole = matched(pairs, long)
    cut = {name: complete_as(whole, name) for name in VARIANTS}
    shared = set.intersection(*({pair.id for pair in one.pairs} for one in cut.values()))
    print(f"completeness: {len(shared)} pairs; dropped { ({name: len(one.dropped) for name, one in cut.items()}) }")
    own = {name: _read(model, [p for p in one.pairs if p.id in shared]).summary for name, one in cut.items()}
    _show(variant_table(own))


def _pair(fact: Fact) -> ContextPair:
    """The planted pair with the world's paragraph on the retrieved side."""
    pair = planted_pair(fact)
    return replace(pair, retrieved=fact.paragraph(_value(pair, pair.retrieved)))


def _drafts(model: LanguageModel, facts: Sequence[Fact], pairs: Sequence[ContextPair], path: Path) -> list[list[Draft]]:
    if not path.is_file():
        told = [fact.sentence(_value(pair, pair.generated)) for fact, pair in zip(facts, pairs, strict=True)]
        found = generated_contexts(model, [pair.question for pair in pairs], (*MATCHED, LONG), stating=told)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps([draft._asdict() for draft in own]) for own in found]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [[Draft(**one) for one in json.loads(line)] for line in path.read_text(encoding="utf-8").splitlines()]


def _value(pair: ContextPair, context: str) -> str:
    return max((option for option in pair.options if occurs(option, context)), key=len)


def _read(model: LanguageModel, pairs: Sequence[ContextPair]) -> Reading:
    tasks = [task.shuffled() for task in context_tasks(pairs)]
    return sf.probe("context-preference", model, tasks, encoder="minilm")


def _kept(reading: Reading, pairs: Sequence[ContextPair]) -> list[Unit]:
    model = reading.summary.model
    kept = sift(units_of(Rows.of(reading.rows), context_tasks(pairs), model)).kept
    return [unit for own in kept.values() for unit in own]


def _print(reading: Reading) -> None:
    print(reading.summary.sentence(), *reading.summary.warnings(), sep="\n")
    for table in reading.summary.tables():
        _show(table)


def _show(table: Table) -> None:
    print(f"\n{table.title}\n" + " | ".join(table.columns))
    print(*(" | ".join(row) for row in table.rows), table.note, sep="\n")


if __name__ == "__main__":
    main()
