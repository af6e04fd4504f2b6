"""What is changed about one context alone, to see why it is preferred: belief, completeness, words of the question.

Source: Tan et al. 2024 (arXiv:2401.11911), sections 5.1 (counter-memory contexts) and 5.3 (completeness). The test by
words of the question, and its pairing, are this project's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.metrics.normalise import normalise
from surefoot.models.base import LanguageModel
from surefoot.probes.context_preference.building import generated_contexts
from surefoot.probes.context_preference.filters import occurs
from surefoot.probes.context_preference.preference import source_of
from surefoot.probes.context_preference.splitting import sentence_truncated, truncated, word_count
from surefoot.probes.context_preference.units import Unit
from surefoot.stats.bootstrap import paired_bootstrap
from surefoot.stats.exact import sign_test
from surefoot.stats.intervals import Interval
from surefoot.tasks.contexts import ContextPair

Side = Literal["generated", "retrieved"]
SIDES: tuple[Side, ...] = ("generated", "retrieved")
VARIANTS = ("nature", "truncation", "s-truncation")


class Changed(NamedTuple):
    """The pairs after a change, and the questions that it left out, by id, with the reason."""

    pairs: tuple[ContextPair, ...]
    dropped: Mapping[str, str]


def counter_memory(
    pairs: Sequence[ContextPair],
    beliefs: Mapping[str, str],
    substitutes: Mapping[str, str],
    model: LanguageModel | None = None,
) -> Changed:
    """Generated contexts against the reader's own belief: the substitute stands in them, the belief does not.

    `beliefs` are closed-book answers by question id, `substitutes` the values to state in their place. With `model` it
    writes each context anew; where its text breaks the rule, and without a model, the belief is replaced in the given
    context. A question for which neither works is dropped. Raises `BadInput` for a question without either value.
    """
    for pair in pairs:
        lacking = "belief" if pair.id not in beliefs else "substitute" if pair.id not in substitutes else ""
        if lacking:
            raise BadInput(f'The question "{pair.id}" has no {lacking}; give one for every question, or leave it out.')
    written = _rewritten(pairs, substitutes, model) if model else [""] * len(pairs)
    kept, dropped = [], {}
    for pair, text in zip(pairs, written, strict=True):
        belief, substitute = beliefs[pair.id], substitutes[pair.id]
        found = next(
            (t for t in (text, exchanged(pair.generated, belief, substitute)) if _is_counter(t, belief, substitute)), ""
        )
        if found:
            kept.append(replace(pair, generated=found))
        else:
            dropped[pair.id] = f'no context names "{substitute}" and not "{belief}"'
    return Changed(tuple(kept), dropped)


def exchanged(text: str, old: str, new: str) -> str:
    """The text with every whole occurrence of `old` replaced, whatever its case and the marks between its words."""
    pattern = r"[\W_]+".join(re.escape(word) for word in re.findall(r"\w+", old))
    return re.sub(rf"(?<!\w){pattern}(?!\w)", lambda _: new, text, flags=re.IGNORECASE) if pattern else text


def complete_as(pairs: Sequence[ContextPair], variant: str) -> Changed:
    """Generated contexts whole (`nature`), cut to the retrieved one's words, or cut there at a sentence's end.

    A question of whose context no whole sentence fits is dropped. `variant`: nature, truncation, s-truncation.
    """
    if variant not in VARIANTS:
        raise BadInput(f'"{variant}" is not a kind of completeness.{nearest(variant, VARIANTS)}')
    if variant == "nature":
        return Changed(tuple(pairs), {})
    cut = truncated if variant == "truncation" else sentence_truncated
    texts = {pair.id: cut(pair.generated, word_count(pair.retrieved)) for pair in pairs}
    kept = tuple(replace(pair, generated=texts[pair.id]) for pair in pairs if texts[pair.id])
    return Changed(
        kept, {id: "its first sentence is longer than what was retrieved" for id, t in texts.items() if not t}
    )


def with_question(pairs: Sequence[ContextPair], side: Side) -> tuple[ContextPair, ...]:
    """The pairs with the question's own words before one of the two contexts; the other one is left as it is."""
    if side not in SIDES:
        raise BadInput(f'"{side}" is not a side.{nearest(side, SIDES)}')
    return tuple(replace(pair, **{side: f"{pair.question} {getattr(pair, side)}"}) for pair in pairs)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Shift:
    """The share of answers from one side before and after a change, over the same questions, wordings and orders.

    `change` is their mean difference with the bootstrap's interval over questions, `p` the two-sided sign test's.
    """

    side: str
    questions: int
    before: float
    after: float
    change: Interval
    p: float


def shift(before: Sequence[Unit], after: Sequence[Unit], side: Side) -> Shift:
    """The change of one side's share over the units in both sequences. Raises `BadInput` where they share none."""
    first, second = ({(u.item, u.wording): u for u in units if u.both} for units in (before, after))
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise BadInput("The two readings have no question in common after the filters; ask the same ones in both.")
    questions: dict[str, list[tuple[str, str]]] = {}
    for key in shared:
        questions.setdefault(first[key].question, []).append(key)
    shares = [
        [_mean([_share(units[key], side) for key in keys]) for _, keys in sorted(questions.items())]
        for units in (first, second)
    ]
    differences = [b - a for a, b in zip(*shares, strict=True)]
    change = paired_bootstrap(shares[0], shares[1])
    return Shift(side, len(questions), _mean(shares[0]), _mean(shares[1]), change, sign_test(differences).two_sided)


def _rewritten(pairs: Sequence[ContextPair], substitutes: Mapping[str, str], model: LanguageModel) -> list[str]:
    """One text a question, as long as the one it replaces."""
    texts = []
    for pair in pairs:  # each has a length of its own
        fact = f"The answer to the question is {substitutes[pair.id]}."
        drafts = generated_contexts(model, [pair.question], [word_count(pair.generated)], stating=[fact])[0]
        texts.append(drafts[0].text if drafts else "")
    return texts


def _is_counter(text: str, belief: str, substitute: str) -> bool:
    return bool(normalise(substitute)) and occurs(substitute, text) and not occurs(belief, text)


def _share(unit: Unit, side: str) -> float:
    return _mean([float(source_of(answer, unit) == side) for answer in unit.both.values()])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
