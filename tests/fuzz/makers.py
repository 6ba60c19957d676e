"""Cookies that a fuzzer makes, signed or encrypted without handstamp, around whatever bytes it comes up with."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from handstamp._token_based import TokenSessionInterface

from .site import DAY, NOW, StoppedClock, StoppedSigned, derive_key, encode, encode_time, sign

#: A style and a body -> a token.
Maker = Callable[[int, bytes], bytes]

#: How many styles there are of either kind.
STYLES = 7


class Kind(NamedTuple):
    """How the cookies of an interface are made, beside handstamp."""

    interface: Callable[[], TokenSessionInterface[Any]]
    make_maker: Callable[[str, str], Maker]


def _move(body: bytes) -> int:
    """Return the time that a body begins with: from a second too far in the future back, or long ago."""
    return NOW + 69 - 8 * body[0] if body else NOW - 40 * DAY


# -- signed -----------------------------------------------------------------------------------------------------------

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SPELLED = bytes(byte if byte in _ALPHABET + b"." else _ALPHABET[byte % 64] for byte in range(256))

_NOW = encode_time(NOW)

# What comes before the signature: the payload's text, a value of one key in it, the text packed, something packed that
# is perhaps nothing, any spelling, any time.
_SIGNED: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: encode(body) + b"." + _NOW,
    lambda body: encode(b'{"a":' + body + b"}") + b"." + _NOW,
    lambda body: b"." + encode(zlib.compress(body, 1)) + b"." + _NOW,
    lambda body: b"." + encode(body) + b"." + _NOW,
    lambda body: body.translate(_SPELLED) + b"." + _NOW,
    lambda body: b"e30." + body.translate(_SPELLED),
    lambda body: encode(body[1:]) + b"." + encode_time(_move(body)),
)


def _make_signer(key: str, name: str) -> Maker:
    derived = derive_key(key, name)
    return lambda style, body: sign(derived, _SIGNED[style](body))


SIGNED = Kind(StoppedSigned, _make_signer)


# -- encrypted --------------------------------------------------------------------------------------------------------


def _fill(text: bytes) -> bytes:
    return text + bytes(-(8 + len(text)) % 64)


_TIME = NOW.to_bytes(8)

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
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    salt = f"handstamp.encrypted:{len(name)}:{name}".encode()
    cipher = AESGCMSIV(HKDF(SHA256(), 32, salt=None, info=salt).derive(key.encode()))
    nonce = bytes(12)  # always the same, so that what was found once is found again
    return lambda style, body: encode(nonce + cipher.encrypt(nonce, _ENCRYPTED[style](body), salt))


def _open_encrypted() -> TokenSessionInterface[Any]:
    from handstamp.encrypted import EncryptedCookieSessionInterface

    stopped: Any = type("StoppedEncrypted", (StoppedClock, EncryptedCookieSessionInterface), {})
    made: TokenSessionInterface[Any] = stopped()
    return made


#: None where the extra is missing; ``nox -s fuzz`` and the tests bring it.
ENCRYPTED = () if find_spec("cryptography") is None else (Kind(_open_encrypted, _make_encrypter),)
