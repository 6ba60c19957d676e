"""The limit: the work of a signed cookie and nothing else, with public calls of the standard library.

It finds its cookie, decodes base64, compares an HMAC, looks at the time, and parses or prints JSON. It has no safety
beyond the signature: one key, one cookie, no Vary, no policy, no lazy session, no held-back head, no exact types. No
middleware can do less and still carry a session; the distance to it is what a middleware adds.

The value has the same parts as an itsdangerous token: ``payload.time.signature``, each in base64url, and zlib with a
leading dot where the JSON is long.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .application import COOKIE_NAME, LIFETIME, SECRET_KEY, Action, bare

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Unseal = Callable[[str], dict[str, Any]]
Seal = Callable[[dict[str, Any]], str]

KEY = hashlib.sha256(SECRET_KEY.encode()).digest()
PREFIX = COOKIE_NAME + "="
ATTRIBUTES = "; Path=/; HttpOnly; SameSite=Lax"
ZLIB_FROM = 128  # bytes of JSON; this bound and the level are those of handstamp
ZLIB_LEVEL = 1


def find(header: str) -> str:
    """Find the value of our cookie in a Cookie header; empty if there is none."""
    start = header.find(PREFIX)
    if start < 0:
        return ""
    return header[start + len(PREFIX) :].partition(";")[0]


def unseal(value: str) -> dict[str, Any]:
    """Open a value; give an empty session if its signature is wrong or its time is over."""
    signed, _, signature = value.rpartition(".")
    if not hmac.compare_digest(hmac.digest(KEY, signed.encode(), "sha256"), decode(signature)):
        return {}
    payload, _, issued = signed.rpartition(".")
    if time.time() - int.from_bytes(decode(issued)) > LIFETIME:
        return {}
    text = zlib.decompress(decode(payload[1:])) if payload[0] == "." else decode(payload)
    session: dict[str, Any] = json.loads(text)
    return session


def seal(session: dict[str, Any]) -> str:
    """Print, sign and encode a session: the mirror image of `unseal`."""
    text = json.dumps(session, separators=(",", ":")).encode()
    payload = encode(text) if len(text) < ZLIB_FROM else b"." + encode(zlib.compress(text, ZLIB_LEVEL))
    signed = payload + b"." + encode(int(time.time()).to_bytes(4))
    return (signed + b"." + encode(hmac.digest(KEY, signed, "sha256"))).decode()


def decode(text: str) -> bytes:
    """Decode unpadded base64url."""
    return urlsafe_b64decode(text + "==")


def encode(data: bytes) -> bytes:
    """Encode unpadded base64url."""
    return urlsafe_b64encode(data).rstrip(b"=")


def limit(action: Action, unseal: Unseal = unseal, seal: Seal = seal) -> WSGIApplication:
    """Wrap the application in the least that carries a session, in signed tokens or in others."""
    run, writes = action.run, action.writes
    if run is None:
        return bare

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        value = find(environ.get("HTTP_COOKIE", ""))
        session = unseal(value) if value else {}
        run(session)
        if not writes:
            return bare(environ, start_response)
        line = f"{PREFIX}{seal(session)}{ATTRIBUTES}"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("Set-Cookie", line)])

        return bare(environ, start)

    return application


def pass_through(action: Action) -> WSGIApplication:
    """Wrap the application in a closure that changes nothing: the least that can stand between head and server."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, headers, *exc_info)  # PEP 3333: passed on only if given

        return bare(environ, start)

    return application
