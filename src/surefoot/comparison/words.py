"""A comparison in sentences: the verdict on each quantity, and what a reader must know before believing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surefoot.comparison.result import GUARDS, Change, Effect, Needed, Noise
from surefoot.comparison.sides import Side, differences
from surefoot.report.numbers import count, ends, p_value, percent, points, signed_points
from surefoot.stats.intervals import wilson
from surefoot.stats.power import POWER

WATCHED = ("scorer", "seed", "shots", "options.truncate", "options.asked with", "model.format", "model.dtype")


def sentences(overall: Change, tasks: Sequence[Change], noise: Noise) -> tuple[str, ...]:
    """The verdict on mean, spread and worst wording over tasks; tasks one by one; the noise floor."""
    found = [f"Mean: {effect_words(overall.mean)}.{_power(overall, len(tasks))}"]
    if overall.spread is not None and overall.worst is not None:
        found.append(
            f"Spread over wordings beyond item noise: {effect_words(overall.spread)}. Plain standard deviation: "
            f"{points(overall.sd_before)} before, {points(overall.sd_after)} after."
        )
        found.append(f"Worst wording: {effect_words(overall.worst)}.")
    if len(tasks) > 1:
        found.append(by_task(tasks))
    return (*found, noise_words(noise))


def effect_words(effect: Effect) -> str:
    """`better, 60.1 to 63.2, +3.1 points (95 % interval +1.0 to +5.2; p = 0.003, corrected p = 0.006)`."""
    values = f"{points(effect.before)} to {points(effect.after)}, {signed_points(effect.difference.value)} points"
    corrected = "" if effect.p_corrected == effect.p_value else f", corrected {p_value(effect.p_corrected)}"
    tests = f"95 % interval {ends(effect.difference, signed=True)}; {p_value(effect.p_value)}{corrected}"
    return f"{effect.verdict}, {values} ({tests})"


def by_task(tasks: Sequence[Change]) -> str:
    """On how many tasks the mean is better or worse."""
    better, worse = ([task.task for task in tasks if task.verdict == verdict] for verdict in ("better", "worse"))
    told = [f"{word} on {len(names)}{_named(names)}" for word, names in (("better", better), ("worse", worse))]
    return f"Task by task the mean is {' and '.join(told)} of {len(tasks)}."


def needed_words(needed: Needed, items: int, tasks: int) -> str:
    """What these items could have shown, and how many items show the difference asked for."""
    if needed.items is None:
        return "No item's mean score changed, so how many items would show a difference cannot be told from these runs."
    each = f" in each of {tasks} tasks" if tasks > 1 else ""
    now = f" (now {items / tasks:,.0f} on average)" if tasks > 1 else f" (now {items:,})"
    return (
        f"With power {100 * POWER:.0f} % these items would show a difference of {points(needed.detectable)} points; to "
        f"show {points(needed.difference)} points takes {count(needed.items, 'item')}{each}{now}."
    )


def noise_words(noise: Noise) -> str:
    """The change between the runs beside the change of the same run with itself."""
    moved = f"Under right wordings {percent(noise.moved / noise.cells)} of {count(noise.cells, 'answer')} changed"
    if not noise.rechecked:
        return f"{moved}; no cell was computed twice, so the noise of the machine is not known."
    return (
        f"{moved}; of {count(noise.rechecked, 'cell')} computed twice within a run, "
        f"{percent(noise.changed / noise.rechecked)} did ({noise.changed})."
    )


def warnings(one: Side, other: Side, overall: Change, tasks: Sequence[Change], noise: Noise) -> tuple[str, ...]:
    """The guard first."""
    return (
        *_guard(overall, tasks),
        *_settings(one, other),
        *_state(one, other),
        *_noise(noise),
    )


def _power(overall: Change, tasks: int) -> str:
    if overall.mean.verdict != "no difference shown":
        return ""
    return f" {needed_words(overall.needed, overall.items, tasks)}"


def _guard(overall: Change, tasks: Sequence[Change]) -> Iterator[str]:
    drops = {one.klass: one.drop for one in overall.classes if one.klass in GUARDS and one.drop is not None}
    if not drops:
        yield "There are no negated or nonsense wordings, so whether instructions are still followed is not seen."
    for klass, drop in drops.items():
        own = [task.task for task in tasks for c in task.classes if c.klass == klass and c.drop and _fell(c.drop)]
        if _fell(drop):
            yield (
                f"The guard worsened: under {klass} wordings accuracy dropped by {points(drop.before)} points before "
                f"and by {points(drop.after)} after ({signed_points(drop.difference.value)}, "
                f"{ends(drop.difference, signed=True)}; {p_value(drop.p_corrected)}). The model depends less on what "
                "it is asked, and may be steadier for that reason."
            )
        elif own and len(tasks) > 1:
            yield (
                f"The guard worsened on {len(own)} of {len(tasks)} tasks{_named(own)}: there accuracy drops less under "
                f"{klass} wordings than before, so the model depends less on what it is asked."
            )


def _fell(drop: Effect) -> bool:
    return drop.verdict == "worse"


def _settings(one: Side, other: Side) -> Iterator[str]:
    told = [f"{name} ({old}, {new})" for name, old, new in differences(one.record, other.record) if name in WATCHED]
    if told:
        yield f"The runs also differ in {', '.join(told)}; what is seen is not the model's doing alone."


def _state(one: Side, other: Side) -> Iterator[str]:
    for side in (one, other):
        if side.path and not side.record.get("finished"):
            yield f'The run "{side.path}" is not finished, and every number can still move.'
    lost = [(side.cells.unparsed, side.cells.unparsed / side.cells.size) for side in (one, other)]
    if any(n for n, _ in lost):
        before, after = (f"{n:,} ({percent(share)})" for n, share in lost)
        yield f"Answers that could not be parsed: {before} before, {after} after; they count as not right."


def _noise(noise: Noise) -> Iterator[str]:
    if noise.rechecked and noise.moved and noise.moved / noise.cells <= wilson(noise.changed, noise.rechecked).high:
        yield (
            "The answers changed between the runs no more often than within one run computed twice: this is the noise "
            "of the machine."
        )


def _named(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" ({', '.join(names[:3])}{more})"
