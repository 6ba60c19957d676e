"""Measure what a session costs a request.

Begin with growth, threads or endtoend to measure those instead; each has a --help of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from . import chart, encrypted, endtoend, growth, report, threads
from .cases import CASES, does_the_work
from .contestants import CONTESTANTS, Contestant, available, versions
from .measure import Key, make_cells, measure, pin

PARTS = {"growth": growth.main, "threads": threads.main, "endtoend": endtoend.main}


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    letters = "".join(CASES)
    keys = [contestant.key for contestant in CONTESTANTS]
    parser.add_argument("--rounds", type=int, default=150, help="how often every cell is visited (150)")
    parser.add_argument("--cases", default=letters, help=f"the letters of the cases, such as bcd ({letters})")
    parser.add_argument("--contestants", nargs="+", default=(), choices=keys, metavar="KEY", help=", ".join(keys))
    parser.add_argument("--encrypted", action="store_true", help="measure encrypted cookies, and nothing but those")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write the chart as SVG")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table of the README")
    return parser.parse_args(arguments)


def find_lost(contestants: dict[str, Contestant], letters: str) -> frozenset[Key]:
    """Find the cells that do not do the work; they are named in the report and not measured."""
    return frozenset(
        (letter, key)
        for key, contestant in contestants.items()
        for letter in letters
        if contestant.keeps_sessions and letter in contestant.cases
        if not does_the_work(contestant, CASES[letter])
    )


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the report."""
    if arguments and arguments[0] in PARTS:
        PARTS[arguments[0]](arguments[1:])
        return
    options = parse_arguments(arguments)
    warnings.simplefilter("ignore")  # the contestants' own
    if options.encrypted:
        pin()
        print(*map("\n".join, encrypted.report(options.rounds)), sep="\n\n")
        return
    contestants, missing = available(options.contestants)
    for key, reason in missing.items():
        print(f"{key} takes no part: {reason}", file=sys.stderr)
    pin()
    cases = {letter: CASES[letter] for letter in options.cases}
    lost = find_lost(contestants, options.cases)
    cells = make_cells(contestants, cases, lost)
    results = measure(cells, options.rounds, report.progress_line(options.rounds))
    results.lost = lost
    named = versions(contestants)
    print(report.text(results, contestants, cases, named))
    if options.json:
        options.json.write_text(json.dumps(report.document(results, contestants, cases, named), indent=1) + "\n")
    if options.chart:
        options.chart.write_text(chart.draw(results, contestants, cases, report.stage(named)))
    if options.table:
        options.table.write_text(report.excerpt(results, contestants, cases))


if __name__ == "__main__":
    main(sys.argv[1:])
