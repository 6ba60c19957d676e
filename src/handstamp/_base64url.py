"""Base64 without padding (RFC 4648): the URL-safe alphabet of tokens (section 5), read in its canonical form alone.

Canonical means one spelling for each value: no padding, no stray characters, no unused bits (section 3.5). Between the
steps, text is in the standard alphabet (section 4), which :mod:`binascii` knows.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from ._rejection import BadToken
from .exceptions import RejectReason

#: The characters of base64url.
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")

# Dots stay, and whatever is not in the alphabet becomes zero: one pass checks a token and translates it.
_CHECK_AND_TRANSLATE = bytes(_TO_STANDARD[byte] if byte in ALPHABET + b"." else 0 for byte in range(256))

# The possible last characters, by the length modulo 4: their unused bits are zero.
_LAST_CHARACTERS = (
    frozenset(ALPHABET.translate(_TO_STANDARD)),
    frozenset[int](),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)


def encode_urlsafe(data: bytes) -> bytes:
    """Write base64url."""
    return b2a_base64(data, newline=False).translate(_TO_URLSAFE).rstrip(b"=")


def encode_standard(data: bytes) -> bytes:
    """Write standard base64."""
    return b2a_base64(data, newline=False).rstrip(b"=")


def decode_standard(text: bytes) -> bytes:
    """Read canonical standard base64.

    :param text: characters of the alphabet alone
    :raises BadToken: it is empty, has unused bits, or an impossible length
    """
    if not text or text[-1] not in _LAST_CHARACTERS[len(text) % 4]:
        raise BadToken(RejectReason.MALFORMED)
    return a2b_base64(text + b"==")


def to_urlsafe(text: bytes) -> bytes:
    """Translate standard base64 to the URL-safe alphabet."""
    return text.translate(_TO_URLSAFE)


def split_alphabets(token: str) -> tuple[bytes, bytes]:
    """Return a token twice as bytes: as it is, and in the standard alphabet.

    :param token: base64url, with dots in between
    :raises BadToken: it holds any other character
    """
    try:
        text = token.encode("ascii")
    except UnicodeEncodeError:
        raise BadToken(RejectReason.MALFORMED) from None
    standard = text.translate(_CHECK_AND_TRANSLATE)
    if 0 in standard:
        raise BadToken(RejectReason.MALFORMED)
    return text, standard
