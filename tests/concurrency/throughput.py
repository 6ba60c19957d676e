"""Requests per second that read and that write a session in Redis, beside other libraries, round by round."""

from __future__ import annotations

import argparse
import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from .servers import running
from .sites import SITES, Client

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


# -- in each process --------------------------------------------------------------------------------------------------

_visitors: dict[str, Client] = {}


def start(names: Sequence[str], url: str) -> None:
    """Begin a session at each site."""
    for name in names:
        _visitors[name] = Client(SITES[name], url)
        _visitors[name].visit(begin)


def work(name: str, case: str, number: int) -> int:
    """Send requests, one after the other; return how often the session was written."""
    visitor, action = _visitors[name], CASES[case]
    for _ in range(number):
        visitor.visit(action)
    return int(visitor.visit(lambda session: session.get("n", 0)))


# -- in the one that counts -------------------------------------------------------------------------------------------


def compare(
    names: Sequence[str], url: str, processes: int, rounds: int, number: int
) -> dict[str, dict[str, list[float]]]:
    """Return requests per second by case and name, a figure a round; in each round all take part, in random order."""
    found: dict[str, dict[str, list[float]]] = {case: {name: [] for name in names} for case in CASES}
    written = dict.fromkeys(names, 0)
    # As many sessions as processes: where one waits for Redis, another works, as on a server that has much to do.
    with multiprocessing.get_context("spawn").Pool(processes, start, (names, url)) as pool:
        for _ in range(rounds):
            for case in CASES:
                for name in random.sample(names, len(names)):
                    begun = time.perf_counter()
                    done = pool.starmap(work, [(name, case, number)] * processes, chunksize=1)
                    found[case][name].append(number * processes / (time.perf_counter() - begun))
                    written[name] = max(written[name], *done)
    if not all(written.values()):
        raise RuntimeError(f"not everybody has written what they were told: {written}")
    return found


def main(arguments: Sequence[str]) -> None:
    """Print medians, and how many times as many requests handstamp answers."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency throughput", description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--requests", type=int, default=100, help="of each process in each round")
    parser.add_argument("--sites", nargs="+", choices=SITES, default=["handstamp", "flask-session", "django", "beaker"])
    options = parser.parse_args(arguments)
    with running("redis") as url:
        found = compare(options.sites, url, options.processes, options.rounds, options.requests)
    for case, rates in found.items():
        for name, figures in rates.items():
            ratio = median(ours / theirs for ours, theirs in zip(rates[options.sites[0]], figures, strict=True))
            print(f"{case:6} {name:14} {median(figures):8.0f} a second, {options.sites[0]} answers {ratio:.2f} x")
