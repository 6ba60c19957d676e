"""What a session cookie holds, who signed it and when it ends: for the eyes of an operator.

The verdict is that of the interface itself. What is found beside it is read from rejected tokens too, even from those
that no key fits: then it is what anybody may have written. No finding holds a key or a token.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from webob import Request

from . import payload
from ._base64url import decode_standard
from ._cookies import find_values
from ._loaded import CREATED
from ._policy import CookiePolicy, find_problems
from ._rejection import BadToken
from ._settings import DEFAULTS, Settings
from ._signed import SecureCookieSessionInterface
from ._tokens import MAX_PAYLOAD_BYTES, Codec, split_token
from ._tracked import SecureCookieSession
from .exceptions import RejectReason

#: The reason that only an inspection can have: there is no key to check a signature with.
NO_KEY = "no_key"

#: Bytes of JSON to which all payloads of a header together may come, as the one of a token may: packed, they are small.
MAX_SHOWN = MAX_PAYLOAD_BYTES

Interfaces: TypeAlias = Sequence[SecureCookieSessionInterface]


class Finding(NamedTuple):
    """What is known of one value of a cookie; times are whole seconds since 1970, ``None`` is not known.

    The fields are the keys of the JSON form.

    :ivar reason: why the middleware would reject it: a :class:`RejectReason` or :data:`NO_KEY`
    :ivar size: bytes of name and value
    :ivar key: ``current``, ``fallback 1`` and so on
    :ivar payload_size: bytes of the payload
    :ivar payload: the payload as JSON, its types in their tags; ``None`` too if the header holds more than is shown
    """

    name: str
    reason: str | None
    size: int
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
        """Whether the middleware would take it."""
        return self.reason is None

    @property
    def verified(self) -> bool:
        """Whether one of the keys signed it; if not, anybody may have written what it says."""
        return self.key is not None


def inspect_cookies(interfaces: Interfaces, settings: Settings, text: str, now: int, *, named: bool) -> list[Finding]:
    """Inspect a token, ``name=token``, or a whole Cookie header.

    :param interfaces: the interfaces whose cookies they may be; the form of a token tells which
    :param settings: keys, limits, and the name of a token that brings none; without ``SECRET_KEY`` nothing is verified
    :param now: seconds since 1970
    :param named: look for that name only, and not for others that have the form of a token
    """
    if settings.key_ring:
        return _inspect_all(interfaces, settings, text, now, named)
    # With a key that nobody has everything is read, and nothing fits.
    values = {key: settings[key] for key in DEFAULTS}
    settings = Settings({**values, "SECRET_KEY": secrets.token_bytes(), "SECRET_KEY_FALLBACKS": ()})
    findings = _inspect_all(interfaces, settings, text, now, named)
    return [found._replace(reason=_WITHOUT_KEY.get(found.reason, found.reason)) for found in findings]


_WITHOUT_KEY: Mapping[str | None, str] = {RejectReason.BAD_SIGNATURE: NO_KEY}


def _inspect_all(interfaces: Interfaces, settings: Settings, text: str, now: int, named: bool) -> list[Finding]:
    found = []
    for name, token in _find_candidates(interfaces, settings, text, named):
        codec = _find_codec(interfaces, settings, name, token) or interfaces[0].get_codec(settings, name)
        found.append(_inspect_token(codec, settings, name, token, now))
    return _add_payloads(found)


def _add_payloads(found: list[tuple[Finding, str]]) -> list[Finding]:
    """Add as many payloads as may be shown; what anybody may have written leaves room for what a key has signed."""
    findings = [finding for finding, _ in found]
    room = MAX_SHOWN
    for index in sorted(range(len(found)), key=lambda index: not findings[index].verified):
        finding, text = found[index]
        size = finding.payload_size
        if size is not None and size <= room:
            room -= size
            findings[index] = finding._replace(payload=json.loads(text))
    return findings


# -- candidates -------------------------------------------------------------------------------------------------------

# Copied from a request, or from the response that sets the cookie: its attributes do not look like tokens.
_LABEL = re.compile(r"\s*(set-)?cookie:", re.IGNORECASE)


def _find_candidates(interfaces: Interfaces, settings: Settings, text: str, named: bool) -> Iterator[tuple[str, str]]:
    name = settings["SESSION_COOKIE_NAME"]
    header = _LABEL.sub("", text, count=1).strip(" \t\r\n;")
    if ";" not in header and "=" not in header.rstrip("="):
        yield name, header
        return
    for found in [name] if named else _find_names(interfaces, settings, header):
        for token in find_values(header, found):
            yield found, token


def _find_names(interfaces: Interfaces, settings: Settings, header: str) -> Iterable[str]:
    """Return the names of all cookies that may be a session: by name, by form, or because there is no other."""
    pairs = [part.lstrip(" \t").partition("=") for part in header.split(";")]
    names = [
        name
        for name, _, token in pairs
        if name == settings["SESSION_COOKIE_NAME"]
        or (_is_legal(name) and (len(pairs) == 1 or _find_codec(interfaces, settings, name, token.strip(" \t"))))
    ]
    return dict.fromkeys(names)


def _is_legal(name: str) -> bool:
    # The strictest policy: whatever the name's prefix demands, it has.
    policy = CookiePolicy(name, domain=None, path="/", httponly=True, secure=True, samesite="Lax", partitioned=False)
    return not any(find_problems(policy))


def _find_codec(interfaces: Interfaces, settings: Settings, name: str, token: str) -> Codec | None:
    codecs = (interface.get_codec(settings, name) for interface in interfaces)
    return next((codec for codec in codecs if _has_form(codec, token)), None)


def _has_form(codec: Codec, token: str) -> bool:
    try:
        codec.unseal(token)
    except BadToken as error:
        return error.reason is not RejectReason.MALFORMED
    return True


# -- one candidate ----------------------------------------------------------------------------------------------------


class _Judge(SecureCookieSessionInterface):
    """Read a cookie as the middleware does, at a time that stands still, and remember why it was rejected."""

    def __init__(self, codec: Codec, name: str, now: int) -> None:
        self._codec = codec
        self._name = name
        self._now = now
        self._reason = RejectReason.MALFORMED

    def judge(self, settings: Settings, token: str) -> RejectReason | None:
        """Return why a token is rejected, ``None`` if it is good."""
        request = Request({"HTTP_COOKIE": f"{self._name}={token}"})
        return self._reason if SecureCookieSession(self, settings, request).new else None

    def get_codec(self, settings: Settings, name: str) -> Codec:
        return self._codec

    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        return self._name

    def now(self) -> float:
        return self._now

    def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
        self._reason = reason


def _inspect_token(codec: Codec, settings: Settings, name: str, token: str, now: int) -> tuple[Finding, str]:
    """Return a finding without its payload, and the payload's text."""
    reason = _Judge(codec, name, now).judge(settings, token)
    facts: dict[str, Any] = {}
    text = ""
    with suppress(BadToken, ValueError):
        content, issued, key = _unseal(codec, token)
        facts |= {"key": key, "issued": issued, "age": now - issued}
        unpacked = codec.unpack(content)
        text = unpacked.decode()
        facts |= _read_data(payload.loads(text), settings, issued)
        facts["payload_size"] = len(unpacked)
    return Finding(name, reason, len(name) + len(token), **facts), text


def _unseal(codec: Codec, token: str) -> tuple[bytes, int, str | None]:
    try:
        content, issued, key = codec.unseal(token)
    except BadToken as error:
        if error.reason is not RejectReason.BAD_SIGNATURE:
            raise
        # The form was checked before the signature. (What is encrypted has no such parts.)
        _, content, time, _ = split_token(token)
        return content, int.from_bytes(decode_standard(time)), None
    return content, issued, f"fallback {key}" if key else "current"


def _read_data(data: dict[str, Any], settings: Settings, issued: int) -> dict[str, Any]:
    limits = settings.limits_of(data)
    created = data.get(CREATED, issued)
    facts: dict[str, Any] = {"permanent": bool(data.get("_permanent")), "idle_end": issued + limits.idle}
    if type(created) is int and 0 <= created < _NO_TIME:
        facts["created"] = created
        facts["absolute_end"] = None if limits.absolute is None else created + limits.absolute
    return facts


# Seconds that do not fit into a token's time: whatever that is, it is not when a session began.
_NO_TIME = 1 << 64
