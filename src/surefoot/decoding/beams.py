"""Beam search: the most probable whole texts, looked for with a bounded number of unfinished ones.

A text's score is log p(text) / length^length_penalty, its end token counted in the length. With groups, beams are split
evenly; at each step, a group's choice pays `diversity` for each beam of an earlier group that took the same token.

Source: the rules of ending are those of the transformers library; groups: Vijayakumar et al. 2018, arXiv:1610.02424.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch

from surefoot.decoding.batch import alike, append
from surefoot.decoding.branch import Branch, Next
from surefoot.decoding.picking import offered
from surefoot.decoding.rows import Draft, Vocabulary
from surefoot.decoding.sampling import Sampling


class Plan(NamedTuple):
    """How to search: see `surefoot.treatments.decoding.beam_search.BeamSearch`."""

    beams: int = 4
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    groups: int = 1
    diversity: float = 0.0


class Beam(NamedTuple):
    """A text, its log-probability, and its row in the branch."""

    draft: Draft
    total: float
    place: int


class Hypothesis(NamedTuple):
    """A finished text with its score."""

    draft: Draft
    score: float


class Step(NamedTuple):
    """One step of the branch: log-probabilities that texts are ranked by, the model's own, and the plain model's."""

    ranked: torch.Tensor
    model: torch.Tensor
    plain: torch.Tensor

    def at(self, place: int, token: int) -> tuple[float, float, float]:
        """As a `Draft` keeps them: under the model, as ranked, under the plain model."""
        return float(self.model[place, token]), float(self.ranked[place, token]), float(self.plain[place, token])


class Group:
    """One beam search over one prompt. `beams` are unfinished, best first; `finished` at most so many, best first."""

    def __init__(self, draft: Draft, place: int, sampling: Sampling, plan: Plan) -> None:
        self.beams = [Beam(draft, sum(draft.sampled), place)]
        self.finished: list[Hypothesis] = []
        self.sampling = sampling
        self.plan = plan
        self.width = plan.beams // plan.groups

    def grow(self, step: Step, taken: Counter[int], vocabulary: Vocabulary) -> None:
        """One token more; `taken` counts the tokens of earlier groups and is added to."""
        best = self._best(step, taken, self.width * (1 + len(vocabulary.ends)))
        going = []
        for rank, (parent, token) in enumerate(best):
            weights = step.at(parent.place, token)
            draft = _copy(parent.draft)
            append(draft, self.sampling, token, weights, vocabulary)
            grown = Beam(draft, parent.total + weights[1], parent.place)
            if draft.finish_reason == "interrupted":
                going.append(grown)
            elif rank < self.width:
                self._finish(grown)
        taken.update(token for _, token in best[: self.width])
        self.beams = going[: self.width] if self._may_improve(going) else []

    def _best(self, step: Step, taken: Counter[int], count: int) -> list[tuple[Beam, int]]:
        """The best pairs of a beam and a next token, by the text's log-probability less what is paid for likeness."""
        totals = torch.tensor([beam.total for beam in self.beams], device=step.ranked.device)
        scores = step.ranked[[beam.place for beam in self.beams]] + totals[:, None]
        for token, times in taken.items():
            scores[:, token] -= self.plan.diversity * times
        found = scores.flatten().topk(min(count, scores.numel()))
        pairs = zip(found.values.tolist(), found.indices.tolist(), strict=True)
        size = scores.shape[1]
        return [(self.beams[at // size], at % size) for score, at in pairs if score > -torch.inf]

    def _finish(self, beam: Beam) -> None:
        if self.plan.early_stopping is True and len(self.finished) == self.width:
            return
        score = beam.total / len(beam.draft.logprobs) ** self.plan.length_penalty
        self.finished = sorted([*self.finished, Hypothesis(beam.draft, score)], key=lambda h: -h.score)[: self.width]

    def _may_improve(self, going: Sequence[Beam]) -> bool:
        """Whether to go on. The best unfinished text is taken at its present length, or with `never` at its longest."""
        if not going or len(self.finished) < self.width:
            return bool(going)
        if self.plan.early_stopping is True:
            return False
        length = len(going[0].draft.logprobs)
        if self.plan.early_stopping == "never" and self.plan.length_penalty > 0:
            length = self.sampling.max_new_tokens
        attainable: float = going[0].total / length**self.plan.length_penalty
        return attainable > self.finished[-1].score


Keep = Callable[[Draft, list[Hypothesis]], None]


@torch.inference_mode()
def search(
    branch: Branch,
    drafts: Sequence[Draft],
    samplings: Sequence[Sampling],
    vocabulary: Vocabulary,
    plan: Plan,
    keep: Keep | None = None,
) -> None:
    """Writes into every draft the best text found behind it; `keep` is given all finished ones, best first.

    Drafts stay as they are until the whole batch is done.
    """
    prompts = [
        [Group(draft, place, sampling, plan) for _ in range(plan.groups)]
        for place, (draft, sampling) in enumerate(zip(drafts, samplings, strict=True))
    ]
    rows, step = list(zip(drafts, samplings, strict=True)), branch.first()
    while True:
        read = _read(rows, step)
        for groups in prompts:
            taken: Counter[int] = Counter()
            for group in groups:
                if group.beams:
                    group.grow(read, taken, vocabulary)
        live = [(group, place) for groups in prompts for group in groups for place in range(len(group.beams))]
        if not live:
            break
        beams = [group.beams[place] for group, place in live]
        for row, (group, place) in enumerate(live):
            group.beams[place] = group.beams[place]._replace(place=row)
        device = step.logits.device
        branch.keep(torch.tensor([beam.place for beam in beams], device=device))
        rows = [(beam.draft, group.sampling) for beam, (group, _) in zip(beams, live, strict=True)]
        step = branch.next(torch.tensor([beam.draft.written[-1] for beam in beams], device=device))
    for draft, groups in zip(drafts, prompts, strict=True):
        found = sorted((h for group in groups for h in group.finished), key=lambda h: -h.score)
        if keep:
            keep(draft, found)
        if found:
            _become(draft, found[0].draft)


def _read(rows: Sequence[tuple[Draft, Sampling]], step: Next) -> Step:
    model = torch.log_softmax(step.logits, -1)
    plain = model if step.plain is step.logits else torch.log_softmax(step.plain, -1)
    ranked = torch.empty_like(model)
    for sampling, places in alike(rows).items():
        ranked[places] = torch.log_softmax(offered([rows[p][0] for p in places], step.logits[places], sampling), -1)
    return Step(ranked, model, plain)


def _copy(draft: Draft) -> Draft:
    made = Draft(draft.index, draft.prompt)
    _become(made, draft)
    return made


def _become(draft: Draft, other: Draft) -> None:
    draft.written, draft.logprobs = list(other.written), list(other.logprobs)
    draft.sampled, draft.plain = list(other.sampled), list(other.plain)
    draft.finish_reason = other.finish_reason
