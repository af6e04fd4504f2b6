"""The public files of StrategyQA, read unchanged: `train.json`, `dev.json` (a list) or the same records as JSON Lines.

Source: Geva et al. 2021 (TACL), data of eladsegal/strategyqa.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.questions.measures import NO_EVIDENCE, OPERATION, step_kinds
from surefoot.questions.question import Question, Step
from surefoot.tasks.jsonl import Line, as_text, as_texts, read_jsonl, read_text

Marks = tuple[tuple[tuple[str, ...], ...], ...]


def read_strategyqa(path: Path) -> tuple[Question, ...]:
    """The questions of a file, in its order.

    Answers are `yes` or `no`, none where the record has no answer (the hidden test part); `evidence` holds the ids that
    each annotator marked for each step; a step's `documents` are those of all annotators, none where most of them
    call it an operation; `reasoning` are the facts and the answer. Earlier steps have an answer where the record has
    `oracle_step_answers`, which are those of the authors' reader and not of people.
    Raises `BadInput` that names record and key.
    """
    return tuple(_question(line.record, line.where) for line in _records(path))


def _records(path: Path) -> Sequence[Line]:
    text = read_text(path)
    if not text.lstrip().startswith("["):
        return read_jsonl(path)
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {error.lineno}: not JSON ({error.msg}).") from None
    wrong = next((i for i, record in enumerate(records) if not isinstance(record, dict)), None)
    if wrong is not None:
        raise BadInput(f"{path}, record {wrong + 1}: not a JSON object; write one {{...}} a question.")
    return [Line(f"{path}, record {i + 1}", record) for i, record in enumerate(records)]


def _question(record: Mapping[str, Any], where: str) -> Question:
    missing = next((key for key in ("qid", "question") if not record.get(key)), None)
    if missing:
        raise BadInput(f'{where}: a question needs "{missing}".')
    answer = record.get("answer")
    if answer is not None and not isinstance(answer, bool):
        raise BadInput(f'{where}: "answer" is {json.dumps(answer)[:40]}; write true or false.')
    word = {True: "yes", False: "no", None: ""}[answer]
    texts = as_texts(record.get("decomposition", []), "decomposition", where)
    marks = _marks(record.get("evidence", []), len(texts), where)
    evidence = tuple(tuple(tuple(id for id in step if id not in (OPERATION, NO_EVIDENCE)) for step in a) for a in marks)
    kinds = step_kinds(marks) if marks else ("retrieval",) * len(texts)
    told = _answers(record, len(texts), where)
    steps = []
    for place, (text, kind) in enumerate(zip(texts, kinds, strict=True)):
        ids = dict.fromkeys(id for annotator in evidence for id in annotator[place])
        answer_of = word if place == len(texts) - 1 else told[place]
        steps.append(Step(text, answer_of, tuple(ids) if kind == "retrieval" else ()))
    facts = as_texts(record.get("facts", []), "facts", where)
    return Question(
        id=as_text(record["qid"], "qid", where),
        text=as_text(record["question"], "question", where),
        answers=(word,) if word else (),
        kind="implicit",
        evidence=evidence,
        steps=tuple(steps),
        reasoning=(*facts, f"So the answer is: {word}.") if word else facts,
    )


def read_predicted(path: Path) -> dict[str, tuple[str, ...]]:
    """The steps that the authors' BART wrote, by question id, of a file whose records have `bart_decomposition`.

    Two steps that its output leaves with two blanks between them, in the place of a separator, are parted.
    """
    lines = [(line, line.record.get("bart_decomposition")) for line in _records(path)]
    if not any(steps for _, steps in lines):
        raise BadInput(f'{path} has no "bart_decomposition"; give a file with predicted steps.')
    return {
        as_text(line.record.get("qid"), "qid", line.where): tuple(
            part.strip()
            for text in as_texts(steps, "bart_decomposition", line.where)
            for part in text.split("  ")
            if part.strip()
        )
        for line, steps in lines
        if steps
    }


def _answers(record: Mapping[str, Any], steps: int, where: str) -> tuple[str, ...]:
    """The reader's answers to the steps, `unknown` where it gave none; empty texts where the record has none."""
    answers = as_texts(record.get("oracle_step_answers", [""] * steps), "oracle_step_answers", where)
    if len(answers) != steps:
        raise BadInput(f'{where}: "oracle_step_answers" has {len(answers)} answers for {steps} steps.')
    return tuple(one or "unknown" for one in answers) if "oracle_step_answers" in record else answers


def _marks(evidence: Any, steps: int, where: str) -> Marks:
    """What each annotator marked for each step: ids, `operation`, `no_evidence`, in the order of the file."""
    if not isinstance(evidence, list):
        raise BadInput(f'{where}: "evidence" is {json.dumps(evidence)[:40]}; write a list for each annotator.')
    found = []
    for annotator in evidence:
        if not isinstance(annotator, list) or len(annotator) != steps:
            raise BadInput(f'{where}: an annotator of "evidence" has not one list for each of the {steps} steps.')
        found.append(tuple(_flat(step, where) for step in annotator))
    return tuple(found)


def _flat(step: Any, where: str) -> tuple[str, ...]:
    if not isinstance(step, list):
        raise BadInput(f'{where}: a step of "evidence" is {json.dumps(step)[:40]}, which is not a list.')
    marks: list[str] = []
    for mark in step:
        marks += as_texts(mark, "evidence", where) if isinstance(mark, list) else [as_text(mark, "evidence", where)]
    return tuple(marks)
