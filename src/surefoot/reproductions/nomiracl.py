"""NoMIRACL: hallucination and error rates of the released outputs, from the texts that the models wrote."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.probes.unanswerable.judgement import JUDGEMENTS, RULES, Judgement, judgement
from surefoot.probes.unanswerable.rates import Counts, counts, macro, with_resources
from surefoot.reproductions.reproduction import Expected, Measured, Reproduction
from surefoot.stats.bootstrap import generator

UNANSWERABLE, ANSWERABLE = "non_relevant", "relevant"
WRONG: Mapping[str, Judgement] = {UNANSWERABLE: "present", ANSWERABLE: "absent"}
"""The wrong judgement of each subset: its share is the hallucination rate and the error rate."""
RATE = {UNANSWERABLE: "hallucination", ANSWERABLE: "error"}
LANGUAGES: Mapping[str, Sequence[str]] = {
    UNANSWERABLE: ["ar", "bn", "en", "es", "fa", "fr", "hi", "id", "ja", "ru", "sw", "te", "yo", "zh"],
    ANSWERABLE: ["ar", "en", "es", "fa", "fr", "hi", "id", "ja", "ru", "sw", "te", "yo", "zh"],
}
"""The languages that the expected means are over."""
GPT4 = "gpt-4-azure"
PRINTED_SPEARMAN = 0.39
DATA_HELP = (
    "Give a folder that holds outputs.jsonl.gz: one JSON object a line with lang, subset (relevant or non_relevant) "
    "and results (model to text), made of results/baselines of https://github.com/project-miracl/nomiracl."
)
DEVIATIONS = (
    "Texts are the released ones; no model is run.",
    "Counts go by the released reading of texts, in which one that holds both strings is always invalid; the notes say "
    "what counting the positive string, as it was meant, changes.",
    "The means are over 14 languages (non-relevant) and 13 (relevant), not over all 18: the others are not in the "
    "sample. Means printed for more languages can therefore not be met digit by digit.",
    "The expected means are those of an independent count of the same texts (rates.csv); GPT-4's five single languages "
    "were computed from the whole release.",
    "A model that never says that it does not know has hallucination rate 1; the released metric leaves it out there.",
)

Cells = Mapping[tuple[str, str, str], Counts]


class Output(NamedTuple):
    """The texts of all models on one question."""

    subset: str
    language: str
    texts: Mapping[str, str]


def read_outputs(data: Path) -> Iterator[Output]:
    """The stored outputs, one question at a time. Raises `BadInput` with the line for what is no such record."""
    path = data / "outputs.jsonl.gz"
    if not path.is_file():
        raise BadInput(f'There is no outputs.jsonl.gz in "{data}". {DATA_HELP}')
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                yield Output(record["subset"], record["lang"], record["results"])
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(f"{path}, line {number} is no stored output ({error!r}). {DATA_HELP}") from None


def cells(outputs: Sequence[Output], rule: str = "released") -> Cells:
    """Counts of judgements by subset, language and model; a text that is not there is not counted."""
    said: dict[tuple[str, str, str], list[Judgement]] = defaultdict(list)
    for output in outputs:
        for model, text in output.texts.items():
            if text is not None:
                said[output.subset, output.language, model].append(judgement(text, rule))  # type: ignore[arg-type]
    return {cell: counts(judgements) for cell, judgements in said.items()}


def language_rates(found: Cells, subset: str, model: str, what: Judgement | None = None) -> dict[str, float]:
    """The share of the subset's wrong judgement (or of `what`) in each of its languages."""
    own = {language: n for (s, language, m), n in found.items() if (s, m) == (subset, model)}
    return {language: n.share(what or WRONG[subset]) for language, n in sorted(own.items())}


def mean_rate(found: Cells, subset: str, model: str, what: Judgement | None = None) -> float:
    """The mean over the languages of `LANGUAGES`."""
    rates = language_rates(found, subset, model, what)
    missing = [language for language in LANGUAGES[subset] if language not in rates]
    if missing:
        raise BadInput(f'The outputs have no {subset} texts of "{model}" in {", ".join(missing)}. {DATA_HELP}')
    return macro({language: rates[language] for language in LANGUAGES[subset]})


def expected() -> Mapping[str, Expected]:
    """The numbers to meet, from `nomiracl_expected.csv`."""
    text = (files("surefoot.reproductions") / "nomiracl_expected.csv").read_text(encoding="utf-8")
    lines = csv.DictReader(text.splitlines())
    return {line["number"]: Expected(float(line["expected"]), float(line["tolerance"])) for line in lines}


def measure(data: Path) -> Measured:
    """Rates of every model, and of GPT-4 in single languages, from the texts."""
    outputs = list(read_outputs(data))
    found = cells(outputs)
    return Measured(dict(_numbers(found)), tuple(_notes(outputs, found)))


def models(found: Cells) -> list[str]:
    """The models that wrote, by name."""
    return sorted({model for _, _, model in found})


def _numbers(found: Cells) -> Iterator[tuple[str, float]]:
    for model in models(found):
        for subset, name in RATE.items():
            yield f"{model} {name}", mean_rate(found, subset, model)
            yield f"{model} invalid, {subset}", mean_rate(found, subset, model, "invalid")
    for language, rate in language_rates(found, UNANSWERABLE, GPT4).items():
        yield f"{GPT4} hallucination {language}", rate


def _notes(outputs: Sequence[Output], found: Cells) -> Iterator[str]:
    rates = language_rates(found, UNANSWERABLE, GPT4)
    rank = with_resources(rates, 9999, generator(0, "nomiracl"))
    yield (
        f"GPT-4's hallucination rate and a language's Wikipedia passages: Spearman {rank.rho:.2f} (p {rank.p:.2f}, "
        f"{len(rates)} languages); printed for all languages: {PRINTED_SPEARMAN}."
    )
    counted = cells(outputs, RULES[0])
    moved = sum(abs(a - b) for cell in found for a, b in zip(found[cell], counted[cell], strict=True)) // 2
    shifts = {m: mean_rate(counted, UNANSWERABLE, m) - mean_rate(found, UNANSWERABLE, m) for m in models(found)}
    most = max(shifts, key=lambda model: abs(shifts[model]))
    yield (
        f"Counting the positive string where both stand moves {moved:,} of {sum(n.n for n in found.values()):,} texts; "
        f"the hallucination rate of {most} moves most, by {100 * shifts[most]:+.1f} points."
    )
    silent = sum(not n.absent for (subset, _, _), n in found.items() if subset == UNANSWERABLE)
    yield (
        f"In {silent} of {sum(s == UNANSWERABLE for s, _, _ in found)} non-relevant cells no text says that the answer "
        "is not there: the released metric leaves their hallucination rate out."
    )
    shares = ", ".join(f"{100 * _overall(found, what):.0f} % {what}" for what in JUDGEMENTS)
    yield f"All texts together: {shares}."


def _overall(found: Cells, what: Judgement) -> float:
    return Counts(*(sum(column) for column in zip(*found.values(), strict=True))).share(what)


NOMIRACL = Reproduction(
    id="NOMIRACL",
    title="Hallucination and error rates of eleven models on questions that passages do or do not answer",
    command="surefoot reproduce nomiracl --data DIR",
    source="Thakur et al. 2023, arXiv:2312.11361; released outputs of project-miracl/nomiracl, commit 9c787da",
    minutes=0.1,
    deviations=DEVIATIONS,
    expected=expected,
    measure=measure,
    data_help=DATA_HELP,
)
