"""The context-preference probe's calibrations: copiers whose loyalty is known exactly, on planted contexts.

A copier finds the two contexts in the prompt's own text and answers with the value that one of them states, so it is
read right only if the prompts show what they should in the order that they should. Closed book it names a third value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from surefoot.calibration import Calibration, Truth
from surefoot.models.scripted import ScriptedModel
from surefoot.tasks.contexts import ContextPair, context_tasks
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt

QUESTIONS = 64
SIDES = ("retrieved", "generated")
COIN = 2.6 / QUESTIONS**0.5  # of a mean of 64 signs: 99 %


class Shown(NamedTuple):
    """One context as a prompt shows it: its side, its text, and the question."""

    side: str
    text: str
    question: str


Pick = Callable[[Sequence[Shown]], Shown]
"""Which of two contexts, in the order shown, a copier copies."""


def calibrations() -> tuple[Calibration, ...]:
    """Copiers of one side, of a coin's side, of the first context, of the more similar one; habits blind to sides."""
    from surefoot.probes.context_preference.null_calibration import null_calibration

    everywhere = ("AIG", "AIR", "all", "lowest slice", "highest slice")
    return (
        Calibration(
            "generated-copier",
            "answers with what the generated context says",
            lambda: read(by_side("generated"), "sum"),
            {**dict.fromkeys(everywhere, Truth(1, 0)), "right on AIG": Truth(1, 0), "right on AIR": Truth(0, 0)},
        ),
        Calibration(
            "retrieved-copier",
            "answers with what the retrieved context says, in writing",
            lambda: read(by_side("retrieved"), "generate"),
            {**dict.fromkeys(everywhere, Truth(-1, 0)), "right on AIG": Truth(0, 0), "right on AIR": Truth(1, 0)},
        ),
        Calibration(
            "coin-copier",
            "tosses a coin for each question",
            lambda: read(coin, "sum"),
            {"all": Truth(0, COIN), "kept": Truth(2 * QUESTIONS, 0)},
        ),
        Calibration(
            "first-copier",
            "answers with what the first context says; both orders are asked",
            lambda: read(first, "sum"),
            {
                **dict.fromkeys(("AIG", "AIR", "all"), Truth(0, 0)),
                "generated-first": Truth(1, 0),
                "retrieved-first": Truth(-1, 0),
            },
        ),
        Calibration(
            "first-copier, random order",
            "answers with what the first context says; the order of each question is a coin",
            lambda: read(first, "sum", order="random"),
            {"all": Truth(0, COIN), "generated-first": Truth(1, 0), "retrieved-first": Truth(-1, 0)},
        ),
        Calibration(
            "first-copier, fixed order",
            "answers with what the first context says, where the generated one always is first",
            lambda: read(first, "sum", order="generated-first"),
            {"all": Truth(1, 0)},
        ),
        Calibration(
            "similar-copier",
            "answers with what the context says that shares more words with the question",
            lambda: read(most_similar, "sum"),
            {
                **{"lowest slice": Truth(-1, 0), "highest slice": Truth(1, 0)},
                **dict.fromkeys(("sign errors", "falls"), Truth(0, 0)),
            },
        ),
        Calibration(
            "knowing",
            "names the generated context's value without any context, so that nothing is left to tell",
            lambda: read(by_side("generated"), "sum", knows=True),
            {"parametric": Truth(2 * QUESTIONS, 0), "kept": Truth(0, 0)},
        ),
        null_calibration(),
    )


def by_side(side: str) -> Pick:
    return lambda shown: next(one for one in shown if one.side == side)


def coin(shown: Sequence[Shown]) -> Shown:
    """The side by a digest of the question, whatever the order."""
    heads = hashlib.sha256(shown[0].question.encode()).digest()[0] % 2
    return by_side("generated" if heads else "retrieved")(shown)


def first(shown: Sequence[Shown]) -> Shown:
    return shown[0]


def most_similar(shown: Sequence[Shown]) -> Shown:
    from surefoot.probes.context_preference.similarity import jaccard

    return max(shown, key=lambda one: (jaccard(one.question, one.text), one.side))


@cache
def world() -> tuple[tuple[ContextPair, ...], tuple[Task, ...]]:
    """64 invented facts in planted contexts, and their tasks."""
    from surefoot.worlds.contexts import planted_pairs
    from surefoot.worlds.facts import FactWorld

    pairs = planted_pairs(FactWorld(size=QUESTIONS))
    return pairs, tuple(task.shuffled() for task in context_tasks(pairs))


def read(pick: Pick, answering: Any, *, order: Any = "both", knows: bool = False) -> Mapping[str, float]:
    """The probe's readings of a copier."""
    from surefoot.probes.context_preference.probe import ContextPreference

    pairs, tasks = world()
    summary = ContextPreference(answering, order=order).measure(copier(pick, pairs, knows=knows), tasks).summary
    counts = {one.name: one.units for one in summary.counts}
    readings = {one.name: one.diff_gr.value for one in (*summary.sets, *summary.orders)}
    slices = next((one.slices for one in summary.curves), ())
    ends = {"lowest slice": slices[0], "highest slice": slices[-1]} if slices else {}
    wrong = [s for s in slices if (s.low > 0 and _value(s) != 1) or (s.high < 0 and _value(s) != -1)]
    return {
        **readings,
        **{name: _value(one) for name, one in ends.items()},
        "sign errors": len(wrong),
        "falls": sum(_value(b) < _value(a) for a, b in pairwise(slices)),
        "right on AIG": summary.preference("AIG").right.value,
        "right on AIR": summary.preference("AIR").right.value,
        "parametric": counts["parametric"],
        "kept": counts["AIG"] + counts["AIR"],
    }


def copier(pick: Pick, pairs: Sequence[ContextPair], *, knows: bool = False, name: str = "copier") -> ScriptedModel:
    """A model that answers with the value that the picked context states; with one context, with what that states."""
    by_question: dict[str, list[ContextPair]] = {}
    for pair in pairs:
        by_question.setdefault(pair.question, []).append(pair)
    values = {pair.id: {side: stated(getattr(pair, side), pair) for side in SIDES} for pair in pairs}

    def script(prompt: Prompt, options: Sequence[str]) -> str:  # noqa: ARG001
        asked = prompt.only("input").text
        own = next(own for question, own in by_question.items() if question in asked)
        pair, shown = max(((one, contexts_in(prompt, one)) for one in own), key=lambda found: len(found[1]))
        said = values[pair.id]
        if shown:
            return said[(pick(shown) if len(shown) > 1 else shown[0]).side]
        return said["generated"] if knows else next(o for o in pair.options if o not in said.values())

    return ScriptedModel(script, name)


def contexts_in(prompt: Prompt, pair: ContextPair) -> list[Shown]:
    """The contexts that stand in the prompt's own text, in their order there."""
    text = prompt.only("context").text
    there = [Shown(side, getattr(pair, side), pair.question) for side in SIDES]
    return sorted((one for one in there if one.text.strip() in text), key=lambda one: text.index(one.text.strip()))


def stated(text: str, pair: ContextPair) -> str:
    """The longest option that a context names."""
    from surefoot.probes.context_preference.filters import occurs

    return max((option for option in pair.options if occurs(option, text)), key=len)


def _value(slice_: Any) -> float:
    return float(slice_.preference.diff_gr.value)
