"""What the questions of a world are made of: facts that a question can rest on, steps, and sentences of reasoning."""

from __future__ import annotations

import random
from collections.abc import Sequence

from surefoot.questions.question import Question, Step
from surefoot.worlds.corpus_forms import filled, forms, question_forms
from surefoot.worlds.corpus_section import Hop, Section
from surefoot.worlds.facts import relations


def drawn(section: Section, rng: random.Random, relation: str) -> Hop | None:
    """A random fact of a relation, if a question can rest on it."""
    turn = next(i for i, one in enumerate(relations()) if one.name == relation)
    number = rng.randrange(section.subjects) * len(relations()) + turn
    return section.hop(relation, section.facts[number].subject) if number < len(section.facts) else None


def step(hop: Hop, subject: str | None = None) -> Step:
    """The step that asks for a fact, of a subject that may be `#k`."""
    return Step(
        filled(question_forms("en", hop.relation)[0], subject=subject or hop.subject), hop.value, (hop.document,)
    )


def reason(hop: Hop) -> str:
    """The fact in one sentence."""
    return filled(str(forms()["en"]["relations"][hop.relation]["documents"][0]), subject=hop.subject, value=hop.value)


def answered(text: str, hops: Sequence[Hop], steps: Sequence[Step], answer: str, *more: str) -> Question:
    """A question whose gold documents are those of the hops; `more` is reasoning behind the facts."""
    reasoning = (*(reason(hop) for hop in hops), *more, f"So the answer is: {answer}.")
    evidence = (tuple((hop.document,) for hop in hops),)
    return Question("", text, (answer,), evidence=evidence, steps=tuple(steps), reasoning=reasoning)
