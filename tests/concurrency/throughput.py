"""Requests per second that read and that write a session in Redis, beside other libraries, round by round."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from .servers import running
from .visitors import SITES, Visitor

Action = Callable[[Any], Any]


def read(session: Any) -> Any:
    """Read one key."""
    return session["user"]


def write(session: Any) -> None:
    """Write one key, another value each time."""
    session["n"] = session.get("n", 0) + 1


#: What is done to a session with three keys.
CASES: dict[str, Action] = {"read": read, "write": write}


def begin(session: Any) -> None:
    """Begin a session of the size of most."""
    session["user"] = 4711
    session["token"] = "0123456789abcdef" * 2
    session["cart"] = [1, 2, 3, 4, 5]


def measure(visitor: Visitor, action: Action, number: int) -> float:
    """Return requests per second."""
    start = time.perf_counter()
    for _ in range(number):
        visitor.visit(action)
    return number / (time.perf_counter() - start)


def compare(names: Sequence[str], url: str, rounds: int, number: int) -> dict[str, dict[str, list[float]]]:
    """Return requests per second by case and name, a figure a round; in each round all take part, in random order."""
    visitors = {name: Visitor(SITES[name], url) for name in names}
    for visitor in visitors.values():
        visitor.visit(begin)
    found: dict[str, dict[str, list[float]]] = {case: {name: [] for name in names} for case in CASES}
    for _ in range(rounds):
        for case, action in CASES.items():
            for name in random.sample(names, len(names)):
                found[case][name].append(measure(visitors[name], action, number))
    for name, visitor in visitors.items():
        if visitor.visit(lambda session: session["n"]) != rounds * number:
            raise RuntimeError(f"{name} has not written what it was told")
    return found


def main(arguments: Sequence[str]) -> None:
    """Print medians, and how many times as many requests handstamp answers."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency throughput", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--requests", type=int, default=100, help="of each round")
    parser.add_argument("--sites", nargs="+", choices=SITES, default=["handstamp", "flask-session", "django", "beaker"])
    options = parser.parse_args(arguments)
    with running("redis") as url:
        found = compare(options.sites, url, options.rounds, options.requests)
    for case, rates in found.items():
        for name, figures in rates.items():
            ratio = median(ours / theirs for ours, theirs in zip(rates[options.sites[0]], figures, strict=True))
            print(f"{case:6} {name:14} {median(figures):8.0f} a second, {options.sites[0]} answers {ratio:.2f} x")
