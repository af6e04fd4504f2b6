"""Works as a task: an item is a work, a wording is a way to ask for it.

The prefix probe shows the first n words; what is compared starts behind them. The direct probe shows the title alone.
Source: Karamolegkou et al. 2023 (EMNLP), who show 50 words of base models and ask tuned ones for the first page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.memorisation.works import Work
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.template import fields_of

WORDINGS = Path(__file__).with_name("wordings.jsonl")
PREFIXES = (10, 25, 50)
NEW_TOKENS = 200
LEAST = 10  # words behind the longest prefix; fewer are no reference
OPENING = 2000  # words of a work that are kept; what is asked for is its beginning
_PREFIX = re.compile(r"(?:other_)?prefix_(\d+)")


def works_task(
    works: Sequence[Work],
    *,
    prefixes: Sequence[int] = PREFIXES,
    new_tokens: int = NEW_TOKENS,
    wordings: Sequence[Instruction] | None = None,
    name: str = "works",
) -> Task:
    """The task that asks for these works.

    prefixes: lengths of the prefix in words (between blanks). new_tokens: the budget of an answer. wordings: templates
    over `title`, `prefix` (one wording a length), `longest`, and for controls `other_title`, `other_longest` (of the
    next work with another title); the bundled ones by default. Raises `BadInput` for a work that is too short for the
    longest prefix, and for fewer than three titles: the
    controls need another work, and their chance level a third one.
    """
    lengths = tuple(sorted(set(prefixes)))
    if not lengths or lengths[0] < 1:
        raise BadInput(f"The prefix lengths are {list(prefixes)}; give one or more, of at least 1 word.")
    short = next((work for work in works if len(work.text.split()) < lengths[-1] + LEAST), None)
    if short is not None:
        raise BadInput(
            f'The work "{short.id}" has {len(short.text.split())} words, too few for a prefix of {lengths[-1]} and a '
            f"reference of {LEAST}; give a longer text or shorter prefixes."
        )
    titles = {work.title for work in works}
    if len(titles) < 3:
        raise BadInput(f"There are {len(titles)} titles; chance is measured on other works, so give three or more.")
    bank = read_wordings(WORDINGS) if wordings is None else wordings
    return Task(
        name=name,
        kind="generation",
        examples=tuple(_example(work, _other(works, place), lengths) for place, work in enumerate(works)),
        wordings=tuple(one for wording in bank for one in _by_length(wording, lengths)),
        input_template="",
        max_new_tokens=new_tokens,
        description="How much of these works does the model write down?",
        source="; ".join(sorted({work.source for work in works if work.source})),
        licence="; ".join(sorted({work.licence for work in works if work.licence})),
    )


def start_of(wording: Instruction) -> int:
    """How many words of the work a wording shows: the reference starts behind them. 0 where it shows none."""
    shown = [int(match[1]) for name in fields_of(wording.template) if (match := _PREFIX.fullmatch(name))]
    return max(shown, default=0)


def prefix_of(text: str, words: int) -> str:
    """The first words of a text as they stand there, line breaks included."""
    return text[: _end(text, words)].rstrip()


def behind(text: str, words: int) -> str:
    """What follows the first words."""
    return text[_end(text, words) :].lstrip()


def _end(text: str, words: int) -> int:
    ends = [match.end() for _, match in zip(range(words), re.finditer(r"\S+", text), strict=False)]
    return ends[-1] if ends else 0


def _other(works: Sequence[Work], place: int) -> Work:
    """The next work with another title, first among those of its group."""
    work = works[place]
    turned = [*works[place + 1 :], *works[:place]]
    others = [other for other in turned if other.title != work.title]
    return next((other for other in others if other.group == work.group), others[0])


def _example(work: Work, other: Work, lengths: Sequence[int]) -> Example:
    fields = {"title": work.title, "other_title": other.title, "group": work.group, "licence": work.licence}
    fields |= {"source": work.source, "author": work.author}
    for n in lengths:
        fields |= {f"prefix_{n}": prefix_of(work.text, n), f"other_prefix_{n}": prefix_of(other.text, n)}
    fields |= {f"popularity_{name}": repr(float(value)) for name, value in sorted(work.popularity.items())}
    return Example(work.id, fields, answers=(prefix_of(work.text, OPENING),))


def _by_length(wording: Instruction, lengths: Sequence[int]) -> Iterator[Instruction]:
    named = fields_of(wording.template)
    if "prefix" in named:
        for n in lengths:
            yield _renamed(wording, "prefix", f"prefix_{n}", f"{wording.id}-{n}")
    elif "longest" in named or "other_longest" in named:
        name = "longest" if "longest" in named else "other_longest"
        target = name.replace("longest", f"prefix_{lengths[-1]}")
        yield _renamed(wording, name, target, f"{wording.id}-{lengths[-1]}")
    else:
        yield wording


def _renamed(wording: Instruction, field: str, target: str, id: str) -> Instruction:
    def put(text: str) -> str:
        return re.sub(rf"\{{\{{\s*{field}\s*\}}\}}", f"{{{{ {target} }}}}", text)

    return replace(wording, id=id, text=put(wording.text), frame_template=put(wording.frame_template))
