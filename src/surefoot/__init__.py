"""Surefoot: find where an instruction-tuned language model slips, give it grip, and prove that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.comparison import compare
    from surefoot.models.load import load
    from surefoot.models.scripted import ScriptedModel
    from surefoot.probes import probe
    from surefoot.side_by_side import ask
    from surefoot.text.prompt import Prompt
    from surefoot.treatments import treat

__version__ = "0.1.0"
__all__ = ["Prompt", "ScriptedModel", "ask", "compare", "load", "probe", "treat"]

_WHERE = {
    "load": "surefoot.models.load",
    "probe": "surefoot.probes",
    "treat": "surefoot.treatments",
    "compare": "surefoot.comparison",
    "ask": "surefoot.side_by_side",
    "ScriptedModel": "surefoot.models.scripted",
    "Prompt": "surefoot.text.prompt",
}


def __getattr__(name: str) -> Any:
    """Verbs are imported when they are first used, so that `import surefoot` costs nothing."""
    if name not in _WHERE:
        raise AttributeError(f"surefoot has no {name!r}; it offers {', '.join(__all__)}.")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)
