"""The grid that both programs score: wordings x items, with the options of every item as answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from surefoot.models.causal import CausalModel
from surefoot.models.prefix import plan
from surefoot.tasks.bank import default_wordings
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.task import Query, Task
from surefoot.text.instruction import Instruction

Answers = Literal["a", "b"]
LABELS = {"a": "letter", "b": "option"}
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "zero-shot-robustness"


@dataclass(frozen=True)
class Grid:
    """A task and its wordings; the prompts of grid `a` (letters) and `b` (option texts) are the same."""

    task: Task

    def queries(self) -> list[list[Query]]:
        """The queries, wording by wording."""
        return [[self.task.query(example, w) for example in self.task.examples] for w in self.task.wordings]


def make_grid(answers: Answers, wordings: int, items: int | None, data: Path = DATA) -> Grid:
    """BIG-bench `conceptual_combinations` where the reference data is at hand, else the bundled task `demo/facts`."""
    spec = f"released:{data}#Conceptual_Combinations" if data.is_dir() else "demo/facts"
    (task,) = load_tasks(spec, limit=items)
    chosen = tuple(replace(w, labels=LABELS[answers]) for w in _lettered()[:wordings])
    return Grid(replace(task, wordings=chosen))


def _lettered() -> list[Instruction]:
    """This project's own right wordings for multiple choice that list the options behind letters."""
    return [w for w in default_wordings("multiple_choice") if w.is_right and w.labels == "letter"]


def sequences(model: CausalModel, queries: list[Query]) -> list[tuple[int, ...]]:
    """Prompt and answer as token ids, option by option: what is scored."""
    ids = model.encode([q.prompt for q in queries])
    forks = model.encoder.continuations([q.prompt for q in queries], ids, [q.labels for q in queries])
    return [(*prompt, *fork) for prompt, choices in zip(ids, forks, strict=True) for fork in choices]


def distinct_prefixes(scored: list[tuple[int, ...]]) -> int:
    """Tokens of the prefix tree of the whole grid; an answer's last token is read and never computed."""
    return plan([path[:-1] for path in scored]).tokens
