"""What is wrong with a task before a model sees it: its ids, its wordings, its items, its labels.

Every rule is a function that yields findings. The banks that published studies released hold a case of most of them:
two wordings fused by a missing comma, a frame that prints the answer, letters asked for where no options are shown.
"""

from __future__ import annotations

from surefoot.errors import BadInput
from surefoot.tasks.lint.finding import Finding
from surefoot.tasks.lint.fused import fused_pairs, fused_text
from surefoot.tasks.lint.ids_and_items import bad_items, same_ids
from surefoot.tasks.lint.labels import Defect, label_defects, label_key, of_labels
from surefoot.tasks.lint.renderings import fields_with_the_answer, gold_changes_prompt, shown_answer, twins
from surefoot.tasks.lint.templates import always_there, template_findings
from surefoot.tasks.task import Task

__all__ = ["Finding", "check", "errors_of", "lint"]


def lint(task: Task, *, scorer: str = "sum") -> list[Finding]:
    """All findings, errors first. `scorer="paper"` (the released step product) also refuses a label that begins
    another one, because that scorer cannot tell them apart. No model is needed; cost: a few renderings a wording.
    """
    findings = [*same_ids(task), *bad_items(task), *fused_pairs(task.wordings)]
    sound = not any(finding.level == "error" and finding.item for finding in findings)
    answers = fields_with_the_answer(task) if sound else frozenset()
    always = always_there(task)
    labels: dict[str, tuple[Defect, ...]] = {}
    readable = []
    for wording in task.wordings:
        own = list(template_findings(task, wording, always))
        findings += [*own, *fused_text(wording, task.wordings)]
        if not sound or any(finding.level == "error" for finding in own):
            continue
        key = label_key(wording)
        if key not in labels:
            labels[key] = tuple(label_defects(task, wording, scorer))
        findings += [of_labels(wording, defect) for defect in labels[key]]
        if not any(defect.rule == "no-label" for defect in labels[key]):
            readable.append(wording)
            findings += [*shown_answer(task, wording, answers), *gold_changes_prompt(task, wording)]
    findings += twins(task, readable)
    return sorted(findings, key=lambda finding: finding.level != "error")


def errors_of(task: Task, *, scorer: str = "sum") -> list[Finding]:
    """The errors alone."""
    return [finding for finding in lint(task, scorer=scorer) if finding.level == "error"]


def check(task: Task, *, scorer: str = "sum") -> None:
    """Raises `BadInput` with the first error as a sentence."""
    errors = errors_of(task, scorer=scorer)
    if errors:
        more = f" ({len(errors) - 1} more; surefoot.tasks.lint lists them)" if len(errors) > 1 else ""
        raise BadInput(f'Task "{task.name}": {errors[0].sentence}{more}')
