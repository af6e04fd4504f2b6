"""Soft-prompt alignment: one soft prompt, trained so that equivalent wordings give equal answers.

The model is frozen; n virtual tokens P stand in front of every prompt. Each training example is shown under a reference
wording r and paraphrases i, and

    L = (1 - weight) mean_i -log p(y | P, i, x) + weight mean_i KL(p(. | P, r, x) || p(. | P, i, x))

is minimised over P. Source: Sun, Shaib & Wallace 2024 (arXiv:2306.11270), section 5. The ablations of the paper and a
negative control are modes of the same training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel
from surefoot.tasks.loading import tasks_of
from surefoot.tasks.task import Task
from surefoot.training.adapters import RATES, AdapterSettings, new_adapter
from surefoot.training.checkpoint import whole_log
from surefoot.training.fit import FitSettings, FitStep, fit
from surefoot.training.losses import Alignment
from surefoot.training.objective import AlignmentObjective
from surefoot.treatments.weights.adapted import Adapted, kept_base, local_base
from surefoot.treatments.weights.alignment_data import Lesson, Wordings, as_groups, lessons, trained_on


class Mode(NamedTuple):
    """What is trained, all weights or the adapter, and the weight of the divergence (None: as set)."""

    all_weights: bool
    weight: float | None


MODES = {
    "PT+KL": Mode(False, None),  # the method
    "PT": Mode(False, 0.0),
    "FT+KL": Mode(True, None),
    "FT": Mode(True, 0.0),
    "KL": Mode(False, 1.0),  # negative control: wordings agree best where nothing depends on them
}


@dataclass(frozen=True)
class SoftAlign:
    """`task` is what is trained on; `mode` one of `MODES`.

    `paraphrases`: `rules`, `file:PATH`, `llm:MODEL`, or groups of wordings by task; `per_wording` of them go with each
    reference wording. `items` is the share of each task's items to train on; the rest is left for testing. `adapter`,
    `alignment` and `fit` are groups of settings. With `out`, checkpoints and the finished part are kept in that
    folder, and the same call goes on after an interruption. Needs a local model.
    """

    task: Any = "demo"
    mode: str = "PT+KL"
    paraphrases: Any = "rules"
    per_wording: int = 2
    items: float = 0.5
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    alignment: Alignment = field(default_factory=Alignment)
    fit: FitSettings = field(default_factory=FitSettings)
    out: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInput(f'"{self.mode}" is not a mode of soft-align.{nearest(self.mode, MODES)}')
        if self.per_wording < 1:
            raise BadInput(f"per_wording is {self.per_wording}; alignment needs at least one paraphrase of a wording.")

    @property
    def rule(self) -> Alignment:
        """The loss of the mode."""
        weight = MODES[self.mode].weight
        return self.alignment if weight is None else replace(self.alignment, weight=weight)

    @property
    def part(self) -> AdapterSettings:
        """What the mode trains."""
        return replace(self.adapter, kind="weights") if MODES[self.mode].all_weights else self.adapter

    @property
    def descent(self) -> FitSettings:
        """How it is trained, with the learning rate of the part where none is given."""
        rate = self.fit.learning_rate or RATES[self.part.kind]
        return replace(self.fit, learning_rate=rate)

    def apply(self, model: LanguageModel, watch: Callable[[FitStep], None] | None = None) -> LanguageModel:
        """The model with the trained part. `watch` is told of each step."""
        base = local_base(model, "soft-align")
        if self.out is not None:
            kept_base(model)
        tasks = tasks_of(self.task)
        wordings, told = self.wordings(tasks)
        needed = self.fit.steps * self.fit.batch * self.fit.accumulate
        found = lessons(tasks, wordings, self.items, needed, self.fit.seed)
        adapter = new_adapter(base, self.part, self.fit.seed)
        objective = AlignmentObjective(adapter, base, as_groups(adapter.model, found), self.rule)
        folder = None if self.out is None else Path(self.out)
        steps = fit(objective, self.descent, out=folder, watch=watch) if adapter.parameters else []
        earlier = None if folder is None else whole_log(folder)  # with the steps before an interruption
        log = [step.as_record() for step in steps] if earlier is None else earlier
        adapter.settle()
        treated = Adapted(model, adapter, "soft-align", {**self._record(tasks, found, log), **told})
        if folder is not None:
            treated.save(folder)
        return treated

    def wordings(self, tasks: tuple[Task, ...]) -> tuple[Wordings, dict[str, Any]]:
        """Groups of wordings to train on, and what the record says of where they come from."""
        if not isinstance(self.paraphrases, str):
            return self.paraphrases, {"paraphrases": "given"}
        from surefoot.paraphrases import paraphrase_task, source_of

        source = source_of(self.paraphrases)
        made = [paraphrase_task(task, source, per_wording=self.per_wording) for task in tasks]
        groups = {one.task: [(g.reference, *g.paraphrases) for g in one.groups if g.paraphrases] for one in made}
        return groups, {"paraphrases": self.paraphrases, "wordings": [one.record() for one in made]}

    def _record(self, tasks: tuple[Task, ...], found: list[Lesson], log: list[Any]) -> dict[str, Any]:
        return {
            "settings": {
                "mode": self.mode,
                "per_wording": self.per_wording,
                "items": self.items,
                **{"adapter": asdict(self.part), "alignment": asdict(self.rule), "fit": asdict(self.descent)},
            },
            "tasks": {task.name: task.hash for task in tasks},
            "trained_on": trained_on(found),
            "log": log,
        }
