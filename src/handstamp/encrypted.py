"""The same as signed cookies, but their bearer cannot read them: extra ``handstamp[encryption]``."""

from __future__ import annotations

from typing import Generic

from ._cookie_based import CookieSessionInterface
from ._encryption import EncryptingCodec, check_cipher
from ._settings import Settings
from ._token_based import TokenSessionT
from ._tokens import Codec

__all__ = ["EncryptedCookieSessionInterface"]


class EncryptedCookieSessionInterface(CookieSessionInterface[TokenSessionT], Generic[TokenSessionT]):
    """Keep sessions in encrypted cookies: AES-256-GCM-SIV (RFC 8452), with keys derived by HKDF-SHA256 (RFC 5869).

    :cvar serializer: turns the data into text and back
    :cvar session_class: what ``open_session`` makes
    :raises SettingsError: the OpenSSL under ``cryptography`` lacks AES-GCM-SIV

    >>> from handstamp import SessionMiddleware
    >>> app = SessionMiddleware(print, {"SECRET_KEY": "the key of an example"},
    ...     session_interface=EncryptedCookieSessionInterface())
    """

    purpose = "handstamp.encrypted"

    def __init__(self) -> None:
        check_cipher()

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Return what encrypts and decrypts tokens under a cookie name."""
        return EncryptingCodec(settings.key_ring, self.get_salt(name))
