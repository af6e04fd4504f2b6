"""How the options of a question are shown, and which strings answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase

from surefoot.errors import BadInput, nearest

MAX_OPTIONS = 26

LAYOUTS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "none": lambda options: "",
    "letters-dot": lambda options: _lines("{}. {}", ascii_uppercase, options),
    "letters-paren": lambda options: _lines("({}) {}", ascii_uppercase, options),
    "letters-half-paren": lambda options: _lines("{}) {}", ascii_uppercase, options),
    "letters-lower": lambda options: _lines("({}) {}", ascii_lowercase, options),
    "numbers-dot": lambda options: _lines("{}. {}", [str(i + 1) for i in range(len(options))], options),
    "bullets": lambda options: "\n".join(f"- {option}" for option in options),
    "inline-comma": lambda options: ", ".join(options),
    "inline-or": lambda options: _inline_or(options),
    "inline-slash": lambda options: " / ".join(options),
}


def show_options(layout: str, options: Sequence[str]) -> str:
    """The options in this layout, without a leading or trailing line break."""
    if layout not in LAYOUTS:
        raise BadInput(f'"{layout}" is not an option layout.{nearest(layout, LAYOUTS)}')
    if len(options) > MAX_OPTIONS and layout.startswith("letters"):
        raise BadInput(f'The layout "{layout}" has {MAX_OPTIONS} letters and the item {len(options)} options.')
    return LAYOUTS[layout](options)


def label_space(labels: str | Mapping[str, str], layout: str, options: Sequence[str]) -> tuple[str, ...]:
    """The answer strings, one an option: letters, numbers, the option texts, or the words that `labels` maps to."""
    if isinstance(labels, Mapping):
        missing = [option for option in options if option not in labels]
        if missing:
            raise BadInput(f'The labels {dict(labels)} have no word for the option "{missing[0]}".')
        return tuple(labels[option] for option in options)
    letters = ascii_lowercase if layout == "letters-lower" else ascii_uppercase
    if labels == "letter":
        return tuple(letters[: len(options)])
    if labels == "number":
        return tuple(str(i + 1) for i in range(len(options)))
    if labels == "option":
        return tuple(options)
    raise BadInput(f'"{labels}" is not a kind of label.{nearest(labels, ("letter", "number", "option"))}')


def _lines(pattern: str, marks: Sequence[str], options: Sequence[str]) -> str:
    return "\n".join(pattern.format(mark, option) for mark, option in zip(marks, options, strict=False))


def _inline_or(options: Sequence[str]) -> str:
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"
