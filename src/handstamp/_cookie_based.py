"""What signed and encrypted sessions have in common: the token holds the session's data."""

from __future__ import annotations

from webob import Response

from . import payload
from ._interface import too_large_error
from ._loaded import Loaded, Serializer
from ._settings import Settings
from ._token_based import TokenSessionInterface, TokenSessionT
from ._tokens import MAX_PAYLOAD_BYTES
from ._webob import request_of
from .exceptions import CookieTooLarge


class CookieSessionInterface(TokenSessionInterface[TokenSessionT]):
    """Keep the data of sessions in their cookies.

    :cvar serializer: turns the data into text and back
    """

    serializer: Serializer = payload

    def load_payload(self, settings: Settings, payload: bytes, issued: int, now: int) -> Loaded:
        """Return the session that a payload holds."""
        return Loaded.parse(payload, self.serializer, issued)

    def write_session(self, settings: Settings, session: TokenSessionT, response: Response) -> None:
        """Set the cookie, delete that of a session that is empty now, or leave it as it is."""
        request = request_of(response)
        if not self.should_set_cookie(settings, request, session) or self.defers_reissue(session, response):
            self.vary_on_cookie(settings, session, response)
            return
        if not session:
            self.delete_cookie(settings, session, response)
            return
        try:
            self.set_cookie(settings, session, response, self.seal(settings, request, self._dump(session)))
        except CookieTooLarge:
            if session.modified:
                raise
            # The token of another library may be so long that _created makes it too large. The session was not
            # changed, so the old cookie stays valid.
            self.warn_once("a session cookie needs a reissue, but is too large; keep ids instead of data")
            self.vary_on_cookie(settings, session, response)

    def _dump(self, session: TokenSessionT) -> bytes:
        text = session.dump(self.serializer).encode()
        if len(text) > MAX_PAYLOAD_BYTES:
            raise too_large_error(session, f"{len(text)} bytes of JSON, {MAX_PAYLOAD_BYTES} are allowed")
        return text
