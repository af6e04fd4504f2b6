"""What SmolLM2 prefers of two contexts: `python benchmarks/context_preference.py --part written question`.

Parts; a run is kept in `--out`, gone on with, and not asked again. The last three, which are paired or small, ask under
one wording:
- `coins`: contexts whose sides differ by coins alone, tossed anew for each of `--seeds`; how often the instrument
  finds a preference in the exchanged answers, where there is none; DiffGR by order mode.
- `written`: the retrieved context is a paragraph of an invented world with one value; the generated one is written by
  the model, which is told to state another one. Which side is right is a coin.
- `question`: the same with the question's words before one context alone, paired.
- `completeness`: planted generated contexts whole, cut to the retrieved one's length, and cut at a sentence's end.
- `memory`: facts of the real world of which the model believes a wrong value; the generated context states this belief,
  or, as counter-memory, another wrong value.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import surefoot as sf
from surefoot.models.base import LanguageModel
from surefoot.probes.context_preference.building import Draft, generated_contexts, length_difference, matched
from surefoot.probes.context_preference.filters import occurs, sift
from surefoot.probes.context_preference.interventions import (
    SIDES,
    VARIANTS,
    complete_as,
    counter_memory,
    shift,
    with_question,
)
from surefoot.probes.context_preference.null import null
from surefoot.probes.context_preference.preference import Preference, preference
from surefoot.probes.context_preference.studies import variant_table
from surefoot.probes.context_preference.units import Unit, order_of, units_of
from surefoot.probes.reading import Reading
from surefoot.probes.summary import Table
from surefoot.runs.source import Rows
from surefoot.tasks.contexts import CLOSED, HYBRID, ContextPair, context_tasks
from surefoot.tasks.task import Task
from surefoot.worlds.contexts import planted_pair, planted_pairs
from surefoot.worlds.fact_files import real_facts
from surefoot.worlds.facts import Fact, FactWorld

MATCHED, LONG = (20, 30, 40), 80
LEAST = 5
ONE = ("short",)
PARTS = ("coins", "written", "question", "completeness", "memory")


@dataclass(frozen=True)
class Bench:
    """A model, the number of facts asked, and the folder of the runs."""

    model: LanguageModel
    facts: int
    out: Path

    def read(self, name: str, pairs: Sequence[ContextPair], wordings: Sequence[str] = (), **settings: Any) -> Reading:
        """One reading, kept under its name; `wordings` asks under these alone."""
        tasks = [task.shuffled() for task in context_tasks(pairs)]
        if wordings:
            tasks = [replace(t, wordings=tuple(w for w in t.wordings if w.id in wordings)) for t in tasks]
        return self.measured(name, tasks, **settings)

    def measured(self, name: str, asked: Sequence[Task], **settings: Any) -> Reading:
        """The reading of these tasks."""
        return sf.probe("context-preference", self.model, list(asked), out=str(self.out / name), recheck=0, **settings)


def main() -> None:
    """The parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--facts", type=int, default=100)
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--out", type=Path, default=Path("runs/contexts"))
    words = parser.parse_args()
    bench = Bench(sf.load(words.model), words.facts, words.out)
    for part in words.part:
        print(f"\n== {part}")
        if part == "coins":
            coins(bench, words.seeds)
        else:
            {"written": written, "question": question, "completeness": completeness, "memory": memory}[part](bench)


def coins(bench: Bench, seeds: Sequence[int]) -> None:
    """Sides by coins alone: the same questions, with other coins for each seed, then all of them pooled."""
    every: list[Unit] = []
    for seed in seeds:
        pairs = planted_pairs(FactWorld(size=bench.facts), seed)
        every += (units := kept(bench.read(f"coins-{seed}", pairs), pairs))
        print(f"seed {seed}: {told(preference('all', units, least=LEAST))}; {null(units)}")
    print(f"pooled: {told(preference('all', every, least=LEAST))}; {null(every)}")
    coin = [unit.among([order_of(unit.item, 0)]) for unit in every]
    modes = {"both": every, "random": coin, **{name: [unit.among([name]) for unit in every] for name in HYBRID}}
    for name, units in modes.items():
        print(f"order {name}: {told(preference(name, units, least=LEAST))}")


def written(bench: Bench) -> None:
    """Contexts that the model wrote, matched in length as far as it goes."""
    pairs = written_pairs(bench)
    print(f"{len(pairs)} pairs, generated contexts {100 * length_difference(pairs):+.1f} % words")
    reading = bench.read("written", pairs, encoder="minilm", least=LEAST, slices=3)
    print(reading.summary.sentence(), *reading.summary.warnings(), sep="\n")
    for table in reading.summary.tables():
        show(table)


def question(bench: Bench) -> None:
    """The question's own words before one context, against the same contexts without them."""
    pairs = written_pairs(bench)
    before = kept(bench.read("written", pairs, encoder="minilm", least=LEAST, slices=3), pairs)
    for side in SIDES:
        changed = with_question(pairs, side)
        after = kept(bench.read(f"question-{side}", changed, ONE), changed)
        print(f"before the {side} context: {shift(before, after, side)}")


