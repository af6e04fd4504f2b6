"""Questions with judged passages, and the tasks `answerable` and `unanswerable` made of them.

A question is *answerable* if at least one of its passages was judged relevant, *unanswerable* if none was. A model sees
the question and all passages, and says one of two strings: the answer is present, or it does not know. Passages are
one `context` part, numbered from 1.

Source: Thakur et al. 2023, NoMIRACL (arXiv:2312.11361), for the subsets, the two strings and the four kinds of prompt
(vanilla, role, repeat, explanation); the wordings are our own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

WORDINGS = Path(__file__).parent / "nomiracl_wordings.jsonl"
ANSWERABLE, UNANSWERABLE = SUBSETS = ("answerable", "unanswerable")
"""The names of the tasks, by which the probe `unanswerable` knows them."""
REMOVED, THINNED = PAIRS = ("removed", "thinned")
"""Answerable questions with passages taken away (`nomiracl_pairs`): the relevant ones, or as many others."""
PRESENT, ABSENT = OPTIONS = ("Yes, answer is present", "I don't know")
"""The two strings that are asked for, in the order of the options."""
NEW_TOKENS = 96  # room for a sentence of explanation


class Passage(NamedTuple):
    """A passage and whether it was judged to answer the question."""

    id: str
    text: str
    relevant: bool
    title: str = ""


@dataclass(frozen=True)
class JudgedQuestion:
    """A question with all its passages in the order in which they are shown."""

    id: str
    text: str
    passages: tuple[Passage, ...]
    language: str = "en"
    split: str = "test"

    def __post_init__(self) -> None:
        if not self.id or not self.text.strip():
            raise BadInput(f'The question "{self.id}" has no {"text" if self.id else "id"}; give one.')
        if not self.passages:
            raise BadInput(f'The question "{self.id}" has no passages; give at least one.')
        twice = next((id for id, n in Counter(one.id for one in self.passages).items() if n > 1), None)
        if twice is not None:
            raise BadInput(f'The question "{self.id}" has the passage "{twice}" twice; give each once.')

    @property
    def subset(self) -> str:
        """`answerable` if a passage was judged relevant, else `unanswerable`."""
        return ANSWERABLE if any(passage.relevant for passage in self.passages) else UNANSWERABLE


def nomiracl_tasks(
    questions: Iterable[JudgedQuestion],
    *,
    passages: int | None = None,
    wordings: Sequence[Instruction] | None = None,
    new_tokens: int = NEW_TOKENS,
) -> tuple[Task, ...]:
    """The tasks of these questions, those of the two that have any.

    `passages` fixes how many each question shows (`resized`); None shows what is there. Nothing is ever cut within a
    passage; a prompt that is longer than a model's context is refused by the probe. Raises `BadInput` for two questions
    of one id and for a question with fewer passages than asked for.
    """
    asked = tuple(questions) if passages is None else tuple(resized(one, passages) for one in questions)
    twice = next((id for id, n in Counter(one.id for one in asked).items() if n > 1), None)
    if twice is not None:
        raise BadInput(f'Two questions have the id "{twice}"; give each an id of its own.')
    if not asked:
        raise BadInput("There are no questions with judged passages; give at least one.")
    wordings = read_wordings(WORDINGS) if wordings is None else tuple(wordings)
    subsets = ((name, [one for one in asked if one.subset == name]) for name in SUBSETS)
    return tuple(_task(name, own, wordings, new_tokens) for name, own in subsets if own)


def resized(question: JudgedQuestion, count: int, position: int | None = None) -> JudgedQuestion:
    """The question with `count` of its passages; it stays in its subset.

    The passages are the first `count` in their order; where those hold no relevant one and there is one, it takes the
    last place. `position` (from 0) keeps one relevant passage, the first, and puts it there, among `count` - 1 others;
    an unanswerable question has none to put. Raises `BadInput` where too few passages are there.
    """
    if count < 1 or (position is not None and not 0 <= position < count):
        raise BadInput(f"{count} passages with the relevant one at {position}: give 1 or more, and a place below that.")
    relevant = [one for one in question.passages if one.relevant]
    others = [one for one in question.passages if not one.relevant]
    if position is not None and relevant:
        chosen = [*others[:position], relevant[0], *others[position : count - 1]]
    else:
        chosen = list(question.passages[:count])
        if relevant and not any(one.relevant for one in chosen):
            chosen[-1] = relevant[0]
    if len(chosen) < count:
        raise BadInput(
            f'The question "{question.id}" has {len(chosen)} passages that can be shown, and {count} were asked for; '
            "ask for fewer or leave it out."
        )
    return replace(question, passages=tuple(chosen))


def without_relevant(question: JudgedQuestion) -> JudgedQuestion:
    """The question without its relevant passages: what a reader has left when the answer is taken away."""
    return replace(question, passages=tuple(one for one in question.passages if not one.relevant))


def mixed(question: JudgedQuestion, seed: int = 0) -> JudgedQuestion:
    """The question with its passages in an order that depends on ids and seed alone, so that no place tells."""

    def key(passage: Passage) -> str:
        return hashlib.sha256(f"{seed}/{question.id}/{passage.id}".encode()).hexdigest()

    return replace(question, passages=tuple(sorted(question.passages, key=key)))


def by_count(questions: Iterable[JudgedQuestion], counts: Sequence[int]) -> dict[int, tuple[Task, ...]]:
    """The tasks for each number of passages, on the same questions."""
    questions = tuple(questions)
    return {count: nomiracl_tasks(questions, passages=count) for count in counts}


def by_position(questions: Iterable[JudgedQuestion], count: int) -> dict[int, tuple[Task, ...]]:
    """The task `answerable` for each place of the one relevant passage among `count`, on the same questions."""
    own = [one for one in questions if one.subset == ANSWERABLE]
    return {place: nomiracl_tasks(resized(one, count, place) for one in own) for place in range(count)}


def contexts_of(question: JudgedQuestion) -> str:
    """The passages as they are shown: `[1] Title: text`, a blank line between two."""
    texts = (f"{one.title}: {one.text}" if one.title else one.text for one in question.passages)
    return "\n\n".join(f"[{place}] {text}" for place, text in enumerate(texts, start=1))


def _task(name: str, questions: Sequence[JudgedQuestion], wordings: tuple[Instruction, ...], new_tokens: int) -> Task:
    return Task(
        name=name,
        kind="binary",
        examples=tuple(_example(question) for question in questions),
        wordings=wordings,
        input_template="{{ question }}",
        roles={"contexts": "context"},
        max_new_tokens=new_tokens,
        fixed_options=True,
        description=f"Do the passages answer the question? In these {'one' if name == ANSWERABLE else 'none'} does.",
        source="Thakur et al. 2023, arXiv:2312.11361, for the form",
    )


def _example(question: JudgedQuestion) -> Example:
    asked = {"question": question.text, "again": question.text}  # the variant that repeats shows both
    fields = {**asked, "contexts": contexts_of(question), "language": question.language}
    return Example(question.id, fields, OPTIONS, SUBSETS.index(question.subset))
