"""Many visitors at once: a short run of ``nox -s load``, and what it would find."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.live.__main__ import OPTIONS, main
from tests.live.load import Wrong, crowd
from tests.live.servers import find_missing, serve
from tests.support.missing_programs import skip_or_fail

NAMES = ["ada", "grace", "mary"]


@pytest.mark.parametrize("name", OPTIONS)
def test_everybody_sees_their_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight visitors at once see their own session and nobody else's, in some hundred requests on each server."""
    if missing := find_missing(name):
        skip_or_fail(missing)
    assert main([name, "--visitors=8", "--requests=400"]) == 0
    (told,) = re.findall(rf"{name}: (\d+) requests of 8 visitors", capsys.readouterr().out)
    assert int(told) >= 400


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        # What comes first: another's page, another's cookie, or the error of a session that is over.
        ("mixed_up", "saw|got the cookie|500 Internal Server Error"),
        ("forgotten", "saw"),
        ("a_cookie_too_many", "got the cookie"),
        ("an_error", "500 Internal Server Error"),
    ],
)
def test_finds(fault: str, finding: str, tmp_path: Path) -> None:
    """Sessions that are mixed up or forgotten, cookies that nobody needs, and errors are found, and end the run."""
    with serve("waitress", tmp_path, app=f"live.faults:{fault}") as port, pytest.raises(ExceptionGroup) as caught:
        asyncio.run(crowd(port, NAMES, 1000))
    assert caught.group_contains(Wrong, match=finding)


def test_finds_nothing(tmp_path: Path) -> None:
    """The same visitors find nothing where nothing is wrong."""
    with serve("waitress", tmp_path, app="live.faults:none") as port:
        assert asyncio.run(crowd(port, NAMES, 100)).total() >= 100
