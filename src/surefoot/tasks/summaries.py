"""Documents to be summarised, as a task: the document is the context, what is asked for is the question.

The document is a `context` part and brings the white space behind it, so `prompt.without("context")` asks for the
summary alone, as context-aware decoding needs it. Answers are scored by ROUGE-L; `surefoot.metrics.support` says how
much of one stands in its document. Source: the prompts of Shi et al. 2024 (arXiv:2305.14739), of which the wording
`released` is the one of their inputs; the others are our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.jsonl import Line, as_text, as_texts, read_jsonl, refuse_unknown
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

WORDINGS = Path(__file__).with_name("summary_wordings.jsonl")
NEW_TOKENS = 100
KEYS = ("id", "document", "summary", "source", "licence")


@dataclass(frozen=True)
class Document:
    """A text and its reference summaries, one or more."""

    id: str
    text: str
    summaries: tuple[str, ...]
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadInput(f'The document "{self.id}" has no text; give one to summarise.')
        if not any(map(str.strip, self.summaries)):
            raise BadInput(f'The document "{self.id}" has no summary to compare with; give at least one.')


def summary_task(
    documents: Iterable[Document],
    *,
    words: int | None = None,
    new_tokens: int = NEW_TOKENS,
    wordings: Sequence[Instruction] | None = None,
    name: str = "summaries",
) -> Task:
    """The task that asks for summaries of these documents.

    words: how many words of a document are shown, its first ones; all by default. new_tokens: the budget of a summary.
    wordings: templates over `document` (a blank line behind it) or `inline` (a space); the bundled ones by default.
    Raises `BadInput` for no documents, for two of one id, and for budgets below 1.
    """
    documents = tuple(documents)
    for what, value in (("words", words), ("tokens", new_tokens)):
        if value is not None and value < 1:
            raise BadInput(f"{what} is {value}; use 1 or more.")
    ids = [document.id for document in documents]
    twice = next((id for place, id in enumerate(ids) if id in ids[:place]), None)
    if twice is not None:
        raise BadInput(f'Two documents have the id "{twice}"; give each an id of its own.')
    return Task(
        name=name,
        kind="generation",
        examples=tuple(_example(document, words) for document in documents),
        wordings=tuple(read_wordings(WORDINGS) if wordings is None else wordings),
        input_template="",
        roles={"document": "context", "inline": "context"},
        metric="rouge_l",
        max_new_tokens=new_tokens,
        description="What does the document say?",
        source="; ".join(sorted({one.source for one in documents if one.source})),
        licence="; ".join(sorted({one.licence for one in documents if one.licence})),
    )


def read_documents(path: Path) -> tuple[Document, ...]:
    """Documents from a JSON Lines file: `document`, `summary` (a text or a list of them), and if there are any `id`
    (the line's number otherwise), `source` and `licence`. Raises `BadInput` with file and line."""
    return tuple(_document(line) for line in read_jsonl(path))


def shown_of(example: Example) -> str:
    """The document as an item of the task shows it."""
    return example.fields["document"].strip()


def _document(line: Line) -> Document:
    where, record = line
    refuse_unknown(record, KEYS, where)
    for key in ("document", "summary"):
        if not record.get(key):
            raise BadInput(f'{where}: a document to summarise needs "{key}", which is missing or empty.')
    told = record["summary"]
    summaries = (told,) if isinstance(told, str) else as_texts(told, "summary", where)
    texts = {key: as_text(record.get(key, ""), key, where) for key in ("source", "licence")}
    id = as_text(record.get("id", where.rsplit(" ", 1)[1]), "id", where)
    return Document(id, as_text(record["document"], "document", where), summaries, **texts)


def _example(document: Document, words: int | None) -> Example:
    text = document.text.strip()
    if words is not None and len(text.split()) > words:
        text = " ".join(text.split()[:words])
    return Example(document.id, {"document": f"{text}\n\n", "inline": f"{text} "}, answers=document.summaries)
