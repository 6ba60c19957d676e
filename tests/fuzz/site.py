"""What the targets share: keys, signatures made without handstamp, a clock that stands still, and a server."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import WSGIEnvironment
from wsgiref.util import setup_testing_defaults

from handstamp import SecureCookieSessionInterface, SessionInterface
from handstamp._caching import Headers

NOW = 1_700_000_000
DAY = 24 * 3600

KEY = "the key of the fuzzer, no secret"
OLD_KEY = "the key of last year, no secret"
STRANGE_KEY = "the key of somebody else, no secret"


def encode(data: bytes) -> bytes:
    """Write base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def encode_time(seconds: int) -> bytes:
    """Write a token's second segment."""
    return encode(seconds.to_bytes((seconds.bit_length() + 7) // 8))


def derive_key(key: str, name: str = "session") -> bytes:
    """Derive from a key what signs the cookies of a name."""
    return hmac.digest(key.encode(), f"handstamp.signed:{len(name)}:{name}".encode(), "sha256")


def sign(derived: bytes, value: bytes) -> bytes:
    """Write a token: any value, validly signed."""
    return b"%b.%b" % (value, encode(hmac.digest(derived, value, "sha256")))


class StoppedClock(SessionInterface[Any]):
    """Stands still, so that what was found once is found again."""

    def now(self) -> float:
        return NOW


class StoppedSigned(StoppedClock, SecureCookieSessionInterface):
    """Signed cookies on that clock."""


def make_environ(**extra: Any) -> WSGIEnvironment:
    """Return a complete environ."""
    environ: WSGIEnvironment = {key.replace("__", "."): value for key, value in extra.items()}
    setup_testing_defaults(environ)
    return environ


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
