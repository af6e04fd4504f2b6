"""Yes/no questions whose steps are implied and not stated (Geva et al. 2021, StrategyQA), half of them to be affirmed.

Each has retrieval steps, with a document, and a last step that is an operation over earlier answers. Two questions in
a row have the same strategy and opposite answers, so that neither the strategy nor the kind of steps tells the answer;
years that are asked about keep away from the first and the last of the world, where one answer would be more likely.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from surefoot.questions.question import Question, Step
from surefoot.worlds.corpus_forms import filled, forms
from surefoot.worlds.corpus_section import Section
from surefoot.worlds.names import types_and_relations
from surefoot.worlds.question_parts import answered, drawn, step

NEAREST, FARTHEST = 10, 70  # years between a founding and the year asked about


def implicit(section: Section, rng: random.Random) -> Question | None:
    """One of the strategies, for the answer that a coin chooses; what fails is drawn anew with another coin, so that
    there are fewer yes than no: two people seldom have the same trade."""
    return rng.choice(STRATEGIES)(section, rng, rng.random() < 0.5)


def balanced(seed: int, turn: int) -> Callable[[Section, random.Random], Question | None]:
    """The maker of the `turn`-th implicit question: its strategy is that of its pair, its answer not."""
    pair, second = divmod(turn, 2)
    rng = random.Random(f"pair/{seed}/{pair}")
    strategy, first = rng.choice(STRATEGIES), rng.random() < 0.5
    return lambda section, rng: strategy(section, rng, first != bool(second))


def existed(section: Section, rng: random.Random, yes: bool) -> Question | None:
    """Whether the town where somebody was born was there in a year: born in, founded in, before."""
    home = drawn(section, rng, "born-in")
    town = home and section.hop("founded-in", home.value)
    if home is None or town is None:
        return None
    year = int(town.value) + rng.randint(NEAREST, FARTHEST) * (1 if yes else -1)
    years = types_and_relations()["types"]["year"]
    if not years["from"] + FARTHEST <= year <= years["to"] - FARTHEST:
        return None  # early years would be no more often than yes, late ones the other way round
    text = _text(rng, "existed", subject=home.subject, year=str(year))
    steps = (step(home), step(town, "#1"), Step(f"Is #2 before {year}?", _word(yes)))
    return answered(text, (home, town), steps, _word(yes), _compared(town.value, str(year)))


def colleagues(section: Section, rng: random.Random, yes: bool) -> Question | None:
    """Whether somebody has the trade of a founder: founded by, works as, works as, the same."""
    company, person = drawn(section, rng, "founded-by"), drawn(section, rng, "works-as")
    founder = company and section.hop("works-as", company.value)
    if company is None or person is None or founder is None or founder.subject == person.subject:
        return None
    if (founder.value == person.value) != yes:
        return None
    text = _text(rng, "colleagues", subject=person.subject, company=company.subject)
    steps = (step(company), step(founder, "#1"), step(person), Step("Is #2 the same as #3?", _word(yes)))
    same = f"{founder.value} is {'' if yes else 'not '}the same as {person.value}."
    return answered(text, (company, founder, person), steps, _word(yes), same.capitalize())


def jubilee(section: Section, rng: random.Random, yes: bool) -> Question | None:
    """Whether one birthplace is older than another: born in and founded in for both, before."""
    one, two = drawn(section, rng, "born-in"), drawn(section, rng, "born-in")
    here, there = (home and section.hop("founded-in", home.value) for home in (one, two))
    if one is None or two is None or here is None or there is None:
        return None
    if here.value == there.value or (int(here.value) < int(there.value)) != yes:
        return None
    text = _text(rng, "jubilee", subject=one.subject, other=two.subject)
    steps = (step(one), step(here, "#1"), step(two), step(there, "#3"), Step("Is #2 before #4?", _word(yes)))
    return answered(text, (one, here, two, there), steps, _word(yes), _compared(here.value, there.value))


STRATEGIES: tuple[Callable[[Section, random.Random, bool], Question | None], ...] = (existed, colleagues, jubilee)


def _text(rng: random.Random, strategy: str, **slots: str) -> str:
    return filled(rng.choice(forms()["implicit"][strategy]), **slots)


def _compared(one: str, two: str) -> str:
    return f"{one} is {'before' if int(one) < int(two) else 'not before'} {two}."


def _word(yes: bool) -> str:
    return "yes" if yes else "no"
