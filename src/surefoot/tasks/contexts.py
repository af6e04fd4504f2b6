"""Questions with two contexts, one retrieved and one written by a model, and the tasks that ask about them.

Five conditions, one task each: `closed` asks the question alone; `retrieved` and `generated` behind one context;
`retrieved-first` and `generated-first` behind both. A question has one id and a wording one id in all of them, so an
answer to both contexts meets the answers to each. Contexts are `context` parts and bring the blank line behind them:
`prompt.without("context")` is the closed-book prompt to the letter.

Source: Tan et al. 2024, Blinded by generated contexts (arXiv:2401.11911), for the runs; the wordings are our own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.metrics.normalise import normalise
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.jsonl import Line, as_text, as_texts, read_jsonl, refuse_unknown
from surefoot.tasks.task import Example, Task

HERE = Path(__file__).parent / "context_wordings"
CLOSED, RETRIEVED, GENERATED = SINGLE = ("closed", "retrieved", "generated")
RETRIEVED_FIRST, GENERATED_FIRST = HYBRID = ("retrieved-first", "generated-first")
CONDITIONS = (*SINGLE, *HYBRID)
"""The names of the tasks, by which the probe `context-preference` knows them."""
_KEYS = ("id", "question", "answers", "retrieved", "generated", "options")


@dataclass(frozen=True)
class ContextPair:
    """A question, its accepted answers, and its two contexts.

    `options`, where there are any, are the values to choose from, exactly one of them right; without them answers are
    written.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    retrieved: str
    generated: str
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        empty = next((name for name in ("id", "question", "retrieved", "generated") if not getattr(self, name)), None)
        if empty or not any(self.answers):
            raise BadInput(f'The question "{self.id}" has no {empty or "answers"}; give a text that is not empty.')
        right = sum(self.is_right(option) for option in self.options)
        if self.options and right != 1:
            raise BadInput(f'Of the options of "{self.id}" {right} are right answers; give exactly one right option.')

    def is_right(self, answer: str) -> bool:
        """Whether it is one of the accepted answers, normalised."""
        return normalise(answer) in {normalise(one) for one in self.answers}


def context_tasks(pairs: Iterable[ContextPair]) -> tuple[Task, ...]:
    """The five tasks of these questions. All have options, or none has; ids are unique."""
    pairs = tuple(pairs)
    _check(pairs)
    return (
        _task(CLOSED, pairs, lambda _: (), "A question without a context."),
        _task(RETRIEVED, pairs, lambda pair: (pair.retrieved,), "A question behind its retrieved context."),
        _task(GENERATED, pairs, lambda pair: (pair.generated,), "A question behind its generated context."),
        _task(
            RETRIEVED_FIRST,
            pairs,
            lambda pair: (pair.retrieved, pair.generated),
            "A question behind both contexts, the retrieved one first.",
        ),
        _task(
            GENERATED_FIRST,
            pairs,
            lambda pair: (pair.generated, pair.retrieved),
            "A question behind both contexts, the generated one first.",
        ),
    )


def read_contexts(path: Path) -> tuple[ContextPair, ...]:
    """Questions from a JSON Lines file: `question`, `answers`, `retrieved`, `generated`, and `id` and `options` where
    there are any (an id is the line's number otherwise). Raises `BadInput` with file and line."""
    pairs = tuple(_pair(line) for line in read_jsonl(path))
    if not pairs:
        raise BadInput(f"{path} has no questions; write at least one line.")
    return pairs


def _pair(line: Line) -> ContextPair:
    where, record = line
    refuse_unknown(record, _KEYS, where)
    missing = next((key for key in _KEYS[1:5] if not record.get(key)), None)
    if missing:
        raise BadInput(f'{where}: a question needs "{missing}", which is missing or empty.')
    texts = {name: as_text(record[name], name, where) for name in ("question", "retrieved", "generated")}
    answers = as_texts(record["answers"], "answers", where)
    options = as_texts(record.get("options") or (), "options", where)
    id = as_text(record.get("id", where.rsplit(" ", 1)[1]), "id", where)
    try:
        return ContextPair(id=id, answers=answers, options=options, **texts)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _check(pairs: Sequence[ContextPair]) -> None:
    twice = next((id for id, count in Counter(pair.id for pair in pairs).items() if count > 1), None)
    if twice is not None:
        raise BadInput(f'Two questions have the id "{twice}"; give each an id of its own.')
    bare = next((pair.id for pair in pairs if not pair.options), None)
    if bare is not None and any(pair.options for pair in pairs):
        raise BadInput(f'The question "{bare}" has no options and others have; give options to all or to none.')


def _task(
    name: str, pairs: Sequence[ContextPair], contexts: Callable[[ContextPair], tuple[str, ...]], description: str
) -> Task:
    is_choice = bool(pairs and pairs[0].options)
    return Task(
        name=name,
        kind="multiple_choice" if is_choice else "generation",
        examples=tuple(_example(pair, contexts(pair)) for pair in pairs),
        wordings=read_wordings(HERE / ("closed.jsonl" if name == CLOSED else "reading.jsonl")),
        input_template="{{ question }}",
        roles={"background": "context"},
        metric="accuracy" if is_choice else "exact_match",
        max_new_tokens=24,
        description=description,
        source="written for Surefoot",
        licence="Apache-2.0",
    )


def _example(pair: ContextPair, contexts: Sequence[str]) -> Example:
    fields = {"question": pair.question}
    if contexts:
        fields["background"] = "".join(f"{text.strip()}\n\n" for text in contexts)
    if not pair.options:
        return Example(pair.id, fields, answers=pair.answers)
    gold = next(i for i, option in enumerate(pair.options) if pair.is_right(option))
    return Example(pair.id, fields, pair.options, gold)
