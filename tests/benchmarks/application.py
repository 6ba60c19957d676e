"""The application that every contestant wraps, and what it may do with its session.

A contestant is given an `Action` and makes a WSGI application around it. Everything here is the same for all of them:
the answer, the secret, the name of the cookie and its lifetime.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.support.wsgi import make_environ

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

COOKIE_NAME = "session"
SECRET_KEY = "benchmark-benchmark-benchmark-32"
LIFETIME = 31 * 24 * 60 * 60  # seconds, for every contestant that knows one
STATUS = "200 OK"
BODY = b"ok\n"
CONTENT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Action:
    """What the application does with its session: nothing (`run` is None), a read, or a write."""

    run: Callable[[Any], object] | None = None
    writes: bool = False


def bare(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer without a session: the cost that is subtracted from every other."""
    start_response(STATUS, [("Content-Type", CONTENT_TYPE), ("Content-Length", "3")])
    return [BODY]


def in_environ(action: Action, environ_key: str = "session") -> WSGIApplication:
    """Make the bare application that first runs `action` on the session which a middleware left in the environ."""
    run = action.run
    if run is None:
        return bare

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        run(environ[environ_key])
        return bare(environ, start_response)

    return application


def make_request(cookie_header: str = "") -> WSGIEnvironment:
    """Make the environ of a GET request, with about the keys that a server of today sets."""
    sent = {
        "RAW_URI": "/",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "benchmark",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.5",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
        "HTTP_CONNECTION": "keep-alive",
        "wsgi.errors": io.StringIO(),
    }
    return make_environ(**sent, **({"HTTP_COOKIE": cookie_header} if cookie_header else {}))


def request(app: WSGIApplication, cookie_header: str = "") -> list[tuple[str, str]]:
    """Send one request through `app` as a server would, and return the headers of the response."""
    heads: list[list[tuple[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        heads.append(headers)

    body = app(make_request(cookie_header), start_response)
    b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return heads[-1]


def cookie_pair(headers: Iterable[tuple[str, str]]) -> str:
    """Find the ``name=value`` of our cookie in the headers of a response; empty if it is not set."""
    lines = (value for name, value in headers if name.lower() == "set-cookie")
    pairs = (line.partition(";")[0].strip() for line in lines)
    return next((pair for pair in pairs if pair.startswith(COOKIE_NAME + "=")), "")


def mint(build: Callable[[Action], WSGIApplication], data: dict[str, Any], age: float = 0) -> str:
    """Let a contestant itself make the cookie that holds `data`, `age` seconds ago; return its ``name=value``."""

    def fill(session: Any) -> None:
        for key, value in data.items():
            session[key] = value

    app = build(Action(fill, writes=True))
    with mock.patch("time.time", return_value=time.time() - age):
        return cookie_pair(request(app))
