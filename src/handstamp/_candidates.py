"""What of a text may be a session cookie, and of which kind it is: the form of a token tells, and what opens it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, TypeAlias

from ._base64url import decode_standard
from ._cookies import find_values
from ._policy import CookiePolicy, find_problems
from ._rejection import BadToken
from ._session_id import SessionId
from ._settings import Settings
from ._token_based import TokenSessionInterface
from ._tokens import Codec, split_token
from .exceptions import RejectReason
from .serverside import ServerSideSessionInterface

Interface: TypeAlias = TokenSessionInterface[Any]
Interfaces: TypeAlias = Sequence[Interface]


class ServerSideTokens(ServerSideSessionInterface):
    """Server-side sessions without a store: their tokens can be judged, and no more."""

    def __init__(self) -> None:
        """Ask nobody."""


# -- candidates -------------------------------------------------------------------------------------------------------

# Copied from a request, or from the response that sets the cookie: its attributes do not look like tokens.
_LABEL = re.compile(r"\s*(set-)?cookie:", re.IGNORECASE)


def find_candidates(interfaces: Interfaces, settings: Settings, text: str, named: bool) -> Iterator[tuple[str, str]]:
    """Yield name and value of each cookie that may be a session; a token that stands alone gets the settings' name."""
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
        or (_is_legal(name) and (len(pairs) == 1 or find_interface(interfaces, settings, name, token.strip(" \t"))))
    ]
    return dict.fromkeys(names)


def _is_legal(name: str) -> bool:
    # The strictest policy: whatever the name's prefix demands, it has.
    policy = CookiePolicy(name, domain=None, path="/", httponly=True, secure=True, samesite="Lax", partitioned=False)
    return not any(find_problems(policy))


# -- kinds ------------------------------------------------------------------------------------------------------------


def find_interface(interfaces: Interfaces, settings: Settings, name: str, token: str) -> Interface | None:
    """Return the interface that made a token, or that which most likely did; ``None``: it is no token."""
    codecs = [(interface, interface.get_codec(settings, name)) for interface in interfaces]
    ranked = [(_rank(interface, codec, token), interface) for interface, codec in codecs if _has_form(codec, token)]
    return min(ranked, key=itemgetter(0), default=(0, None))[1]


def _rank(interface: Interface, codec: Codec, token: str) -> int:
    """Return how likely it is that an interface made a token of its form; 0 is certain."""
    with suppress(BadToken):
        codec.unseal(token)
        return 0
    return 1 if _holds_id(codec, token) == isinstance(interface, ServerSideSessionInterface) else 2


def _holds_id(codec: Codec, token: str) -> bool:
    """Return whether a token whose signature is not looked at holds a session id, which is random, and no JSON."""
    try:
        content = codec.unpack(unseal(codec, token)[0])
        SessionId.parse(content)
    except BadToken:
        return False
    return not (content.startswith(b"{") and content.endswith(b"}"))


def _has_form(codec: Codec, token: str) -> bool:
    try:
        codec.unseal(token)
    except BadToken as error:
        return error.reason is not RejectReason.MALFORMED
    return True


def unseal(codec: Codec, token: str) -> tuple[bytes, int, str | None]:
    """Return a token's packed payload, its time and the key, if any fits; ``BadToken`` where it cannot be read."""
    try:
        content, issued, key = codec.unseal(token)
    except BadToken as error:
        if error.reason is not RejectReason.BAD_SIGNATURE:
            raise
        # The form was checked before the signature. (What is encrypted has no such parts.)
        _, content, time, _ = split_token(token)
        return content, int.from_bytes(decode_standard(time)), None
    return content, issued, f"fallback {key}" if key else "current"
