"""Programs that run while a block runs, and ports for them."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30  # seconds


#: Below those that the system gives to clients: no connection takes a port before the program that it was found for.
_PORTS = range(10_000, 32_768)
_found: set[int] = set()
# Not the generator that hypothesis seeds: processes that test at once would all look at the same ports.
_chance = random.SystemRandom()


def find_ports(number: int) -> list[int]:
    """Find free ports, none of which was found before: its program may not have started yet."""
    ports: list[int] = []
    while len(ports) < number:
        port = _chance.choice(_PORTS)
        if port not in _found and is_free(port):
            _found.add(port)
            ports.append(port)
    return ports


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextmanager
def running(
    command: Sequence[str], log: Path, ending: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while the block runs; tell it by a signal to end."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd="/")
    try:
        yield process
    finally:
        process.send_signal(ending)
        process.wait(PATIENCE)


def wait_until(is_so: Callable[[], bool], problem: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(problem)
        time.sleep(0.05)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    """Wait until a program listens.

    :param log: what the program said, for the error if it does not
    """
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    said = log.read_text(errors="replace") if log else ""
    raise RuntimeError(f"{process.args!r} does not listen\n{said}")
