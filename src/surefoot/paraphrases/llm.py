"""The source `llm:MODEL`: a language model is asked for one rewording at a time.

The model sees the line of the wording that instructs, worked examples, and the words that must stay; the style that is
asked for changes with the wording and the attempt. Sampling is seeded, so the same call gives the same paraphrases.
What the model writes is reduced to its first line that is a sentence; the filters judge the rest. A model named by its
spec goes on from the examples as plain text, which small models follow better than a chat; one that is given keeps its
own format.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.paraphrases.labels import mark_word, named_labels
from surefoot.paraphrases.masking import Line, instructing_line
from surefoot.paraphrases.proposals import Material, Proposal
from surefoot.text.instruction import Instruction
from surefoot.text.prompt import Part, Prompt
from surefoot.text.template import fields_of

ASKS = Path(__file__).parent / "asks.jsonl"


@dataclass(frozen=True)
class Llm:
    """The source. `spec` is what `load` takes, or `model` a model that is loaded; `attempts` for each paraphrase."""

    spec: str = ""
    model: LanguageModel | None = None
    attempts: int = 4
    temperature: float = 0.5
    top_p: float = 0.9
    max_new_tokens: int = 40

    @property
    def name(self) -> str:
        return f"llm:{self.spec or self._loaded.name}"

    def rounds(self, material: Material, per_wording: int) -> int:
        """`attempts` for each paraphrase wanted."""
        self._loaded.require("generate", by="Paraphrasing")
        return self.attempts * per_wording

    def propose(
        self, references: Sequence[Instruction], material: Material, attempt: int, seed: int
    ) -> list[Proposal | None]:
        """What the model writes for each reference; equal prompts are asked once."""
        lines = [instructing_line(reference.text) for reference in references]
        prompts = [
            None if line is None else rewording_prompt(line, reference, material, attempt)
            for line, reference in zip(lines, references, strict=True)
        ]
        asked = list(dict.fromkeys(prompt for prompt in prompts if prompt is not None))
        written = dict(zip(asked, self._loaded.generate(asked, self._sampling(attempt, seed)), strict=True))
        return [
            None if line is None or prompt is None else self._proposal(reference, line, written[prompt])
            for line, prompt, reference in zip(lines, prompts, references, strict=True)
        ]

    def _proposal(self, reference: Instruction, line: Line, generation: Generation) -> Proposal:
        text = cleaned(generation.text, cut=generation.finish_reason == "length")
        if not text:
            return Proposal(None, generation.text)
        wording = replace(reference, text=line.replaced(text), author=f"llm:{self._loaded.name}", note="")
        return Proposal(wording, text)

    def _sampling(self, attempt: int, seed: int) -> Sampling:
        drawn = int(hashlib.sha256(f"{seed}/{attempt}".encode()).hexdigest()[:7], 16)
        return Sampling(self.max_new_tokens, self.temperature, self.top_p, drawn, stop=("\nInstruction:",))

    @cached_property
    def _loaded(self) -> LanguageModel:
        from surefoot.models.load import load

        return self.model if self.model is not None else load(self.spec, format="plain")


def rewording_prompt(line: Line, reference: Instruction, material: Material, attempt: int) -> Prompt:
    """The request for one rewording. The style depends on the wording's id and the attempt."""
    asks = [json.loads(text)["ask"] for text in ASKS.read_text(encoding="utf-8").splitlines()]
    start = int(hashlib.sha256(reference.id.encode()).hexdigest()[:7], 16)
    keep = [*named_labels(reference.text, material.labels(reference))]
    keep += [word for word in [mark_word(reference)] if word]
    keep += [f"{{{{ {field} }}}}" for field in fields_of(line.text)]
    must = f" Keep these words: {', '.join(keep)}." if keep else ""
    return Prompt(
        (
            Part("instruction", f"{asks[(start + attempt) % len(asks)]}{must} Write only the new instruction.\n\n"),
            Part("demonstration", EXAMPLES),
            Part("input", f"Instruction: {line.text}\n"),
            Part("cue", "New instruction:"),
        )
    )


EXAMPLES = (
    "Instruction: Count the apples and write the number.\n"
    "New instruction: How many apples are there? Write the number.\n\n"
    "Instruction: Is the shop open? Answer true or false.\n"
    "New instruction: Answer true or false: has the shop opened?\n\n"
    "Instruction: You work in a library. Put this book on the right shelf.\n"
    "New instruction: Imagine that you are a librarian. Which shelf is the right one for this book?\n\n"
    "Instruction: Give the capital of the country.\n"
    "New instruction: Please name the city that is the capital of the country.\n\n"
)

_LEAD = re.compile(
    r"(?:(?:here(?: is|'s)|sure|certainly|of course)\b[^:.!?]*[:.!]|"
    r"(?:new|reworded|rewritten|revised|modified)?[ -]*(?:instruction|question|sentence|paraphrase)\s*:)\s*",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:\d+[.)]|[-*•>])\s+")


def cleaned(written: str, cut: bool = False) -> str:
    """The first line of what a model wrote that is more than a lead-in, without bullets, lead-ins and quotes around it.

    Where the text was `cut` at the token limit, what stands behind the line's last full sentence is left out. Empty
    where nothing readable is left.
    """
    lines = [text for line in written.strip().splitlines() if (text := _plain(line))]
    if not lines:
        return ""
    text = lines[0]
    if cut and len(lines) == 1 and not text.endswith((".", "?", "!")):
        text = text[: max(text.rfind(end) for end in ".?!") + 1]
    return text if len(re.findall(r"[A-Za-z]{2,}", text)) > 1 else ""


def _plain(line: str) -> str:
    text = _BULLET.sub("", line.strip(), count=1) if _BULLET.match(line.strip()) else line.strip()
    while match := _LEAD.match(text):
        text = text[match.end() :]
    text = text.strip("*_` ")
    for opening, closing in ('""', "“”", "''", "‘’"):
        if len(text) > 1 and text.startswith(opening) and text.endswith(closing) and opening not in text[1:-1]:
            text = text[1:-1].strip()
    return " ".join(text.split())
