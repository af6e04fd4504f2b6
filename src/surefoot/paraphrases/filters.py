"""Filters: which proposals may be used, each with a name, a rule and a count of what it dropped.

They are asked in the table's order, and a proposal counts for the first one that drops it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from surefoot.errors import BadInput
from surefoot.metrics.normalise import words
from surefoot.paraphrases.labels import mark_word, named_labels, same_answers, says
from surefoot.paraphrases.masking import mask
from surefoot.paraphrases.proposals import Material
from surefoot.tasks.split import text_key
from surefoot.text.instruction import Instruction
from surefoot.text.template import fields_of, parse_template

if TYPE_CHECKING:
    import numpy as np

    from surefoot.models.encoders import SentenceEncoder

NEGATING = frozenset(
    (
        *("not", "never", "no", "nor", "neither", "none", "without", "except", "unless", "cannot", "avoid", "opposite"),
        *("contrary", "wrong", "wrongly", "incorrect", "incorrectly", "false", "falsely", "untrue", "unlike"),
    )
)


@dataclass(frozen=True)
class Filters:
    """The limits. `floor` and `ceiling` bound the cosine of the sentence embeddings of paraphrase and reference;
    0 and 1 ask for no embedding. `max_ratio` bounds how many times longer or shorter, in words, a paraphrase may be.
    """

    floor: float = 0.5
    ceiling: float = 1.0
    max_ratio: float = 2.5

    def __post_init__(self) -> None:
        if not -1 <= self.floor < self.ceiling <= 1:
            raise BadInput(
                f"The similarity is to be from {self.floor} to {self.ceiling}; use -1 <= floor < ceiling <= 1."
            )
        if self.max_ratio < 1:
            raise BadInput(f"max_ratio is {self.max_ratio}; a paraphrase cannot be shorter and longer; use 1 or more.")

    @property
    def embeds(self) -> bool:
        """Whether sentence embeddings are needed."""
        return self.floor > 0 or self.ceiling < 1


@dataclass
class Bench:
    """What proposals are judged against. `kept` are the references and what was kept so far."""

    material: Material
    filters: Filters
    encoder: SentenceEncoder | None
    kept: set[tuple[str, str, str]] = field(default_factory=set)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept |= {whole_key(wording) for wording in self.material.split.training}
        self.tested = {text_key(wording.text): wording.id for wording in self.material.tested}

    def similarity(self, one: str, other: str) -> float:
        """The cosine of two texts' embeddings."""
        assert self.encoder is not None
        new = [text for text in dict.fromkeys((one, other)) if text not in self.vectors]
        self.vectors |= dict(zip(new, self.encoder.encode(new), strict=True)) if new else {}
        return float(self.vectors[one] @ self.vectors[other])


class Case(NamedTuple):
    """A paraphrase, what it paraphrases, and what else it is judged against."""

    paraphrase: Instruction
    reference: Instruction
    bench: Bench

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that all items have under the reference."""
        return self.bench.material.labels(self.reference)


Rule = Callable[[Case], str | None]
"""The reason for dropping a paraphrase, None where it stands."""


def _fields(case: Case) -> str | None:
    try:
        slots = _slots(case.paraphrase)
    except BadInput as error:
        return str(error)
    lost, invented = _slots(case.reference) - slots, slots - _slots(case.reference)
    if lost:
        return f'loses the field "{min(lost)}"'
    return f'has the field "{min(invented)}" more' if invented else None


def _slots(wording: Instruction) -> Counter[str]:
    text = Counter(segment.field for segment in parse_template(wording.text) if segment.field)
    return text + Counter(f"frame: {name}" for name in fields_of(wording.frame_template))


def _answers(case: Case) -> str | None:
    return None if same_answers(case.paraphrase, case.reference) else "shows options or wants answers in another way"


def _labels(case: Case) -> str | None:
    labels = case.labels
    before, after = named_labels(case.reference.text, labels), named_labels(case.paraphrase.text, labels)
    if before != after:
        return f"names the labels ({', '.join(after)}) where the reference names ({', '.join(before)})"
    word = mark_word(case.reference)
    return f'loses the word "{word}"' if word and not says(case.paraphrase.text, word) else None


def _negation(case: Case) -> str | None:
    labels = case.labels
    before, after = (_negating(wording.text, labels) for wording in (case.reference, case.paraphrase))
    return None if before == after else f"has {after} negating words and the reference {before}"


def _negating(text: str, labels: Sequence[str]) -> int:
    bare = mask(text.replace("’", "'").replace("n't", " not"), labels).text
    return sum(word in NEGATING for word in words(bare))


def _length(case: Case) -> str | None:
    ratio = max(1, len(words(case.paraphrase.text))) / max(1, len(words(case.reference.text)))
    fits = 1 / case.bench.filters.max_ratio <= ratio <= case.bench.filters.max_ratio
    return None if fits else f"is {ratio:.1f} times as long"


def _tested(case: Case) -> str | None:
    id = case.bench.tested.get(text_key(case.paraphrase.text))
    return f'is the tested wording "{id}"' if id else None


def _identical(case: Case) -> str | None:
    return "is there already" if whole_key(case.paraphrase) in case.bench.kept else None


def _dissimilar(case: Case) -> str | None:
    if case.bench.encoder is None:
        return None
    cosine = case.bench.similarity(case.paraphrase.text, case.reference.text)
    return f"has similarity {cosine:.2f}" if cosine < case.bench.filters.floor else None


def _too_similar(case: Case) -> str | None:
    if case.bench.encoder is None or case.bench.filters.ceiling == 1:  # rounding may exceed 1
        return None
    cosine = case.bench.similarity(case.paraphrase.text, case.reference.text)
    return f"has similarity {cosine:.2f}" if cosine > case.bench.filters.ceiling else None


class Filter(NamedTuple):
    """A rule and one line about it."""

    rule: Rule
    drops: str


FILTERS: Mapping[str, Filter] = {
    "fields": Filter(_fields, "no template, or a field lost or invented"),
    "answers": Filter(_answers, "another layout, other labels or blocks than the reference"),
    "labels": Filter(_labels, "labels lost, invented or turned round, or the word letter or number lost"),
    "negation": Filter(_negation, "more or fewer negating words"),
    "length": Filter(_length, "too long or too short"),
    "tested": Filter(_tested, "the text of a tested wording, in any frame"),
    "identical": Filter(_identical, "a reference's text and frame, or those of one that was kept"),
    "dissimilar": Filter(_dissimilar, "sentence embeddings too far apart"),
    "too-similar": Filter(_too_similar, "sentence embeddings too close; off by default"),
}
UNREADABLE = "unreadable"
"""The count of what a source could not make into a wording at all."""


def whole_key(wording: Instruction) -> tuple[str, str, str]:
    """What tells a wording from others: its normalised text, its frame, its cue."""
    return text_key(wording.text), wording.frame_template, wording.cue


class Drop(NamedTuple):
    """The filter that dropped a proposal, and why."""

    filter: str
    reason: str


def judge(case: Case) -> Drop | None:
    """The first filter that drops the paraphrase; None where it may be used."""
    for name, each in FILTERS.items():
        reason = each.rule(case)
        if reason is not None:
            return Drop(name, reason)
    return None
