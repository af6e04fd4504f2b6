"""R0: the published accuracies under observed and unobserved wordings, from the released result rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from surefoot.reproductions.r0_rows import DATA_HELP, ResultRow, accuracies, read_rows
from surefoot.reproductions.reproduction import Expected, Measured, Reproduction
from surefoot.stats.bootstrap import paired_bootstrap
from surefoot.stats.exact import SignTest, sign_test
from surefoot.stats.gaps import TaskGap, leave_one_out, mean_gap, task_gaps

MODELS = ("Flan-T5-XL", "Flan-T5-XXL", "Alpaca-7B", "Alpaca-13B", "T0++")
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "MMLU": ("MMLU_General",),
    "BBL-QA": (
        "BBQ_Lite",
        "Code_Line_Description",
        "Conceptual_Combinations",
        "Hindu_Knowledge",
        "Known_Unknowns",
        "Logic_Grid_Puzzle",
        "Logical_Deduction",
        "Novel_Concepts",
    ),
    "BBL-BC": ("Play_Dialog", "Strange_Stories", "StrategyQA", "Winowhy"),
    "BBL-MC": ("Language_Identification", "Vitaminc_Fact_Verification"),
}
BBL = (*CATEGORIES["BBL-QA"], *CATEGORIES["BBL-BC"], *CATEGORIES["BBL-MC"])
VITAMINC, WINOWHY = "Vitaminc_Fact_Verification", "Winowhy"
CLOSER_LOOK = ("correct", "incorrect", "unobserved", "default", "random", "negation")
DDOF = 0
"""The brackets of the published table divide by the number of wordings; the phrasing probe divides by one less."""

DEVIATIONS = (
    "Accuracies are read from the released rows; no model is run, so the released scorer's defects are in them.",
    "Observed are the rows of the types QA, BC and Classification, unobserved those of the type Unobserved; Default "
    "rows belong to neither.",
    "Rows of Main and Adversarial count where Include? is TRUE, which all of them are; the Improvement rows have no "
    "scores.",
    'T0-3B is not in the published table, and 56 of its rows hold "PD" in the place of a score: it is left out.',
    "Flan-T5-XXL has two rows each for NIV2/QA/31 and NIV2/QA/32 on BBQ_Lite, which differ in the fourth digit: a "
    "wording counts once, with the mean of its rows.",
    "T0++'s rows for T0/BC frames count as released, although the released code cannot run these frames and they may "
    "give the answer away (see Winowhy above).",
    "Alpaca's MMLU list has 33 unobserved wordings, one of them two wordings fused and one a repetition: they count as "
    "released.",
    "The bracketed spreads divide by n (with n - 1 the table's 4.9 for Flan-T5-XL on BBL-QA would be 5.1).",
    "The printed table is rounded to two decimals and then to one, half up (60.449 -> 60.45 -> 60.5), which its 60.5, "
    "7.3 and 2.2 show; one-decimal numbers therefore have a tolerance of 0.05 + 0.005.",
    "The ranges of 9.4 and 21.2 are means over all 15 data sets, MMLU included; over the 14 BBL tasks they are 10.0 "
    "and 22.5.",
    "Not reproduced: a larger spread on 11 to 12 of 14 tasks for Flan and Alpaca; for Flan-T5-XL it is 13 of 14, "
    "whichever divisor is used.",
    "Not reproduced: the mean drop of 6.9 of the paper's introduction, which the released rows do not give.",
    "The models were not scored on identical MMLU items (13,560 to 14,048 of them).",
)


class ModelTable(NamedTuple):
    """One model: its gaps by data set, unobserved minus observed, in points of accuracy."""

    model: str
    gaps: Mapping[str, TaskGap]

    def of(self, datasets: Sequence[str]) -> list[TaskGap]:
        """The gaps of these data sets."""
        return [self.gaps[dataset] for dataset in datasets]

    @property
    def sign(self) -> SignTest:
        """The sign test over all 15 data sets."""
        return sign_test([gap.gap for gap in self.gaps.values()])

    @property
    def more_spread(self) -> int:
        """On how many BBL tasks the unobserved wordings scatter more."""
        return sum(gap.right_sd > gap.left_sd for gap in self.of(BBL))


def expected() -> Mapping[str, Expected]:
    """The printed numbers, from `r0_expected.csv`."""
    text = (files("surefoot.reproductions") / "r0_expected.csv").read_text(encoding="utf-8")
    lines = csv.DictReader(text.splitlines())
    return {line["number"]: Expected(float(line["expected"]), float(line["tolerance"])) for line in lines}


def measure(data: Path) -> Measured:
    """Recomputes the table from the released rows.

    Per data set the mean over wordings, then the unweighted mean over the data sets of a category; in percent.
    """
    rows = read_rows(data)
    tables = {model: model_table(rows, model) for model in MODELS}
    numbers = dict(pair for table in tables.values() for pair in _model_numbers(table))
    return Measured({**numbers, **dict(_closer_look(rows))}, (*map(_model_note, tables.values()), _winowhy_note(rows)))


def model_table(rows: list[ResultRow], model: str) -> ModelTable:
    """The gaps of one model on its 15 data sets."""
    observed, unobserved = (_percent(accuracies(rows, "Main", model, group)) for group in ("observed", "unobserved"))
    return ModelTable(model, {gap.task: gap for gap in task_gaps(observed, unobserved, DDOF)})


def _model_numbers(table: ModelTable) -> Iterator[tuple[str, float]]:
    model, everything = table.model, ("MMLU_General", *BBL)
    for name, datasets in {**CATEGORIES, "BBL": BBL, "15 data sets": everything}.items():
        mean = mean_gap(table.of(datasets))
        yield f"{model} {name} observed mean", mean.left_mean
        yield f"{model} {name} observed sd", mean.left_sd
        yield f"{model} {name} unobserved mean", mean.right_mean
        yield f"{model} {name} unobserved sd", mean.right_sd
    yield f"{model} range observed", mean_gap(table.of(everything)).left_range
    yield f"{model} range unobserved", mean_gap(table.of(everything)).right_range
    yield f"{model} sign test p", table.sign.one_sided
    yield f"{model} tasks with larger sd unobserved", table.more_spread
    yield f"{model} VitaminC gap", table.gaps[VITAMINC].gap
    yield f"{model} Winowhy gap", table.gaps[WINOWHY].gap


def _closer_look(rows: list[ResultRow]) -> Iterator[tuple[str, float]]:
    model = "Flan-T5-XXL"
    for group in CLOSER_LOOK:
        means = {task: fmean(v) for task, v in _percent(accuracies(rows, "Adversarial", model, group)).items()}
        yield f"closer look {group}", fmean(means.values())
        yield f"closer look {group} epistemic_reasoning", means["Epistemic_Reasoning"]
        yield f"closer look {group} language_identification", means["Language_Identification_Adversial"]


def _model_note(table: ModelTable) -> str:
    gaps = {dataset: table.gaps[dataset].gap for dataset in BBL}
    interval = paired_bootstrap(
        [table.gaps[dataset].left_mean for dataset in BBL], [table.gaps[dataset].right_mean for dataset in BBL]
    )
    without = leave_one_out(gaps)
    heaviest = max(without, key=lambda dataset: abs(without[dataset] - interval.value))
    return (
        f"{table.model}: gap {interval.value:+.1f} points on BBL (bootstrap over its 14 tasks {interval.low:+.1f} to "
        f"{interval.high:+.1f}), {without[heaviest]:+.1f} without {heaviest}; negative on {table.sign.negative} of 15 "
        f"data sets (sign test, one-sided p {table.sign.one_sided:.2f}, two-sided {table.sign.two_sided:.2f}); "
        f"unobserved wordings scatter more on {table.more_spread} of 14 tasks."
    )


def _winowhy_note(rows: list[ResultRow]) -> str:
    leaky = accuracies(rows, "Main", "T0++", "observed")[WINOWHY]
    pairs = [(model, group) for model in MODELS for group in ("observed", "unobserved", "default")]
    rest = [a for pair in pairs if pair != ("T0++", "observed") for a in accuracies(rows, "Main", *pair)[WINOWHY]]
    return (
        f"Winowhy: T0++'s {len(leaky)} observed wordings score {100 * min(leaky):.0f} to {100 * max(leaky):.0f} %, all "
        f"{len(rest)} others of the five models {100 * min(rest):.0f} to {100 * max(rest):.0f} %: the frames most "
        "likely print the answer, and T0++'s gap should not be read as an effect of wording."
    )


def _percent(values: Mapping[str, list[float]]) -> Mapping[str, list[float]]:
    return {dataset: [100 * value for value in accuracies] for dataset, accuracies in values.items()}


R0 = Reproduction(
    id="R0",
    title="Accuracy under observed and unobserved wordings of five instruction-tuned models",
    command="surefoot reproduce R0 --data DIR",
    source="Sun, Shaib and Wallace 2024, arXiv:2306.11270; released rows of InstructionEval, commit a1b6882",
    minutes=0.1,
    deviations=DEVIATIONS,
    expected=expected,
    measure=measure,
    data_help=DATA_HELP,
)
