"""What the targets share: a clock that stands still, and a server that takes several heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import WSGIEnvironment

from handstamp import SecureCookieSessionInterface
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import START
from tests.support.wsgi import Headers

STRANGE_KEY = "the key of somebody else, no secret"

#: Signed cookies on a clock that stands still, so that what was found once is found again.
SIGNED = on_clock(SecureCookieSessionInterface(), FrozenClock(START))


def call(app: Any, environ: WSGIEnvironment) -> list[Headers]:
    """Call an application as a server does; return the fields of each head that it sent."""
    heads: list[Headers] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        heads.append(headers)
        return bytes

    body: Iterable[bytes] = app(environ, start_response)
    assert b"".join(body) == b"done"
    return heads


def find_cookies(headers: Headers) -> list[str]:
    """Return the Set-Cookie lines of a response."""
    return [value for name, value in headers if name.lower() == "set-cookie"]
