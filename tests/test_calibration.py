"""Calibrations: truth beside reading, and a probe that is off is said to be."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

from surefoot import calibration
from surefoot.calibration import Calibration, Truth, calibrate, calibration_table, lines_of
from surefoot.catalogue import CALIBRATED, load_object
from surefoot.errors import BadInput
from surefoot.probes import asking
from surefoot.probes.phrasing.calibrations import ITEMS, KNOWN, knows, world


def test_the_world_is_balanced_and_the_ignorer_knows_its_share() -> None:
    task = world()
    assert sum(example.gold == 0 for example in task.examples) == ITEMS / 2
    assert sum(map(knows, task.examples)) == KNOWN * ITEMS
    for example in task.examples:
        assert max(map(int, example.options)) == int(example.options[example.gold or 0])


def test_the_five_models_of_the_phrasing_probe_are_read_right() -> None:
    lines = calibrate("phrasing")
    assert {line.model for line in lines} == {"instruction-ignorer", "coin", "oracle", "half-right", "silent"}
    assert all(line.ok for line in lines)
    assert calibration_table(lines).endswith("none off.")


def test_a_probe_that_takes_the_wrong_option_for_gold_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_gold", lambda query: 1 - query.gold)
    lines = calibrate("phrasing")
    off = {(line.model, line.quantity) for line in lines if not line.ok}
    assert ("oracle", "mean") in off
    assert ("instruction-ignorer", "mean") in off
    assert f"{len(off)} off." in calibration_table(lines)


@pytest.mark.parametrize(("reading", "ok"), [(0.5, True), (0.6, True), (0.61, False), (math.nan, False)])
def test_a_reading_is_right_within_its_tolerance(reading: float, ok: bool) -> None:
    (line,) = lines_of(Calibration("m", "b", lambda: {"q": reading}, {"q": Truth(0.5, 0.1)}))
    assert line.ok is ok
    assert ("OFF" in calibration_table([line])) is not ok


def test_calibration_imports_nothing_from_above_the_catalogue() -> None:
    """Probes import it, so it stands below them; what it calibrates it knows by name."""
    tree = ast.parse(Path(calibration.__file__).read_text())
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in named if name and name.startswith("surefoot")} <= {"surefoot.catalogue", "surefoot.errors"}


def test_everything_that_is_calibrated_has_cases() -> None:
    for target in CALIBRATED.values():
        assert all(isinstance(case, Calibration) for case in load_object(target)())


def test_an_unknown_probe_is_named() -> None:
    with pytest.raises(BadInput, match=r'"phrasin" is not a probe. Did you mean "phrasing"\?'):
        calibrate("phrasin")
