"""Connections that the application takes over (websockets): there is no head, and whatever it returns goes as it is.

Where a test looks at objects themselves, it stands without wsgiref.validate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NoReturn

import pytest

from handstamp import SessionCommitted, SessionMiddleware
from tests.live import servers
from tests.support.constants import SETTINGS
from tests.support.missing_programs import need
from tests.support.processes import find_ports, wait_for
from tests.support.wsgi import make_environ


class Body:
    """A body in chunks that counts how often it is closed."""

    closed = 0

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def close(self) -> None:
        self.closed += 1


def leave(session: Any) -> None:
    pass


def change(session: Any) -> None:
    session["n"] = 1


def call(body: object, touch: Callable[[Any], object] = leave, **settings: Any) -> Any:
    """Call an application that returns a body without having called start_response."""
    environ = make_environ()

    def app(environ: Any, start_response: Any) -> Any:
        touch(environ["session"])
        return body

    def start_response(*args: object) -> NoReturn:
        raise AssertionError("the server was given a head")

    given = SessionMiddleware(app, SETTINGS | settings)(environ, start_response)
    return given, environ["session"]


def find_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# -- what goes through ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [object(), [], [b"a"], (), None], ids=["marker", "empty", "list", "tuple", "None"])
def test_same_object(body: object, caplog: pytest.LogCaptureFixture) -> None:
    """A body that is there, or is none, comes through as the very object, without a head and without a word."""
    given, _ = call(body)
    assert given is body
    assert find_warnings(caplog) == []


def test_marker_of_gunicorn() -> None:
    """The object by which gunicorn knows that the connection was taken over comes through."""
    need("gunicorn")
    from gunicorn.workers.base_async import ALREADY_HANDLED

    assert call(ALREADY_HANDLED)[0] is ALREADY_HANDLED


@pytest.mark.parametrize("chunks", [(), (b"a", b"b")], ids=["none", "two"])
def test_chunks_without_a_head(chunks: tuple[bytes, ...]) -> None:
    """A body in chunks goes to the server, which decides what it makes of it, and is closed once."""
    body = Body(*chunks)
    given, _ = call(body)
    assert list(given) == list(chunks)
    given.close()
    assert body.closed == 1


@pytest.mark.parametrize("body", [object(), []], ids=["marker", "empty"])
def test_is_committed(body: object) -> None:
    """A session of a connection that was taken over cannot be changed later: nothing would save it."""
    _, session = call(body)
    with pytest.raises(SessionCommitted):
        session["n"] = 1


# -- what is lost -----------------------------------------------------------------------------------------------------

LOST = "the session was changed, but the response has no headers"


@pytest.mark.parametrize("body", [object(), [], Body()], ids=["marker", "empty", "chunks"])
def test_change_is_warned_of(body: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A session that was changed without a head is not saved, and a warning says so, with the cure."""
    given, _ = call(body, change)
    if isinstance(body, Body):
        assert list(given) == []
    (warning,) = find_warnings(caplog)
    assert warning.startswith(LOST)
    assert warning.endswith("change it in another request")


@pytest.mark.parametrize("touch", [leave, change], ids=["untouched", "changed"])
def test_stop_iteration(touch: Callable[[Any], object], caplog: pytest.LogCaptureFixture) -> None:
    """So is one whose application tells gunicorn by an exception that the connection was taken over."""

    def stop(session: Any) -> None:
        touch(session)
        raise StopIteration

    with pytest.raises(StopIteration):
        call([], stop)
    assert [warning.startswith(LOST) for warning in find_warnings(caplog)] == [True] * (touch is change)


def test_error_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A change before any other exception is not warned of: the error itself tells."""

    def fail(session: Any) -> None:
        change(session)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        call([], fail)
    assert find_warnings(caplog) == []


def test_null_session(caplog: pytest.LogCaptureFixture) -> None:
    """A null session has nothing to lose."""
    caplog.set_level(logging.ERROR, "handstamp")
    assert call([], SECRET_KEY=None)[0] == []
    assert find_warnings(caplog) == []


# -- real servers and clients -----------------------------------------------------------------------------------------

GUNICORN = [*servers.python("gunicorn", "--no-control-socket", "--graceful-timeout=1", "--bind=127.0.0.1:{port}")]

SERVERS = {
    "Flask-Sock, gunicorn's threads": [*GUNICORN, "--threads=4", "live.websockets:flask_sock"],
    "Flask-Sock, gunicorn's gevent": [*GUNICORN, "--worker-class=gevent", "live.websockets:flask_sock"],
    "gevent-websocket, gevent": servers.python("live.websockets", "{port}"),
    "gevent-websocket, gunicorn": [
        *GUNICORN,
        "--worker-class=geventwebsocket.gunicorn.workers.GeventWebSocketWorker",
        "live.websockets:gevent_websocket",
    ],
}


@pytest.mark.parametrize("name", SERVERS)
def test_echo(name: str, tmp_path: Path) -> None:
    """A websocket echoes, knows its session, and ends without an error in the log; a change there is a warning."""
    need("flask_sock", "geventwebsocket", "gunicorn", "websocket")
    (port,) = find_ports(1)
    command = [part.format(port=port) for part in SERVERS[name]]
    with servers.run(command, tmp_path, None, {}) as process:
        wait_for(port, process, tmp_path / "log")
        cookie = fetch_cookie(port)
        before = (tmp_path / "log").read_text()
        assert [talk(port, cookie, "hello") for _ in range(3)] == ["Ada: hello"] * 3
        assert talk(port, None, "hello") == "None: hello"
        assert talk(port, cookie, "change") == "Ada: change"
    log = (tmp_path / "log").read_text().removeprefix(before)
    assert "Traceback" not in log, log
    assert "Error" not in log, log
    assert log.count(LOST) == 1, log


def fetch_cookie(port: int) -> str:
    """Sign in; return the cookie."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/sign-in")
        response = connection.getresponse()
        assert response.read() == b"welcome"
        return response.headers["Set-Cookie"].partition(";")[0]


def talk(port: int, cookie: str | None, message: str) -> str:
    """Send a message over a websocket; return the answer."""
    from websocket import create_connection

    with closing(create_connection(f"ws://127.0.0.1:{port}/echo", timeout=30, cookie=cookie)) as connection:
        connection.send(message)
        return str(connection.recv())
