"""What sessions in cookies and sessions on a server have in common: a token in a cookie.

Reading goes from the header to the session: candidates, length, token, time, payload, limits. Of several candidates
with our name every one is tried, and the one that was issued last comes first: a cookie that is left over from a
changed Domain or Path must not hide a newer one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Generic, cast

from webob import Request, Response

from ._caching import allows_sharing, field_names
from ._cookies import MAX_COOKIE_BYTES, find_values
from ._interface import SessionInterface
from ._loaded import Loaded
from ._rejection import BadToken
from ._settings import Settings
from ._tokens import Codec, Unsealed
from ._tracked import SecureCookieSession
from .exceptions import RejectReason

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # as in the interface's room

    TokenSessionT = TypeVar("TokenSessionT", bound=SecureCookieSession, default=SecureCookieSession)
else:
    from typing import TypeVar

    TokenSessionT = TypeVar("TokenSessionT", bound=SecureCookieSession)

# An interface keeps a codec for each settings and name. A policy that derives names from the request's host could ask
# for any number of them.
_MAX_CODECS = 64


class TokenSessionInterface(SessionInterface[TokenSessionT], Generic[TokenSessionT]):
    """Open sessions with a token in a cookie. A subclass says what the token is made of and what it stands for.

    :cvar purpose: what the tokens are for; part of the default salt
    :cvar salt: what binds a token to its purpose; ``None``: purpose and cookie name, so that a value does not open
        under another name
    :cvar session_class: what :meth:`open_session` makes
    """

    purpose: str
    salt: str | bytes | None = None
    session_class: type[TokenSessionT] = cast("type[TokenSessionT]", SecureCookieSession)

    # The codec that was asked for last, which nearly always is the one: to look it up, settings would have to be
    # hashed. One tuple, so that no thread sees half of it.
    _last_codec: tuple[Settings | None, str, Codec | None] = (None, "", None)

    def open_session(self, settings: Settings, request: Request) -> TokenSessionT | None:
        """Return a session that loads nothing until it is accessed; ``None`` without a ``SECRET_KEY``."""
        return self.session_class(self, settings, request) if settings.key_ring else None

    def is_null_session(self, obj: object) -> bool:
        """Return whether an object is such a stand-in; it is never saved."""
        # Nearly every session is of this class, and isinstance asks the ABCs of mappings: 0.4 us.
        return type(obj) is not self.session_class and super().is_null_session(obj)

    # -- what a subclass says

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Return what seals and unseals tokens under a cookie name."""
        raise NotImplementedError(f"{type(self).__name__} needs a make_codec method")

    def load_payload(self, settings: Settings, payload: bytes, issued: int, now: int) -> Loaded:
        """Return the session that a payload stands for.

        :param issued: when the token was issued, in whole seconds since 1970
        :param now: whole seconds since 1970
        :raises BadToken: there is none
        """
        raise NotImplementedError(f"{type(self).__name__} needs a load_payload method")

    # -- reading

    def load_sessions(self, settings: Settings, request: Request) -> Iterator[Loaded]:
        """Yield what the good cookies of a request hold, the one issued last first."""
        now = int(self.now())
        name = self.get_cookie_name(settings, request)
        values = find_values(request.environ.get("HTTP_COOKIE", ""), name)
        if not values:
            return
        codec = self.get_codec(settings, name)
        for unsealed in self._unseal_all(settings, request, codec, values, MAX_COOKIE_BYTES - len(name), now):
            loaded = self._load(settings, request, codec, unsealed, now)
            if loaded is not None:
                yield loaded

    def _unseal_all(
        self, settings: Settings, request: Request, codec: Codec, values: list[str], limit: int, now: int
    ) -> list[Unsealed]:
        good: list[Unsealed] = []
        for value in values:
            try:
                if len(value) > limit:
                    raise BadToken(RejectReason.TOO_LONG)
                unsealed = codec.unseal(value)
                reason = settings.lifetimes.find_reason(unsealed[1], now)
                if reason is not None:
                    raise BadToken(reason)
                good.append(unsealed)
            except BadToken as error:
                self.cookie_rejected(settings, request, error.reason)
        if len(good) > 1:
            good.sort(key=itemgetter(1), reverse=True)
        return good

    def _load(self, settings: Settings, request: Request, codec: Codec, unsealed: Unsealed, now: int) -> Loaded | None:
        packed, issued, key_index = unsealed
        try:
            loaded = self.load_payload(settings, codec.unpack(packed), issued, now)
            limits = settings.limits_of(loaded)
            reason = limits.find_reason(loaded.used, loaded.created, now)
            if reason is not None:
                raise BadToken(reason)
        except BadToken as error:
            self.cookie_rejected(settings, request, error.reason)
            return None
        loaded.needs_reissue = key_index > 0 or limits.needs_reissue(issued, now)
        return loaded

    # -- writing

    def defers_reissue(self, session: TokenSessionT, response: Response) -> bool:
        """Return whether a mere reissue waits for another response: this one is meant for shared caches."""
        if not session.needs_reissue or session.modified:
            return False
        headers = response.headerlist
        return allows_sharing(headers, field_names(headers))

    # -- codecs

    def get_codec(self, settings: Settings, name: str) -> Codec:
        """Return what seals and unseals tokens under a cookie name; made once."""
        last_settings, last_name, codec = self._last_codec
        if codec is None or settings is not last_settings or name != last_name:
            codec = self._find_codec(settings, name)
            self._last_codec = settings, name, codec
        return codec

    def _find_codec(self, settings: Settings, name: str) -> Codec:
        codec = self._codecs.get((settings, name))
        if codec is None:
            if len(self._codecs) >= _MAX_CODECS:
                self._codecs.clear()
            codec = self._codecs[settings, name] = self.make_codec(settings, name)
        return codec

    @cached_property
    def _codecs(self) -> dict[tuple[Settings, str], Codec]:
        return {}

    def get_salt(self, name: str) -> bytes:
        """Return what binds a token to its purpose and its cookie's name."""
        if self.salt is not None:
            return self.salt.encode() if isinstance(self.salt, str) else self.salt
        # The length keeps label and name from running into each other.
        return f"{self.purpose}:{len(name)}:{name}".encode()
