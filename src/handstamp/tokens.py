"""Text and time <-> a signed token, the bytes of ``itsdangerous.URLSafeTimedSerializer``.

``base64url(payload) . base64url(time) . base64url(signature)``, where the payload may be packed by zlib and then begins
with a ``.``. Base64 is canonical on reading (no padding, no stray characters, no unused bits), so that no second
spelling of a token opens.
"""

from __future__ import annotations

import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from itsdangerous import Signer
from itsdangerous.encoding import int_to_bytes
from itsdangerous.signer import SigningAlgorithm

from .exceptions import BadToken, RejectReason

#: Bytes of JSON, on reading and on writing: what a packed token may unfold to.
MAX_PAYLOAD = 256 * 1024

# Bytes of JSON from which packing is tried: seldom does it save anything below.
_PACK_FROM = 128
# Bytes of JSON that fit into a cookie unpacked: above, smallness counts for more than speed.
_PACK_WELL_FROM = 2800

# Characters of a time: itsdangerous writes up to eight bytes.
_MAX_TIME = 11

# Fewer characters of base64 hold no byte.
_MIN_PART = 2


#: What a token held: the packed payload, when it was issued (whole seconds since 1970), and the key that fitted (0: the
#: current one, n: the n-th fallback).
Unsealed: TypeAlias = tuple[bytes, int, int]


class Codec(Protocol):
    """Payload <-> token. Each pair of methods is a mirror image: ``unpack(unseal(seal(pack(payload))))``.

    What lies between packing and sealing is the codec's own affair.
    """

    def pack(self, payload: bytes) -> bytes:
        """Make a payload as small as it can be sealed."""
        ...

    def seal(self, content: bytes, issued: int) -> str:
        """Make a token with the current key, at a time in whole seconds since 1970."""
        ...

    def unseal(self, token: str) -> Unsealed:
        """Open a token with any of the keys; :exc:`BadToken` if none fits."""
        ...

    def unpack(self, content: bytes) -> bytes:
        """Return the payload; :exc:`BadToken` if it is none."""
        ...


class SigningCodec:
    """Sign with the first of several keys, open with any.

    :param keys: the current key, then the fallbacks
    :param salt: the purpose, so that a token of another one does not open
    :param digest_method: a hash of :mod:`hashlib`
    :param key_derivation: one of itsdangerous' ways
    """

    def __init__(self, keys: Sequence[str | bytes], salt: bytes, digest_method: Any, key_derivation: str) -> None:
        # A signer for each key: it is known which one opened, and itsdangerous' order of keys (oldest first, the last
        # one signs; the trap of CVE-2025-47278) never matters.
        self._signers = [_KeyedSigner(key, salt, digest_method, key_derivation) for key in keys]

    def pack(self, payload: bytes) -> bytes:
        """Pack by zlib where that saves bytes, then write as standard base64."""
        if len(payload) >= _PACK_FROM:
            packed = zlib.compress(payload, 1 if len(payload) < _PACK_WELL_FROM else 9)
            if len(packed) + 1 < len(payload):
                return b"." + encode_standard(packed)
        return encode_standard(payload)

    def seal(self, content: bytes, issued: int) -> str:
        """Turn to base64url, and sign with the current key."""
        return self._signers[0].sign(content.translate(_TO_URLSAFE) + _encode_time(issued)).decode()

    def unseal(self, token: str) -> Unsealed:
        """Check the form, then the signature with each key, then read the time."""
        signed, content, time, signature = split_token(token)
        for key, signer in enumerate(self._signers):
            # The step of unsign that decides. Unsign would split the token again, and write a message for each key that
            # does not fit: a sixth of a refusal's time.
            if signer.verify_signature(signed, signature):
                return content, int.from_bytes(decode_standard(time)), key
        raise BadToken(RejectReason.BAD_SIGNATURE)

    def unpack(self, content: bytes) -> bytes:
        """Read standard base64, then unpack, never beyond :data:`MAX_PAYLOAD`."""
        if not content.startswith(b"."):
            return decode_standard(content)
        unpacker = zlib.decompressobj()
        try:
            payload = unpacker.decompress(decode_standard(content[1:]), MAX_PAYLOAD)
        except zlib.error:
            raise BadToken(RejectReason.MALFORMED) from None
        if not unpacker.eof or unpacker.unused_data:
            raise BadToken(RejectReason.MALFORMED)
        return payload


