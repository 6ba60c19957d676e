"""Redis servers, started on free ports, with nothing on the disk, and stopped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
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
def run_redis(directory: Path, *options: str, port: int | None = None, settings: Path | None = None) -> Iterator[int]:
    """Run a server; yield its port."""
    program = shutil.which("redis-server")
    if program is None:
        skip_or_fail("there is no redis-server on this machine")
    port = port or find_ports(1)[0]
    directory.mkdir(exist_ok=True)
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    place += ["--repl-diskless-sync-delay", "0"]  # a replica need not wait for others to come
    with (directory / "log").open("wb") as log:
        files = ["--save", "", "--appendonly", "no"] if settings is None else []
        command = [program, *([str(settings)] if settings else []), *place, *files, *options]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def run_cluster(directory: Path, masters: int = 3, replicas: int = 0) -> Iterator[list[int]]:
    """Run a Cluster, its masters with so many replicas each; yield the ports of its servers."""
    with ExitStack() as stack:
        ports = []
        for number, bus in enumerate(find_ports(masters * (1 + replicas))):
            options = ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "1000"]
            ports.append(stack.enter_context(run_redis(directory / str(number), *options)))
        addresses = [f"127.0.0.1:{port}" for port in ports]
        create = ["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", str(replicas), "--cluster-yes"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        wait_for_slots(ports)
        yield ports


@contextmanager
def run_sentinel(directory: Path, name: str = "sessions") -> Iterator[tuple[int, list[int]]]:
    """Run a primary, its replica and a Sentinel; yield the Sentinel's port and theirs."""
    with ExitStack() as stack:
        primary = stack.enter_context(run_redis(directory / "primary"))
        of = ["--replicaof", f"127.0.0.1 {primary}"]
        replica = stack.enter_context(run_redis(directory / "replica", *of))
        (directory / "sentinel").mkdir()
        settings = directory / "sentinel" / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor {name} 127.0.0.1 {primary} 1\nsentinel down-after-milliseconds {name} 500\n"
            f"sentinel failover-timeout {name} 2000\n"
        )
        port = stack.enter_context(run_redis(directory / "sentinel", "--sentinel", settings=settings))
        wait_until(lambda: b"slaves=1" in ask(port, "info", "sentinel"), "Sentinel does not see the replica")
        wait_until(lambda: b"master_link_status:up" in ask(replica, "info", "replication"), "the replica is not up")
        yield port, [primary, replica]


def ask(port: int, *command: str) -> bytes:
    """Return what a server answers; nothing if it does not."""
    return subprocess.run(["redis-cli", "-p", str(port), *command], capture_output=True).stdout


def kill(port: int) -> None:
    """End a server as kill -9 does."""
    found = re.search(rb"process_id:(\d+)", ask(port, "info", "server"))
    if found is None:
        raise RuntimeError(f"nobody answers on port {port}")
    os.kill(int(found[1]), signal.SIGKILL)


def wait_for_slots(ports: list[int]) -> None:
    """Wait until every server of a Cluster knows all slots and servers, and every replica has its copy."""
    wait_until(
        lambda: all(
            b"cluster_state:ok" in ask(port, "cluster", "info")
            and {b"%d" % each for each in ports} <= set(ask(port, "cluster", "slots").split())
            and b"master_link_status:down" not in ask(port, "info", "replication")
            for port in ports
        ),
        "the Cluster does not come up",
    )


def wait_until(is_so: Callable[[], bool], problem: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(problem)
        time.sleep(0.05)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a program listens."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args} does not listen")
