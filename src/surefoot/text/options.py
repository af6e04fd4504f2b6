"""How the options of a question are shown, and which strings answer it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.text.prompt import Role

MAX_OPTIONS = 26


def _lines(pattern: str, marks: Sequence[str], options: Sequence[str]) -> str:
    return "\n".join(pattern.format(mark, option) for mark, option in zip(marks, options, strict=False))


def _inline_or(options: Sequence[str]) -> str:
    return " or ".join(options) if len(options) < 3 else f"{', '.join(options[:-1])} or {options[-1]}"


LAYOUTS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "none": lambda _: "",
    "letters-dot": lambda options: _lines("{}. {}", ascii_uppercase, options),
    "letters-paren": lambda options: _lines("({}) {}", ascii_uppercase, options),
    "letters-half-paren": lambda options: _lines("{}) {}", ascii_uppercase, options),
    "letters-lower": lambda options: _lines("({}) {}", ascii_lowercase, options),
    "numbers-dot": lambda options: _lines("{}. {}", [str(i + 1) for i in range(len(options))], options),
    "bullets": lambda options: "\n".join(f"- {option}" for option in options),
    "inline-comma": ", ".join,
    "inline-or": _inline_or,
    "inline-slash": " / ".join,
}


def show_options(layout: str, options: Sequence[str]) -> str:
    """The options in this layout, without a leading or trailing line break."""
    if layout not in LAYOUTS:
        raise BadInput(f'"{layout}" is not an option layout.{nearest(layout, LAYOUTS)}')
    if len(options) > MAX_OPTIONS and layout.startswith("letters"):
        raise BadInput(f'The layout "{layout}" has {MAX_OPTIONS} letters and the item {len(options)} options.')
    return LAYOUTS[layout](options)


class Block(NamedTuple):
    """How one option is written where it comes first, between others and last; the pieces are joined as they are.

    `{L}` / `{l}` is the option's letter, `{n}` its number from 1 and `{option}` its text: a block may list the
    options themselves or only their letters (`first='"{L}"'`, `middle=', "{L}"'`, `last=' or "{L}"'`).
    """

    first: str
    middle: str
    last: str

    def show(self, options: Sequence[str]) -> str:
        """The options one behind the other; a single option is written as `first`."""
        ends = len(options) - 1
        patterns = [self.first if i == 0 else self.last if i == ends else self.middle for i in range(len(options))]
        return "".join(
            fill_mark(pattern, i, option) for i, (pattern, option) in enumerate(zip(patterns, options, strict=True))
        )


_MARK = re.compile(r"\{(L|l|n|option)\}")
NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)


def fill_mark(pattern: str, index: int, option: str = "") -> str:
    """`pattern` with the letter, the number and the text of the option at `index`; nothing else is touched."""
    if index >= MAX_OPTIONS and ("{L}" in pattern or "{l}" in pattern):
        raise BadInput(f'There is no letter for option {index + 1} ("{option}"); use {{n}} instead of {{L}}.')
    marks = {"n": str(index + 1), "option": option}
    if index < MAX_OPTIONS:
        marks |= {"L": ascii_uppercase[index], "l": ascii_lowercase[index]}
    return _MARK.sub(lambda match: marks[match.group(1)], pattern)


def option_values(options: Sequence[str], blocks: Mapping[str, Block]) -> dict[str, str]:
    """What a template may name besides `options`: `option_A`.., `n_options`, `n_options_word` and its own blocks."""
    slots = {f"option_{ascii_uppercase[i]}": option for i, option in enumerate(options[:MAX_OPTIONS])}
    count = len(options)
    word = NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else str(count)
    counts = {"n_options": str(count), "n_options_word": word}
    return slots | counts | {name: block.show(options) for name, block in blocks.items()}


def option_roles(blocks: Mapping[str, Block]) -> dict[str, Role]:
    """Slots that show options are part of the input; counts and lists of letters belong to the instruction."""
    instruction = ["n_options", "n_options_word"]
    instruction += [name for name, block in blocks.items() if not any("{option}" in pattern for pattern in block)]
    role: Role = "instruction"
    return dict.fromkeys(instruction, role)


def label_space(labels: str | Mapping[str, str], layout: str, options: Sequence[str]) -> tuple[str, ...]:
    """The answer strings, one an option: letters, numbers, the option texts, the words that `labels` maps to, or a
    pattern such as `({l})` filled in.
    """
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
    if _MARK.search(labels):
        return tuple(fill_mark(labels, i, option) for i, option in enumerate(options))
    raise BadInput(f'"{labels}" is not a kind of label.{nearest(labels, ("letter", "number", "option"))}')
