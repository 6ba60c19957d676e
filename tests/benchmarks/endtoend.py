"""Whole servers on the loopback interface: how much of a server's throughput does a session take?

Run ``python -m tests.benchmarks endtoend``. Each server stands with one worker on the first core; wrk, on the last,
drives one application after the other, in random order, for a few rounds. Without wrk there is nothing to see.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING

from .cases import CASES
from .contestants import BARE, CONTESTANTS
from .measure import pin

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

SERVERS = {
    "gunicorn": ["gunicorn", "--workers=1", "--log-level=error", "--bind={address}", "{module}:application()"],
    "waitress": ["waitress", "--threads=1", "--listen={address}", "--call", "{module}:application"],
}
MODULE = "tests.benchmarks.endtoend"
VARIABLE = "HANDSTAMP_BENCHMARK_CELL"  # tells a server process which cell it serves
LETTERS = "bcd"
KEYS = ("handstamp", "beaker")
TABLE = {contestant.key: contestant for contestant in (BARE, *CONTESTANTS)}
ON_LAST_CORE = ["taskset", "--cpu-list", str((os.cpu_count() or 1) - 1)] if shutil.which("taskset") else []
PATIENCE = 10  # seconds for a server to come up

Cell = tuple[str, str]  # the letter of a case, the key of a contestant


def application() -> WSGIApplication:
    """Make the application of one server process."""
    logging.getLogger("waitress").setLevel(logging.ERROR)  # else it writes a line for every request that must wait
    pin(min)
    letter, key = os.environ[VARIABLE].split()
    return TABLE[key].build(CASES[letter].action)


def free_address() -> str:
    """Find an address on the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serve(server: str, cell: Cell) -> Iterator[str]:
    """Run a server process for one cell; give its address."""
    address = free_address()
    command = [part.format(address=address, module=MODULE) for part in SERVERS[server]]
    environment = os.environ | {VARIABLE: " ".join(cell), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen([sys.executable, "-m", *command], env=environment)
    try:
        wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait()


def wait_for(address: str) -> None:
    """Wait until a server listens."""
    host, port = address.split(":")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def drive(wrk: str, address: str, cell: Cell, seconds: int) -> float:
    """Let wrk drive one server; return the requests a second."""
    letter, key = cell
    header = f"Cookie: {CASES[letter].cookie_header(TABLE[key])}"
    command = [*ON_LAST_CORE, wrk, "-t1", "-c4", f"-d{seconds}s", "-H", header, f"http://{address}/"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report:
        raise RuntimeError(report)
    found = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if found is None:
        raise RuntimeError(report)
    return float(found[1])


def compare(server: str, wrk: str, rounds: int, seconds: int) -> dict[Cell, list[float]]:
    """Drive all cells of one kind of server; give the requests a second of every round."""
    cells = [("b", BARE.key), *((letter, key) for letter in LETTERS for key in KEYS)]
    rates: dict[Cell, list[float]] = {cell: [] for cell in cells}
    with ExitStack() as stack:
        addresses = {cell: stack.enter_context(serve(server, cell)) for cell in cells}
        for _ in range(rounds):
            for cell in random.sample(cells, len(cells)):
                rates[cell].append(drive(wrk, addresses[cell], cell, seconds))
    return rates


def table(server: str, rates: Mapping[Cell, list[float]]) -> Iterator[str]:
    """Tabulate one server: requests a second, and the loss against the bare application in per cent."""
    bare = rates["b", BARE.key]
    yield f"{server}: bare {median(bare):,.0f} requests a second"
    for (letter, key), values in rates.items():
        if key != BARE.key:
            loss = median(1 - value / floor for value, floor in zip(values, bare, strict=True))
            yield f"  {CASES[letter].title:<10} {key:<10} {median(values):>8,.0f}   {loss:>6.1%} less"


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks endtoend", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="how long wrk drives a server in a round (2)")
    options = parser.parse_args(arguments)
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not installed: nothing was driven")
    for server in SERVERS:
        rates = compare(server, wrk, options.rounds, options.seconds)
        print("\n".join(table(server, rates)), flush=True)
