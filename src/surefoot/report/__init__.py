"""Reports: one HTML file from a run, a fragment for notebooks, tables for the terminal. Nothing here knows a model.

Charts are small SVGs whose horizontal positions are percentages, so one drawing fits a phone, a screen and a page,
follows the reader's light or dark setting through CSS, and needs neither a script nor a rendering engine.
"""

from __future__ import annotations

from surefoot.probes.first_prompts import FirstPrompt
from surefoot.report.html import summary_html, summary_table, summary_text, write_report

__all__ = ["FirstPrompt", "summary_html", "summary_table", "summary_text", "write_report"]
