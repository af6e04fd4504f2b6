"""The operating curve: what a model's hallucination rate costs in error rate, over all thresholds on its margin.

The margin of a forced choice is the log-probability of "present" minus that of "absent". At a threshold t the model
says "present" where its margin is above t: hallucination h(t) and error e(t) are shares of the two subsets. As t rises,
h falls and e rises; the ends are always-yes (1, 0) and always-no (0, 1). The area under e over h is the chance that an
unanswerable question has the greater margin, ties one half: 0 is perfect, 0.5 knows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.stats.intervals import Floats

LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Curve:
    """Thresholds from low to high, with the rates at each; the ends are minus and plus infinity."""

    thresholds: Floats
    hallucination: Floats
    error: Floats

    @property
    def area(self) -> float:
        """The area under the error rate over the hallucination rate; NaN where a subset is empty."""
        h, e = self.hallucination[::-1], self.error[::-1]
        return float(np.sum((h[1:] - h[:-1]) * (e[1:] + e[:-1]) / 2))

    def error_at(self, hallucination: float) -> float:
        """The least error rate at a threshold whose hallucination rate is no higher than this."""
        allowed = self.error[self.hallucination <= hallucination]
        return float(allowed.min()) if allowed.size else np.nan


def operating_curve(unanswerable: Floats, answerable: Floats) -> Curve:
    """The curve from the margins on the two subsets; its rates are NaN on an empty one. Margins may be infinite."""
    unanswerable, answerable = (np.clip(one, -LARGEST, LARGEST) for one in (unanswerable, answerable))
    margins = np.unique(np.concatenate([unanswerable, answerable]))
    thresholds = np.concatenate([[-np.inf], margins, [np.inf]])
    return Curve(thresholds, _above(unanswerable, thresholds), 1 - _above(answerable, thresholds))


def _above(margins: Floats, thresholds: Floats) -> Floats:
    if not margins.size:
        return np.full(thresholds.shape, np.nan)
    below = np.searchsorted(np.sort(margins), thresholds, side="right")
    return np.asarray((margins.size - below) / margins.size, dtype=np.float64)
