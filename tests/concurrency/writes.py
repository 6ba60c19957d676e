"""Many processes write to different keys of one session; then whoever was told that it was saved must find it."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from tests.support.databases import DATABASES

from .servers import running
from .sites import SITES, Client


class Count(NamedTuple):
    """What became of the writes."""

    acknowledged: int
    lost: int


def _write_key(key: str, session: Any) -> None:
    session[key] = 1


def write(name: str, url: str, cookie: str, process: int, number: int) -> list[str]:
    """Write one key after the other, a request each; return those that were acknowledged."""
    visitor = Client(SITES[name], url)
    acknowledged = []
    for turn in range(number):
        visitor.cookie = cookie
        key = f"{process}.{turn}"
        visitor.visit(partial(_write_key, key))
        acknowledged.append(key)
    return acknowledged


def count(name: str, url: str, processes: int, number: int) -> Count:
    """Have processes write at once, and count what is missing afterwards."""
    visitor = Client(SITES[name], url)
    visitor.visit(lambda session: session.__setitem__("user", "ada"))
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        tasks = [(name, url, visitor.cookie, process, number) for process in range(processes)]
        acknowledged = {key for keys in pool.starmap(write, tasks, chunksize=1) for key in keys}
    return Count(len(acknowledged), len(find_lost(visitor, acknowledged)))


def find_lost(visitor: Client, acknowledged: Iterable[str]) -> list[str]:
    """Return the keys that were acknowledged and are not there."""
    kept = visitor.visit(set)
    return [key for key in acknowledged if key not in kept]


def main(arguments: Sequence[str]) -> None:
    """Print what each library loses."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency writes", description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--writes", type=int, default=1000, help="of each process")
    parser.add_argument("--sites", nargs="+", choices=SITES, default=["handstamp", "flask-session", "beaker"])
    parser.add_argument("--store", default="redis", choices=["redis", *DATABASES])
    options = parser.parse_args(arguments)
    with running(options.store) as url:
        for name in options.sites:
            print(f"{name:14}", *count(name, url, options.processes, options.writes)._asdict().items(), flush=True)
