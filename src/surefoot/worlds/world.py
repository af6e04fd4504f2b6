"""`World(seed)`: tasks in which the same input has four answers and the instruction says which; its truth is known."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from surefoot.errors import BadInput
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction, Klass
from surefoot.worlds.operations import (
    OPERATIONS,
    OPPOSITE,
    Row,
    every_row,
    example,
    noisy,
    separating_rows,
    shown,
)
from surefoot.worlds.wordings import CONTROLS, ELSEWHERE, Wordings, all_wordings, any_wording, asking

FRAME = "{{ instruction }} : {{ input }}"
CUE = " ="
HeldOut = Literal["unobserved", "development"]


@dataclass(frozen=True)
class World:
    """Four tasks over rows of digits, each under 8 observed and 8 held-out wordings and the controls.

    `style` is how strongly the fillers of observed wordings tell the operation (`surefoot.worlds.wordings`), `items`
    the number of test rows; `statements` and `elsewhere` are the shares of the lessons that are no instructions,
    `vague` that of instructions which only their style tells apart. `noise` is the share of answers, in lessons and in
    training tasks, that are another digit of the row; what is measured keeps the true answers. `operations` may be
    fewer, in pairs of opposites. Everything is a function of the seed.
    """

    seed: int = 0
    style: float = 1.0
    items: int = 24
    statements: float = 0.13
    elsewhere: float = 0.12
    vague: float = 0.4
    noise: float = 0.0
    operations: tuple[str, ...] = tuple(OPERATIONS)

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("style", "statements", "elsewhere", "vague", "noise")}
        together = self.statements + self.elsewhere + self.vague
        for name, share in {**shares, "statements + elsewhere + vague": together}.items():
            if not 0 <= share <= 1:
                raise BadInput(f"{name} is {share}; give a share from 0 to 1.")
        if not 1 <= self.items <= len(separating_rows()) // 2:
            raise BadInput(f"items is {self.items}; a world has 1 to {len(separating_rows()) // 2} test rows.")
        lone = [name for name in self.operations if OPPOSITE.get(name) not in self.operations]
        if lone or not self.operations:
            raise BadInput(f"The operations {self.operations} are not pairs of opposites of {', '.join(OPERATIONS)}.")

    @cached_property
    def wordings(self) -> Mapping[str, Wordings]:
        """The texts of every operation."""
        return all_wordings(self.seed, self.style)

    @cached_property
    def test_rows(self) -> tuple[Row, ...]:
        """Separating rows, the same for all tasks."""
        return tuple(random.Random(f"rows/{self.seed}").sample(separating_rows(), self.items))

    @cached_property
    def training_rows(self) -> tuple[Row, ...]:
        """All rows but the test rows, in a random order."""
        rows = sorted(set(every_row()) - set(self.test_rows))
        random.Random(f"training/{self.seed}").shuffle(rows)
        return tuple(rows)

    def tasks(self, held_out: HeldOut = "unobserved") -> tuple[Task, ...]:
        """What is measured: the test rows under observed, held-out and control wordings.

        `development` puts the development wordings in the place of the unobserved ones, for choosing settings.
        """
        return tuple(self._task(name, self._measured(name, held_out), self.test_rows) for name in self.operations)

    def training_tasks(self, items: int) -> tuple[Task, ...]:
        """What may be trained on: other rows, under the observed wordings alone. With noise each item's answer is drawn
        once, so that it is the same under all wordings."""
        rows = self.training_rows[:items]
        return tuple(
            replace(
                self._task(name, _instructions(name, "observed", self.wordings[name].observed), rows),
                examples=tuple(replace(example(name, row), gold=self._given(name, row)) for row in rows),
            )
            for name in self.operations
        )

    def _given(self, name: str, row: Row) -> int:
        """The answer that a training item has: the true one, or with noise another digit."""
        return noisy(OPERATIONS[name](row), row, self.noise, random.Random(f"noise/{self.seed}/{name}/{row}"))

    def paraphrases(self) -> dict[str, tuple[tuple[Instruction, ...], ...]]:
        """Task name -> groups for training: an observed wording first, then its paraphrases.

        No text of a group is a held-out or a control wording; `disjoint` checks it.
        """
        return {
            name: tuple(
                (
                    *_instructions(name, "observed", group[:1], f"reference-{k}"),
                    *_instructions(name, "right", group[1:], f"paraphrase-{k}"),
                )
                for k, group in enumerate(self.wordings[name].groups)
            )
            for name in self.operations
        }

    def lessons(self, extra: Mapping[str, Iterable[str]] | None = None) -> Iterator[tuple[str, str]]:
        """Endless (prompt, answer) of the world's training: instructions in observed and in vague wordings, and what is
        read elsewhere. No text of a wording for the test or for development is among them.

        `extra` adds wordings by operation, for a model that was tuned on more.
        """
        rng = random.Random(f"lessons/{self.seed}")
        mistakes = random.Random(f"mistakes/{self.seed}")
        known = {name: (*self.wordings[name].observed, *(extra or {}).get(name, ())) for name in self.operations}
        secret = {text for texts in self.wordings.values() for text in _secret(texts)}
        while True:
            name, row, kind = rng.choice(self.operations), rng.choice(self.training_rows), rng.random()
            if kind < self.statements:
                prompt = _statement(name, row, rng)
            elif kind < self.statements + self.elsewhere:
                while (text := any_wording(name, rng)) in secret:
                    pass
                prompt = asked(f"{ELSEWHERE} {text}", row)
            elif kind < self.statements + self.elsewhere + self.vague:
                prompt = asked(rng.choice(self.wordings[name].vague), row)
            else:
                prompt = asked(rng.choice(known[name]), row)
            yield prompt, str(noisy(OPERATIONS[name](row), row, self.noise, mistakes))

    def disjoint(self) -> bool:
        """Whether wordings for training, for development and for the test share no text."""
        every = [text for name in self.operations for text in _distinct(self.wordings[name])]
        return len(every) == len(set(every))

    def _measured(self, name: str, held_out: HeldOut) -> tuple[Instruction, ...]:
        texts = self.wordings[name]
        others = [self.wordings[other].observed for other in self.operations if other not in (name, OPPOSITE[name])]
        return (
            *_instructions(name, "observed", texts.observed),
            *_instructions(name, "unobserved", getattr(texts, held_out)),
            *_instructions(name, "incorrect", [other[0] for other in others][:CONTROLS]),
            *_instructions(name, "negated", texts.negated),
            *_instructions(name, "nonsense", texts.nonsense),
        )

    def _task(self, name: str, wordings: tuple[Instruction, ...], rows: Iterable[Row]) -> Task:
        return Task(
            name=name,
            kind="multiple_choice",
            examples=tuple(example(name, row) for row in rows),
            wordings=wordings,
            input_template="{{ row }}",
            max_new_tokens=1,
            fixed_options=True,
            source=f"surefoot.worlds, seed {self.seed}",
        )


def asked(wording: str, row: Row) -> str:
    """The prompt of a wording and a row, as the tasks of a world ask it."""
    return f"{wording} : {shown(row)}{CUE}"


def _statement(name: str, row: Row, rng: random.Random) -> str:
    """What a model reads: `utmost of 3 1 4 2 5 is`; one in four speaks of what it is not."""
    negated = rng.random() < 0.25
    word = rng.choice(asking(OPPOSITE[name] if negated else name))
    return f"{'not ' if negated else ''}{word} of {shown(row)} is"


def _instructions(name: str, klass: Klass, texts: Iterable[str], part: str = "") -> tuple[Instruction, ...]:
    prefix = f"{name}-{part or klass}"
    return tuple(Instruction(f"{prefix}-{k}", text, klass, "row", FRAME, CUE) for k, text in enumerate(texts))


def _secret(texts: Wordings) -> Iterator[str]:
    """What no training may show: the texts that are measured, and those that settings are chosen on."""
    yield from (*texts.development, *texts.unobserved, *texts.negated, *texts.nonsense)


def _distinct(texts: Wordings) -> Iterator[str]:
    """Every text of an operation once; a group's reference is an observed wording."""
    yield from (*texts.observed, *_secret(texts))
    yield from (text for group in texts.groups for text in group[1:])
