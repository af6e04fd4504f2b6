"""What every treatment that searches has in common: the index, the token budget, the trace, and kept prefixes.

The prompts of a request go forward together, so that their searches and their sentences are batches. Keys and values
of what stays in a prompt between two steps are kept for the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import Choice, Generation, LanguageModel, Score, Scorer
from surefoot.models.trace import Event, EventKind, Shown, Trace
from surefoot.retrieval.retriever import Document, Retriever
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.showing import (
    Count,
    Fit,
    context_of,
    fitting,
    prompt_tokens,
    question_of,
    token_counter,
    with_documents,
)
from surefoot.treatments.wrapped import Wrapped, innermost, layers

KEPT_BYTES = 2**31  # of keys and values kept between the steps of a request: 32 prompts of 2,800 tokens of SmolLM2
SHARE = 0.75  # of a model's context that question and documents may take where no budget is given


class Searching(Protocol):
    """Settings that every treatment here has. `budget` 0 is three quarters of the model's context."""

    @property
    def index(self) -> Any: ...
    @property
    def k(self) -> int: ...
    @property
    def budget(self) -> int: ...
    @property
    def layout(self) -> str: ...


@dataclass
class Log:
    """A trace in the course of being written."""

    events: list[Event] = field(default_factory=list)
    calls: int = 0
    searches: int = 0
    tokens: int = 0

    def note(self, kind: EventKind, text: str = "", **more: Any) -> None:
        """One more event."""
        self.events.append(Event(kind, text, **more))

    def trace(self) -> Trace:
        """What was logged so far."""
        return Trace(tuple(self.events), self.calls, self.searches, self.tokens)


class Grounded(Wrapped):
    """A model that searches an index. `retriever` is opened from the setting `index`."""

    settings: Any

    def __init__(self, base: LanguageModel, treatment: str, settings: Searching) -> None:
        self.retriever = opened(settings.index, treatment)
        super().__init__(base, treatment, settings)
        self.count: Count = token_counter(base)
        self._found: dict[tuple[str, int], tuple[Document, ...]] = {}

    def told(self) -> Mapping[str, Any]:
        """The settings, with the digest of the index in its place."""
        own = {member.name: getattr(self.settings, member.name) for member in fields(self.settings)}
        return {**own, "index": self.retriever.digest}

    @property
    def budget(self) -> int | None:
        """Tokens that question and documents may take together; None is without limit."""
        context = context_of(self.inner)
        return self.settings.budget or (int(SHARE * context) if context is not None else None)

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        self.look_up([Prompt.of(prompt) for prompt, _ in requests])
        return super().score(requests)

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        self.look_up([Prompt.of(prompt) for prompt in prompts])
        return super().choose(prompts, options, scorer)

    def first_read(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        self.look_up(prompts)
        return super().first_read(prompts)

    def look_up(self, prompts: Sequence[Prompt]) -> None:
        """Find what `change` will put before these prompts, in one batch; it is kept for when each is changed."""
        self.search([question_of(prompt) for prompt in prompts])

    def search(self, queries: Sequence[str], k: int | None = None) -> list[tuple[Document, ...]]:
        """The best documents of each query, in one batch; none for an empty query. Answers are kept."""
        wanted = self.settings.k if k is None else k
        new = list(dict.fromkeys(q for q in queries if q.strip() and (q, wanted) not in self._found))
        if len(self._found) + len(new) > 4096:
            self._found.clear()
            new = list(dict.fromkeys(q for q in queries if q.strip()))
        for query, hits in zip(new, self.retriever.search(new, wanted) if new else [], strict=True):
            self._found[query, wanted] = tuple(hit.document for hit in hits)
        return [self._found.get((query, wanted), ()) for query in queries]

    def fit(self, prompt: Prompt, documents: Sequence[Document]) -> Fit:
        """Those documents that the budget has room for beside the prompt."""
        if not documents:
            return Fit((), ())
        taken = prompt_tokens(self.inner, prompt, self.count) if self.budget is not None else 0
        return fitting(taken, documents, self.settings.layout, self.count, self.budget)

    def grounded(self, prompt: Prompt, documents: Sequence[Document | Shown]) -> Prompt:
        """The prompt with documents."""
        return with_documents(prompt, documents, self.settings.layout)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep keys and values of what is read, so that a later prompt that begins alike does not compute them again.

        Where a server keeps them already, or the model has none, nothing changes.
        """
        model: Any = innermost(self.inner)
        if getattr(model, "prefixes", self) is not None:
            yield
            return
        from surefoot.models.prefix_store import PrefixStore

        model.prefixes = PrefixStore(KEPT_BYTES)
        try:
            yield
        finally:
            model.prefixes = None


def opened(index: Any, treatment: str) -> Retriever:
    """The retriever of a setting: a folder that `surefoot index` made, or from Python the object."""
    if isinstance(index, str):
        if not index:
            raise BadInput(f"The treatment {treatment} searches an index; give index=FOLDER (see surefoot index).")
        from surefoot.retrieval.index import open_index

        return open_index(index)
    if not (hasattr(index, "search") and hasattr(index, "digest")):
        raise BadInput(f"The index is a {type(index).__name__}; give a folder or an object with search and digest.")
    found: Retriever = index
    return found


def check_searching(settings: Searching) -> None:
    """Refuse settings that cannot be."""
    from surefoot.treatments.retrieval.showing import layout_of

    if settings.k < 1:
        raise BadInput(f"k is {settings.k}; show at least one document.")
    if settings.budget < 0:
        raise BadInput(f"budget is {settings.budget}; use a number of tokens, or 0 for most of the model's context.")
    layout_of(settings.layout)


def refuse_whole_texts(model: LanguageModel, treatment: str) -> None:
    """Sentences cannot be taken one by one from what decides between whole texts."""
    for below in layers(model):
        if below.decides_on_texts:
            raise NotAvailable(
                f"{treatment} writes sentence by sentence and {below.treatment} decides between whole texts; "
                f"leave {below.treatment} out, or apply it last."
            )


def with_trace(text: Generation, log: Log) -> Generation:
    """The text with what led to it."""
    return replace(text, trace=log.trace())
