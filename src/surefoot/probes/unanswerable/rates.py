"""Rates of judgements on the two subsets of NoMIRACL, per language and averaged over languages.

On questions that no passage answers, the *hallucination rate* is the share of "present"; on questions that one answers,
the *error rate* is the share of "absent". Invalid outputs stay in both denominators, so that accuracy, rate and invalid
rate of a subset sum to 1. Two naming schemes are in print and mean the same two shares:

- the subset in the first letter (T one passage answers, F none does), the output in the second (P "present", N
  "absent"): hallucination FP / (FP + FN), error TN / (TN + TP);
- the usual confusion matrix, with "present" as the positive: hallucination FP / (FP + TN), error FN / (FN + TP).

Read the first scheme's formulas with the second scheme's letters and both numbers are wrong. An empty subset has no
rate (NaN); a model that always says "present" has hallucination 1, where the released metric leaves the entry out and
a table then shows 0. Source: Thakur et al. 2023 (arXiv:2312.11361).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import nan
from typing import NamedTuple

import numpy as np

from surefoot.probes.unanswerable.judgement import JUDGEMENTS, Judgement
from surefoot.stats.bootstrap import resampled_means
from surefoot.stats.intervals import Floats, Interval, percentile_interval
from surefoot.stats.rank import Correlation, spearman

PASSAGES: Mapping[str, int] = {
    "ar": 2_061_414,
    "bn": 297_265,
    "de": 15_866_222,
    "en": 32_893_221,
    "es": 10_373_953,
    "fa": 2_207_172,
    "fi": 1_883_509,
    "fr": 14_636_953,
    "hi": 506_264,
    "id": 1_446_315,
    "ja": 6_953_614,
    "ko": 1_486_752,
    "ru": 9_543_918,
    "sw": 131_924,
    "te": 518_079,
    "th": 542_166,
    "yo": 49_043,
    "zh": 4_934_368,
}
"""Wikipedia passages of each language in MIRACL (Zhang et al. 2023, arXiv:2210.09984): its resources. Checked against
the table of the repository project-miracl/miracl, which lacks de and yo."""
HIGH_RESOURCE = 2_000_000  # passages from which a language counts as high-resource here


class Counts(NamedTuple):
    """How often each judgement was given on one subset."""

    present: int = 0
    absent: int = 0
    invalid: int = 0

    @property
    def n(self) -> int:
        return sum(self)

    def share(self, judgement: Judgement) -> float:
        """The share of this judgement among all outputs, invalid ones too; NaN without outputs.

        `present` on the unanswerable subset is the hallucination rate, `absent` on the answerable one the error rate;
        the other way round they are the accuracies.
        """
        return self[JUDGEMENTS.index(judgement)] / self.n if self.n else nan


def counts(judgements: Iterable[Judgement]) -> Counts:
    """The judgements counted."""
    found = Counter(judgements)
    return Counts(*(found[name] for name in JUDGEMENTS))


def macro(rates: Mapping[str, float]) -> float:
    """The unweighted mean over the languages that have a rate; NaN where none has."""
    there = [rate for rate in rates.values() if np.isfinite(rate)]
    return float(np.mean(there)) if there else nan


def macro_interval(items: Mapping[str, Floats], resamples: int, rng: np.random.Generator) -> Interval:
    """The macro-average of the languages' means with its percentile interval.

    `items`: for each language one number an item, 0 to 1 (a judgement, or its share over wordings). Items are drawn
    within their language; the languages are those that were asked, and are not drawn.
    """
    there = [values for values in items.values() if values.size]
    if not there:
        return Interval(nan, nan, nan)
    draws = np.mean([resampled_means(values, resamples, rng) for values in there], axis=0)
    return percentile_interval(float(np.mean([values.mean() for values in there])), draws)


def with_resources(rates: Mapping[str, float], permutations: int, rng: np.random.Generator) -> Correlation:
    """Spearman's correlation of the languages' rates with their Wikipedia passages; languages unknown are left out."""
    known = [language for language, rate in rates.items() if language in PASSAGES and np.isfinite(rate)]
    return spearman([PASSAGES[one] for one in known], [rates[one] for one in known], permutations, rng)