def completeness(bench: Bench) -> None:
    """Long planted contexts in three variants, and the paired change against the whole ones."""
    pairs = long_pairs(bench.facts)
    cut = {name: complete_as(pairs, name) for name in VARIANTS}
    shared = set.intersection(*({pair.id for pair in one.pairs} for one in cut.values()))
    print(f"{len(shared)} pairs; dropped { ({name: len(one.dropped) for name, one in cut.items()}) }")
    own = {name: [pair for pair in one.pairs if pair.id in shared] for name, one in cut.items()}
    read = {name: bench.read(f"complete-{name}", some, ONE, least=LEAST) for name, some in own.items()}
    show(variant_table({name: one.summary for name, one in read.items()}))
    units = {name: kept(read[name], own[name]) for name in VARIANTS}
    for name in VARIANTS[1:]:
        print(f"{name} against {VARIANTS[0]}: {shift(units[VARIANTS[0]], units[name], 'generated')}")


def memory(bench: Bench) -> None:
    """A wrong belief in the generated context, and another wrong value in its place; the retrieved one is right."""
    facts = {fact.id: fact for fact in random.Random(0).sample(real_facts(), min(2 * bench.facts, 221))}
    tasks = context_tasks([_against(fact, fact.alternatives[0]) for fact in facts.values()])
    closed = bench.measured("beliefs", [task.shuffled() for task in tasks if task.name == CLOSED])
    beliefs = {id: said for id, said in _beliefs(closed).items() if said in facts[id].alternatives}
    stated = [_against(facts[id], said) for id, said in sorted(beliefs.items())]
    substitutes = {id: next(v for v in facts[id].alternatives if v != said) for id, said in beliefs.items()}
    turned = counter_memory(stated, beliefs, substitutes)
    print(f"{len(facts)} facts, {len(stated)} wrong beliefs held under both wordings, {len(turned.dropped)} dropped")
    variants = {"memory": stated, "counter-memory": list(turned.pairs)}
    read = {name: bench.read(name, own, ONE, parametric=False, least=LEAST) for name, own in variants.items()}
    units = {name: kept(read[name], own, parametric=False) for name, own in variants.items()}
    for name, own in units.items():
        print(f"{name}: {told(preference(name, own, least=LEAST))}")
    print(f"counter-memory against memory: {shift(units['memory'], units['counter-memory'], 'generated')}")


def written_pairs(bench: Bench) -> list[ContextPair]:
    """Pairs of a paragraph of the world and of what the model wrote, the nearest in length."""
    facts = list(FactWorld(seed=12, size=bench.facts))
    pairs = [_pair(fact) for fact in facts]
    drafts = _drafts(bench.model, facts, pairs, bench.out / "drafts.jsonl")
    return list(matched(pairs, [[draft for draft in own if draft.target != LONG] for own in drafts]))


def long_pairs(count: int) -> list[ContextPair]:
    """Pairs whose generated context is a paragraph on the fact and one on another, whose retrieved one is shorter."""
    facts, found = list(FactWorld(seed=5, size=count)), []
    for place, fact in enumerate(facts):
        pair, (second, third) = planted_pair(fact), (facts[(place + k) % count] for k in (1, 2))
        generated, retrieved = (fact.paragraph(_value(pair, text)) for text in (pair.generated, pair.retrieved))
        longer, shorter = f"{generated} {second.paragraph()}", f"{retrieved} {third.sentence()}"
        found.append(replace(pair, generated=longer, retrieved=shorter))
    return found


def kept(reading: Reading, pairs: Sequence[ContextPair], *, parametric: bool = True) -> list[Unit]:
    """The units of both subsets."""
    units = units_of(Rows.of(reading.rows), context_tasks(pairs), reading.summary.model)
    return [unit for own in sift(units, parametric=parametric).kept.values() for unit in own]


def told(found: Preference) -> str:
    """DiffGR with interval, p-value and the number of questions."""
    own = found.diff_gr
    return f"DiffGR {own.value:+.2f} ({own.low:+.2f} to {own.high:+.2f}), p {found.p:.3f}, {found.questions} questions"


def _pair(fact: Fact) -> ContextPair:
    """The planted pair with the world's paragraph on the retrieved side."""
    pair = planted_pair(fact)
    return replace(pair, retrieved=fact.paragraph(_value(pair, pair.retrieved)))


def _against(fact: Fact, value: str) -> ContextPair:
    """The true value in the retrieved context, another one in the generated one, in the same words."""
    texts = (fact.paragraph(), fact.paragraph(value))
    return ContextPair(fact.id, fact.question, (fact.answer,), *texts, (fact.answer, *fact.alternatives))


def _beliefs(reading: Reading) -> Mapping[str, str]:
    """The closed-book answers that are the same under all wordings, by the question's id."""
    said: dict[str, set[str]] = {}
    for row in Rows.of(reading.rows).select(("item", "predicted"), None).to_pylist():
        said.setdefault(row["item"], set()).add(row["predicted"])
    return {id: next(iter(own)) for id, own in said.items() if len(own) == 1}


def _drafts(model: LanguageModel, facts: Sequence[Fact], pairs: Sequence[ContextPair], path: Path) -> list[list[Draft]]:
    if not path.is_file():
        stating = [fact.sentence(_value(pair, pair.generated)) for fact, pair in zip(facts, pairs, strict=True)]
        found = generated_contexts(model, [pair.question for pair in pairs], (*MATCHED, LONG), stating=stating)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps([draft._asdict() for draft in own]) for own in found]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [[Draft(**one) for one in json.loads(line)] for line in path.read_text(encoding="utf-8").splitlines()]


def _value(pair: ContextPair, context: str) -> str:
    return max((option for option in pair.options if occurs(option, context)), key=len)


def show(table: Table) -> None:
    """One table as text."""
    print(f"\n{table.title}\n" + " | ".join(table.columns))
    print(*(" | ".join(row) for row in table.rows), table.note, sep="\n")


if __name__ == "__main__":
    main()