class _KeyedSigner(Signer):
    """An itsdangerous signer for one key, which derives it once and compares signatures as text."""

    def __init__(self, key: str | bytes, salt: bytes, digest_method: Any, key_derivation: str) -> None:
        super().__init__(key, salt, key_derivation=key_derivation, digest_method=digest_method)
        self.algorithm = _TextHMAC(self.derive_key(), digest_method)

    def get_signature(self, value: str | bytes) -> bytes:
        return self.algorithm.get_signature(b"", value)  # type: ignore[arg-type]

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return self.algorithm.verify_signature(b"", value, sig)  # type: ignore[arg-type]


class _TextHMAC(SigningAlgorithm):
    """HMAC (RFC 2104) under a key known beforehand, as base64url text.

    ``verify_signature`` is itsdangerous' own, in constant time; comparing text, it takes no second spelling. Two hashes
    that have taken in the padded key, copied for each value, cost 0.6 of a copied ``hmac`` object.
    """

    def __init__(self, key: bytes, digest_method: Any) -> None:
        size = digest_method().block_size
        padded = (key if len(key) <= size else digest_method(key).digest()).ljust(size, b"\0")
        self._inner = digest_method(bytes(byte ^ 0x36 for byte in padded))
        self._outer = digest_method(bytes(byte ^ 0x5C for byte in padded))

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(value)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return encode_urlsafe(outer.digest())


def split_token(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Return what a well-formed token's signature covers, content and time in standard base64, and the signature as is.

    :raises BadToken: it is not well-formed
    """
    text, standard = translate_token(token)
    signed, _, signature = text.rpartition(b".")
    content, _, time = standard[: len(signed)].rpartition(b".")
    # Three segments, of which the first may begin with a dot.
    if content.rfind(b".") > 0 or len(content) < _MIN_PART or not _MIN_PART <= len(time) <= _MAX_TIME or not signature:
        raise BadToken(RejectReason.MALFORMED)
    return signed, content, time, signature


@lru_cache(maxsize=1)  # all tokens of one second say the same
def _encode_time(issued: int) -> bytes:
    return b"." + encode_urlsafe(int_to_bytes(issued))


# -- base64 (RFC 4648): the URL-safe alphabet of tokens (section 5) and the standard one (section 4) of binascii -------

#: The characters of base64url.
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")
# Dots stay, and whatever is none of the alphabet becomes zero: one pass over a token does for its form and its reading.
_TO_STANDARD = bytes(_FROM_URLSAFE[byte] if byte in ALPHABET + b"." else 0 for byte in range(256))

# The last character of canonical base64 by the length modulo 4: its unused bits are zero (section 3.5).
_LAST = (
    frozenset(ALPHABET.translate(_FROM_URLSAFE)),
    frozenset[int](),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)


def translate_token(token: str) -> tuple[bytes, bytes]:
    """Return base64url, and dots in between, as bytes: as it is, and in the standard alphabet.

    :raises BadToken: it holds anything else
    """
    try:
        text = token.encode("ascii")
    except UnicodeEncodeError:
        raise BadToken(RejectReason.MALFORMED) from None
    standard = text.translate(_TO_STANDARD)
    if 0 in standard:
        raise BadToken(RejectReason.MALFORMED)
    return text, standard


def encode_standard(data: bytes) -> bytes:
    """Write standard base64 without padding."""
    return b2a_base64(data, newline=False).rstrip(b"=")


def decode_standard(text: bytes) -> bytes:
    """Read canonical standard base64 without padding.

    :param text: all of the alphabet
    :raises BadToken: it is empty, has unused bits, or a length that cannot be
    """
    if not text or text[-1] not in _LAST[len(text) % 4]:
        raise BadToken(RejectReason.MALFORMED)
    return a2b_base64(text + b"==")


def encode_urlsafe(data: bytes) -> bytes:
    """Write base64url without padding."""
    return b2a_base64(data, newline=False).translate(_TO_URLSAFE).rstrip(b"=")
