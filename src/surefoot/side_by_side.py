"""One question asked of one model with and without treatments, and what each of them read and wrote.

import surefoot as sf
print(sf.ask("Who leads the birthplace of Bela Amo?", "smollm2", by=("bare", "rag", "ircot"), index="idx/"))
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.report.timeline import STYLE, Told, terminal_timeline, timeline

if TYPE_CHECKING:
    from rich.console import Group

    from surefoot.models.base import LanguageModel
    from surefoot.text.prompt import Prompt

BARE = "bare"
NEW_TOKENS = 96
Way = str | tuple[str, Mapping[str, Any]]
"""`bare`, the name of a treatment, or the name with settings."""


@dataclass(frozen=True)
class SideBySide:
    """The answers to one question. Printing shows each with its timeline; `save` writes it as one HTML file.

    `model` is the name of the model below all ways.
    """

    question: str
    answers: tuple[str, ...]  # the accepted ones, where any were given
    told: tuple[Told, ...]
    model: str = ""

    def __iter__(self) -> Iterator[Told]:
        return iter(self.told)

    def terminal(self) -> Group:
        """For a rich console."""
        return terminal_timeline(self.question, self.told, self.answers)

    def __str__(self) -> str:
        from rich.console import Console

        file = io.StringIO()
        Console(file=file, width=100, color_system=None, emoji=False).print(self.terminal())
        return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

    def save(self, path: str | Path) -> Path:
        """The answers as an HTML file that opens without network; returns its path."""
        from surefoot.report.html import write_text
        from surefoot.report.page import Section, page, render

        body = timeline("", self.told)
        answers = " / ".join(self.answers)
        head = render("asked_head.jinja", question=self.question, answers=answers, model=self.model, told=self.told)
        return write_text(
            path, page(self.question, head, [Section("answers", "Who read what, and when", body)], [STYLE])
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)


def ask(
    question: str,
    model: LanguageModel | str = "smollm2",
    *,
    by: Sequence[Way] = (BARE,),
    index: Any = None,
    answers: Sequence[str] = (),
    wording: str = "steps",
    max_new_tokens: int = NEW_TOKENS,
) -> SideBySide:
    """Ask the same question of a model in several ways, one after the other.

    `by`: `bare` for the model itself, names of treatments (`rag`, `flare`, `ircot`), or pairs of a name and settings.
    `index`: a folder that `surefoot index` made or a retriever, for all treatments that search one. `answers`: accepted
    answers, where the outcome is to be marked. `wording`: `steps` asks for a chain of sentences, `short` for the bare
    answer. Raises `BadInput` for an empty question, an unknown way, and a treatment that lacks its index.
    """
    from surefoot.decoding.sampling import Sampling
    from surefoot.models.load import load
    from surefoot.probes.multi_hop.measure import read_answer, score_answer
    from surefoot.questions.question import Question

    if not question.strip():
        raise BadInput("The question is empty; say what is to be asked.")
    if not by:
        raise BadInput("No way to ask was given; give bare, or the name of a treatment such as rag.")
    prompt, retriever = prompt_of(question, wording), opened(index)
    loaded = load(model) if isinstance(model, str) else model
    ways = [(label_of(way), treated(loaded, way, retriever)) for way in by]
    asked = Question("asked", question, tuple(answers))
    told = []
    for label, one in ways:
        (text,) = one.generate([prompt], Sampling(max_new_tokens=max_new_tokens))
        answer = read_answer(text.text).answer
        outcome = "" if not answers else "right" if score_answer(answer, asked)[0] == 1 else "wrong"
        told.append(Told(label, answer, text.text, outcome, text.trace, len(text.token_ids)))
    return SideBySide(question, tuple(answers), tuple(told), loaded.name)


def prompt_of(question: str, wording: str = "steps") -> Prompt:
    """The question as the multi-hop probe asks it."""
    from surefoot.questions.question import Question
    from surefoot.tasks.questions import question_task

    task = question_task([Question("asked", question, ("unknown",))])
    return task.query(task.examples[0], task.wording(wording)).prompt


def treated(model: LanguageModel, way: Way, index: Any = None) -> LanguageModel:
    """The model as a way says; a treatment with a setting `index` gets the index, where it names none of its own."""
    from dataclasses import fields

    from surefoot.catalogue import find
    from surefoot.treatments import treat

    name, own = (way, {}) if isinstance(way, str) else way
    if name == BARE:
        if own:
            raise BadInput(f"The bare model has no settings, and {', '.join(own)} was given; name a treatment.")
        return model
    made = find("treatment", name).load()
    searches = "index" in {field.name for field in fields(made)}
    if searches and "index" not in own:
        if index is None:
            raise BadInput(f"{name} searches an index and none was given; give index=FOLDER (--index; surefoot index).")
        own = {**own, "index": index}
    return treat(name, model, **own)


def label_of(way: Way) -> str:
    """`rag`, `rag (k=3)`."""
    if isinstance(way, str):
        return way
    name, settings = way
    return f"{name} ({', '.join(f'{key}={value}' for key, value in settings.items())})" if settings else name


def opened(index: Any) -> Any:
    """The index in a folder, opened once for all ways; a retriever as it is."""
    if not isinstance(index, str | Path):
        return index
    from surefoot.retrieval.index import open_index

    return open_index(index)
