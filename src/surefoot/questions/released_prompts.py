"""The demonstrations of the paper's released prompts (StonyBrookNLP/ircot, `prompts/*/*.txt`), read from such a file.

Examples stand under a line `# METADATA: {"qid": ...}`: paragraphs (`Wikipedia Title: T`, then the text), `Q: ` and the
question, behind a line of instruction where the prompt is for Flan-T5, and `A: ` with a chain of thought or an answer.
Which paragraphs are gold the file does not say; none is marked, so that no more distractors are put among them.
Source: Trivedi et al. 2023 (ACL), arXiv:2212.10509, and its released prompts.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.questions.demonstrations import Demonstration
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document
from surefoot.text.chains import MARKER
from surefoot.text.sentences import sentences

HEAD = "# METADATA:"
TITLE = "Wikipedia Title: "
_ASKED = re.compile(r"^Q: (?:Answer the following question[^\n]*\n)?(?P<question>.+)\nA: ?(?P<said>.*)\Z", re.M | re.S)
_ANSWER = re.compile(rf"(?i){MARKER}:?\s*(.+?)\.?\s*$")


def read_released_prompt(path: Path) -> tuple[Demonstration, ...]:
    """The demonstrations of a file, in its order. Raises `BadInput` for a file without any, or a broken example."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"The prompt {path} cannot be read ({problem}); give a text file.") from problem
    examples = re.split(rf"^{HEAD}", text, flags=re.M)[1:]
    if not examples:
        raise BadInput(f'{path} has no line "{HEAD} ...", which stands before each example of a released prompt.')
    return tuple(_example(path, example) for example in examples)


def _example(path: Path, example: str) -> Demonstration:
    head, _, body = example.partition("\n")
    found = _ASKED.search(body.strip())
    try:
        id = json.loads(head)["qid"]
    except (ValueError, KeyError, TypeError):
        id = ""
    if not id or found is None:
        raise BadInput(f'{path}: the example under "{HEAD}{head[:60]}" has no qid, "Q: " or "A: " line.')
    said = found["said"].strip()
    marked = _ANSWER.search(said)
    reasoning = tuple(span.text for span in sentences(said)) if marked else ()
    answer = marked[1] if marked else said
    return Demonstration(Question(id, found["question"].strip(), (answer,), reasoning=reasoning), _documents(id, body))


def _documents(id: str, body: str) -> tuple[Document, ...]:
    """The paragraphs before the question."""
    shown = body[: body.index("\nQ: ")] if "\nQ: " in body else ""
    blocks = re.split(rf"^{TITLE}", shown, flags=re.M)[1:]
    parts = (block.partition("\n") for block in blocks)
    return tuple(Document(f"{id}/{n}", title.strip(), text.strip()) for n, (title, _, text) in enumerate(parts))
