"""The questions of a question world, kind by kind, each with answers, gold documents, steps and reasoning.

A maker draws a question or gives None where the draw met a fact that is withheld or contradicted; it is drawn again.
Sources of the kinds: Yang et al. 2018 (HotpotQA) for bridge and comparison, Yu et al. 2023 (IfQA) for counterfactual,
Geva et al. 2021 (StrategyQA) for implicit, Thakur et al. 2024 (NoMIRACL) for unanswerable.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from surefoot.errors import BadInput
from surefoot.questions.question import Question, Step
from surefoot.worlds.corpus_forms import filled, forms, in_script, question_forms
from surefoot.worlds.corpus_layout import WITHHELD
from surefoot.worlds.corpus_section import Section, relation_of
from surefoot.worlds.implicit_questions import balanced, implicit
from surefoot.worlds.question_parts import answered, drawn, step

TRIES = 2_000  # draws in a row that may fail before the world is said to be too small
ENGLISH_ONLY = ("bridge", "comparison", "counterfactual", "implicit")
Maker = Callable[[Section, random.Random], Question | None]


def questions_of(
    sections: Sequence[Section], kinds: Sequence[str], count: int, seed: int, even: bool = True
) -> tuple[Question, ...]:
    """`count` questions with different texts; the kinds take turns, and within a kind the languages do.

    `even`: implicit questions come in pairs of a yes and a no.
    """
    found: list[Question] = []
    texts: set[str] = set()
    for place in range(count):
        turn, kind = place // len(kinds), kinds[place % len(kinds)]
        section = sections[0 if kind in ENGLISH_ONLY else turn % len(sections)]
        rng = random.Random(f"question/{seed}/{kind}/{turn}")
        maker = balanced(seed, turn) if even and kind == "implicit" else MAKERS[kind]
        question = next((q for q in (maker(section, rng) for _ in range(TRIES)) if q and q.text not in texts), None)
        if question is None:
            raise BadInput(f"A world of this size has no {count} different questions; raise size or ask for fewer.")
        texts.add(question.text)
        found.append(replace(question, id=f"{kind}-{turn}", kind=kind, language=section.language))
    return tuple(found)


def single(section: Section, rng: random.Random) -> Question | None:
    """One document states the answer."""
    number = rng.randrange(len(section.facts))
    return _of_fact(section, rng, number) if section.is_sound(number) else None


def contradicted(section: Section, rng: random.Random) -> Question | None:
    """Two documents disagree: the true value is the first answer and the other one the second."""
    number = rng.randrange(len(section.facts))
    against = section.contradiction(number)
    if against is None:
        return None
    question = _of_fact(section, rng, number)
    other = section.statement(int(against.partition("-")[2])).value
    (hop,) = question.evidence[0]
    return replace(question, answers=(*question.answers, other), evidence=(((*hop, against),),))


def bridge(section: Section, rng: random.Random) -> Question | None:
    """The first document names what the second is about; the second shares no content word with the question."""
    told = rng.choice(forms()["bridges"])
    first = drawn(section, rng, told["first"])
    second = first and section.hop(told["second"], first.value)
    if first is None or second is None:
        return None
    text = filled(rng.choice(told["questions"]), subject=first.subject)
    return answered(text, (first, second), (step(first), step(second, "#1")), second.value)


def comparison(section: Section, rng: random.Random) -> Question | None:
    """Both entities are named by the question; which of two towns is older or younger."""
    told = rng.choice(forms()["comparisons"])
    one, two = drawn(section, rng, "founded-in"), drawn(section, rng, "founded-in")
    if one is None or two is None or one.value == two.value:
        return None
    smaller = int(one.value) < int(two.value)
    best = one if smaller == told["smaller"] else two
    word = "smaller" if told["smaller"] else "larger"
    last = Step(f"Which of {one.subject} (#1) and {two.subject} (#2) has the {word} number?", best.subject)
    text = filled(rng.choice(told["questions"]), first=one.subject, second=two.subject)
    relation = "before" if smaller else "after"
    return answered(
        text, (one, two), (step(one), step(two), last), best.subject, f"{one.value} is {relation} {two.value}."
    )


def counterfactual(section: Section, rng: random.Random) -> Question | None:
    """A supposition replaces a fact; the answer follows from it and differs from what is true."""
    told = rng.choice(forms()["counterfactuals"])
    real, other = drawn(section, rng, told["relation"]), drawn(section, rng, told["asked"])
    truth = real and section.hop(told["asked"], real.value)
    if real is None or other is None or truth is None or truth.value == other.value:
        return None
    slots = {"subject": real.subject, "other": other.subject}
    question = answered(filled(rng.choice(told["questions"]), **slots), (other,), (step(other),), other.value)
    return replace(question, reasoning=(filled(told["supposed"], **slots), *question.reasoning))


def unanswerable(section: Section, rng: random.Random) -> Question | None:
    """Asks for a withheld fact of an entity that the corpus knows, or for an entity of which it knows nothing."""
    withheld = len(section.facts) // WITHHELD
    if withheld and rng.random() < 0.5:
        number = (rng.randrange(withheld) + 1) * WITHHELD - 1
        relation, subject = relation_of(number), section.facts[number].subject
        if relation.subject == "company":
            return None  # of a company the corpus would know nothing else
    else:
        relation = relation_of(rng.randrange(len(section.facts)))
        subject = section.stranger(relation.subject, rng.randrange(section.subjects))
    name = in_script(relation.subject, subject, section.language)
    text = filled(rng.choice(question_forms(section.language, relation.name)), subject=name)
    return Question("", text, reasoning=tuple(forms()[section.language]["unknown"]))


def _of_fact(section: Section, rng: random.Random, number: int) -> Question:
    truth, document = section.truth(number), str(section.document(number))
    asked, told = (forms()[section.language]["relations"][truth.relation][key] for key in ("questions", "documents"))
    text = filled(rng.choice(asked), subject=truth.subject)
    steps = (Step(filled(asked[0], subject=truth.subject), truth.value, (document,)),)
    stated = filled(told[0], subject=truth.subject, value=truth.value)
    reasoning = (stated, f"So the answer is: {truth.value}.")
    return Question("", text, (truth.value,), evidence=(((document,),),), steps=steps, reasoning=reasoning)


MAKERS: Mapping[str, Maker] = {
    "single": single,
    "bridge": bridge,
    "comparison": comparison,
    "counterfactual": counterfactual,
    "implicit": implicit,
    "unanswerable": unanswerable,
    "contradicted": contradicted,
}
