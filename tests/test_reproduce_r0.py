"""The published R0 table, recomputed; and the machinery on a small made-up table where the data are absent."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from surefoot.errors import BadInput
from surefoot.reproductions import REPRODUCTIONS, reproduce, reproduction
from surefoot.reproductions.r0_rows import COLUMNS, accuracies, read_rows
from surefoot.reproductions.reproduction import Expected, Measured, Reproduction, ReproductionResult

DATA = Path(__file__).parents[2] / "shared" / "data" / "zero-shot-robustness"
needs_data = pytest.mark.skipif(
    not (DATA / "results.csv").is_file(), reason="the reference data (zero-shot-robustness) is not beside the checkout"
)


@pytest.fixture(scope="module")
def result() -> ReproductionResult:
    return reproduce("R0", str(DATA))


@pytest.mark.data
@needs_data
def test_every_printed_number_of_r0_is_recomputed(result: ReproductionResult) -> None:
    assert [line for line in result.lines if not line.within] == []
    assert len(result.lines) == 5 * 18 + 6 + 2 + 5 + 8


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Alpaca-7B BBL unobserved mean", 42.95),
        ("Flan-T5-XXL BBL unobserved mean", 62.25),
        ("Alpaca-7B MMLU unobserved mean", 39.72),
        ("closer look incorrect", 57.37),
    ],
)
def test_two_decimal_figures_of_r0_agree_to_a_hundredth(result: ReproductionResult, name: str, value: float) -> None:
    measured = {line.name: line.measured for line in result.lines}
    assert measured[name] == pytest.approx(value, abs=0.01)


@pytest.mark.data
@needs_data
def test_means_of_r0_equal_the_derived_table_beside_the_rows() -> None:
    """`results_means.csv` was computed independently, with n - 1 and with repeated rows counted twice."""
    rows = read_rows(DATA)
    with (DATA / "results_means.csv").open(encoding="utf-8", newline="") as file:
        derived = [line for line in csv.DictReader(file) if line["section"] in ("Main", "Adversarial")]
    checked = 0
    for line in derived:
        values = accuracies(rows, line["section"], line["model"], line["group"]).get(line["dataset"])
        if values is not None and len(values) == int(line["n"]):
            assert sum(values) / len(values) == pytest.approx(float(line["mean"]), abs=1e-6)
            checked += 1
    assert checked > 200


@pytest.mark.data
@needs_data
def test_the_rows_of_a_checkout_of_the_source_give_the_same_numbers(result: ReproductionResult, tmp_path: Path) -> None:
    with (DATA / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for source in {line["source_file"] for line in lines}:
        path = tmp_path / source
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*COLUMNS, "Shots", "Metric"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(line for line in lines if line["source_file"] == source)
    assert reproduce("r0", str(tmp_path)) == result


@pytest.mark.data
@needs_data
def test_the_printed_result_says_what_the_table_hides(result: ReproductionResult) -> None:
    text = str(result)
    assert "111 of 111 numbers within tolerance" in text
    assert "T0++: gap -3.0 points on BBL" in text
    assert "-0.4 without Winowhy" in text
    assert "97 to 100 %" in text
    assert "Flan-T5-XL it is 13 of 14" in text


def write(path: Path, rows: list[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["section", *COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    return path


def line(number: str, performance: str, **more: str) -> Mapping[str, str]:
    base = {"section": "Main", "Model": "M", "Dataset": "D", "Collection": "C", "Type": "QA", "Include?": "TRUE"}
    return {**base, "ID": number, "Performance": performance, **more}


def test_a_repeated_wording_counts_once_and_excluded_or_unfilled_rows_not_at_all(tmp_path: Path) -> None:
    rows = [line("1", "0.2"), line("1", "0.4"), line("2", "0.9"), line("3", "PD"), line("4", "0.1", **{"Include?": ""})]
    rows.append(line("5", "0.7", Type="Unobserved"))
    read = read_rows(write(tmp_path / "results.csv", rows))
    assert accuracies(read, "Main", "M", "observed") == {"D": [pytest.approx(0.3), 0.9]}
    assert accuracies(read, "Main", "M", "unobserved") == {"D": [0.7]}


@pytest.mark.parametrize("bad", ["n/a", "", "nan", "inf"])
def test_a_score_that_is_no_number_is_named_with_its_line(tmp_path: Path, bad: str) -> None:
    path = write(tmp_path / "results.csv", [line("1", "0.5"), line("2", bad)])
    with pytest.raises(BadInput, match=r'results\.csv", line 3: the score'):
        read_rows(path)


def test_a_missing_folder_or_column_or_id_gives_a_sentence_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--data DIR"):
        reproduce("R0")
    with pytest.raises(BadInput, match=r"nowhere.*InstructionEval"):
        reproduce("R0", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match=r"No result row.*InstructionEval"):
        reproduce("R0", str(tmp_path))
    (tmp_path / "results.csv").write_text("Model,Dataset\nM,D\n")
    with pytest.raises(BadInput, match='no column "Collection"'):
        reproduce("R0", str(tmp_path))
    with pytest.raises(BadInput, match='"R9" is not a reproduction'):
        reproduce("R9")


def test_a_number_outside_its_tolerance_is_shown_and_the_result_is_not_ok(tmp_path: Path) -> None:
    made = Reproduction(
        id="X",
        title="t",
        command="c",
        source="s",
        minutes=0.1,
        deviations=("one",),
        expected=lambda: {"a": Expected(60.5, 0.05), "b": Expected(1.0, 0.1)},
        measure=lambda _: Measured({"a": 60.4486, "b": 1.1}),
        data_help="h",
    )
    result = made.run(str(tmp_path))
    assert [line.within for line in result.lines] == [False, True]
    assert not result.ok
    assert not result.to_dict()["ok"]
    assert str(result).count("OUTSIDE") == 1
    assert "1 of 2 numbers" in str(result)


def test_every_registered_reproduction_can_be_loaded_and_says_where_it_deviates() -> None:
    for id in REPRODUCTIONS:
        found = reproduction(id)
        assert (found.id, found.minutes > 0, bool(found.deviations)) == (id, True, True)
        assert all(number.tolerance >= 0 for number in found.expected().values())
