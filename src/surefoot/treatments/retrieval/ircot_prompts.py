"""Prompts of interleaved retrieval: demonstrations with distractors, the question in its frame, and what fits.

Source: Trivedi et al. 2023 (ACL), arXiv:2212.10509, appendix: paragraphs, `Q:`, `A:` and three line breaks between
examples. The instructions are this project's own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput
from surefoot.questions.demonstrations import Demonstration
from surefoot.questions.question import Question
from surefoot.questions.released_prompts import read_released_prompt
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Conversation, Part, Prompt
from surefoot.treatments.retrieval.showing import Count, layout_of, with_documents

REASON = 'Answer by reasoning step by step, in short sentences. End with "So the answer is: " and the answer.\n\n'
DIRECT = "Answer with a few words, without a sentence around them.\n\n"
BETWEEN = "\n\n\n"


def read_demonstrations(told: Any) -> tuple[Demonstration, ...]:
    """Demonstrations as they are, from a prompt of the paper (`.txt`), or from a JSON Lines file.

    Its records have question, documents (title, text), reasoning and answer.
    """
    if not isinstance(told, str):
        return tuple(told)
    if told.endswith(".txt"):
        return read_released_prompt(Path(told))
    return tuple(_read(told, n, line) for n, line in _lines(told)) if told else ()


def read_pinned(told: Any) -> Mapping[str, Document]:
    """The paragraph of each question that has one: as it is, or from a JSON Lines file of question, title and text."""
    if not isinstance(told, str):
        return dict(told)
    return dict(_pinned(told, n, line) for n, line in _lines(told)) if told else {}


def _lines(path: str) -> list[tuple[int, str]]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"The file {path} cannot be read ({problem}); give a JSON Lines file.") from problem
    return [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _read(path: str, number: int, line: str) -> Demonstration:
    try:
        record = json.loads(line)
        documents = tuple(Document(f"{number}.{i}", d["title"], d["text"]) for i, d in enumerate(record["documents"]))
        gold = tuple(document.id for document in documents)
        asked, reasoning = record["question"], tuple(record["reasoning"])
        question = Question(str(number), asked, (record["answer"],), evidence=((gold,),), reasoning=reasoning)
        return Demonstration(question, documents)
    except (ValueError, KeyError, TypeError) as problem:
        raise BadInput(
            f"{path}, line {number}: no demonstration ({problem!r}); give question, documents (title and text), "
            "reasoning (a list of sentences) and answer."
        ) from problem


def _pinned(path: str, number: int, line: str) -> tuple[str, Document]:
    try:
        record = json.loads(line)
        return record["question"], Document(f"pinned/{number}", record["title"], record["text"])
    except (ValueError, KeyError, TypeError) as problem:
        raise BadInput(
            f"{path}, line {number}: no paragraph ({problem!r}); give question, title and text."
        ) from problem


def with_distractors(shown: Sequence[Demonstration], count: int, seed: int = 0) -> list[Demonstration]:
    """Each demonstration with `count` documents of the others among its own, in an order that the seed fixes.

    One that shows a document which is not gold has its distractors already, and stays as it is; so does one that shows
    no document at all.
    """
    result = []
    for place, one in enumerate(shown):
        if one.has_distractors or not one.documents:
            result.append(one)
            continue
        own = {document.text for document in one.documents}
        theirs = (d for k, other in enumerate(shown) if k != place for d in other.documents if d.text not in own)
        others = list({document.text: document for document in theirs}.values())
        if len(others) < count:
            raise BadInput(
                f"The other demonstrations have {len(others)} documents and {count} distractors are wanted; "
                "give more demonstrations or fewer distractors."
            )
        draw = random.Random(f"{seed}/{place}/{one.question.text}")
        mixed = [*one.documents, *draw.sample(others, count)]
        draw.shuffle(mixed)
        result.append(one._replace(documents=tuple(mixed)))
    return result


def demonstration_text(one: Demonstration, layout: str, direct: bool) -> str:
    """A demonstration as the model reads it, with its answer alone or with its whole chain of thought."""
    shape = layout_of(layout)
    blocks = [shape.show(n, document) for n, document in enumerate(one.documents, start=1)]
    before = shape.heading + "".join(blocks) + shape.end if blocks else ""
    said = (one.question.answers or ("unknown",))[0] if direct else one.reasoning
    if not said:
        raise BadInput(f'The demonstration "{one.question.text}" has no reasoning to show; choose one that has.')
    return f"{before}Q: {one.question.text}\nA: {said}{BETWEEN}"


def framed(prompt: Prompt, direct: bool, told: bool) -> Prompt:
    """A bare question between `Q:` and `A:`, with an instruction where `told`; any other prompt as it is."""
    bare = all(part.role == "input" for part in prompt) and not (isinstance(prompt, Conversation) and prompt.earlier)
    if not bare:
        return prompt
    first = (Part("instruction", DIRECT if direct else REASON),) if told else ()
    return Prompt((*first, Part("input", "Q: ", heading=True), Part("input", prompt.text.strip()), Part("cue", "\nA:")))


class Packed(NamedTuple):
    """A prompt within its budget: demonstrations and documents that it shows, and documents that had no room."""

    prompt: Prompt
    demonstrations: int
    kept: tuple[Document, ...]
    dropped: tuple[Document, ...]


class Packer(NamedTuple):
    """Puts demonstrations and documents around a question. `budget` bounds all of it; None is without limit."""

    layout: str
    count: Count
    budget: int | None

    def pack(self, prompt: Prompt, taken: int, texts: Sequence[str], documents: Sequence[Document]) -> Packed:
        """Whole demonstrations are left out first, the last ones first; then documents, the last found first.

        `taken` are the tokens of the prompt alone; a prompt that is over the budget without anything is refused.
        """
        if self.budget is not None and taken > self.budget:
            raise BadInput(
                f"The question has {taken} tokens and the budget is {self.budget}; ask less or raise budget."
            )
        shape, room = layout_of(self.layout), None if self.budget is None else self.budget - taken
        sizes = [self.count(shape.show(n, d)) for n, d in enumerate(documents, start=1)] if room is not None else []
        sizes[:1] = [size + self.count(shape.heading + shape.end) for size in sizes[:1]]
        kept = len(documents) if room is None else _fitting(sizes, room)
        left = None if room is None else room - sum(sizes[:kept])
        shown = len(texts) if left is None else _fitting([self.count(text) for text in texts], left)
        if kept < len(documents):
            shown = 0
        whole = with_documents(prompt, documents[:kept], self.layout)
        before = [Part("demonstration", text) for text in texts[:shown]]
        place = next((i for i, part in enumerate(whole.parts) if part.role not in ("system", "instruction")), 0)
        parts = (*whole.parts[:place], *before, *whole.parts[place:])
        return Packed(whole._with(parts), shown, tuple(documents[:kept]), tuple(documents[kept:]))


def _fitting(sizes: Sequence[int], room: int) -> int:
    """How many from the front fit."""
    total = 0
    for place, size in enumerate(sizes):
        total += size
        if total > room:
            return place
    return len(sizes)
