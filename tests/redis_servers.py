"""Redis servers, started on free ports, with nothing on the disk, and stopped."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from missing import skip_or_fail

PATIENCE = 30  # seconds


def find_ports(number: int) -> list[int]:
    """Find free ports."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def run_redis(directory: Path, *options: str, port: int | None = None) -> Iterator[int]:
    """Run a server; yield its port."""
    program = shutil.which("redis-server")
    if program is None:
        skip_or_fail("there is no redis-server on this machine")
    port = port or find_ports(1)[0]
    directory.mkdir(exist_ok=True)
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    with (directory / "log").open("wb") as log:
        command = [program, *place, "--save", "", "--appendonly", "no", *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def run_cluster(directory: Path, masters: int = 3) -> Iterator[int]:
    """Run a Cluster without replicas; yield the port of one of its servers."""
    with ExitStack() as stack:
        ports = []
        for number, bus in enumerate(find_ports(masters)):
            options = ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            ports.append(stack.enter_context(run_redis(directory / str(number), *options)))
        addresses = [f"127.0.0.1:{port}" for port in ports]
        create = ["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        wait_for_slots(ports)
        yield ports[0]


def wait_for_slots(ports: list[int]) -> None:
    """Wait until every server of a Cluster knows of all slots."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ask = (["redis-cli", "-p", str(port), "cluster", "info"] for port in ports)
        if all(b"cluster_state:ok" in subprocess.run(each, check=True, capture_output=True).stdout for each in ask):
            return
        time.sleep(0.05)
    raise RuntimeError("the Cluster does not come up")


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server listens."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("redis-server does not listen")
