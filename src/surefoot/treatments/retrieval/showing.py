"""How found documents are put before a question, and how many of them its token budget has room for.

The question is the text of the prompt's last `input` parts. Documents go in as `context` parts in front of the first
one, so that `prompt.without("context")` takes them out again; nothing else of the prompt changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel
from surefoot.models.trace import Shown
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments.wrapped import innermost

Count = Callable[[str], int]
"""Tokens of a text, without special ones."""
Shower = Callable[[int, Document | Shown], str]
"""The text of the n-th document, counted from 1, as it stands before the model."""


def numbered(number: int, document: Document | Shown) -> str:
    """`[1] Title. text`."""
    title = f"{document.title.rstrip('.')}. " if document.title else ""
    return f"[{number}] {title}{document.text.strip()}\n"


def wikipedia(_: int, document: Document | Shown) -> str:
    """The title on a line of its own, then the text, then an empty line."""
    title = f"Wikipedia Title: {document.title}\n" if document.title else ""
    return f"{title}{document.text.strip()}\n\n"


class Layout(NamedTuple):
    """How documents are written before a question: a heading, each document, and what stands behind the last one."""

    heading: str
    show: Shower
    end: str


LAYOUTS: Mapping[str, Layout] = {
    "numbered": Layout("Search results:\n", numbered, "\n"),
    "wikipedia": Layout("", wikipedia, ""),
}


def layout_of(name: str) -> Layout:
    """The layout of this name."""
    if name not in LAYOUTS:
        raise BadInput(f'"{name}" is no layout of documents.{nearest(name, LAYOUTS)}')
    return LAYOUTS[name]


def question_of(prompt: Prompt) -> str:
    """The text of the prompt's last `input` parts; of all but its context and cue where it has none."""
    parts = prompt.parts
    last = max((i for i, part in enumerate(parts) if part.role == "input"), default=-1)
    first = last
    while first > 0 and parts[first - 1].role == "input":
        first -= 1
    text = "".join(part.text for part in parts[max(first, 0) : last + 1] if not part.heading).strip()
    return text or prompt.without("system", "context", "demonstration", "cue").text.strip()


def with_documents(prompt: Prompt, documents: Sequence[Document | Shown], layout: str = "numbered") -> Prompt:
    """The prompt with documents before its first `input` part, or before the heading of that."""
    shape = layout_of(layout)
    if not documents:
        return prompt
    shown = [shape.show(number, document) for number, document in enumerate(documents, start=1)]
    texts = [*shown[:-1], shown[-1] + shape.end]
    heading = [Part("context", shape.heading, heading=True)] if shape.heading else []
    return inserted(prompt, [*heading, *(Part("context", text) for text in texts)])


def inserted(prompt: Prompt, parts: Sequence[Part]) -> Prompt:
    """The prompt with parts put in before its first `input` part; before its cue where it has none."""
    own = prompt.parts
    place = next((i for i, part in enumerate(own) if part.role == "input"), None)
    if place is None:
        place = next((i for i, part in enumerate(own) if part.role == "cue"), len(own))
    return prompt._with((*own[:place], *parts, *own[place:]))


class Fit(NamedTuple):
    """What a budget has room for: documents that are shown, and those that were left out whole, worst ranked first."""

    kept: tuple[Document, ...]
    dropped: tuple[Document, ...]


def fitting(taken: int, documents: Sequence[Document], layout: str, count: Count, budget: int | None) -> Fit:
    """As many documents, best first, as fit beside the `taken` tokens of the rest of the prompt.

    A document that does not fit is left out whole, and so is every one ranked behind it.
    """
    if budget is None:
        return Fit(tuple(documents), ())
    if taken > budget:
        raise BadInput(f"The question has {taken} tokens and the budget is {budget}; ask less or raise budget.")
    shape = layout_of(layout)
    taken += count(shape.heading + shape.end) if documents else 0
    for place, document in enumerate(documents):
        taken += count(shape.show(place + 1, document))
        if taken > budget:
            return Fit(tuple(documents[:place]), tuple(documents[place:]))
    return Fit(tuple(documents), ())


def token_counter(model: LanguageModel) -> Count:
    """Tokens of a text as the model's tokenizer has them; words where the model shows no tokens."""
    if "logits" not in model.can:
        return lambda text: len(text.split())
    tokenizer = model.vocabulary.tokenizer
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else 0


def prompt_tokens(model: LanguageModel, prompt: Prompt, count: Count) -> int:
    """Tokens that the model reads for a prompt, trained tokens in front included."""
    encoder = getattr(innermost(model), "encoder", None)
    virtual = len(encoder.virtual) if encoder is not None else 0
    return count(model.render(prompt)) + virtual + int(encoder is not None)


def context_of(model: LanguageModel) -> int | None:
    """The longest input of the model in tokens; None where it is not known or has no bound."""
    return getattr(innermost(model), "context", None)


def shown(documents: Sequence[Document]) -> tuple[Shown, ...]:
    """Documents as a trace holds them."""
    return tuple(Shown(document.id, document.title, document.text) for document in documents)
