"""From several annotators' labels to one judgement of each passage, and to judged questions.

Rules: `unanimous` (all labels alike, else undecided), `majority` (more of one than of the other, a tie undecided),
`any` (relevant if one annotator says so), `all` (relevant if every one does). `any` makes the unanswerable subset pure,
`all` the answerable one. An adjudicator's sheet decides whatever it judges, over any rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from surefoot.errors import BadInput, nearest
from surefoot.judging.pool import Pooled, key_of
from surefoot.judging.sheet import Sheet
from surefoot.tasks.nomiracl import JudgedQuestion, Passage, mixed

Rule = Literal["unanimous", "majority", "any", "all"]
RULES: tuple[str, ...] = get_args(Rule)

Labels = Mapping[str, Mapping[str, bool]]
"""Key, annotator, label."""


class Verdicts(NamedTuple):
    """Judged questions in the pool's order; the keys on which annotators differ without a decision; the keys that
    nobody judged. A question with a key of either kind is not among the questions: whether it has an answer is open.
    """

    questions: tuple[JudgedQuestion, ...]
    undecided: tuple[str, ...]
    unjudged: tuple[str, ...]


def labels_of(sheets: Sequence[Sheet], questions: Sequence[Pooled]) -> Labels:
    """The labels by key and annotator. Raises `BadInput` for two sheets of one name and for a key not in the pool."""
    names = [sheet.annotator for sheet in sheets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f'Two sheets are named "{twice}", after which annotators are told apart; rename one.')
    known = {key_of(one, hit.document) for one in questions for hit in one.hits}
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for sheet in sheets:
        for key, relevant, where in sheet.lines:
            if key not in known:
                raise BadInput(f"{where}: the pool has no {key}; give the pool that this sheet was written with.")
            if relevant is not None:
                found[key][sheet.annotator] = relevant
    return found


def verdicts(
    questions: Sequence[Pooled], labels: Labels, rule: Rule = "majority", decided: Sheet | None = None, seed: int = 0
) -> Verdicts:
    """One judgement of each passage, by `decided` where it has one, else by `rule`; passages in an order by ids.

    Raises `BadInput` for an unknown rule.
    """
    if rule not in RULES:
        raise BadInput(f'"{rule}" is no rule for labels that differ.{nearest(rule, RULES)}')
    final = {} if decided is None else {key: said for key, said, _ in decided.lines if said is not None}
    made: list[JudgedQuestion] = []
    undecided: list[str] = []
    unjudged: list[str] = []
    for question in questions:
        passages = []
        for hit in question.hits:
            key = key_of(question, hit.document)
            given = [*labels.get(key, {}).values()]
            relevant = final.get(key, verdict(given, rule))
            if relevant is None:
                (undecided if given else unjudged).append(key)
            else:
                passages.append(Passage(hit.document.id, hit.document.text, relevant, hit.document.title))
        if len(passages) == len(question.hits):
            judged = JudgedQuestion(question.id, question.text, tuple(passages), question.language)
            made.append(mixed(judged, seed))
    return Verdicts(tuple(made), tuple(undecided), tuple(unjudged))


def verdict(given: Sequence[bool], rule: Rule) -> bool | None:
    """The judgement by a rule; None where it decides nothing, or nothing was given."""
    yes = sum(given)
    no = len(given) - yes
    if not given:
        return None
    if rule == "unanimous":
        return None if yes and no else bool(yes)
    if rule == "majority":
        return None if yes == no else yes > no
    return bool(yes) if rule == "any" else not no
