"""The same as signed cookies, but their bearer cannot read them: extra ``handstamp[encryption]``.

A token is ``base64url(nonce, box)``. The box is AES-256-GCM-SIV (RFC 8452) around the time, the payload and its
padding; the purpose and the cookie's name are bound in twice, into the key and as associated data. Nothing is
compressed, since that would tell of the content through its length (as CRIME did), and all is padded to multiples of
64 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_bytes

from .exceptions import BadToken, RejectReason, SettingsError
from .settings import Settings
from .signed import SecureCookieSessionInterface
from .tokens import Codec, Unsealed, decode_standard, encode_urlsafe, translate_token

try:
    from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as error:
    raise ImportError("encrypted cookies need an extra: pip install 'handstamp[encryption]'") from error

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_TIME_BYTES = 8
_BLOCK = 64
# The end of the payload; zeros follow (ISO/IEC 7816-4).
_END = b"\x80"


class EncryptedCookieSessionInterface(SecureCookieSessionInterface):
    """Keep sessions in encrypted cookies; a drop-in for signed ones.

    ``digest_method`` and ``key_derivation`` have no say here: keys are derived by HKDF-SHA256 (RFC 5869).

    :raises SettingsError: the OpenSSL under ``cryptography`` has no AES-GCM-SIV
    """

    purpose = "handstamp.encrypted"

    def __init__(self) -> None:
        try:
            AESGCMSIV(bytes(_KEY_BYTES))
        except UnsupportedAlgorithm as error:
            raise SettingsError(
                "encrypted cookies need AES-GCM-SIV, which this OpenSSL lacks; install a wheel of cryptography, or"
                " OpenSSL 3.2 or later"
            ) from error

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Make what seals and unseals tokens under a cookie name."""
        return EncryptingCodec(settings.key_ring, self.get_salt(name))


class EncryptingCodec:
    """Encrypt with the first of several keys, decrypt with any.

    :param keys: the current key, then the fallbacks
    :param salt: the purpose, so that a token of another one does not open
    """

    def __init__(self, keys: Sequence[str | bytes], salt: bytes) -> None:
        self._salt = salt
        self._ciphers = [AESGCMSIV(_derive_key(key, salt)) for key in keys]

    def pack(self, payload: bytes) -> bytes:
        """Pad, so that time and payload together fill whole blocks."""
        ended = payload + _END
        return ended + bytes(-(_TIME_BYTES + len(ended)) % _BLOCK)

    def seal(self, content: bytes, issued: int) -> str:
        """Encrypt with the current key and a fresh nonce."""
        nonce = token_bytes(_NONCE_BYTES)
        box = self._ciphers[0].encrypt(nonce, issued.to_bytes(_TIME_BYTES) + content, self._salt)
        return encode_urlsafe(nonce + box).decode()

    def unseal(self, token: str) -> Unsealed:
        """Check the form, then decrypt with each key, then read the time."""
        sealed = _decode(token)
        text, key = self._decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:])
        return text[_TIME_BYTES:], int.from_bytes(text[:_TIME_BYTES]), key

    def _decrypt(self, nonce: bytes, box: bytes) -> tuple[bytes, int]:
        for key, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(nonce, box, self._salt), key
            except InvalidTag:
                continue
        raise BadToken(RejectReason.BAD_SIGNATURE)

    def unpack(self, content: bytes) -> bytes:
        """Cut the padding off."""
        payload, end, padding = content.rpartition(_END)
        if not end or padding.strip(b"\0") or len(padding) >= _BLOCK:
            raise BadToken(RejectReason.MALFORMED)
        return payload


def _decode(token: str) -> bytes:
    _, standard = translate_token(token)
    if "." in token:
        raise BadToken(RejectReason.MALFORMED)
    sealed = decode_standard(standard)
    blocks, rest = divmod(len(sealed) - _NONCE_BYTES - _TAG_BYTES, _BLOCK)
    if blocks < 1 or rest:
        raise BadToken(RejectReason.MALFORMED)
    return sealed


def _derive_key(key: str | bytes, salt: bytes) -> bytes:
    secret = key.encode() if isinstance(key, str) else key
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=salt).derive(secret)
