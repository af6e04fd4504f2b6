"""How far annotators agree beyond chance, on labels without an order.

A unit is what is judged (a question with a passage). 1 is full agreement, 0 what chance would give.

- Cohen's kappa, two annotators a, b on the units that both judged: (p_o - p_e) / (1 - p_e), with p_o the share of equal
  labels and p_e = sum_c p_a(c) p_b(c).
- Fleiss' kappa, m labels a unit, whoever gave them: the same form with p_o the mean share of equal pairs in a unit and
  p_e = sum_c p(c)^2 over all labels.
- Krippendorff's alpha, any number of labels a unit: 1 - D_o / D_e. With m_u >= 2 labels in unit u, n_uc of them c, the
  coincidences are o_cc' = sum_u n_uc (n_uc' - [c = c']) / (m_u - 1), n_c = sum_c' o_cc', n = sum_c n_c; then
  D_o = sum_{c != c'} o_cc' / n and D_e = sum_{c != c'} n_c n_c' / (n (n - 1)).

Where all labels are the same, chance explains everything and each of them is NaN. Sources: Cohen 1960; Fleiss 1971;
Krippendorff 2011, "Computing Krippendorff's alpha-reliability".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.bootstrap import weight_chunks
from surefoot.stats.intervals import Floats, Interval, percentile_interval


def cohen_kappa(left: Sequence[Hashable], right: Sequence[Hashable]) -> float:
    """Cohen's kappa of two annotators' labels, unit by unit. Raises `BadInput` for sides of different length."""
    if len(left) != len(right):
        raise BadInput(f"{len(left)} and {len(right)} labels make no pairs; give both annotators' labels of each unit.")
    if not left:
        return np.nan
    n = len(left)
    observed = sum(a == b for a, b in zip(left, right, strict=True)) / n
    expected = sum(left.count(label) * right.count(label) for label in {*left, *right}) / n**2
    return _beyond(observed, expected)


def fleiss_kappa(counts: Floats) -> float:
    """Fleiss' kappa from `counts` (units, labels), how often each label was given to each unit.

    Raises `BadInput` where units have different numbers of labels, or fewer than two.
    """
    each = np.unique(counts.sum(axis=1))
    if counts.shape[0] and (len(each) != 1 or each[0] < 2):
        raise BadInput("Fleiss' kappa needs the same number of labels for every unit, two or more; use alpha.")
    if not counts.size:
        return np.nan
    m = each[0]
    observed = float(((counts * (counts - 1)).sum(axis=1) / (m * (m - 1))).mean())
    return _beyond(observed, float(((counts.sum(axis=0) / counts.sum()) ** 2).sum()))


def krippendorff_alpha(counts: Floats) -> float:
    """Krippendorff's alpha from `counts` (units, labels); a unit with fewer than two labels says nothing."""
    return float(_alphas(_coincidences(counts).sum(axis=0))) if counts.size else np.nan


def alpha_interval(counts: Floats, groups: Sequence[Hashable], resamples: int, rng: np.random.Generator) -> Interval:
    """Alpha with its percentile interval: `groups` (units,) are drawn, each with all its units.

    A group is what the units share (the question of several passages), so that their dependence is kept.
    """
    if not counts.size:
        return Interval(np.nan, np.nan, np.nan)
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    codes = np.array([number[group] for group in groups])
    own = np.zeros((len(number), counts.shape[1], counts.shape[1]))
    np.add.at(own, codes, _coincidences(counts))
    draws = [_alphas(np.tensordot(w, own, axes=1)) for w in weight_chunks(len(own), resamples, rng)]
    return percentile_interval(krippendorff_alpha(counts), np.concatenate(draws))


def _coincidences(counts: Floats) -> Floats:
    """(units, labels, labels): the ordered pairs of labels in each unit, divided by m_u - 1."""
    m = counts.sum(axis=1)
    pairs = counts[:, :, None] * (counts[:, None, :] - np.eye(counts.shape[1]))
    return np.asarray(np.where(m > 1, 1 / np.maximum(m - 1, 1), 0)[:, None, None] * pairs, dtype=np.float64)


def _alphas(coincidences: Floats) -> Floats:
    """Alpha of each matrix of coincidences (..., labels, labels)."""
    totals = coincidences.sum(axis=-1)
    n = totals.sum(axis=-1)
    apart = n - np.trace(coincidences, axis1=-2, axis2=-1)
    by_chance = n**2 - (totals**2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(by_chance > 0, 1 - (n - 1) * apart / by_chance, np.nan), dtype=np.float64)


def _beyond(observed: float, expected: float) -> float:
    return (observed - expected) / (1 - expected) if expected < 1 else np.nan
