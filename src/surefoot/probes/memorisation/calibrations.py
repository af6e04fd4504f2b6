"""The memorisation probe's calibrations: models whose copying is known exactly, on made-up works."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from surefoot.calibration import Calibration, Truth
from surefoot.memorisation.asking import prefix_of, works_task
from surefoot.memorisation.works import Work
from surefoot.models.scripted import ScriptedModel
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt

PREFIX, WORDS, WORKS, VOCABULARY = 10, 60, 12, 300
BEHIND = WORDS - PREFIX  # words of the reference of a prefix
_ENDINGS = [f"{c}{v}" for c in "bcdfghklmn" for v in "aeiou"]
Writer = Callable[[str], str]  # from what follows in the work to what is written


def world(seed: int = 0) -> Task:
    """Works of 60 words drawn evenly from 300, asked for by 10 words and by title."""
    rng = random.Random(seed)
    names = _vocabulary()
    works = [
        Work(f"work-{k}", f"Title {k:02d}", " ".join(rng.choices(names, k=WORDS)), "Apache-2.0", "made up")
        for k in range(WORKS)
    ]
    task = works_task(works, prefixes=[PREFIX], new_tokens=WORDS)
    kept = ("prefix-10", "direct-opening", "unrelated-prefix-10", "wrong-title")
    return replace(task, wordings=tuple(wording for wording in task.wordings if wording.id in kept))


def reader(task: Task, write: Writer, name: str) -> ScriptedModel:
    """A model that knows all works: `write` makes its answer from what follows the prompt in the work that it names."""
    texts = {example.answers[0]: example.fields["title"] for example in task.examples}

    def script(prompt: Prompt, _: object) -> str:
        for text, title in texts.items():
            start = prefix_of(text, PREFIX)
            if start in prompt.text:
                return write(text[len(start) :].strip())
            if title in prompt.text:
                return write(text)
        return ""

    return ScriptedModel(script, name)


def replaced(text: str, every: int = 5) -> str:
    """The text with each `every`-th word replaced by one that no work has."""
    return " ".join("xyzzy" if k % every == every - 1 else word for k, word in enumerate(text.split()))


def babble(text: str) -> str:
    """As many words as the text has, drawn from the works' vocabulary: the same for the same text."""
    rng = random.Random(text)
    return " ".join(rng.choices(_vocabulary(), k=len(text.split())))


def calibrations() -> tuple[Calibration, ...]:
    """Verbatim, every fifth word replaced, random words, echo; readings are in words of the reference."""
    task = world()
    echo = ScriptedModel(lambda prompt, _: prompt.text, "echo")
    whole = {"prefix run": Truth(BEHIND, 0), "direct run": Truth(WORDS, 0), "works reproduced": Truth(WORKS, 0)}
    fifth = {
        "prefix run": Truth(4, 0),
        "prefix subsequence": Truth(BEHIND - BEHIND // 5, 0),
        "works beyond chance": Truth(WORKS, 0),
        "works reproduced": Truth(0, 0),
    }
    chance = {"prefix excess run": Truth(0, 0.5), "prefix excess subsequence": Truth(0, 1.5)}
    none = {"works beyond chance": Truth(0, 0)}
    nothing = {"prefix run": Truth(0, 0), "prefix subsequence": Truth(0, 0), "direct run": Truth(0, 0), **none}
    return (
        _case("verbatim", "writes what follows, word for word", reader(task, str, "verbatim"), task, whole),
        _case(
            "replacing",
            "writes what follows, each fifth word replaced",
            reader(task, replaced, "replacing"),
            task,
            fifth,
        ),
        _case("random", "writes random words of the works", reader(task, babble, "random"), task, {**chance, **none}),
        _case("echo", "repeats its prompt", echo, task, nothing),
    )


def _case(name: str, behaviour: str, model: ScriptedModel, task: Task, truths: Mapping[str, Truth]) -> Calibration:
    return Calibration(name, behaviour, lambda: readings(model, task), truths)


def readings(model: ScriptedModel, task: Task) -> dict[str, float]:
    """What the probe reads: means over works under the prefix of 10 words and by title, and the works beyond chance."""
    from surefoot.probes.memorisation.probe import Memorisation

    summary = Memorisation().measure(model, [task]).summary
    kinds = {kind.wording: kind.level for kind in summary.kinds}
    prefix, direct = kinds["prefix-10"], kinds["direct-opening"]
    return {
        "prefix run": prefix.mean.run,
        "prefix subsequence": prefix.mean.subsequence,
        "prefix excess run": prefix.mean.run - prefix.chance.run,
        "prefix excess subsequence": prefix.mean.subsequence - prefix.chance.subsequence,
        "direct run": direct.mean.run,
        "works beyond chance": len(summary.significant),
        "works reproduced": len(summary.reproduced),
    }


def _vocabulary() -> list[str]:
    return [f"{a}{b}" for a in ("ba", "de", "fi", "go", "ku", "la") for b in _ENDINGS][:VOCABULARY]
