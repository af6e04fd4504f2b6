"""How much more a question resembles its generated context than its retrieved one, and DiffGR slice by slice of that.

Formula: gap = sim(question, generated) - sim(question, retrieved). Measures: Jaccard of the sets of normalised words;
and as the largest over a context's sentences, Jaccard, the cosine under a sentence encoder, and the match of tokens
(`matching.py`). Source: Tan et al. 2024 (arXiv:2401.11911), section 5.2: Jaccard, and BERTScore.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surefoot.metrics.normalise import words
from surefoot.probes.context_preference.preference import Preference, preference
from surefoot.probes.context_preference.splitting import sentences_of
from surefoot.probes.context_preference.units import Texts, Unit

if TYPE_CHECKING:
    from surefoot.models.encoders import Encoder

Gaps = Mapping[str, float]
"""Similarity gaps by the question's id."""


@dataclass(frozen=True)
class Slice:
    """Questions whose gaps lie from `low` to `high`, and their preference."""

    low: float
    high: float
    preference: Preference


@dataclass(frozen=True)
class Curve:
    """Slices of equal count by one measure; `retrieved` and `generated` are the mean similarities to the question."""

    measure: str
    retrieved: float
    generated: float
    slices: tuple[Slice, ...]


def jaccard(left: str, right: str) -> float:
    """|A and B| / |A or B| over the sets of normalised words; 0 where both are empty."""
    a, b = set(words(left)), set(words(right))
    return len(a & b) / len(a | b) if a | b else 0.0


def sentence_jaccard(question: str, context: str) -> float:
    """The largest Jaccard of the question and a sentence of the context."""
    return max((jaccard(question, sentence) for sentence in sentences_of(context)), default=0.0)


Similarities = Mapping[str, tuple[float, float]]
"""By the question's id: its similarity to the retrieved and to the generated context."""


def lexical(texts: Mapping[str, Texts], similar: Callable[[str, str], float]) -> Similarities:
    """The similarities of all questions by a function of question and context."""
    return {
        id: (similar(one.question, one.retrieved), similar(one.question, one.generated)) for id, one in texts.items()
    }


def semantic(texts: Mapping[str, Texts], encoder: Encoder) -> Similarities:
    """For each question the largest cosine to a sentence of either context, with an encoder of unit vectors.

    Each text is encoded once.
    """
    parts = {id: (sentences_of(one.retrieved), sentences_of(one.generated)) for id, one in texts.items()}
    questions = [one.question for one in texts.values()]
    every = list(dict.fromkeys([*questions, *(s for pair in parts.values() for own in pair for s in own)]))
    vectors = dict(zip(every, encoder.encode(every), strict=True)) if every else {}

    def largest(question: str, sentences: Sequence[str]) -> float:
        return max((float(vectors[question] @ vectors[sentence]) for sentence in sentences), default=0.0)

    return {id: (largest(one.question, parts[id][0]), largest(one.question, parts[id][1])) for id, one in texts.items()}


def curve(measure: str, similarities: Similarities, units: Sequence[Unit], slices: int, *, least: int) -> Curve:
    """The preference in slices of (nearly) equally many questions, from the smallest gap to the largest."""
    gaps = {id: generated - retrieved for id, (retrieved, generated) in similarities.items()}
    asked = sorted({unit.item for unit in units})
    means = np.array([similarities[id] for id in asked]).mean(axis=0).tolist() if asked else [np.nan, np.nan]
    return Curve(measure, means[0], means[1], tuple(slice_by(gaps, units, slices, least=least)))


def slice_by(gaps: Gaps, units: Sequence[Unit], slices: int, *, least: int) -> list[Slice]:
    """Questions sorted by gap (ties by id) and cut into `slices` parts whose sizes differ by one at most."""
    asked = sorted({unit.item for unit in units}, key=lambda item: (gaps[item], item))
    parts = [part.tolist() for part in np.array_split(np.array(asked, dtype=object), slices)] if asked else []
    found = []
    for place, part in enumerate(parts):
        if part:
            chosen = set(part)
            own = preference(f"slice {place + 1}", [u for u in units if u.item in chosen], least=least)
            found.append(Slice(gaps[part[0]], gaps[part[-1]], own))
    return found
