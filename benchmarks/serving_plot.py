"""Tokens a second and time to the first token against the number of clients, as one SVG.

python benchmarks/serving_plot.py serving.json docs/serving.svg
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surefoot.report.scatter import ticks

WIDTH, HEIGHT, LEFT, GAP = 240.0, 200.0, 48.0, 72.0
COLOURS = ("#1f5f8b", "#b5552b", "#5b7f3a")
PANELS = (("rate", "tokens/s, all clients together"), ("first", "seconds to the first token, median"))


def drawn(rows: Sequence[dict[str, Any]]) -> str:
    """The two panels beside each other, one line a server. Rows have `server`, `clients`, `rate` and `first`."""
    servers = list(dict.fromkeys(row["server"] for row in rows))
    parts = [panel(rows, servers, *which, LEFT + k * (WIDTH + GAP)) for k, which in enumerate(PANELS)]
    for k, name in enumerate(servers):
        y = HEIGHT + 62 + 18 * k
        parts.append(f'<path d="M{LEFT} {y - 4}h24" stroke="{COLOURS[k % 3]}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + 32}" y="{y}">{name}</text>')
    size = (LEFT + 2 * WIDTH + GAP + 16, HEIGHT + 90 + 18 * len(servers))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -24 {size[0]:g} {size[1]:g}"
 font-family="sans-serif" font-size="12" fill="#222" role="img" aria-label="The server under 1 to 16 clients">
<rect x="0" y="-24" width="100%" height="100%" fill="#fff"/>
{chr(10).join(parts)}
</svg>
"""


def panel(rows: Sequence[dict[str, Any]], servers: Sequence[str], key: str, title: str, left: float) -> str:
    """One measure. Clients are spaced by their logarithm."""
    most = max(math.log2(row["clients"]) for row in rows) or 1.0
    top = 1.1 * max(row[key] for row in rows)

    def at(row: dict[str, Any]) -> tuple[float, float]:
        return left + (0.04 + 0.92 * math.log2(row["clients"]) / most) * WIDTH, HEIGHT * (1 - row[key] / top)

    marks = [f'<path d="M{left} 0V{HEIGHT}H{left + WIDTH}" stroke="#888" fill="none"/>']
    for name, colour in zip(servers, COLOURS, strict=False):
        points = [at(row) for row in rows if row["server"] == name]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        marks.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        marks += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
    for value in ticks(0, top):
        marks.append(
            f'<text x="{left - 8}" y="{HEIGHT * (1 - value / top) + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for clients in sorted({row["clients"] for row in rows}):
        x, _ = at({"clients": clients, key: 0})
        marks.append(f'<text x="{x:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{clients}</text>')
    marks.append(f'<text x="{left + WIDTH / 2}" y="{HEIGHT + 38}" text-anchor="middle">clients at the same time</text>')
    marks.append(f'<text x="{left - 8}" y="-10">{title}</text>')
    return "\n".join(marks)


if __name__ == "__main__":
    table = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(drawn(table["rows"]), encoding="utf-8")
