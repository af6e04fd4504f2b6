"""The engine: one thread that owns the models and writes all texts together, taking in new ones between two tokens.

Texts of one model are one batch (continuous batching): a request joins while others are being written, and leaves when
it has ended. Between two tokens few prompts are read, so that those who write are not held up for long.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.decoding.rows import Draft
from surefoot.errors import SurefootError
from surefoot.models.base import LanguageModel
from surefoot.serve.jobs import Job, Piece, Weighed, Weighing, guarded, tell_all, top_of
from surefoot.serve.memory import Trimmer
from surefoot.serve.weighing import WEIGHED, weigh

ADMITTED = 4  # prompts that are read between two tokens of those that write
READ = 32768  # tokens of texts to be weighed that are read at a time: the more, the more beginnings are shared


class Full(Exception):
    """The queue has no room."""


@dataclass
class Group:
    """The texts that one model writes."""

    model: LanguageModel
    batch: Any = None
    jobs: list[Job] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the model can only be asked for whole texts: it decides between them, or shows no distribution."""
        return bool(getattr(self.model, "decides_on_texts", False)) or "logits" not in self.model.can


class Engine:
    """`rows` texts are written at a time, `queue` more wait; beyond that `submit` raises `Full`."""

    def __init__(self, rows: int = 16, queue: int = 256) -> None:
        self.rows, self.queue = rows, queue
        self.waiting: deque[Job | Weighing] = deque()
        self.groups: dict[int, Group] = {}
        self.changed = threading.Condition()
        self.stopping = False
        self.trimmer = Trimmer()
        self.thread = threading.Thread(target=self._run, name="surefoot-engine", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """No more work; what is being written ends as it is."""
        with self.changed:
            self.stopping = True
            self.changed.notify()
        if self.thread.is_alive():
            self.thread.join()

    def submit(self, jobs: Sequence[Job | Weighing]) -> None:
        """Put all of them into the queue, or none."""
        with self.changed:
            if self.stopping or len(self.waiting) + len(jobs) > self.queue:
                raise Full
            self.waiting.extend(jobs)
            self.changed.notify()

    @property
    def running(self) -> int:
        return sum(len(group.jobs) for group in self.groups.values())

    def _run(self) -> None:
        import torch

        with torch.inference_mode():
            while True:
                with self.changed:
                    while not (self.stopping or self.waiting or self.running):
                        self.changed.wait()
                    if self.stopping:
                        break
                    taken = self._take()
                guarded(taken, lambda own=taken: self._admit(own))
                for group in [group for group in self.groups.values() if group.jobs]:
                    self._step(group)
        for job in [*self.waiting, *(job for group in self.groups.values() for job in group.jobs)]:
            job.tell(Piece(error="The server is shutting down.", status=503))

    def _take(self) -> list[Job | Weighing]:
        """From the front of the queue what there is room for, few at a time while others write."""
        taken: list[Job | Weighing] = []
        room = min(self.rows - self.running, ADMITTED if self.running else self.rows)
        to_read = WEIGHED if self.running else READ
        while self.waiting:
            job = self.waiting[0]
            room -= isinstance(job, Job)
            to_read -= len(job.ids) if isinstance(job, Weighing) else 0
            if room < 0 or (to_read < 0 and taken):
                break
            self.waiting.popleft()
            if not job.cancelled:
                taken.append(job)
        return taken

    def _admit(self, taken: Sequence[Job | Weighing]) -> None:
        by_model: dict[int, list[Job | Weighing]] = {}
        for job in taken:
            by_model.setdefault(id(job.model), []).append(job)
        for key, jobs in by_model.items():
            group = self.groups.setdefault(key, Group(jobs[0].model))
            weighings = [job for job in jobs if isinstance(job, Weighing)]
            if weighings:
                weigh(weighings)
                self.trimmer.note(len(weighings))
            writing = [job for job in jobs if isinstance(job, Job)]
            if group.whole:
                for job in writing:
                    guarded([job], lambda one=job: write_whole(one))
            elif writing:
                guarded(writing, lambda group=group, own=writing: self._open(group, own))

    def _open(self, group: Group, jobs: Sequence[Job]) -> None:
        """Read the prompts of new jobs and let them join; where one of them is refused, each on its own."""
        try:
            self._join(group, jobs)
        except SurefootError:
            if len(jobs) == 1:
                raise
            for job in jobs:
                guarded([job], lambda one=job: self._open(group, [one]))

    def _join(self, group: Group, jobs: Sequence[Job]) -> None:
        from surefoot.decoding.batch import Batch

        continuation = group.model.continuing([j.prompt for j in jobs], [j.sampling.max_new_tokens for j in jobs])
        for index, job in enumerate(jobs):
            job.length, job.draft = continuation.lengths[index], Draft(index, continuation.prompts[index])
        while group.jobs and not group.batch.branch.joins:
            self._step(group)
        branch = continuation.open(range(len(jobs)), [[]] * len(jobs))
        drafts = [job.draft for job in jobs if job.draft is not None]
        batch = Batch(branch, drafts, [job.sampling for job in jobs], group.model.vocabulary)
        if group.jobs:
            group.batch.join(batch)
        else:
            group.batch = batch
        group.jobs += jobs

    def _step(self, group: Group) -> None:
        """One more token for each text of a model."""
        try:
            tops = [top_of(group.batch.step.logits[k : k + 1], job.top)[0] for k, job in enumerate(group.jobs)]
            group.batch.pick()
            for job, top in zip(group.jobs, tops, strict=True):
                assert job.draft is not None
                if job.cancelled and job.draft.finish_reason == "interrupted":
                    job.draft.finish_reason = "stop"
                elif (piece := job.piece(top)) is not None:
                    job.tell(piece)
            group.batch.advance()
            going = {id(line.draft) for line in group.batch.lines}
            self.trimmer.note(len(group.jobs) - len(going))
            group.jobs = [job for job in group.jobs if id(job.draft) in going]
            if not group.jobs:
                group.batch = None  # its caches are as large as the longest texts were
        except Exception as error:  # a batch that fails must not take the server with it
            tell_all(group.jobs, error)
            group.batch, group.jobs = None, []


def write_whole(job: Job) -> None:
    """A text of a model that can only be asked for whole ones: told in one piece, without alternatives."""
    text = job.model.generate([job.prompt], job.sampling)[0]
    pairs = zip(text.token_ids, text.logprobs, strict=False)
    reason = "stop" if text.finish_reason == "stop" else "length"
    job.tell(Piece(text.text, tuple(Weighed(*pair) for pair in pairs), reason, prompt_tokens=text.prompt_tokens))
