"""A prompt as an immutable sequence of parts with roles, so that no method needs string surgery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from surefoot.errors import BadInput, nearest

Role = Literal["system", "instruction", "demonstration", "context", "input", "cue"]
ROLES: tuple[str, ...] = get_args(Role)


@dataclass(frozen=True)
class Part:
    """A stretch of prompt text and what it is for. The text carries its own white space.

    A *heading* (`Passage: `, `Definition: `) introduces the part behind it and goes where that part goes:
    `without("context")` takes the heading along, `with_instruction` leaves it standing.
    """

    role: Role
    text: str
    heading: bool = False

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise BadInput(f'"{self.role}" is not a prompt role.{nearest(self.role, ROLES)}')


@dataclass(frozen=True)
class Prompt:
    """What a model is asked, before any chat template: `parts` in reading order.

    The user's text is the concatenation of all parts but `system`; the system text is kept apart because chat
    templates place it. A prompt says nothing about tokens: a format (`surefoot.text.formats`) renders it.
    """

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, value: Prompt | str) -> Prompt:
        """A prompt from a prompt (itself) or from a plain string (one `input` part)."""
        return value if isinstance(value, Prompt) else cls((Part("input", value),))

    @property
    def text(self) -> str:
        """All parts but the system message, concatenated."""
        return "".join(part.text for part in self.parts if part.role != "system")

    @property
    def system(self) -> str | None:
        """The system message, or None where the prompt has none (the chat template may then add its own)."""
        texts = [part.text for part in self.parts if part.role == "system"]
        return "".join(texts) if texts else None

    @property
    def cue(self) -> str:
        """The trailing text that invites the answer, for instance `Answer:`; empty where there is none."""
        return "".join(part.text for part in self.parts if part.role == "cue")

    def without(self, *roles: Role) -> Prompt:
        """The prompt with all parts of these roles left out; the same one where it has none of them."""
        rest = tuple(part for part in self.parts if part.role not in roles)
        return self if len(rest) == len(self.parts) else self._with(rest)

    def only(self, *roles: Role) -> Prompt:
        """The prompt reduced to the parts of these roles."""
        return self._with(tuple(part for part in self.parts if part.role in roles))

    def map(self, role: Role, change: Callable[[str], str]) -> Prompt:
        """The prompt with `change` applied to the text of every part of `role` that is not a heading."""
        changes = (replace(p, text=change(p.text)) if p.role == role and not p.heading else p for p in self.parts)
        return self._with(tuple(changes))

    def with_instruction(self, text: str) -> Prompt:
        """The prompt with `text` in the place of its instruction (at its beginning where it has none).

        An instruction that stands in several pieces between the fields becomes one, where its first piece stood;
        the white space around the pieces stays.
        """
        pieces = [i for i, p in enumerate(self.parts) if p.role == "instruction" and not p.heading and p.text.strip()]
        if not pieces:
            return self._with((Part("instruction", text), *self.parts))
        parts = list(self.parts)
        for i in pieces:
            old = parts[i].text
            before, after = old[: len(old) - len(old.lstrip())], old[len(old.rstrip()) :]
            parts[i] = Part("instruction", before + (text if i == pieces[0] else "") + after)
        return self._with(tuple(part for part in parts if part.text))

    def with_system(self, text: str | None) -> Prompt:
        """The prompt with `text` as its system message; None removes the message."""
        rest = self.without("system").parts
        return self._with(rest if text is None else (Part("system", text), *rest))

    def _with(self, parts: tuple[Part, ...]) -> Prompt:
        """The prompt with other parts."""
        return replace(self, parts=parts)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __str__(self) -> str:
        return self.text


Turn = tuple[Literal["user", "assistant"], str]


@dataclass(frozen=True)
class Conversation(Prompt):
    """A prompt with earlier turns before it; `parts` are the system message and the user's last turn."""

    earlier: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class TokenPrompt(Prompt):
    """A prompt that is given as token ids, which the model reads as they are; `parts` hold their text.

    What changes its text makes an ordinary prompt of it.
    """

    ids: tuple[int, ...] = ()

    def _with(self, parts: tuple[Part, ...]) -> Prompt:
        return Prompt(parts)
