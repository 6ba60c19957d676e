"""Inspect session cookies for an operator: what they hold, which key signed them and when they expire.

The interface itself decides whether a cookie is good. Of a server-side session it checks only the token, because no
store is asked. The other facts are read from rejected tokens too. If no key fits a token, anybody may have written it.
No finding contains a key or a token.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from webob import Request

from . import payload
from ._candidates import Interface, Interfaces, find_candidates, find_interface, unseal
from ._loaded import CREATED, Loaded
from ._rejection import BadToken
from ._session_id import SessionId
from ._settings import DEFAULTS, Settings
from ._signed import SecureCookieSessionInterface
from ._tokens import MAX_PAYLOAD_BYTES, Codec
from ._tracked import SecureCookieSession
from .exceptions import RejectReason
from .serverside import ServerSideSessionInterface

#: A reason that only an inspection gives: there is no key to verify a signature.
NO_KEY = "no_key"

#: The size limit of all shown payloads together, in bytes of JSON. Compressed payloads of this size fit into a header.
MAX_SHOWN = MAX_PAYLOAD_BYTES


class Finding(NamedTuple):
    """The facts about one value of a cookie. Times are whole seconds since 1970, and ``None`` means unknown.

    The fields are the keys of the JSON output.

    :ivar name: the name of the cookie
    :ivar reason: why the middleware would reject it: a :class:`RejectReason` or :data:`NO_KEY`; ``None`` if it is good
    :ivar size: the size of name and value, in bytes
    :ivar kind: ``signed``, ``encrypted`` or ``serverside``; if no key fits, what its form suggests
    :ivar handle: the handle of a server-side session, which opens nothing
    :ivar key: the key that signed it: ``current``, ``fallback 1`` and so on; ``None`` if no key fits
    :ivar issued: when the token was issued
    :ivar age: seconds since then
    :ivar created: when the session was created
    :ivar permanent: whether the session is permanent
    :ivar idle_end: when the session expires if it is not used
    :ivar absolute_end: when the session expires in any case
    :ivar payload_size: the size of the payload, in bytes
    :ivar payload: the payload as JSON, with tagged types; ``None`` also if all payloads together are too large to show
    """

    name: str
    reason: str | None
    size: int
    kind: str | None = None
    handle: str | None = None
    key: str | None = None
    issued: int | None = None
    age: int | None = None
    created: int | None = None
    permanent: bool | None = None
    idle_end: int | None = None
    absolute_end: int | None = None
    payload_size: int | None = None
    payload: dict[str, Any] | None = None

    @property
    def good(self) -> bool:
        """Whether the middleware would accept it."""
        return self.reason is None

    @property
    def verified(self) -> bool:
        """Whether one of the keys signed it. If not, anybody may have written it."""
        return self.key is not None


def inspect_cookies(interfaces: Interfaces, settings: Settings, text: str, now: int, *, named: bool) -> list[Finding]:
    """Inspect a token, ``name=token``, or a whole Cookie header.

    :param interfaces: the interfaces that may have set the cookies; the form of a token shows which one did
    :param settings: keys, limits, and the name of a bare token; without ``SECRET_KEY`` nothing is verified
    :param now: seconds since 1970
    :param named: inspect only cookies of this name, and ignore others that look like tokens
    """
    if settings.key_ring:
        return _inspect_all(interfaces, settings, text, now, named)
    # A random key fits no token, and everything is read.
    values = {key: settings[key] for key in DEFAULTS}
    settings = Settings({**values, "SECRET_KEY": secrets.token_bytes(), "SECRET_KEY_FALLBACKS": ()})
    findings = _inspect_all(interfaces, settings, text, now, named)
    return [found._replace(reason=_WITHOUT_KEY.get(found.reason, found.reason)) for found in findings]


_WITHOUT_KEY: Mapping[str | None, str] = {RejectReason.BAD_SIGNATURE: NO_KEY}


def _inspect_all(interfaces: Interfaces, settings: Settings, text: str, now: int, named: bool) -> list[Finding]:
    found = []
    for name, token in find_candidates(interfaces, settings, text, named):
        interface = find_interface(interfaces, settings, name, token)
        finding, text = _inspect_token(interface or interfaces[0], settings, name, token, now)
        kind = None if interface is None else interface.purpose.rpartition(".")[2]
        found.append((finding._replace(kind=kind), text))
    return _add_payloads(found)


def _add_payloads(found: list[tuple[Finding, str]]) -> list[Finding]:
    """Add payloads up to the size limit, those that a key has signed first."""
    findings = [finding for finding, _ in found]
    bytes_left = MAX_SHOWN
    for index in sorted(range(len(found)), key=lambda index: not findings[index].verified):
        finding, text = found[index]
        size = finding.payload_size
        if size is not None and size <= bytes_left:
            bytes_left -= size
            findings[index] = finding._replace(payload=json.loads(text))
    return findings


# -- one candidate ----------------------------------------------------------------------------------------------------


class _Judge(SecureCookieSessionInterface):
    """Load a cookie as the middleware does, at a fixed time, and remember why it was rejected."""

    def __init__(self, interface: Interface, name: str, now: int) -> None:
        self._interface = interface
        self._name = name
        self._now = now
        self._reason = RejectReason.MALFORMED

    def judge(self, settings: Settings, token: str) -> RejectReason | None:
        """Return why a token is rejected, or ``None`` if it is good."""
        request = Request({"HTTP_COOKIE": f"{self._name}={token}"})
        return self._reason if SecureCookieSession(self, settings, request).new else None

    def get_codec(self, settings: Settings, name: str) -> Codec:
        return self._interface.get_codec(settings, name)

    def load_payload(self, settings: Settings, payload: bytes, issued: int, now: int) -> Loaded:
        if not isinstance(self._interface, ServerSideSessionInterface):
            return super().load_payload(settings, payload, issued, now)
        SessionId.parse(payload)
        # The record is unknown. So assume the longer limit, and a session that was created when its token was issued.
        permanent, other = settings.lifetimes
        return Loaded({"_permanent": permanent.idle > other.idle}, issued, issued)

    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        return self._name

    def now(self) -> float:
        return self._now

    def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
        self._reason = reason


def _inspect_token(interface: Interface, settings: Settings, name: str, token: str, now: int) -> tuple[Finding, str]:
    """Return a finding without its payload, and the payload's text."""
    reason = _Judge(interface, name, now).judge(settings, token)
    codec = interface.get_codec(settings, name)
    facts: dict[str, Any] = {}
    text = ""
    with suppress(BadToken, ValueError):
        content, issued, key = unseal(codec, token)
        facts |= {"key": key, "issued": issued, "age": now - issued}
        unpacked = codec.unpack(content)
        if isinstance(interface, ServerSideSessionInterface):
            facts["handle"] = SessionId.parse(unpacked).handle
        else:
            text = unpacked.decode()
            facts |= _read_data(payload.loads(text), settings, issued)
            facts["payload_size"] = len(unpacked)
    return Finding(name, reason, len(name) + len(token), **facts), text


def _read_data(data: dict[str, Any], settings: Settings, issued: int) -> dict[str, Any]:
    limits = settings.limits_of(data)
    created = data.get(CREATED, issued)
    facts: dict[str, Any] = {"permanent": bool(data.get("_permanent")), "idle_end": issued + limits.idle}
    if type(created) is int and 0 <= created < _NO_TIME:
        facts["created"] = created
        facts["absolute_end"] = None if limits.absolute is None else created + limits.absolute
    return facts


# A number of seconds that does not fit into a token is not the time when a session was created.
_NO_TIME = 1 << 64
