"""Templates: text with `{{ field }}` slots, in jinja's syntax and nothing else of it.

A template is data from a file that may come from anywhere, so it is parsed and never executed: anything but plain
text and a bare field name is refused. A line that ends in a colon right before a field is that field's *heading*.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.text.prompt import Part, Role


class Segment(NamedTuple):
    """Literal text (`field` is None) or a slot named `field` (`text` is empty)."""

    text: str
    field: str | None = None


@lru_cache(maxsize=4096)
def parse_template(template: str) -> tuple[Segment, ...]:
    """The template's literal stretches and slots, in order.

    Raises `BadInput` for anything that is not plain text or `{{ name }}`.
    """
    import jinja2

    try:
        nodes = jinja2.Environment(keep_trailing_newline=True, autoescape=False).parse(template).body
    except jinja2.TemplateSyntaxError as error:
        raise BadInput(f"The template {_quote(template)} cannot be read: {error.message}.") from None
    segments: list[Segment] = []
    for node in nodes:
        if not isinstance(node, jinja2.nodes.Output):
            raise BadInput(_only_fields(template))
        for part in node.nodes:
            if isinstance(part, jinja2.nodes.TemplateData):
                segments.append(Segment(part.data))
            elif isinstance(part, jinja2.nodes.Name):
                segments.append(Segment("", part.name))
            else:
                raise BadInput(_only_fields(template))
    return tuple(segments)


def fields_of(template: str) -> tuple[str, ...]:
    """The names of the slots, in order of their first appearance."""
    return tuple(dict.fromkeys(segment.field for segment in parse_template(template) if segment.field))


Value = str | tuple[Part, ...]


def render(
    template: str, values: Mapping[str, Value], roles: Mapping[str, Role], literal: Role = "instruction"
) -> tuple[Part, ...]:
    """The template's parts: literals have the role `literal`, slots the role that `roles` gives (default `input`).

    A value may itself be a tuple of parts, which then keep their roles. Values are inserted as they are: braces in
    an item's text mean nothing. The heading of an empty field is left out.
    """
    parts: list[Part] = []
    segments = parse_template(template)
    for index, segment in enumerate(segments):
        if segment.field is None:
            following = segments[index + 1].field if index + 1 < len(segments) else None
            parts.extend(_literal(Part(literal, segment.text), following, values, roles))
        else:
            parts.extend(_slot(segment.field, template, values, roles))
    return tuple(part for part in parts if part.text)


_HEADING = re.compile(r"(?:^|(?<=\n))[^\n]*:[ \t]*\n?\Z")


def _literal(
    part: Part, following: str | None, values: Mapping[str, Value], roles: Mapping[str, Role]
) -> tuple[Part, ...]:
    match = _HEADING.search(part.text) if following else None
    if following is None or match is None:
        return (part,)
    body = Part(part.role, part.text[: match.start()])
    value = values.get(following)
    if not value:
        return (body,)
    role = value[0].role if isinstance(value, tuple) else roles.get(following, "input")
    return (body, Part(role, match.group(), heading=True))


def _slot(field: str, template: str, values: Mapping[str, Value], roles: Mapping[str, Role]) -> tuple[Part, ...]:
    if field not in values:
        raise BadInput(f'The template {_quote(template)} asks for the field "{field}".{nearest(field, values)}')
    value = values[field]
    return value if isinstance(value, tuple) else (Part(roles.get(field, "input"), value),)


def _only_fields(template: str) -> str:
    return (
        f"The template {_quote(template)} holds more than text and plain fields; "
        "write {{ name }} for a field and nothing else between braces."
    )


def _quote(template: str) -> str:
    short = template if len(template) <= 60 else template[:57] + "..."
    return f'"{short}"'.replace("\n", "\\n")
