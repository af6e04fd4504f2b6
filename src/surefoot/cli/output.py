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
    """The tables of a reading, and a note where its model has seen some of it in training."""
    from surefoot.report import summary_table
    from surefoot.runs.trained import trained_note

    print_tables(summary_table(reading.summary))
    if note := trained_note(reading.record):
        typer.echo(f"\nNote: {note}")


def print_tables(group: Any) -> None:
    """Tables for a rich console; where no terminal listens, wide enough to stay whole."""
    from rich.console import Console

    console = Console(emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, 110)
    console.print(group)


def print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
