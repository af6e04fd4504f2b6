"""An instruction: one wording of a task, with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from surefoot.errors import BadInput, nearest
from surefoot.text.options import Block

Klass = Literal["right", "observed", "unobserved", "default", "incorrect", "negated", "nonsense"]
KLASSES: tuple[str, ...] = get_args(Klass)
RIGHT: frozenset[str] = frozenset({"right", "observed", "unobserved", "default"})
"""The classes that ask for the task as it is. `observed` / `unobserved` say whether the model was tuned on the wording;
`right` is for wordings of which nobody knows; `default` is the task designer's own."""


@dataclass(frozen=True)
class Instruction:
    """One wording of a task.

    `text` is what is asked. `frame` is what it stands in: a template over `{{ instruction }}`, `{{ input }}` and
    `{{ options }}` (or the task's own fields); an empty frame template means that `text` is the whole template.
    `cue` ends the prompt (`Answer:`). `layout` names how options are shown (`surefoot.text.options`), `labels` what
    is to be answered: the option's `letter` or `number`, the `option` text itself, a word for each option, or a
    pattern such as `({l})`. `blocks` adds slots made of the options where no layout fits
    (`surefoot.text.options.Block`); a block named `options` replaces the layout.
    """

    id: str
    text: str
    klass: Klass = "right"
    frame: str = ""
    frame_template: str = ""
    cue: str = ""
    layout: str = "none"
    labels: str | Mapping[str, str] = "option"
    blocks: Mapping[str, Block] = field(default_factory=dict)
    collection: str = ""
    author: str = ""
    category: str = ""
    note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.klass not in KLASSES:
            raise BadInput(f'Instruction "{self.id}" has the class "{self.klass}".{nearest(self.klass, KLASSES)}')
        if not self.text.strip():
            raise BadInput(f'Instruction "{self.id}" has an empty template; write what is asked into "text".')

    @property
    def is_right(self) -> bool:
        """Whether the wording asks for the task as it is, so that the gold answer is the right one."""
        return self.klass in RIGHT

    @property
    def template(self) -> str:
        """The template that is filled in: the frame, or where there is none the text itself."""
        return self.frame_template or self.text
