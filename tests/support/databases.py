"""PostgreSQL and MariaDB, started on free ports with nothing to keep, and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .missing_programs import skip_or_fail
from .processes import PATIENCE, find_ports, running

#: Where Debian keeps the programs of PostgreSQL, which are on no PATH.
POSTGRESQL = "/usr/lib/postgresql"


@contextmanager
def run_sqlite(directory: Path, port: int | None = None) -> Iterator[str]:
    """Use a file, which has no port; yield its url."""
    directory.mkdir(exist_ok=True)
    yield f"sqlite:///{directory / 'sessions.sqlite'}"


@contextmanager
def run_postgresql(directory: Path, port: int | None = None) -> Iterator[str]:
    """Run a server, as another user if we are root, which it refuses to be; yield its url."""
    programs = find_programs("postgresql", "initdb", "postgres")
    port = port or find_ports(1)[0]
    data = directory / "data"
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if not data.exists():
        directory.mkdir(exist_ok=True)
        data.mkdir(mode=0o700)
        if user:
            open_way(data)
            shutil.chown(data, "nobody", "nogroup")
        options = ["--auth=trust", "--username=tests", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"]
        run_quietly([*user, programs[0], "-D", str(data), *options])
    careless = [f"-c{setting}=off" for setting in ("fsync", "synchronous_commit", "full_page_writes")]
    place = ["-p", str(port), "-h", "127.0.0.1", "-k", "", "-cmax_connections=40", "-cshared_buffers=16MB"]
    command = [*user, programs[1], "-D", str(data), *place, *careless]
    with running(command, directory / "log", signal.SIGINT):  # which does not wait for clients
        url = f"postgresql+psycopg://tests@127.0.0.1:{port}/postgres"
        wait_for_database(url)
        yield url


@contextmanager
def run_mariadb(directory: Path, port: int | None = None) -> Iterator[str]:
    """Run a server; yield its url."""
    programs = find_programs("mariadb-server", "mariadb-install-db", "mariadbd")
    port = port or find_ports(1)[0]
    data = directory / "data"
    user = ["--user=root"] if os.geteuid() == 0 else []
    if not data.exists():
        data.mkdir(parents=True)
        options = ["--skip-test-db", "--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0"]
        run_quietly([programs[0], "--no-defaults", f"--datadir={data}", *options, *user])
    command = [
        programs[1], "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
        f"--socket={directory / 'socket'}", f"--pid-file={directory / 'pid'}", "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", *user,
    ]  # fmt: skip
    with running(command, directory / "log"):
        url = f"mysql+pymysql://root@127.0.0.1:{port}/"
        wait_for_database(url)
        execute(url, "CREATE DATABASE IF NOT EXISTS tests CHARACTER SET latin1")
        yield f"{url}tests"


#: By the name that people give them.
DATABASES = {"sqlite": run_sqlite, "postgresql": run_postgresql, "mariadb": run_mariadb}


def find_programs(server: str, *names: str) -> list[str]:
    """Find programs of a server, on the PATH or where PostgreSQL's are."""
    places = sorted(Path(POSTGRESQL).glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, places), os.environ["PATH"], "/usr/sbin"])
    found = [shutil.which(name, path=path) for name in names]
    if None in found:
        skip_or_fail(server)
    return [program for program in found if program is not None]


def open_way(place: Path) -> None:
    """Let others pass through the directories above a place, up to that of all temporary files."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for parent in place.resolve().parents:
        if parent == temporary:
            return
        parent.chmod(parent.stat().st_mode | 0o011)
    raise RuntimeError(f"{place} is not among the temporary files, so it is not opened to others")


def run_quietly(command: Sequence[str]) -> None:
    """Run a command, and show what it says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr}")


def wait_for_database(url: str) -> None:
    """Wait until a database answers."""
    from sqlalchemy.exc import OperationalError

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return execute(url, "SELECT 1")
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(statement))
