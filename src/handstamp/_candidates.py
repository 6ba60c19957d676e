"""Find the session cookies in a text, and the kind of each: the form of a token shows it, and the key that fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, TypeAlias

from ._base64url import decode_standard
from ._cookies import find_values
from ._policy import find_problems
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
    """Server-side sessions without a store, of which only the tokens can be checked."""

    def __init__(self) -> None:
        """Take no store."""


# -- candidates -------------------------------------------------------------------------------------------------------

# The header may be copied from a request or from a response. The attributes of Set-Cookie do not look like tokens.
_LABEL = re.compile(r"\s*(set-)?cookie:", re.IGNORECASE)


def find_candidates(interfaces: Interfaces, settings: Settings, text: str, named: bool) -> Iterator[tuple[str, str]]:
    """Yield the name and value of each cookie that may be a session. A bare token gets the name in the settings."""
    name = settings["SESSION_COOKIE_NAME"]
    header = _LABEL.sub("", text, count=1).strip(" \t\r\n;")
    is_bare = ";" not in header and "=" not in header.rstrip("=")
    if is_bare:
        header = f"{name}={header}"
    for found in [name] if named or is_bare else _find_names(interfaces, settings, header):
        for token in find_values(header, found):
            yield found, token


def _find_names(interfaces: Interfaces, settings: Settings, header: str) -> Iterable[str]:
    """Return the names of the cookies that may be a session, by their name or form, or because there is only one."""
    pairs = [part.lstrip(" \t").partition("=") for part in re.split("[;,]", header)]
    names = [
        name
        for name, _, token in pairs
        if name == settings["SESSION_COOKIE_NAME"]
        or (
            _is_legal(settings, name)
            and (len(pairs) == 1 or find_interface(interfaces, settings, name, token.strip(" \t")))
        )
    ]
    return dict.fromkeys(names)


def _is_legal(settings: Settings, name: str) -> bool:
    # The strictest policy satisfies the demands of every prefix.
    policy = settings.cookie_policy._replace(name=name, domain=None, path="/", httponly=True, secure=True)
    return not any(find_problems(policy))


# -- kinds ------------------------------------------------------------------------------------------------------------


def find_interface(interfaces: Interfaces, settings: Settings, name: str, token: str) -> Interface | None:
    """Return the interface that made a token, or most likely did, or ``None`` if the text is not a token."""
    codecs = [(interface, interface.get_codec(settings, name)) for interface in interfaces]
    ranked = [(_rank(interface, codec, token), interface) for interface, codec in codecs if _has_form(codec, token)]
    return min(ranked, key=itemgetter(0), default=(0, None))[1]


def _rank(interface: Interface, codec: Codec, token: str) -> int:
    """Return how likely an interface made a token of its form: 0 is certain, and 2 the least likely."""
    with suppress(BadToken):
        codec.unseal(token)
        return 0
    return 1 if _holds_id(codec, token) == isinstance(interface, ServerSideSessionInterface) else 2


def _holds_id(codec: Codec, token: str) -> bool:
    """Return whether a token holds a session id, which is random, and not JSON. The signature is not verified."""
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
    """Return the packed payload of a token, its time and its key, or ``None`` if no key fits.

    :raises BadToken: the token cannot be read
    """
    try:
        content, issued, key = codec.unseal(token)
    except BadToken as error:
        if error.reason is not RejectReason.BAD_SIGNATURE:
            raise
        # The form was checked before the signature. (An encrypted token has no such parts.)
        _, content, time, _ = split_token(token)
        return content, int.from_bytes(decode_standard(time)), None
    return content, issued, f"fallback {key}" if key else "current"
