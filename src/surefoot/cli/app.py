"""The command line's root; each file beside this one adds its verbs."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="surefoot",
    help="Find where an instruction-tuned language model slips, give it grip, and prove that it holds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Every command takes --debug, which shows the traceback of an error.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
