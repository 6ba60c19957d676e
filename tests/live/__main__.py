"""Let 64 visitors at servers, and say what came of it: ``python -m tests.live``.

The visitors are spread over a process each core; each server has the given number of workers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .load import crowd
from .servers import serve

#: What each server is told beside what the tests tell it.
OPTIONS = {
    "gunicorn-gthread": ["--workers=2", "--threads=8", "--keep-alive=30", "--worker-connections=1000"],
    "granian": ["--workers=2", "--blocking-threads=8"],
}


def crowd_here(port: int, names: Sequence[str], requests: int) -> Counter[str]:
    """Have a crowd in this process."""
    return asyncio.run(crowd(port, names, requests))


def load(server: str, visitors: int, requests: int, directory: Path) -> Counter[str]:
    """Have a crowd at a server, from a process for each core."""
    processes = min(os.cpu_count() or 1, visitors)
    names = [f"visitor{number}" for number in range(visitors)]
    with serve(server, directory, options=OPTIONS[server]) as port, ProcessPoolExecutor(processes) as pool:
        share = -(-requests // processes)
        groups = [pool.submit(crowd_here, port, names[start::processes], share) for start in range(processes)]
        return sum((group.result() for group in groups), Counter())


def main(arguments: Sequence[str] | None = None) -> int:
    """Have the crowds, and print the figures; the status tells whether everybody saw their own."""
    parser = argparse.ArgumentParser(prog="python -m tests.live", description=__doc__)
    parser.add_argument("servers", nargs="*", default=list(OPTIONS), help=f"from {', '.join(OPTIONS)}; all")
    parser.add_argument("--visitors", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000, help="to each server (10000)")
    options = parser.parse_args(arguments)
    if unknown := set(options.servers) - set(OPTIONS):
        parser.error(f"no load for {', '.join(sorted(unknown))}")
    for server in options.servers:
        with tempfile.TemporaryDirectory() as directory:
            began = time.perf_counter()
            seen = load(server, options.visitors, options.requests, Path(directory))
            seconds = time.perf_counter() - began
        print(
            f"{server}: {seen.total():,} requests of {options.visitors} visitors, all answered with their own session,"
        )
        print(
            f"  in {seconds:,.0f} s: {', '.join(f'{path} {number:,}' for path, number in sorted(seen.items()))}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
