"""Payload and time <-> a signed token, in the format of ``itsdangerous.URLSafeTimedSerializer``.

``base64url(payload) . base64url(time) . base64url(signature)``, where the payload may be compressed by zlib and then
begins with a ``.``.

Writing: pack, then sign. Reading: form, signature, time, then unpack. Nothing is parsed before its signature holds.
"""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from itsdangerous import Signer
from itsdangerous.encoding import int_to_bytes
from itsdangerous.signer import SigningAlgorithm

from ._base64url import decode_standard, encode_standard, encode_urlsafe, split_alphabets, to_urlsafe
from ._hidden import Hidden, discreet
from ._rejection import BadToken
from .exceptions import RejectReason, SettingsError

#: Bytes of JSON, on reading and on writing: what a compressed token may expand to.
MAX_PAYLOAD_BYTES = 256 * 1024

# Bytes of JSON from which compressing is tried: it seldom saves anything below.
_COMPRESS_FROM_BYTES = 128
# Bytes of JSON from which an uncompressed token would not fit into a cookie: there size counts for more than time.
_COMPRESS_WELL_FROM_BYTES = 2800

# Characters of a part: base64 takes two for one byte.
_MIN_PART_CHARACTERS = 2

# Characters of a time: itsdangerous writes up to eight bytes.
_MAX_TIME_CHARACTERS = 11


#: A key as an application gives it, or hidden.
SecretKey: TypeAlias = str | bytes | Hidden[str | bytes]

#: What a token held: the packed payload, when it was issued (whole seconds since 1970), and the index of the key that
#: fitted (0 is the current one, n the n-th fallback). A plain tuple: making a NamedTuple takes 0.39 us instead of 0.08.
Unsealed: TypeAlias = tuple[bytes, int, int]


class Codec(Protocol):
    """Payload <-> token. The methods are mirror images: ``unpack(unseal(seal(pack(payload), issued))[0])``."""

    def pack(self, payload: bytes) -> bytes:
        """Prepare a payload for sealing."""
        ...

    def seal(self, packed: bytes, issued: int) -> str:
        """Return a token made with the current key.

        :param issued: whole seconds since 1970
        """
        ...

    def unseal(self, token: str) -> Unsealed:
        """Open a token with any of the keys.

        :raises BadToken: the token is malformed, or no key fits
        """
        ...

    def unpack(self, packed: bytes) -> bytes:
        """Return the payload.

        :raises BadToken: there is none
        """
        ...


class SigningCodec:
    """Sign with the first of several keys, verify with any.

    :param keys: the current key, then the fallbacks
    :param salt: the purpose; a token that was made for another one is rejected
    :param digest_method: a hash function of :mod:`hashlib`
    :param key_derivation: one of itsdangerous' ways to derive a key. By ``"hmac"`` the derived key is the HMAC of the
        salt: who has any text signed by the bare key can have that one too, so the keys are for nothing else.

    >>> from hashlib import sha256
    >>> codec = SigningCodec(["the key of an example"], b"greetings", sha256, "hmac")
    >>> packed, issued, key_index = codec.unseal(codec.seal(codec.pack(b"hello"), 1000))
    >>> codec.unpack(packed), issued, key_index
    (b'hello', 1000, 0)
    """

    @discreet
    def __init__(self, keys: Sequence[SecretKey], salt: bytes, digest_method: Any, key_derivation: str) -> None:
        # One algorithm for each key: it is known which key fitted, and itsdangerous' order of keys (the oldest first,
        # the last one signs; the trap of CVE-2025-47278) does not matter.
        self._macs = [_KeyedHMAC(key, salt, digest_method, key_derivation) for key in keys]
        self._signature_characters = len(self._macs[0].get_signature(b"", b""))

    def pack(self, payload: bytes) -> bytes:
        """Compress a payload where that saves bytes, and write it as standard base64."""
        if len(payload) >= _COMPRESS_FROM_BYTES:
            compressed = zlib.compress(payload, 1 if len(payload) < _COMPRESS_WELL_FROM_BYTES else 9)
            if len(compressed) + 1 < len(payload):
                return b"." + encode_standard(compressed)
        return encode_standard(payload)

    def seal(self, packed: bytes, issued: int) -> str:
        """Sign with the current key."""
        signed = to_urlsafe(packed) + _encode_time(issued)
        return (signed + b"." + self._macs[0].get_signature(b"", signed)).decode()

    def unseal(self, token: str) -> Unsealed:
        """Check the form, then the signature with each key, then read the time."""
        signed, packed, time, signature = split_token(token)
        for index, mac in enumerate(self._macs):
            if mac.verify_signature(b"", signed, signature):
                return packed, int.from_bytes(decode_standard(time)), index
        raise BadToken(RejectReason.BAD_SIGNATURE, time, is_foreign=len(signature) != self._signature_characters)

    def unpack(self, packed: bytes) -> bytes:
        """Read standard base64, then decompress, never beyond :data:`MAX_PAYLOAD_BYTES`."""
        if not packed.startswith(b"."):
            return decode_standard(packed)
        decompressor = zlib.decompressobj()
        try:
            payload = decompressor.decompress(decode_standard(packed[1:]), MAX_PAYLOAD_BYTES)
        except zlib.error:
            raise BadToken(RejectReason.MALFORMED) from None
        if not decompressor.eof or decompressor.unused_data:
            raise BadToken(RejectReason.MALFORMED)
        return payload


class _KeyedHMAC(SigningAlgorithm):
    """HMAC (RFC 2104) as base64url text, with a key that is derived and set up once instead of at every call.

    ``verify_signature`` is itsdangerous' own, in constant time. Because it compares text, it accepts one spelling.
    """

    def __init__(self, key: SecretKey, salt: bytes, digest_method: Any, key_derivation: str) -> None:
        try:
            signer = Signer(reveal_key(key), salt, key_derivation=key_derivation, digest_method=digest_method)
            self._keyed = hmac.new(signer.derive_key(), digestmod=digest_method)
            return
        except Exception as error:  # a digest_method of the application's own may fail in any way
            kind = type(error).__name__
        # Out here, because the frames that the error has left hold the key.
        raise SettingsError(
            f"key_derivation: {key_derivation!r} with this digest_method gives no key ({kind}); use 'hmac' and a"
            " function of hashlib"
        )

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(value)
        return encode_urlsafe(mac.digest())


def reveal_key(key: SecretKey) -> str | bytes:
    """Return a key that may be hidden."""
    return key.reveal() if isinstance(key, Hidden) else key


def split_token(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the parts of a token: what is signed, payload and time in standard base64, and the signature.

    :raises BadToken: the token does not have these parts
    """
    text, standard = split_alphabets(token)
    signed, _, signature = text.rpartition(b".")
    packed, _, time = standard[: len(signed)].rpartition(b".")
    # Three parts, of which the first may begin with a dot.
    has_parts = packed.rfind(b".") <= 0 and len(packed) >= _MIN_PART_CHARACTERS and signature
    if not (has_parts and _MIN_PART_CHARACTERS <= len(time) <= _MAX_TIME_CHARACTERS):
        raise BadToken(RejectReason.MALFORMED)
    return signed, packed, time, signature


@lru_cache(maxsize=1)  # the tokens of one second share it
def _encode_time(issued: int) -> bytes:
    return b"." + encode_urlsafe(int_to_bytes(issued))
