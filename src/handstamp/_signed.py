"""The default interface: the cookie holds the session, signed."""

from __future__ import annotations

import hashlib
from typing import Any

from ._cookie_based import CookieSessionInterface
from ._settings import Settings
from ._token_based import TokenSessionT
from ._tokens import Codec, SigningCodec


class SecureCookieSessionInterface(CookieSessionInterface[TokenSessionT]):
    """Keep sessions in signed cookies.

    The class attributes are Flask's. A subclass with Flask's values and Flask's ``TaggedJSONSerializer`` shares its
    sessions with a Flask application; ``examples/migration/shared_with_flask.py`` says what such a session cannot do.

    :cvar salt: what binds a token to its purpose. ``None``: the purpose and the cookie's name, so that a value is
        rejected under another name
    :cvar digest_method: the hash function of the HMAC
    :cvar key_derivation: how itsdangerous derives a key from secret key and salt
    :cvar serializer: turns the data into text and back
    :cvar session_class: what ``open_session`` makes

    >>> class LikeFlask(SecureCookieSessionInterface):
    ...     salt = "cookie-session"
    ...     digest_method = staticmethod(hashlib.sha1)
    """

    purpose = "handstamp.signed"
    digest_method: Any = staticmethod(hashlib.sha256)
    key_derivation: str = "hmac"

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Return what signs and verifies tokens under a cookie name."""
        return SigningCodec(settings.key_ring, self.get_salt(name), self.digest_method, self.key_derivation)
