"""Paraphrases of a task's training wordings, none of them a wording that is tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.errors import BadInput, nearest
from surefoot.paraphrases.file import File
from surefoot.paraphrases.filters import FILTERS, UNREADABLE, Bench, Case, Drop, Filters, judge, whole_key
from surefoot.paraphrases.llm import Llm
from surefoot.paraphrases.proposals import Material, Proposal, Source
from surefoot.paraphrases.result import Group, Paraphrased, Rejected
from surefoot.paraphrases.rules import Rules
from surefoot.tasks.split import Split, split_wordings
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction

if TYPE_CHECKING:
    from surefoot.models.encoders import SentenceEncoder

EXAMPLES = 5
BUNDLED = {"demo": Path(__file__).parent / "demo.jsonl"}
SOURCES: Mapping[str, Callable[[str], Source]] = {
    "file": lambda path: File(BUNDLED.get(path, Path(path))),
    "rules": lambda _: Rules(),
    "llm": Llm,
}


def source_of(spec: str | Source) -> Source:
    """The source that `rules`, `file:PATH` or `llm:MODEL` names (a source is given back as it is).

    Raises `BadInput` for an unknown source and for one without its path or model.
    """
    if not isinstance(spec, str):
        return spec
    name, _, rest = spec.partition(":")
    if name not in SOURCES:
        raise BadInput(f'"{spec}" is not a source of paraphrases.{nearest(name, SOURCES)}')
    if (name == "rules") == bool(rest):
        wanted = {"file": "file:PATH", "rules": "rules", "llm": "llm:MODEL"}[name]
        raise BadInput(f'"{spec}" is not complete or says too much; write {wanted}.')
    return SOURCES[name](rest)


def paraphrase_task(
    task: Task,
    source: Source | str,
    *,
    per_wording: int = 3,
    filters: Filters | None = None,
    seed: int = 0,
    split: Split | None = None,
    encoder: SentenceEncoder | None = None,
) -> Paraphrased:
    """Up to `per_wording` paraphrases of each training wording of the task.

    `split` says which wordings are for training (default: `split_wordings(task, seed)`); all others of the task are
    tested, and none of their texts is given. Each group keeps layout, labels and fields of its reference, so that the
    same answers are right. `encoder` embeds for the similarity filters (default: MiniLM from a PyPI package, loaded
    only where they are on). The result depends on the task, the source and the seed alone.

    Raises `BadInput` for a number below one, a file that repeats tested wordings, or a task without two right texts;
    `NotAvailable` where a model or the encoder is not on this machine.

    >>> paraphrase_task(task, "rules", filters=Filters(floor=0)).kept  # doctest: +SKIP
    """
    if per_wording < 1:
        raise BadInput(f"per_wording is {per_wording}; ask for at least one paraphrase of each wording.")
    source, filters = source_of(source), filters or Filters()
    split = split if split is not None else split_wordings(task, seed)
    material = Material.of(task, split)
    rounds = source.rounds(material, per_wording)
    bench = Bench(material, filters, _encoder(encoder) if filters.embeds else None)
    work = _Work(bench, per_wording)
    for attempt in range(rounds):
        wanting = work.wanting()
        if not wanting:
            break
        for reference, proposal in zip(wanting, source.propose(wanting, material, attempt, seed), strict=True):
            if proposal is not None:
                work.take(reference, proposal)
    return work.result(source.name)


class _Work:
    """The groups while they grow."""

    def __init__(self, bench: Bench, per_wording: int) -> None:
        self.bench = bench
        self.per_wording = per_wording
        self.groups: dict[str, list[Instruction]] = {w.id: [] for w in bench.material.split.training}
        self.dropped = dict.fromkeys((UNREADABLE, *FILTERS), 0)
        self.examples: list[Rejected] = []
        self.proposed = 0

    def wanting(self) -> list[Instruction]:
        """The references with too few paraphrases, by id: the order of the task's wordings changes nothing."""
        training = sorted(self.bench.material.split.training, key=lambda wording: wording.id)
        return [reference for reference in training if len(self.groups[reference.id]) < self.per_wording]

    def take(self, reference: Instruction, proposal: Proposal) -> None:
        self.proposed += 1
        wording = proposal.wording
        drop = judge(Case(wording, reference, self.bench)) if wording else Drop(UNREADABLE, "is no sentence")
        if wording is None or drop is not None:
            self._drop(Rejected(reference.id, proposal.text, *(drop or Drop(UNREADABLE, ""))))
            return
        group = self.groups[reference.id]
        self.bench.kept.add(whole_key(wording))
        named = wording.id not in (reference.id, "")
        group.append(wording if named else replace(wording, id=f"{reference.id}~{len(group) + 1}"))

    def result(self, source: str) -> Paraphrased:
        material = self.bench.material
        groups = tuple(Group(w, tuple(self.groups[w.id])) for w in material.split.training)
        counts = dict(self.dropped)
        return Paraphrased(
            material.task.name, source, groups, material.tested, self.proposed, counts, tuple(self.examples)
        )

    def _drop(self, rejected: Rejected) -> None:
        self.dropped[rejected.filter] += 1
        if self.dropped[rejected.filter] <= EXAMPLES:
            self.examples.append(rejected)


def _encoder(given: SentenceEncoder | None) -> SentenceEncoder:
    from surefoot.models.encoders import SentenceEncoder

    return given or SentenceEncoder()
