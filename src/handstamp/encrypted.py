"""Sessions in encrypted cookies, which visitors cannot read: extra ``handstamp[encryption]``."""

from __future__ import annotations

from typing import Generic

from ._cookie_based import CookieSessionInterface
from ._encryption import EncryptingCodec, check_cipher
from ._settings import Settings
from ._token_based import TokenSessionT
from ._tokens import Codec

__all__ = ["EncryptedCookieSessionInterface"]


class EncryptedCookieSessionInterface(CookieSessionInterface[TokenSessionT], Generic[TokenSessionT]):
    """Keep sessions in encrypted cookies.

    The cipher is AES-256-GCM-SIV (RFC 8452). Its keys are derived by HKDF-SHA256 (RFC 5869).

    :cvar serializer: converts the data to text and back
    :cvar session_class: the class of the sessions that ``open_session`` returns
    :cvar purpose: a token that was made for another purpose is rejected
    :raises SettingsError: the OpenSSL library that ``cryptography`` uses lacks AES-GCM-SIV

    >>> from handstamp import SessionMiddleware
    >>> from webob import Response
    >>> app = SessionMiddleware(Response("hello"), {"SECRET_KEY": "the key of an example"},
    ...     session_interface=EncryptedCookieSessionInterface())
    """

    purpose = "handstamp.encrypted"

    def __init__(self) -> None:
        check_cipher()

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Return the codec that encrypts and decrypts the tokens of a cookie name."""
        return EncryptingCodec(settings.key_ring, self.get_salt(name))
