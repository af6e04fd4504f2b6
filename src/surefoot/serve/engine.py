"""The engine: one thread that owns the models and writes all texts together, taking in new ones between two tokens.

Texts of one model are one batch (continuous batching): a request joins while others are being written, and leaves when
it has ended. Between two tokens few prompts are read, so that those who write are not held up for long.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from surefoot.decoding.rows import Draft
from surefoot.errors import NotAvailable, SurefootError
from surefoot.models.base import LanguageModel
from surefoot.serve.faults import reported
from surefoot.serve.jobs import Job, Piece, Weighed, Weighing, top_of
from surefoot.serve.memory import Trimmer
from surefoot.text.prompt import Part, TokenPrompt

if TYPE_CHECKING:
    import torch

ADMITTED = 4  # prompts that are read between two tokens of those that write
WEIGHED = 2048  # distributions that are held at a time
READ = 32768  # tokens of texts to be weighed that are read at a time: the more, the more beginnings are shared
CHUNK = 64  # rows of logits that are made float32 at a time


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
                _guarded(taken, lambda own=taken: self._admit(own))
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
                    _guarded([job], lambda one=job: write_whole(one))
            elif writing:
                _guarded(writing, lambda group=group, own=writing: self._open(group, own))

    def _open(self, group: Group, jobs: Sequence[Job]) -> None:
        """Read the prompts of new jobs and let them join; where one of them is refused, each on its own."""
        try:
            self._join(group, jobs)
        except SurefootError:
            if len(jobs) == 1:
                raise
            for job in jobs:
                _guarded([job], lambda one=job: self._open(group, [one]))

    def _join(self, group: Group, jobs: Sequence[Job]) -> None:
        from surefoot.decoding.loop import Batch

        continuation = group.model.continuing([j.prompt for j in jobs], [j.sampling.max_new_tokens for j in jobs])
        for index, job in enumerate(jobs):
            job.length, job.draft = continuation.lengths[index], Draft(index, continuation.prompts[index])
        branch = continuation.open(range(len(jobs)), [[]] * len(jobs))
        drafts = [job.draft for job in jobs if job.draft is not None]
        batch = Batch(branch, drafts, [job.sampling for job in jobs], group.model.vocabulary)
        if group.jobs:
            try:
                group.batch.join(batch)
            except NotAvailable:
                while group.jobs:
                    self._step(group)
        if not group.jobs:
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
            _tell_all(group.jobs, error)
            group.batch, group.jobs = None, []


def weigh(jobs: Sequence[Weighing]) -> None:
    """The probabilities of given texts, a few at a time; what they begin with alike is computed once."""
    pending = list(jobs)
    while pending:
        part: list[Weighing] = []
        held = 0
        while pending and (not part or held + pending[0].rows <= WEIGHED):
            held += pending[0].rows
            part.append(pending.pop(0))
        _guarded(part, lambda own=part: _weigh_together(own))


def _weigh_together(jobs: Sequence[Weighing]) -> None:
    """In one batch; where one of the texts is refused, each on its own."""
    answers = [[[*job.ids[job.start :], *job.ids[: job.looks_on]]] for job in jobs]
    try:
        found = jobs[0].model.forced([_read_first(job) for job in jobs], answers)
    except SurefootError:
        if len(jobs) == 1:
            raise
        for job in jobs:
            _guarded([job], lambda one=job: _weigh_together([one]))
        return
    before, top = Piece(), 0
    for job, forced in zip(jobs, found, strict=True):
        before = weighed(job, forced.logits[0], before.tokens if job.top == top and not job.last else ())
        top = job.top
        job.tell(before)


def _read_first(job: Weighing) -> TokenPrompt:
    """What stands before the tokens that are weighed. Its text is for treatments that change texts."""
    ids = tuple(job.ids[: job.start])
    return TokenPrompt((Part("input", job.model.vocabulary.decode(ids)),), ids)


def weighed(job: Weighing, logits: torch.Tensor, before: Sequence[Weighed] = ()) -> Piece:
    """What was asked, from logits (rows, vocabulary) behind each token before one that is asked for; where the job
    looks on, the last row is of what comes next.

    What a text weighed `before`, with as many alternatives, begins with alike is taken from there.
    """
    from surefoot.decoding.picking import draws, offered, pick

    tokens, ends = list(job.ids[job.start :]), job.model.vocabulary.ends
    if job.sampling is not None:
        row, last = Draft(0, job.ids), logits[-1:].float()
        uniforms = [draws(job.sampling.seed, row).random()] if job.sampling.temperature else []
        tokens += pick(offered([row], last, job.sampling), uniforms).tolist()
    alike = takewhile(lambda pair: pair[0].token == pair[1], zip(before, job.ids, strict=False))
    known = [one for one, _ in alike] or [Weighed(token, float("nan")) for token in job.ids[: job.start]]
    new = slice(len(known) - job.start, len(tokens))
    values, tops = _read(logits[new], tokens[new], job.top)
    found = (*known, *map(Weighed, tokens[new], values, tops))
    ended = job.sampling is not None and tokens[-1] in ends
    return Piece(tokens=found, finish_reason="stop" if ended else "length", prompt_tokens=len(job.ids))


def _read(logits: torch.Tensor, tokens: Sequence[int], top: int) -> tuple[list[float], list[Any]]:
    """log p of each token, and the most probable tokens of each row with theirs."""
    import torch

    values: list[float] = []
    tops: list[Any] = []
    wanted = torch.tensor(list(tokens), device=logits.device)[:, None]
    for start in range(0, len(tokens), CHUNK):
        part = logits[start : start + CHUNK].float()
        norms = part.logsumexp(-1, keepdim=True)
        values += (part.gather(-1, wanted[start : start + CHUNK]) - norms)[:, 0].tolist()
        tops += top_of(part, top, norms)
    return values, tops


def write_whole(job: Job) -> None:
    """A text of a model that can only be asked for whole ones: told in one piece, without alternatives."""
    text = job.model.generate([job.prompt], job.sampling)[0]
    pairs = zip(text.token_ids, text.logprobs, strict=False)
    reason = "stop" if text.finish_reason == "stop" else "length"
    job.tell(Piece(text.text, tuple(Weighed(*pair) for pair in pairs), reason, prompt_tokens=text.prompt_tokens))


def _guarded(jobs: Sequence[Job | Weighing], work: Any) -> None:
    """A job that fails is told so, and nobody else is."""
    try:
        work()
    except Exception as error:
        _tell_all(jobs, error)


def _tell_all(jobs: Sequence[Job | Weighing], error: Exception) -> None:
    """What clients are told: the sentence of an error that is meant for users, and a number for any other."""
    meant = isinstance(error, SurefootError)
    piece = Piece(error=str(error)) if meant else Piece(error=reported(error), status=500)
    for job in jobs:
        job.tell(piece)
