"""The servers: on real sockets each serves what the examples promise, and sends files by its own means."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.servers import SERVERS, find_missing, serve
from tests.support.framework_steps import STEPS
from tests.support.http_client import forward_to
from tests.support.missing_programs import skip_or_fail
from tests.support.paths import ROOT
from tests.support.visitor import Visitor

SIZE = 50_000_000
WRAPPING = [name for name, server in SERVERS.items() if server.wraps_files]
COPYING = [name for name, server in SERVERS.items() if server.calls_sendfile]
PAGES = {"/file": False, "/file-after-a-look": True}


@pytest.fixture
def directory(name: str) -> Iterator[Path]:
    """Make a directory that others may enter, for Apache does not serve as root."""
    if missing := find_missing(name):
        skip_or_fail(missing)
    with tempfile.TemporaryDirectory(prefix="live-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def file(directory: Path) -> Path:
    """Write a big file, of which no part is like another."""
    path = directory / "file"
    path.write_bytes(os.urandom(SIZE))
    return path


def test_table_has_every_server() -> None:
    """The table of what was run has a row for each server, which says truly whether it wraps and copies files."""
    text = (ROOT / "examples" / "README.rst").read_text(encoding="utf-8")
    chapter = text.partition("\nServers\n")[2].partition("\nMoving in\n")[0]
    rows = re.findall(r"^   \* - (\S+)\n     - .+\n     - (.+)\n     -(.*)$", chapter, re.MULTILINE)
    told = {name: (wrapper == "its own object", "sendfile" in kernel) for name, wrapper, kernel in rows}
    told.pop("Server", None)
    assert told == {name: (server.wraps_files, server.calls_sendfile) for name, server in SERVERS.items()}


def visit_file(port: int, page: str, file: Path) -> None:
    """Get the file whole, with Vary exactly where its page has looked at the session."""
    reply = Visitor(forward_to(port)).get(page)
    assert reply.code == 200
    assert hashlib.sha256(reply.body).digest() == hashlib.sha256(file.read_bytes()).digest()
    assert (reply.varies, reply.every("Set-Cookie")) == (PAGES[page], [])


@pytest.mark.parametrize("name", SERVERS)
def test_scenario(name: str, directory: Path) -> None:
    """Every step of the scenario holds on every server, and no server has anything to complain of."""
    with serve(name, directory) as port:
        for step in STEPS:
            step(Visitor(forward_to(port)))
    assert "Traceback" not in (directory / "log").read_text()


@pytest.mark.parametrize("name", WRAPPING)
def test_server_gets_its_own_wrapper(name: str, directory: Path, file: Path) -> None:
    """A file comes whole, and the server gets back the very object that its file wrapper made, session read or not."""
    note = directory / "note"
    with serve(name, directory, LIVE_FILE=str(file), LIVE_NOTE=str(note)) as port:
        for page in PAGES:
            visit_file(port, page, file)
            assert json.loads(note.read_text())["own"] is True
            note.unlink()


@pytest.mark.parametrize("name", COPYING)
def test_kernel_copies_the_file(name: str, directory: Path, file: Path) -> None:
    """Where a server has the kernel copy files, all of the file goes by sendfile(2), session read or not."""
    if shutil.which("strace") is None:
        skip_or_fail("strace")
    calls = directory / "calls"
    calls.touch(0o666)
    calls.chmod(0o666)
    trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=/^sendfile", "-o", str(calls)]
    with serve(name, directory, trace=trace, LIVE_FILE=str(file), LIVE_NOTE=str(directory / "note")) as port:
        for page in PAGES:
            visit_file(port, page, file)
    sent = re.findall(r"sendfile\w*(?:\(| resumed>).*= (\d+)$", calls.read_text(), re.MULTILINE)
    assert sum(map(int, sent)) == SIZE * len(PAGES)
