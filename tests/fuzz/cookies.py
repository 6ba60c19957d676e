"""Cookies that a fuzzer makes, signed or encrypted without handstamp, around whatever bytes it comes up with."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from tests.support.constants import DAY, START
from tests.support.cookie_kinds import encode, make_cipher, make_signer

#: A style and a body -> a token.
Maker = Callable[[int, bytes], bytes]

#: How many styles there are of either kind.
STYLES = 7


def encode_time(seconds: int) -> bytes:
    """Write a token's second segment."""
    return encode(seconds.to_bytes((seconds.bit_length() + 7) // 8))


def _move(body: bytes) -> int:
    """Return the time that a body begins with: from a second too far in the future back, or long ago."""
    return START + 69 - 8 * body[0] if body else START - 40 * DAY


# -- signed -----------------------------------------------------------------------------------------------------------

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SPELLED = bytes(byte if byte in _ALPHABET + b"." else _ALPHABET[byte % 64] for byte in range(256))

_ISSUED = encode_time(START)

# What comes before the signature: the payload's text, a value of one key in it, the text packed, something packed that
# is perhaps nothing, any spelling, any time.
_SIGNED: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: encode(body) + b"." + _ISSUED,
    lambda body: encode(b'{"a":' + body + b"}") + b"." + _ISSUED,
    lambda body: b"." + encode(zlib.compress(body, 1)) + b"." + _ISSUED,
    lambda body: b"." + encode(body) + b"." + _ISSUED,
    lambda body: body.translate(_SPELLED) + b"." + _ISSUED,
    lambda body: b"e30." + body.translate(_SPELLED),
    lambda body: encode(body[1:]) + b"." + encode_time(_move(body)),
)


def _make_signer(key: str, name: str) -> Maker:
    signer = make_signer(key, f"handstamp.signed:{len(name)}:{name}")
    return lambda style, body: signer.sign(_SIGNED[style](body))


# -- encrypted --------------------------------------------------------------------------------------------------------


def _fill(text: bytes) -> bytes:
    return text + bytes(-(8 + len(text)) % 64)


_TIME = START.to_bytes(8)

# What is in the box: the payload's text, a value of one key in it, a text whose end is perhaps not marked, more padding
# than there can be, any bytes, any time.
_ENCRYPTED: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: _TIME + _fill(body + b"\x80"),
    lambda body: _TIME + _fill(b'{"a":' + body + b"}\x80"),
    lambda body: _TIME + _fill(body),
    lambda body: _TIME + _fill(body + b"\x80") + bytes(64),
    lambda body: body,
    lambda body: body[:8].rjust(8, b"\0") + _fill(b"{}\x80"),
    lambda body: _move(body).to_bytes(8) + _fill(body[1:] + b"\x80"),
)


def _make_encrypter(key: str, name: str) -> Maker:
    salt = f"handstamp.encrypted:{len(name)}:{name}"
    cipher = make_cipher(key, salt)
    nonce = bytes(12)  # always the same, so that what was found once is found again
    return lambda style, body: encode(nonce + cipher.encrypt(nonce, _ENCRYPTED[style](body), salt.encode()))


#: What makes the cookies of a kind, by a key and the cookie's name.
MAKERS: dict[str, Callable[[str, str], Maker]] = {"signed": _make_signer, "encrypted": _make_encrypter}
