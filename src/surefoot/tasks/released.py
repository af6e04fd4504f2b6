"""The released wordings of Sun, Shaib and Wallace 2024 (arXiv:2306.11270) on MMLU and BIG-bench items.

A folder holds `instructions.jsonl` (the wordings), `task_fields.json` (how the parts of an item's input are cut out of
it), `bigbench/*.jsonl` and `mmlu_test.jsonl.gz` (the items). Each record becomes one `Instruction`: its placeholders
become slots, its option blocks and lists of letters become `blocks`, its label space becomes `labels`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.tasks.items import kind_of
from surefoot.tasks.jsonl import read_json, read_jsonl
from surefoot.tasks.lint import errors_of
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction, Klass
from surefoot.text.options import NUMBER_WORDS, Block

FAMILIES = ("Flan-T5", "T0", "Alpaca")
DEFECTS = (
    *("fused_pair", "p3_frame_prints_the_answer", "not_runnable_in_release", "asks_for_incorrect_option"),
    *("letters_expected_but_options_not_shown", "template_reconstructed_by_hand", "not_listed_for_any_task"),
)
FIXED_COUNT = ("hard_coded_option_count", "hard_coded_letter_list")
OF_TYPE: Mapping[str, Klass] = {
    **{"Unobserved": "unobserved", "Default": "default"},
    **{"Correct": "right", "Incorrect": "incorrect", "Negation": "negated", "Random": "nonsense"},
}
LABELS = {"letters_upper": "letter", "letters_lower": "{l}", "option_text": "option"}
Record = Mapping[str, Any]


class LeftOut(NamedTuple):
    """A released wording that was not taken, and why."""

    id: str
    reason: str


class Released(NamedTuple):
    """A task with the wordings that were taken, and those that were not."""

    task: Task
    left_out: tuple[LeftOut, ...]


def read_released(folder: Path, name: str, family: str | None = None, include_flagged: bool = False) -> Released:
    """A task of the release: a BIG-bench task, `MMLU_General`, or one subject (`MMLU/abstract_algebra`).

    `family` (Flan-T5, T0 or Alpaca) takes the wordings that the release evaluates that family with, and says which of
    them it was tuned on: `observed` or `unobserved`. Without a family, wordings of tuning collections are `right`.
    Left out, unless `include_flagged`: wordings with a known defect, wordings that name another number of options
    than the items have, repetitions, and what the linter refuses. Left out always: wordings made for another number
    of options and wordings that name a field which the items do not have.

    Source: the release's `instructions.jsonl`. Raises `BadInput` for an unknown task or family, `NotAvailable` for a
    task whose items are not in the folder.
    """
    if family is not None and family not in FAMILIES:
        raise BadInput(f'"{family}" is not a model family of the release.{nearest(family, FAMILIES)}')
    settings = read_json(folder / "task_fields.json")
    group, subject = _group(name, settings)
    if group not in settings:
        known = [*settings, *(f"MMLU/{s}" for s in mmlu_subjects(folder))]
        raise BadInput(f'The release has no task "{name}".{nearest(name, known)}')
    examples, template = _items(folder, group, subject, settings[group])
    records = [line.record for line in read_jsonl(folder / "instructions.jsonl") if group in line.record["tasks"]]
    return _choose(_task(name, examples, template), records, family, include_flagged)


def mmlu_subjects(folder: Path) -> tuple[str, ...]:
    """The MMLU subjects whose items are there."""
    return tuple(dict.fromkeys(line.record["subject"] for line in read_jsonl(folder / "mmlu_test.jsonl.gz")))


def to_instruction(record: Record, family: str | None = None) -> Instruction:
    """One record as an instruction whose `text` is the whole template, the same text for every item as released."""
    blocks = {name: Block(**formats) for name, formats in record["blocks"].items()}
    blocks |= {name: _letters(spec) for name, spec in record["letter_lists"].items()}
    return Instruction(
        id=record["id"],
        text=_SLOT.sub(lambda match: f"{{{{ {_slot(match.group(1))} }}}}", record["template"]),
        klass=klass_of(record, family),
        frame=_frame(record),
        labels=_labels(record["label_space"]),
        blocks=blocks,
        collection=record["collection"],
        author="released",
        category=record["type"],
        note=", ".join(record["flags"]),
    )


def klass_of(record: Record, family: str | None) -> Klass:
    """The class of a wording: by its type, or for a tuning collection by whether the family was tuned on it."""
    if record["type"] in OF_TYPE:
        return OF_TYPE[record["type"]]
    if family is None:
        return "right"
    return "observed" if record["observed"][family] else "unobserved"


_SLOT = re.compile(r"\{(\w+)\}")


def _slot(name: str) -> str:
    return f"option_{name}" if re.fullmatch("[A-Z]", name) else name


def _letters(spec: Record) -> Block:
    mark = spec["open"] + ("{L}" if spec["case"] == "upper" else "{l}") + spec["close"]
    return Block(mark, spec["sep"] + mark, spec["last_sep"] + mark)


def _labels(space: Record) -> str | Mapping[str, str]:
    form = space["form"]
    if form == "letters_pattern":
        return str(space["pattern"])
    if form == "fixed":
        # The frames that print a candidate have no gold by option; they are never taken, so any words will do.
        return dict(space.get("gold_by_option", {}))
    return LABELS[str(form)]


def _frame(record: Record) -> str:
    """NIV2 wordings are task definitions crossed with ten frames, in that order; the other lists mix freely."""
    collection, number = record["collection"], int(record["number"])
    return f"NIV2/{(number - 1) % 10 + 1}" if collection == "NIV2" else collection


def _group(name: str, settings: Record) -> tuple[str, str | None]:
    first, _, subject = name.partition("/")
    if first == "MMLU" and subject:
        return "MMLU_General", subject
    return (first, subject or None) if first.startswith("MMLU") and first in settings else (name, None)


def _items(folder: Path, group: str, subject: str | None, settings: Record) -> tuple[tuple[Example, ...], str]:
    if settings["data"] == "mmlu_test":
        rows = [line.record for line in read_jsonl(folder / "mmlu_test.jsonl.gz")]
        chosen = [row for row in rows if subject in (None, row["subject"])]
        if not chosen:
            raise BadInput(f'The folder has no MMLU subject "{subject}".{nearest(str(subject), mmlu_subjects(folder))}')
        return tuple(_mmlu_example(row, group) for row in chosen), "{{ question }}"
    path = folder / "bigbench" / f"{settings['data'].split(' ')[0]}.jsonl"
    if not path.is_file():
        raise NotAvailable(f'The items of "{group}" are not in {folder} (the release says: {settings["data"]}).')
    rows = [line.record for line in read_jsonl(path)]
    only = re.search(r"(?:runs )?(\w+) only", settings["data"])
    rows = [row for row in rows if only is None or row["subtask"] == only.group(1)]
    pattern = re.compile(settings["fields_from_input"])
    examples = tuple(_bigbench_example(row, pattern, group) for row in rows)
    return examples, input_template_of(pattern, [row["input"] for row in rows])


def _mmlu_example(row: Record, group: str) -> Example:
    fields = {"question": row["question"]}
    if group == "MMLU_Specific":
        fields["domain"] = row["subject"].replace("_", " ")
    return Example(f"{row['subject']}/{row['row']}", fields, tuple(row["options"]), row["answer"])


def _bigbench_example(row: Record, pattern: re.Pattern[str], group: str) -> Example:
    match = pattern.search(row["input"])
    if match is None:
        raise BadInput(
            f'The item "{row["id"]}" does not have the form {pattern.pattern!r}; is task_fields.json changed?'
        )
    options, gold = tuple(row["options"]), row["answer_index"]
    if group == "Logic_Grid_Puzzle":
        # The released loader gives every item the options 1 to 5; the item's own are a subset of them.
        options, gold = ("1", "2", "3", "4", "5"), int(options[gold]) - 1
    return Example(row["id"], match.groupdict(), options, gold)


def input_template_of(pattern: re.Pattern[str], inputs: Iterable[str]) -> str:
    """The template that puts the named groups of `pattern` back into the whole input. Raises `BadInput` where the text
    between the groups is not the same in all inputs.
    """
    names = sorted(pattern.groupindex, key=lambda name: pattern.groupindex[name])
    pieces = {_between(pattern, names, text) for text in inputs}
    if len(pieces) != 1:
        raise BadInput(
            f"The inputs differ between the fields of {pattern.pattern!r}; one template cannot rebuild them."
        )
    head, *others = pieces.pop()
    return head + "".join(f"{{{{ {name} }}}}{piece}" for name, piece in zip(names, others, strict=True))


def _between(pattern: re.Pattern[str], names: Sequence[str], text: str) -> tuple[str, ...]:
    match = pattern.search(text)
    if match is None:
        return ()
    starts, ends = [match.start(name) for name in names], [match.end(name) for name in names]
    return tuple(text[end:start] for end, start in zip([0, *ends], [*starts, len(text)], strict=True))


def _task(name: str, examples: tuple[Example, ...], template: str) -> Task:
    return Task(
        name=name,
        kind=kind_of(examples),
        examples=examples,
        wordings=(Instruction("input", "{{ input }}"),),
        input_template=template,
        source="Sun, Shaib, Wallace 2024, arXiv:2306.11270 (items of MMLU or BIG-bench)",
    )


def _choose(task: Task, records: Sequence[Record], family: str | None, include_flagged: bool) -> Released:
    taken: dict[str, Instruction] = {}
    left_out = []
    names = task.field_names()
    counts = {len(example.options) for example in task.examples}
    for record in records:
        if family is not None and record["observed"][family] is None:
            continue
        reason = _unusable(record, names, counts) or ("" if include_flagged else _defect(record, counts, taken))
        if reason:
            left_out.append(LeftOut(record["id"], reason))
        else:
            taken[record["id"]] = to_instruction(record, family)
    if not taken:
        raise BadInput(f'No released wording of "{task.name}" is left for the family {family}; take another family.')
    task = replace(task, wordings=tuple(taken.values()))
    if not include_flagged:
        refused = {finding.wording: finding.sentence for finding in reversed(errors_of(task)) if finding.wording}
        left_out += [LeftOut(id, sentence) for id, sentence in refused.items()]
        task = replace(task, wordings=tuple(w for w in task.wordings if w.id not in refused))
    return Released(replace(task, description=_description(left_out)), tuple(left_out))


def _unusable(record: Record, names: frozenset[str], counts: set[int]) -> str:
    """Why a record cannot be rendered for every item; empty where it can."""
    own = names | set(record["blocks"]) | set(record["letter_lists"])
    missing = [name for name in _SLOT.findall(record["template"]) if _slot(name) not in own]
    if missing:
        return f"names the field {missing[0]}, which the items do not have"
    if record["n_options"] is not None and counts != {record["n_options"]}:
        return f"needs {record['n_options']} options; the items have {_numbers(counts)}"
    return ""


def _defect(record: Record, counts: set[int], taken: Mapping[str, Instruction]) -> str:
    """Why a record is left out by default; empty where there is nothing against it."""
    flags = [flag for flag in record["flags"] if flag in DEFECTS]
    repeated = [id for id in record["same_text_as"] if id in taken]
    named = named_count(record["template"])
    if flags:
        return str(flags[0])
    if repeated:
        return f"same text as {repeated[0]}"
    if set(record["flags"]) & set(FIXED_COUNT) and counts != {named}:
        return f"names {named or 'a fixed number of'} options; the items have {_numbers(counts)}"
    return ""


def named_count(template: str) -> int | None:
    """How many options a wording says there are: by its last quoted letter (`"D"`: 4), or by a number before a noun."""
    letters = re.findall(r"[\"']([A-Z])[\"']", template)
    if letters:
        return ord(max(letters)) - ord("A") + 1
    match = re.search(rf"\b(\d|{'|'.join(NUMBER_WORDS[2:])})\s+(?:\w+\s+){{0,2}}?{_NOUN}", template.lower())
    if match is None:
        return None
    return int(match.group(1)) if match.group(1).isdecimal() else NUMBER_WORDS.index(match.group(1))


_NOUN = r"(?:options?|choices|candidates|answers|possibilities|objects|classes|categories)\b"


def _numbers(counts: set[int]) -> str:
    return " or ".join(map(str, sorted(counts)))


def _description(left_out: Sequence[LeftOut]) -> str:
    listed = "; ".join(f"{out.id} ({out.reason})" for out in left_out)
    return f"Released wordings left out: {listed}." if listed else "All released wordings."
