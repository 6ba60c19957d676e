"""The default interface: the session is the cookie, signed."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, Protocol

from webob import Request, Response

from . import payload
from .cookies import MAX_COOKIE, find_values
from .exceptions import BadToken, CookieTooLarge, RejectReason
from .interface import SessionInterface, too_large
from .lazy import CREATED, SecureCookieSession
from .lifetimes import CLOCK_TOLERANCE
from .settings import Settings
from .tokens import MAX_PAYLOAD, Codec, SigningCodec, Unsealed

# An interface keeps a codec for each settings and name. A policy that derives names from the request's host could ask
# for any number of them.
_MAX_CODECS = 64


class Serializer(Protocol):
    """Session data <-> text."""

    def dumps(self, obj: Any, /) -> str:
        """Write data."""
        ...

    def loads(self, text: str, /) -> Any:
        """Read data."""
        ...


class SecureCookieSessionInterface(SessionInterface):
    """Keep sessions in signed cookies.

    The class attributes are Flask's. Give a subclass Flask's values and Flask's ``TaggedJSONSerializer``, and it shares
    its sessions with a Flask application.
    """

    #: What the cookies are for; with the cookie's name it makes the salt.
    purpose: str = "handstamp.signed"
    #: What is signed along; ``None``: purpose and cookie name, so that a value does not open under another name.
    salt: str | bytes | None = None
    #: The hash under the HMAC.
    digest_method: Any = staticmethod(hashlib.sha256)
    #: How itsdangerous derives the key from secret and salt.
    key_derivation: str = "hmac"
    #: What turns the data into text and back.
    serializer: Serializer = payload
    #: The session that :meth:`open_session` makes.
    session_class: type[SecureCookieSession] = SecureCookieSession

    # The codec that was asked for last, which nearly always is the one: to look for it, settings have to be hashed. One
    # tuple, so that no thread sees the half of it.
    _last_codec: tuple[Settings | None, str, Codec | None] = (None, "", None)

    def open_session(self, settings: Settings, request: Request) -> SecureCookieSession | None:
        """Return a session that reads nothing until it is looked into; ``None`` without a ``SECRET_KEY``."""
        if not settings.key_ring:
            return None
        return self.session_class(self, settings, request)

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        """Set the cookie, delete that of a session that is empty now, or leave it alone."""
        request: Request = response.request  # type: ignore[assignment]  # the middleware has set it
        if not self.should_set_cookie(settings, request, session):
            self.leave_cookie(response)
            return
        if not session:
            self.delete_cookie(settings, session, response)
            return
        try:
            self.set_cookie(settings, session, response, self._seal(settings, session, request))
        except CookieTooLarge:
            if session.modified:
                raise
            # A token that another library filled to the brim has no room for _created. Nobody wrote: let it live on.
            self._warn_once("a session cookie is due to be issued anew, but is too large; keep ids instead of data")
            self.leave_cookie(response)

    # -- writing: parse, age, signature, length, each the mirror image of a step below

    def _seal(self, settings: Settings, session: SecureCookieSession, request: Request) -> str:
        codec = self.get_codec(settings, self.get_cookie_name(settings, request))
        return codec.seal(codec.pack(self.write_payload(session)), int(self.now()))

    def write_payload(self, session: Any) -> bytes:
        """Write what a token holds of a session: here all of it."""
        data, content = session.export(), session.content
        is_json = content is not None and session.opened and self._reads_as_written and payload.is_plain(content)
        # Then only what this request has touched can be other than JSON: a tenth of the time of writing 2.5 KB.
        text = (payload.dumps(data, session.touched) if is_json else self.serializer.dumps(data)).encode()
        if len(text) > MAX_PAYLOAD:
            raise too_large(session, f"{len(text)} bytes of JSON, {MAX_PAYLOAD} are allowed")
        return text

    # -- reading: length, signature, age, parse

    def load_session(self, settings: Settings, request: Request, session: SecureCookieSession) -> None:
        """Have a session adopt the good cookie that was issued last, or begin anew; called at its first touch."""
        now = int(self.now())
        name = self.get_cookie_name(settings, request)
        values = find_values(request.environ.get("HTTP_COOKIE", ""), name)
        if values:
            codec = self.get_codec(settings, name)
            for unsealed in self._unseal_all(settings, request, codec, values, MAX_COOKIE - len(name), now):
                if self._open(settings, request, session, codec, unsealed, now):
                    return
        session.adopt({}, now, opened=False, stale=False)

    def _unseal_all(
        self, settings: Settings, request: Request, codec: Codec, values: list[str], limit: int, now: int
    ) -> list[Unsealed]:
        """Unseal every candidate: one left behind by a changed Domain or Path must not shadow a newer one."""
        good: list[Unsealed] = []
        for value in values:
            try:
                if len(value) > limit:
                    raise BadToken(RejectReason.TOO_LONG)
                unsealed = codec.unseal(value)
            except BadToken as error:
                self.cookie_rejected(settings, request, error.reason)
                continue
            reason = settings.lifetimes.refuse_token(unsealed[1], now)
            if reason is None:
                good.append(unsealed)
            else:
                self.cookie_rejected(settings, request, reason)
        if len(good) > 1:
            good.sort(key=lambda unsealed: unsealed[1], reverse=True)
        return good

    def _open(
        self,
        settings: Settings,
        request: Request,
        session: SecureCookieSession,
        codec: Codec,
        unsealed: Unsealed,
        now: int,
    ) -> bool:
        packed, issued, key = unsealed
        try:
            content = codec.unpack(packed)
            data, created, used = self.read_payload(settings, session, content, issued, now)
        except BadToken as error:
            self.cookie_rejected(settings, request, error.reason)
            return False
        limits = settings.lifetimes.of(bool(data.get("_permanent")))
        reason = limits.refuse(used, created, now)
        if reason is None:
            session.adopt(data, created, opened=True, stale=key > 0 or limits.is_due(issued, now))
            session.content = content
            if self.validate_session(settings, session):
                return True
            reason = RejectReason.REVOKED
        self.cookie_rejected(settings, request, reason)
        return False

    def read_payload(
        self, settings: Settings, session: Any, content: bytes, issued: int, now: int
    ) -> tuple[dict[str, Any], int, int]:
        """Read what a token holds; return the data, when the session began, and when it was last used.

        :param issued: when the token was issued
        :raises BadToken: it holds no session
        """
        try:
            data = self.serializer.loads(content.decode())
        except Exception as error:  # a serializer of one's own may fail in any way
            raise BadToken(RejectReason.MALFORMED) from error
        if not isinstance(data, dict):
            raise BadToken(RejectReason.MALFORMED)
        return data, _take_created(data, issued), issued

    # -- what both ways share

    @property
    def _reads_as_written(self) -> bool:
        """Whether data are what :mod:`payload` reads; a reading of one's own may make anything of them."""
        own = SecureCookieSessionInterface.read_payload
        return self.serializer is payload and getattr(self.read_payload, "__func__", None) is own

    def fingerprint(self, value: Any) -> str:
        """Write a value so that equal values give equal text."""
        write = getattr(self.serializer, "fingerprint", self.serializer.dumps)
        return write(value)

    def get_codec(self, settings: Settings, name: str) -> Codec:
        """Return what seals and unseals tokens under a cookie name."""
        last_settings, last_name, codec = self._last_codec
        if settings is not last_settings or name != last_name:
            codec = self._find_codec(settings, name)
            self._last_codec = settings, name, codec
        return codec  # type: ignore[return-value]

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

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Make what seals and unseals tokens under a cookie name: all that differs in encrypted cookies."""
        return SigningCodec(settings.key_ring, self.get_salt(name), self.digest_method, self.key_derivation)

    def get_salt(self, name: str) -> bytes:
        """Return what binds a token to its purpose and its cookie's name."""
        if self.salt is not None:
            return self.salt.encode() if isinstance(self.salt, str) else self.salt
        # The length keeps label and name from running into each other.
        return f"{self.purpose}:{len(name)}:{name}".encode()


def _take_created(data: dict[str, Any], issued: int) -> int:
    """Return when a session began; one that does not say so (signed by another library) began when it was signed."""
    created = data.pop(CREATED, issued)
    # A session that began after its token was signed is none of ours, and would outlive its absolute limit. (Its clock
    # may have been behind the one that began it.)
    if type(created) is not int or not 0 <= created <= issued + CLOCK_TOLERANCE:
        raise BadToken(RejectReason.MALFORMED)
    return created
