"""Soft-prompt alignment of SmolLM2 on the bundled suite: base, PT, PT+KL, FT over seeds, tested on what was held out.

    python benchmarks/alignment.py --out runs/alignment                      the table of docs/results.md
    python benchmarks/alignment.py --out runs/dev --develop --set steps=60   to choose settings without any test wording

Half of each task's items and a part of its wordings are for training. `--develop` divides the training side once more
and tests on its second part. `--observed 1 --paraphrases none` trains on one text a task as it stands, and `--base DIR`
goes on from a model that such a training has kept. Everything finished is kept in `--out`; the same command goes on
from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import surefoot
from measuring import forget_peak, held_mib, peak_mib
from surefoot.models.load import load
from surefoot.paraphrases import paraphrase_task, source_of, split_wordings
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction
from surefoot.treatments.weights.alignment_data import training_items

CONTROLS = ("negated", "nonsense", "incorrect")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--modes", nargs="*", default=["PT", "PT+KL", "FT"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="settings", help="setting of soft-align: name=value")
    parser.add_argument(
        "--tasks", nargs="*", default=["demo"], help="trained on, and tested on what is held out of them"
    )
    parser.add_argument("--transfer", nargs="*", default=[], help="further tasks, to test on their unobserved wordings")
    parser.add_argument("--paraphrases", default="rules", help="where other wordings to train on come from, or none")
    parser.add_argument("--base", default="smollm2", help="the model that is trained: smollm2, or a folder")
    parser.add_argument(
        "--observed", type=int, default=0, help="texts of each task that are references, and are asked too; 0: all"
    )
    parser.add_argument("--across", action="store_true", help="other texts and untaught items; see `across`")
    parser.add_argument("--items", type=int, default=20, help="test items of each task")
    parser.add_argument("--controls", type=int, default=2, help="wordings of each control class")
    parser.add_argument("--no-base", action="store_true", help="measure the treated models alone")
    parser.add_argument(
        "--distance", type=int, default=0, help="items of each task to measure states on; none by default"
    )
    parser.add_argument("--develop", action="store_true")
    return parser.parse_args()


def second(text: str) -> bool:
    """Whether an item of the training side belongs to its second part (three of eight)."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 8 < 3


def in_order(groups: Sequence[Sequence[Instruction]]) -> list[str]:
    """The texts of the references in a fixed order; `--develop` tests the last one, in every frame."""
    return sorted({group[0].text for group in groups}, key=lambda text: hashlib.sha256(text.encode()).hexdigest())


def of_class(task: Task, klass: str) -> list[Instruction]:
    return [wording for wording in task.wordings if wording.klass == klass]


