"""Draw the chart of the README: one row a contestant, one panel a kind of request, one scale for all.

The picture is SVG text without scripts, fonts or links, on a card of its own, so that it reads the same as ``<img>`` on
a light page and on a dark one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from .contestants import Kind

if TYPE_CHECKING:
    from .cases import Case
    from .contestants import Contestant
    from .measure import Results

PANELS = {"b": "not used", "c": "one value read", "d": "one value written"}
TITLE = "What a session costs a request"
SUBTITLE = "microseconds on top of the bare application, signed cookie of 82 bytes of JSON; shorter is better"
LIMIT_TITLE = "cryptography + JSON alone"
REQUEST_ONLY = "* makes its request object only; there is no session until one is asked for"

WIDTH, MARGIN, LABELS, GAP = 880, 28, 196, 20
PANEL = (WIDTH - 2 * MARGIN - LABELS - (len(PANELS) - 1) * GAP) / len(PANELS)
BAR = PANEL - 44  # leaves room for the figure behind the longest bar
TOP, ROW, THICK, LINE = 116, 27, 15, 16

STYLE = """\
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2328 }
.title { font-size: 20px; font-weight: 650 } .muted { fill: #59636e; font-size: 12.5px } .small { font-size: 11px }
.panel { font-size: 13px; font-weight: 600 } .label { font-size: 13px } .figure { font-size: 12px; fill: #59636e }
.bar { fill: #b4bfcb } .limit { fill: #ffffff; stroke: #8c959f; stroke-dasharray: 3 2 } .axis { stroke: #d0d7de }
.ours .bar { fill: #c2410c } .ours text { fill: #c2410c; font-weight: 650 }"""


def draw(results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case], stage: str) -> str:
    """Draw the chart of those panels whose cases were measured."""
    panels = {letter: title for letter, title in PANELS.items() if letter in cases}
    rows = order(results, contestants)
    longest = max((results.overhead((letter, row.key)) for letter in panels for row in rows), default=1)
    bottom = TOP + ROW * len(rows)
    notes = [REQUEST_ONLY, *wrap(stage, 140)]
    height = bottom + 30 + LINE * len(notes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="title">',
        f'<title id="title">{escape(describe(results, rows, panels))}</title>',
        f"<style>{STYLE}</style>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10" fill="#ffffff" stroke="#d0d7de"/>',
        text(MARGIN, 42, TITLE, "title"),
        text(MARGIN, 64, SUBTITLE, "muted"),
        *draw_heads(panels, bottom),
        *draw_rows(results, rows, panels, BAR / longest),
        *(text(MARGIN, bottom + 26 + LINE * index, note, "muted small") for index, note in enumerate(notes)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def order(results: Results, contestants: Mapping[str, Contestant]) -> list[Contestant]:
    """Sort the contestants that keep sessions by the cost of a read, the limit last."""
    rows = [contestant for contestant in contestants.values() if contestant.keeps_sessions]
    return sorted(rows, key=lambda row: (row.kind is Kind.YARDSTICK, results.overhead(("c", row.key))))


def name(contestant: Contestant) -> str:
    """Name a contestant for readers who do not know the benchmark."""
    return LIMIT_TITLE if contestant.kind is Kind.YARDSTICK else contestant.title


def describe(results: Results, rows: Iterable[Contestant], panels: Mapping[str, str]) -> str:
    """Say in words what the chart shows, for those who cannot see it."""
    figures = (
        f"{name(row)} " + ", ".join(amount(results.overhead((letter, row.key))) for letter in panels) for row in rows
    )
    return f"{TITLE}: {SUBTITLE}. {', '.join(panels.values())}: {'; '.join(figures)}."


def left_edges(panels: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Give every panel its left edge."""
    for index, letter in enumerate(panels):
        yield letter, MARGIN + LABELS + index * (PANEL + GAP)


def draw_heads(panels: Mapping[str, str], bottom: float) -> Iterator[str]:
    """Draw the titles of the panels and the line at which their bars begin."""
    for letter, left in left_edges(panels):
        yield text(left, TOP - 18, panels[letter], "panel")
        yield f'<line class="axis" x1="{left:.1f}" y1="{TOP - 6}" x2="{left:.1f}" y2="{bottom}"/>'


def draw_rows(results: Results, rows: Iterable[Contestant], panels: Mapping[str, str], scale: float) -> Iterator[str]:
    """Draw a row for each contestant: its name, and a bar and a figure in every panel."""
    for index, row in enumerate(rows):
        top = TOP + index * ROW
        yield '<g class="ours">' if row.kind is Kind.OURS else "<g>"
        yield text(MARGIN, top + 12, name(row), "label")
        for letter, left in left_edges(panels):
            value = results.overhead((letter, row.key))
            length = 0 if math.isnan(value) else max(1.5, value * scale)
            shape = "bar limit" if row.kind is Kind.YARDSTICK else "bar"
            yield f'<rect class="{shape}" x="{left:.1f}" y="{top}" width="{length:.1f}" height="{THICK}" rx="2"/>'
            mark = "*" if letter in row.shown_only else ""
            yield text(left + length + 6, top + 12, amount(value) + mark, "figure")
        yield "</g>"


def amount(value: float) -> str:
    """Print microseconds with as many digits as a reader needs."""
    if math.isnan(value):
        return "not measured"
    return f"{value:.0f}" if value >= 10 else f"{max(value, 0):.1f}"


def text(left: float, base: float, content: str, style: str) -> str:
    """Write a line of text."""
    return f'<text class="{style}" x="{left:.1f}" y="{base:.1f}">{escape(content)}</text>'
