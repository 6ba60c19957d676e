"""Say what was measured: a progress line, tables for a terminal, and a document for machines."""

from __future__ import annotations

import math
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .chart import amount
from .targets import OURS, judge

if TYPE_CHECKING:
    from .cases import Case
    from .contestants import Contestant
    from .measure import Results

LABEL = 28  # columns
COLUMN = 11
EXCERPT = "bcdefghi"  # the cases of the README's table


def progress_line(rounds: int) -> Callable[[int], None]:
    """Make the callback that keeps one line on standard error up to date; silent where that is no terminal."""
    begin = time.monotonic()

    def show(done: int) -> None:
        if not sys.stderr.isatty():
            return
        left = (time.monotonic() - begin) / done * (rounds - done)
        end = "\n" if done == rounds else ""
        sys.stderr.write(f"\rround {done} of {rounds}, {left:.0f} s left   {end}")
        sys.stderr.flush()

    return show


def figure(value: float) -> str:
    """Print a number with three digits that count; nothing for NaN."""
    if math.isnan(value):
        return ""
    decimals = sum(abs(value) < bound for bound in (1, 10, 100))
    return f"{value:.{decimals}f}" if abs(value) < 100_000 else f"{value:.1e}"


def row(label: str, cells: Iterable[str]) -> str:
    """Lay out one row of a table."""
    return f"{label:<{LABEL}}" + "".join(f"{cell:>{COLUMN}}" for cell in cells)


def heading(cases: Mapping[str, Case]) -> list[str]:
    """Give the two lines that head a table: the letters of the cases and, as far as they fit, their titles."""
    titles = [case.title.replace("2.5 KB", "2.5K").replace("16 KB", "16K") for case in cases.values()]
    return [row("", (f"({letter})" for letter in cases)), row("", (title[: COLUMN - 1] for title in titles))]


def overhead_table(results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case]) -> list[str]:
    """Tabulate the overheads, in microseconds."""
    lines = ["microseconds a request on top of the bare application", *heading(cases)]
    for key, contestant in contestants.items():
        cells = [
            "lost" if (letter, key) in results.lost else figure(results.overhead((letter, key))) for letter in cases
        ]
        lines.append(row(contestant.title, cells))
    return [*lines, "lost: does not find the session behind these cookies"]


def excerpt(results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case]) -> str:
    """Tabulate for the README the overheads of those that keep sessions, in the cases that users ask about."""
    shown = {letter: case for letter, case in cases.items() if letter in EXCERPT}
    lines = heading(shown)[1:]
    for key, contestant in contestants.items():
        if contestant.keeps_sessions:
            values = (results.overhead((letter, key)) for letter in shown)
            lines.append(row(contestant.title, ("-" if math.isnan(value) else amount(value) for value in values)))
    return "\n".join(lines) + "\n"


def ratio_table(results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case]) -> list[str]:
    """Tabulate how many times handstamp's overhead each of the others has."""
    lines = ["times handstamp, within the run", *heading(cases)]
    for key, contestant in contestants.items():
        cells = [figure(results.ratio((letter, key), (letter, OURS))) for letter in cases]
        lines.append(row(contestant.title, cells))
    return lines


def garbage_table(results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case]) -> list[str]:
    """Tabulate the objects that a request leaves to the cyclic collector."""
    lines = ["objects a request leaves to the cyclic collector", *heading(cases)]
    for key, contestant in contestants.items():
        cells = [f"{results.garbage.get((letter, key), math.nan):.0f}".replace("nan", "") for letter in cases]
        lines.append(row(contestant.title, cells))
    return lines


def target_table(results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case]) -> list[str]:
    """Tabulate the targets, met and missed."""
    verdicts = list(judge(results, contestants))
    lines = [f"targets: {sum(verdict.met for verdict in verdicts)} of {len(verdicts)} met"]
    for verdict in verdicts:
        word = "met" if verdict.met else "MISSED"
        case = f"({verdict.letter}) {cases[verdict.letter].title}"
        lines.append(f"  {case:<18}{verdict.ratio:>9.3g} x {verdict.title:<38} at most {verdict.at_most:<5} {word}")
    return lines


def text(
    results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case], versions: Mapping[str, str]
) -> str:
    """Write the whole report for a terminal."""
    parts = [overhead_table(results, contestants, cases), garbage_table(results, contestants, cases)]
    if OURS in contestants:
        parts.insert(1, ratio_table(results, contestants, cases))
        parts.append(target_table(results, contestants, cases))
    parts.append([stage(versions)])
    return "\n\n".join("\n".join(part) for part in parts)


def stage(versions: Mapping[str, str]) -> str:
    """Name the interpreter and the versions that were measured."""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}; {listed}"


def document(
    results: Results, contestants: Mapping[str, Contestant], cases: Mapping[str, Case], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Make the document for machines: medians, ratios, garbage, verdicts and versions."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": dict(versions),
        "rounds": max(map(len, results.overheads.values()), default=0),
        "cases": {letter: case.title for letter, case in cases.items()},
        "lost": sorted(map("/".join, results.lost)),
        "contestants": {key: entry(results, contestant, cases) for key, contestant in contestants.items()},
        "targets": [
            {
                "case": verdict.letter,
                "against": verdict.title,
                "opponent": verdict.opponent,
                "ratio": round(verdict.ratio, 4),
                "at_most": verdict.at_most,
                "met": verdict.met,
            }
            for verdict in judge(results, contestants)
        ],
    }


def entry(results: Results, contestant: Contestant, cases: Iterable[str]) -> dict[str, Any]:
    """Make the part of the document that is about one contestant."""
    key = contestant.key
    return {
        "title": contestant.title,
        "kind": contestant.kind.value,
        "overhead_us": by_case(cases, lambda letter: results.overhead((letter, key))),
        "times_handstamp": by_case(cases, lambda letter: results.ratio((letter, key), (letter, OURS))),
        "garbage": by_case(cases, lambda letter: results.garbage.get((letter, key), math.nan)),
    }


def by_case(cases: Iterable[str], give: Callable[[str], float]) -> dict[str, float]:
    """Give a figure for every case that has one."""
    figures = {letter: give(letter) for letter in cases}
    return {letter: round(value, 3) for letter, value in figures.items() if not math.isnan(value)}
