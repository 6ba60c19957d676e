"""Payload and time <-> an encrypted token: ``base64url(nonce, box)``.

The box holds the time, the payload and its padding, encrypted with AES-256-GCM-SIV (RFC 8452). The purpose and the
cookie's name are bound twice: the key is derived from them, and they are the associated data. Nothing is compressed,
because the length of compressed data reveals something about their content (as in the CRIME attack). Padding makes the
length a multiple of 64 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_bytes

from ._base64url import decode_standard, encode_urlsafe, split_alphabets
from ._hidden import discreet
from ._rejection import BadToken
from ._tokens import SecretKey, Unsealed, reveal_key
from .exceptions import RejectReason, SettingsError

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
_BLOCK_BYTES = 64

# This byte ends the payload, and zeros follow (ISO/IEC 7816-4).
_END = b"\x80"


class EncryptingCodec:
    """Encrypt with the first of several keys, and decrypt with any of them.

    :param keys: the current key, then the fallbacks
    :param salt: the purpose; a token that was made for another purpose is rejected
    """

    @discreet
    def __init__(self, keys: Sequence[SecretKey], salt: bytes) -> None:
        self._salt = salt
        self._ciphers = [AESGCMSIV(_derive_key(key, salt)) for key in keys]

    def pack(self, payload: bytes) -> bytes:
        """Pad a payload so that the time and the payload together fill whole blocks."""
        ended = payload + _END
        return ended + bytes(-(_TIME_BYTES + len(ended)) % _BLOCK_BYTES)

    def seal(self, packed: bytes, issued: int) -> str:
        """Encrypt with the current key and a new random nonce."""
        nonce = token_bytes(_NONCE_BYTES)
        box = self._ciphers[0].encrypt(nonce, issued.to_bytes(_TIME_BYTES) + packed, self._salt)
        return encode_urlsafe(nonce + box).decode()

    def unseal(self, token: str) -> Unsealed:
        """Check the form, then decrypt with each key, then read the time."""
        sealed = _decode(token)
        text, index = self._decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:])
        return text[_TIME_BYTES:], int.from_bytes(text[:_TIME_BYTES]), index

    def _decrypt(self, nonce: bytes, box: bytes) -> tuple[bytes, int]:
        for index, cipher in enumerate(self._ciphers):
            try:
                return cipher.decrypt(nonce, box, self._salt), index
            except InvalidTag:
                continue
        raise BadToken(RejectReason.BAD_SIGNATURE)

    def unpack(self, packed: bytes) -> bytes:
        """Remove the padding."""
        payload, end, padding = packed.rpartition(_END)
        if not end or padding.strip(b"\0") or len(padding) >= _BLOCK_BYTES:
            raise BadToken(RejectReason.MALFORMED)
        return payload


def check_cipher() -> None:
    """Check that the OpenSSL library that ``cryptography`` uses has AES-GCM-SIV.

    :raises SettingsError: it does not
    """
    try:
        AESGCMSIV(bytes(_KEY_BYTES))
    except UnsupportedAlgorithm as error:
        raise SettingsError(
            "encrypted cookies need AES-GCM-SIV, but this OpenSSL lacks it; install a wheel of cryptography, or OpenSSL"
            " 3.2 or later"
        ) from error


def _decode(token: str) -> bytes:
    _, standard = split_alphabets(token)
    if "." in token:
        raise BadToken(RejectReason.MALFORMED)
    sealed = decode_standard(standard)
    blocks, rest = divmod(len(sealed) - _NONCE_BYTES - _TAG_BYTES, _BLOCK_BYTES)
    if blocks < 1 or rest:
        raise BadToken(RejectReason.MALFORMED)
    return sealed


def _derive_key(key: SecretKey, salt: bytes) -> bytes:
    """Derive a key with HKDF-SHA256 (RFC 5869)."""
    secret = reveal_key(key)
    secret = secret.encode() if isinstance(secret, str) else secret
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=salt).derive(secret)
