"""One question asked of one model with and without treatments, and what each of them read and wrote.

import surefoot as sf
print(sf.ask("Who leads the birthplace of Bela Amo?", "smollm2", by=("bare", "rag", "ircot"), index="idx/"))
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from surefoot.errors import BadInput
from surefoot.report.timeline import STYLE, Told, terminal_timeline, timeline

if TYPE_CHECKING:
    from rich.console import Group

    from surefoot.decoding.sampling import Sampling
    from surefoot.models.base import LanguageModel
    from surefoot.text.prompt import Prompt

BARE = "bare"
NEW_TOKENS = 96
Way = str | tuple[str, Mapping[str, Any]]
"""`bare`, the name of a treatment, or the name with settings."""


@dataclass(frozen=True)
class SideBySide:
    """The answers to one question. Printing, or a notebook, shows each with its timeline; `save` writes an HTML file.

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

    def __repr__(self) -> str:
        return f"<{', '.join(one.model for one in self.told)}, asked: {self.question}>"

    def _repr_html_(self) -> str:
        from surefoot.report.page import render

        return str(render("asked_fragment.jinja", text=str(self)))

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
    told: Callable[[str], None] | None = None,
) -> SideBySide:
    """Ask the same question of a model in several ways, one after the other.

    `by`: `bare` for the model itself, names of treatments (`rag`, `flare`, `ircot`), or pairs of a name and settings.
    `index`: a folder that `surefoot index` made or a retriever, for all treatments that search one. `answers`: accepted
    answers, where the outcome is to be marked. `wording`: `steps` asks for a chain of sentences, `short` for the bare
    answer. `told` hears the name of each way as it begins. Raises `BadInput` as `prepare` does.
    """
    from surefoot.models.load import load
    from surefoot.probes.multi_hop.measure import read_answer, score_answer
    from surefoot.questions.question import Question

    prepared = prepare(question, by, index, wording, max_new_tokens)
    loaded = load(model) if isinstance(model, str) else model
    ways = [(label, apply(loaded)) for label, apply in prepared.ways]
    asked = Question("asked", question, tuple(answers))
    given = []
    for label, one in ways:
        if told is not None:
            told(label)
        (text,) = one.generate([prepared.prompt], prepared.sampling)
        answer = read_answer(text.text).answer
        outcome = "" if not answers else "right" if score_answer(answer, asked)[0] == 1 else "wrong"
        given.append(Told(label, answer, text.text, outcome, text.trace, len(text.token_ids)))
    return SideBySide(question, tuple(answers), tuple(given), loaded.name)


class Prepared(NamedTuple):
    """What is asked, how it is answered, and each way's label with what it makes of the model."""

    prompt: Prompt
    sampling: Sampling
    ways: tuple[tuple[str, Callable[[LanguageModel], LanguageModel]], ...]


def prepare(
    question: str, by: Sequence[Way], index: Any = None, wording: str = "steps", max_new_tokens: int = NEW_TOKENS
) -> Prepared:
    """All that can be checked before a model is loaded.

    Raises `BadInput` for an empty question, an unknown way, wording or setting, and a treatment that lacks its index.
    """
    from surefoot.decoding.sampling import Sampling

    if not question.strip():
        raise BadInput("The question is empty; say what is to be asked.")
    if not by:
        raise BadInput("No way to ask was given; give bare, or the name of a treatment such as rag.")
    sampling, retriever = Sampling(max_new_tokens=max_new_tokens), opened(index)
    return Prepared(
        prompt_of(question, wording), sampling, tuple((label_of(way), treatment_of(way, retriever)) for way in by)
    )


def prompt_of(question: str, wording: str = "steps") -> Prompt:
    """The question as the multi-hop probe asks it."""
    from surefoot.questions.question import Question
    from surefoot.tasks.questions import question_task

    task = question_task([Question("asked", question, ("unknown",))])
    return task.query(task.examples[0], task.wording(wording)).prompt


def treatment_of(way: Way, index: Any = None) -> Callable[[LanguageModel], LanguageModel]:
    """What a way makes of a model; a treatment with a setting `index` that names none of its own gets this one.

    Raises `BadInput` as `prepare` does.
    """
    from dataclasses import fields

    from surefoot.catalogue import find
    from surefoot.settings import build

    name, own = (way, {}) if isinstance(way, str) else way
    if name == BARE:
        if own:
            raise BadInput(f"The bare model has no settings, and {', '.join(own)} was given; name a treatment.")
        return lambda model: model
    entry = find("treatment", name)
    searches = "index" in {field.name for field in fields(entry.load())}
    if searches and "index" not in own:
        if index is None:
            raise BadInput(f"{name} searches an index and none was given; give index=FOLDER (--index; surefoot index).")
        own = {**own, "index": index}
    apply: Callable[[LanguageModel], LanguageModel] = build(entry, own).apply
    return apply


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