def across(groups: Sequence[tuple[Instruction, ...]], text: str) -> list[tuple[Instruction, ...]]:
    """Wordings of one text as references, in turn, each with three of the other texts and of their paraphrases.

    They go with the items that `--develop` tests, which a base that was made with it has not seen.
    """
    references = [group[0] for group in groups if group[0].text == text]
    others = [wording for group in groups if group[0].text != text for wording in group]
    triples = [others[k :: len(others) // 3][:3] for k in range(len(others) // 3)]  # of several texts and frames each
    return [(references[k % len(references)], *triple) for k, triple in enumerate(triples)]


class Sides(NamedTuple):
    """The task with the training items, groups of wordings to train on, and the task to test on: under wordings that
    are held out, and under the references."""

    training: Task
    groups: Sequence[Sequence[Instruction]]
    test: Task
    seen: Task


def sides(task: Task, args: argparse.Namespace, per_wording: int) -> Sides:
    taught = {example.id for example in training_items(task, 0.5)}
    split = split_wordings(task)
    groups: list[tuple[Instruction, ...]] = [(wording,) for wording in split.training]
    if args.paraphrases != "none":
        made = paraphrase_task(task, source_of(args.paraphrases), per_wording=per_wording)
        groups = [(group.reference, *group.paraphrases) for group in made.groups if group.paraphrases]
    inside = tuple(example for example in task.examples if example.id in taught)
    outside = tuple(example for example in task.examples if example.id not in taught)
    asked, texts = split.held_out, in_order(groups)
    if args.develop:
        *texts, later = texts
        asked = tuple(group[0] for group in groups if group[0].text == later)
        outside = tuple(example for example in inside if second(example.id))
        inside = tuple(example for example in inside if not second(example.id))
    if args.across:
        groups = across(groups, texts[0])
        inside = tuple(example for example in inside if second(example.id))
    groups = [group for group in groups if group[0].text in texts[: args.observed or None]]
    controls = tuple(wording for klass in CONTROLS for wording in of_class(task, klass)[: args.controls])
    test = replace(task, examples=outside, wordings=(*asked, *controls)).sample(args.items)
    seen = replace(task, examples=outside, wordings=tuple(group[0] for group in groups)).sample(args.items)
    return Sides(replace(task, examples=inside), groups, test, seen)


def near(task: Task, count: int) -> Task:
    """Held-out wordings and as many of the training side, told apart by class, for distances between states."""
    split = split_wordings(task)
    seen = [replace(wording, klass="observed") for wording in split.training[: len(split.held_out)]]
    new = [replace(wording, klass="unobserved") for wording in split.held_out]
    taught = {example.id for example in training_items(task, 0.5)}
    outside = tuple(example for example in task.examples if example.id not in taught)
    return replace(task, examples=outside, wordings=(*seen, *new)).sample(count)


def main() -> None:
    args = options()
    args.out.mkdir(parents=True, exist_ok=True)
    settings = dict(text.split("=", 1) for text in args.settings)
    tasks = [task for spec in args.tasks for task in load_tasks(spec)]
    divided = [sides(task, args, int(settings.get("per_wording", 2))) for task in tasks]
    asked = {
        "held out": [side.test for side in divided],
        "observed": [side.seen for side in divided] if args.observed and not args.no_base else [],
        "transfer": [t for spec in args.transfer for t in load_tasks(spec, limit=args.items, klasses=["unobserved"])],
    }
    groups = {side.training.name: side.groups for side in divided}
    states = [near(task, args.distance) for task in tasks] if args.distance else []
    base = load(args.base)
    lines = [] if args.no_base else [measured("base", 0, base, asked, states, args.out, {})]
    for seed in args.seeds:
        for mode in args.modes:
            folder = args.out / f"{mode.replace('+', '-')}-{seed}"
            forget_peak()
            held, began = held_mib(), time.monotonic()
            treated: Any = surefoot.treat(
                "soft-align",
                base,
                task=[side.training for side in divided],
                mode=mode,
                paraphrases=groups,
                items=1.0,
                seed=seed,
                out=str(folder / "steady"),
                watch=lambda step: (
                    print(f"  {step.step}/{step.steps} {step.losses} {step.seconds:.0f} s", flush=True)
                    if step.step % 20 == 0
                    else None
                ),
                **settings,
            )
            cost = _cost(folder, treated, time.monotonic() - began, peak_mib() - held)
            lines.append(measured(mode, seed, treated, asked, states, folder, cost))
    (args.out / "lines.json").write_text(json.dumps(lines, indent=2))
    print(table(lines))


def _cost(folder: Path, treated: Any, seconds: float, mib: float) -> dict[str, float]:
    """Kept from the first time: a training that is only read again costs nothing."""
    file = folder / "cost.json"
    if not file.exists():
        file.write_text(json.dumps({"trained": treated.adapter.trainable, "seconds": seconds, "mib": mib}))
    read: dict[str, float] = json.loads(file.read_text())
    return read


def measured(
    mode: str,
    seed: int,
    model: Any,
    asked: dict[str, list[Task]],
    states: list[Task],
    folder: Path,
    cost: dict[str, float],
) -> dict[str, Any]:
    """One line of the table: wordings held out and observed, what is transferred to, and the distance of states."""
    line: dict[str, Any] = {"mode": mode, "seed": seed, **cost}
    for name, tasks in asked.items():
        if not tasks:
            continue
        reading = surefoot.probe("phrasing", model, task=tasks, out=str(folder / f"run-{name.split()[0]}"))
        summary: Any = reading.summary
        spreads = [task.spread for task in summary.tasks if task.spread is not None]
        line[name] = {
            "mean": reading.mean,
            "sd": reading.spread,
            "worst": mean(spread.worst.accuracy.value for spread in spreads),
            "classes": {score.klass: score.mean.value for score in summary.classes},
            "tasks": {
                task.task: [task.spread.mean.value, task.spread.sd.value] for task in summary.tasks if task.spread
            },
        }
    if states:
        found: Any = surefoot.probe(
            "representation", model, task=states, out=str(folder / "run-states"), points=0
        ).summary
        line["distance"] = {"raw": found.target.distance.value, "scaled": found.target.scaled.value}
    print(json.dumps(line), flush=True)
    return line


def table(lines: list[dict[str, Any]]) -> str:
    """Means over seeds, with the standard deviation over seeds where there are several."""
    rows = []
    for where in [name for name in ("held out", "observed", "transfer") if name in lines[0]]:
        heads = " ".join(f"{head:>12}" for head in ("mean", "sd", "worst", "negated", "nonsense"))
        rows.append(f"\n{where:<9} {heads} {'min':>6} {'trained':>12}")
        for mode in dict.fromkeys(line["mode"] for line in lines):
            own = [line for line in lines if line["mode"] == mode]
            cells = [_cell([line[where][key] for line in own]) for key in ("mean", "sd", "worst")]
            cells += [_cell([line[where]["classes"].get(k, float("nan")) for line in own]) for k in CONTROLS[:2]]
            minutes = mean(line.get("seconds", 0) for line in own) / 60
            rows.append(
                f"{mode:<9} " + " ".join(f"{c:>12}" for c in cells) + f" {minutes:6.1f} {own[0].get('trained', 0):>12,}"
            )
    if "distance" in lines[0]:
        rows.append("\ndistance of held-out wordings to the nearest of the training side: raw, and free of scale")
        for mode in dict.fromkeys(line["mode"] for line in lines):
            own = [line["distance"] for line in lines if line["mode"] == mode]
            rows.append(f"{mode:<9} {mean(d['raw'] for d in own):12.1f} {mean(d['scaled'] for d in own):12.3f}")
    return "\n".join(rows)


def _cell(values: list[float]) -> str:
    if any(isnan(value) for value in values):  # a task without wordings of this class
        return "-"
    spread = f" ±{100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


if __name__ == "__main__":
    main()
