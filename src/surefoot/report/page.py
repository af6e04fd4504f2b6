"""The page around the sections: templates that escape everything, one style sheet, a policy that lets nothing in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.report import classes, numbers, strip

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of a report: its anchor, its heading, its HTML (already escaped)."""

    id: str
    title: str
    body: Markup


def render(template: str, **values: Any) -> Markup:
    """The filled template. Every value is made visible (`numbers.visible`) and escaped."""
    from markupsafe import Markup

    return Markup(_environment().get_template(template).render(**values))


def page(title: str, head: Markup, sections: Sequence[Section], styles: Sequence[str] = ()) -> str:
    """A whole HTML document: no script, no request, one style sheet allowed by its hash.

    `styles` names the files beside `surefoot.css` that this kind of report adds to it.
    """
    from markupsafe import Markup

    style = "".join((HERE / name).read_text(encoding="utf-8") for name in ("surefoot.css", *styles))
    return str(
        render("page.jinja", title=title, head=head, sections=sections, policy=policy(style), style=Markup(style))
    )


def policy(style: str) -> str:
    """The content security policy: nothing may be loaded or run but the style sheet with this hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals.update(
        percent=numbers.percent,
        points=numbers.points,
        signed_points=numbers.signed_points,
        ends=numbers.ends,
        p_value=numbers.p_value,
        p_bare=numbers.p_bare,
        count=numbers.count,
        place=strip.place,
        is_right=classes.is_right,
        symbol=classes.symbol,
    )
    return environment


def _finalize(value: Any) -> Any:
    from markupsafe import Markup

    return numbers.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
