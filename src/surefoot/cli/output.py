"""What commands print, and where their files go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer


def report_path(folder: str) -> Path:
    """Beside the rows where they are local, else in the working folder."""
    if "://" in folder:
        return Path(f"{folder.rstrip('/').rsplit('/', 1)[-1]}.html")
    return Path(folder) / "report.html"


def print_reading(reading: Any) -> None:
    from rich.console import Console

    from surefoot.report import summary_table

    console = Console(emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, 110)
    console.print(summary_table(reading.summary))


def print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
