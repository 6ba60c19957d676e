"""Redis servers, started on free ports, with nothing on the disk, and stopped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .missing_programs import skip_or_fail
from .processes import PATIENCE, find_ports, running, wait_for, wait_until


@contextmanager
def run_redis(directory: Path, *options: str, port: int | None = None, settings: Path | None = None) -> Iterator[int]:
    """Run a server; yield its port."""
    program = shutil.which("redis-server")
    if program is None:
        skip_or_fail("redis-server")
    port = port or find_ports(1)[0]
    directory.mkdir(exist_ok=True)
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    place += ["--repl-diskless-sync-delay", "0"]  # a replica need not wait for others to come
    # A Sentinel has a file of settings, and nothing else to keep.
    files = [str(settings)] if settings else []
    nothing = [] if settings else ["--save", "", "--appendonly", "no"]
    with running([program, *files, *place, *nothing, *options], directory / "log") as process:
        wait_for(port, process)
        yield port


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
    return subprocess.run(["redis-cli", "-p", str(port), *command], capture_output=True, check=False).stdout


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
