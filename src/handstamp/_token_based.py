"""What sessions in cookies and sessions on a server have in common: a token in a cookie.

Reading goes from the header to the session: candidates, length, token, time, payload, limits. Of several candidates
with our name every one is verified, and the one that was issued last comes first: a cookie that is left over from a
changed Domain or Path must not hide a newer one. Anybody can repeat a cookie until a header is full, so equal
candidates count once, and of those that verify a few are loaded: unpacking, or asking a store, takes the most time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, cast

from webob import Request, Response

from ._caching import allows_sharing, field_names
from ._cookies import MAX_COOKIE_BYTES, find_values
from ._hidden import empty_frames
from ._interface import SessionInterface
from ._loaded import Loaded
from ._rejection import BadToken
from ._settings import Settings
from ._tokens import Codec, Unsealed
from ._tracked import SecureCookieSession
from ._warnings import ENOUGH_REQUESTS, Notice, find_suspicion
from .exceptions import RejectReason

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # as in _interface

    TokenSessionT = TypeVar("TokenSessionT", bound=SecureCookieSession, default=SecureCookieSession)
else:
    from typing import TypeVar

    TokenSessionT = TypeVar("TokenSessionT", bound=SecureCookieSession)

# An interface keeps a codec for each settings and name. A policy that derives names from the request's host could ask
# for any number of them.
_MAX_CODECS = 64

# How many candidates of one request are loaded, the ones issued last. A browser has one for each Domain and Path.
_MAX_LOADED = 8


class TokenSessionInterface(SessionInterface[TokenSessionT]):
    """Open sessions with a token in a cookie. A subclass says what the token is made of and what it stands for.

    :cvar purpose: what the tokens are for; part of the default salt
    :cvar salt: what binds a token to its purpose. ``None``: the purpose and the cookie's name, so that a value is
        rejected under another name
    :cvar session_class: what :meth:`open_session` makes
    """

    purpose: str
    salt: str | bytes | None = None
    session_class: type[TokenSessionT] = cast("type[TokenSessionT]", SecureCookieSession)

    # The codec that was asked for last, nearly always the one. To look it up, settings would have to be hashed,
    # which takes a sixth of the time of a reading request. One tuple, so that no thread sees half of it.
    _last_codec: tuple[Settings | None, str, Codec | None] = (None, "", None)

    def open_session(self, settings: Settings, request: Request) -> TokenSessionT | None:
        """Return a session that loads nothing until it is accessed; ``None`` without a ``SECRET_KEY``."""
        return self.session_class(self, settings, request) if settings.key_ring else None

    def is_null_session(self, obj: object) -> bool:
        """Return whether an object is a null session, which is never saved."""
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

    def write_session(self, settings: Settings, session: TokenSessionT, response: Response) -> None:
        """Save a session that was accessed or modified, and write its cookie to the response's headers."""
        raise NotImplementedError(f"{type(self).__name__} needs a write_session method")

    # -- reading

    def load_sessions(self, settings: Settings, request: Request, rejected: list[RejectReason]) -> Iterator[Loaded]:
        """Yield what the good cookies of a request hold, the one issued last first.

        :param rejected: takes the reason of each cookie that is rejected
        """
        now = int(self.now())
        name = self.get_cookie_name(settings, request)
        values = find_values(request.environ.get("HTTP_COOKIE", ""), name)
        if not values:
            return
        codec = self.get_codec(settings, name)
        for unsealed in self._unseal_all(settings, codec, name, values, now, rejected):
            loaded = self._load(settings, codec, unsealed, now, rejected)
            if loaded is not None:
                yield loaded

    def _unseal_all(
        self, settings: Settings, codec: Codec, name: str, values: list[str], now: int, rejected: list[RejectReason]
    ) -> list[Unsealed]:
        good: list[Unsealed] = []
        limit = MAX_COOKIE_BYTES - len(name)
        for value in values if len(values) == 1 else dict.fromkeys(values):
            try:
                if len(value) > limit:
                    raise BadToken(RejectReason.TOO_LONG)
                unsealed = codec.unseal(value)
                reason = settings.lifetimes.find_reason(unsealed[1], now)
                if reason is not None:
                    raise BadToken(reason)
                good.append(unsealed)
            except BadToken as error:
                if not rejected:  # one of each request is enough
                    self._suspect(find_suspicion(error, value, name, now))
                rejected.append(error.reason)
        if len(good) > 1:
            good.sort(key=itemgetter(1), reverse=True)
            del good[_MAX_LOADED:]
        return good

    def _load(
        self, settings: Settings, codec: Codec, unsealed: Unsealed, now: int, rejected: list[RejectReason]
    ) -> Loaded | None:
        packed, issued, key_index = unsealed
        try:
            loaded = self.load_payload(settings, codec.unpack(packed), issued, now)
            limits = settings.limits_of(loaded)
            reason = limits.find_reason(loaded.used, loaded.created, now)
            if reason is not None:
                raise BadToken(reason)
        except BadToken as error:
            rejected.append(error.reason)
            return None
        loaded.needs_reissue = key_index > 0 or limits.needs_reissue(issued, now)
        return loaded

    def _suspect(self, notice: Notice | None) -> None:
        """Warn of what several requests point at."""
        if notice is None:
            return
        message, *values = notice
        self._suspicions[message] += 1
        if self._suspicions[message] >= ENOUGH_REQUESTS:
            self.warn_once(message, *values)

    @cached_property
    def _suspicions(self) -> Counter[str]:
        return Counter()

    # -- writing

    def save_session(self, settings: Settings, session: TokenSessionT, response: Response) -> None:
        """Save a session that was accessed or modified, by :meth:`write_session`."""
        try:
            self.write_session(settings, session, response)
        except BaseException as error:  # an interface of the application's own may report it
            empty_frames(error)
            del self, settings, session, response
            raise

    def seal(self, settings: Settings, request: Request, payload: bytes) -> str:
        """Return a token that holds a payload, issued now."""
        codec = self.get_codec(settings, self.get_cookie_name(settings, request))
        return codec.seal(codec.pack(payload), int(self.now()))

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
