"""BIG-bench JSON tasks (Srivastava et al. 2022): a folder with `task.json`, or sub-tasks in sub-folders.

The designer's wording is put together as BIG-bench does: task prefix, input prefix, input, choices, output prefix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.tasks.bank import default_wordings
from surefoot.tasks.items import kind_of
from surefoot.tasks.jsonl import as_text, as_texts, read_json
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.options import Block

PREFIXES = {"task_prefix": "", "example_input_prefix": "\nQ: ", "example_output_prefix": "\nA: "}
CHOICE_PREFIX = "\n  choice: "


def read_bigbench(path: Path, wordings: tuple[Instruction, ...] | None) -> tuple[Task, ...]:
    """The task of a folder (or of a `task.json`), or one task for each sub-folder that has one.

    Wordings: the designer's, class `default`, and those given or else the generic ones of the task's kind.
    """
    files = [path] if path.is_file() else sorted(path.glob("task.json")) or sorted(path.glob("*/task.json"))
    if not files:
        raise BadInput(
            f'"{path}" holds no task.json, in it or in its sub-folders; give the folder of a BIG-bench task.'
        )
    return tuple(_task(file, _name(file, path), wordings) for file in files)


def designer_wording(content: dict[str, Any], choices: bool) -> Instruction:
    """The wording that the task's own file gives, with class `default`. Raises `BadInput` for template braces in it."""
    prefixes = {key: content.get(key) for key in PREFIXES}
    task, before, after = (PREFIXES[key] if value is None else str(value) for key, value in prefixes.items())
    for text in (task, before, after):
        if any(brace in text for brace in ("{{", "{%", "{#")):
            raise BadInput(
                f'The prefix "{text[:40]}" holds braces of a template; write the wording into a file instead.'
            )
    shown = choices and _is_true(content.get("append_choices_to_input"), default=True)
    prefix = content.get("choice_prefix")
    pattern = (CHOICE_PREFIX if prefix is None else str(prefix)) + "{option}"
    return Instruction(
        id="designer",
        text=f"{task}{before}{{{{ input }}}}{'{{ options }}' if shown else ''}",
        cue=after,
        klass="default",
        blocks={"options": Block(pattern, pattern, pattern)} if shown else {},
        collection="BIG-bench",
        author="task designer",
    )


def _name(file: Path, root: Path) -> str:
    folder = (root.parent if root.is_file() else root).resolve()
    return "/".join(("bigbench", folder.name, *file.parent.resolve().relative_to(folder).parts))


def _task(file: Path, name: str, wordings: tuple[Instruction, ...] | None) -> Task:
    content = read_json(file)
    raw = content.get("examples")
    if not isinstance(raw, list) or not raw:
        raise BadInput(f'{file} has no "examples"; programmatic BIG-bench tasks cannot be read.')
    label = name.removeprefix("bigbench/")
    examples = tuple(_example(f"{label}/{i}", record, f"{file}, example {i}") for i, record in enumerate(raw))
    kind = kind_of(examples)
    return Task(
        name=name,
        kind=kind,
        examples=examples,
        wordings=(designer_wording(content, kind != "generation"), *(wordings or default_wordings(kind))),
        input_template="{{ text }}",
        metric="exact_match" if kind == "generation" else "accuracy",
        description=str(content.get("description", "")),
        source="BIG-bench, Srivastava et al. 2022, arXiv:2206.04615",
    )


def _example(id: str, record: Any, where: str) -> Example:
    if not isinstance(record, dict) or "input" not in record:
        raise BadInput(f'{where}: no "input".')
    fields = {"text": as_text(record["input"], "input", where)}
    scores = record.get("target_scores")
    if scores is not None:
        return Example(id, fields, tuple(scores), _best(scores, where))
    if "target" not in record:
        raise BadInput(f'{where}: neither "target" nor "target_scores".')
    target = record["target"]
    return Example(id, fields, answers=as_texts(target if isinstance(target, list) else [target], "target", where))


def _best(scores: dict[str, float], where: str) -> int:
    values = list(scores.values())
    if not values or not all(isinstance(value, int | float) for value in values):
        raise BadInput(f'{where}: "target_scores" gives no number for each option.')
    if values.count(max(values)) > 1:
        raise BadInput(f"{where}: {values.count(max(values))} options share the best score; exactly one may be right.")
    return values.index(max(values))


def _is_true(value: Any, default: bool) -> bool:
    """Some files write the flag as a word."""
    return default if value is None else str(value).lower() == "true"
