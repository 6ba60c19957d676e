"""The kinds of cookies that one contract holds for, each written and opened without handstamp.

A test module joins the contract by ``pytestmark = pytest.mark.usefixtures("kind")``: each of its tests then runs once
for each kind, and what it makes with ``make_interface``, ``Site``, ``sign`` and ``stamp`` is of that kind.
"""

from __future__ import annotations

import hashlib
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, overload

from itsdangerous import BadData, Signer, TimestampSigner, URLSafeTimedSerializer

from handstamp import SecureCookieSessionInterface, payload
from handstamp._cookie_based import CookieSessionInterface

from .constants import KEY, START

Key = str | bytes
AnyInterface = TypeVar("AnyInterface", bound=CookieSessionInterface[Any])


def encode(content: bytes) -> bytes:
    """Write base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=")


def decode(text: str) -> bytes:
    """Read base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Kind(Protocol):
    """What the tests need to know of a kind of cookies."""

    interface: type[CookieSessionInterface[Any]]
    #: What :meth:`open` raises where no key fits.
    error: type[Exception]

    def write(self, text: str, at: float, key: Key, salt: str) -> str:
        """Make the token of a payload's text."""
        ...

    def seal(self, content: bytes, at: float, key: Key, salt: str) -> str:
        """Make a token with any bytes in the place of a packed payload, as somebody who has the key can."""
        ...

    def open(self, token: str, keys: tuple[Key, ...], salt: str) -> str:
        """Return the text of a token's payload."""
        ...


# -- signed: stock itsdangerous ---------------------------------------------------------------------------------------


SIGNER: Any = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


class _Text:
    """A serializer for itsdangerous that leaves text as it is."""

    @staticmethod
    def dumps(text: object) -> str:
        return text if isinstance(text, str) else ""

    @staticmethod
    def loads(text: str) -> str:
        return text


def stock_serializer(
    *keys: Key, at: float = START, name: str = "session", salt: str | None = None
) -> URLSafeTimedSerializer:
    """Return the itsdangerous serializer, stock but for its clock, that signs and opens the payload's text."""

    class FixedSigner(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(at)

    return URLSafeTimedSerializer(
        list[Any](keys) or KEY,  # of str and of bytes at once, which the annotation leaves out
        salt=salt or f"handstamp.signed:{len(name)}:{name}",
        serializer=_Text,
        signer=FixedSigner,
        signer_kwargs=SIGNER,
    )


def make_signer(key: Key, salt: str) -> Signer:
    """Return the itsdangerous signer, stock and without a time of its own."""
    return Signer(key, salt, **SIGNER)


class Signed:
    """Signed cookies."""

    interface: type[CookieSessionInterface[Any]] = SecureCookieSessionInterface
    error: type[Exception] = BadData

    def write(self, text: str, at: float, key: Key, salt: str) -> str:
        return str(stock_serializer(key, at=at, salt=salt).dumps(text))

    def seal(self, content: bytes, at: float, key: Key, salt: str) -> str:
        signer: Any = stock_serializer(key, at=at).make_signer(salt)
        return str(signer.sign(content).decode())

    def open(self, token: str, keys: tuple[Key, ...], salt: str) -> str:
        return str(stock_serializer(*keys, salt=salt).loads(token))


# -- encrypted: bare cryptography -------------------------------------------------------------------------------------


class Encrypted:
    """Encrypted cookies; without the extra they cannot be made."""

    def __init__(self) -> None:
        from cryptography.exceptions import InvalidTag

        from handstamp.encrypted import EncryptedCookieSessionInterface

        self.interface: type[CookieSessionInterface[Any]] = EncryptedCookieSessionInterface
        self.error: type[Exception] = InvalidTag

    def write(self, text: str, at: float, key: Key, salt: str) -> str:
        content = text.encode() + b"\x80"
        return self.seal(content + bytes(-(8 + len(content)) % 64), at, key, salt)

    def seal(self, content: bytes, at: float, key: Key, salt: str) -> str:
        nonce = os.urandom(12)
        box = make_cipher(key, salt).encrypt(nonce, int(at).to_bytes(8) + content, salt.encode())
        return encode(nonce + box).decode()

    def open(self, token: str, keys: tuple[Key, ...], salt: str) -> str:
        *others, last = keys
        for key in others:
            try:
                return self._open(token, key, salt)
            except self.error:
                continue
        return self._open(token, last, salt)

    def _open(self, token: str, key: Key, salt: str) -> str:
        sealed = decode(token)
        content: bytes = make_cipher(key, salt).decrypt(sealed[:12], sealed[12:], salt.encode())
        return content[8:].rpartition(b"\x80")[0].decode()


def make_cipher(key: Key, salt: str) -> Any:
    """Return what encrypts and decrypts under a key, for the purpose and the name in the salt."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    secret = key.encode() if isinstance(key, str) else key
    return AESGCMSIV(HKDF(SHA256(), 32, salt=None, info=salt.encode()).derive(secret))


# -- the one that is tested -------------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[], Kind]] = {"signed": Signed, "encrypted": Encrypted}

_current: list[Kind] = [Signed()]


def current() -> Kind:
    """Return the kind that is tested; outside of the contract that is the signed one."""
    return _current[-1]


@contextmanager
def testing(name: str) -> Iterator[Kind]:
    """Have what the tests make be of a kind."""
    if name == "encrypted":
        from .missing_programs import need  # brings pytest, which the fuzzer does without

        need("cryptography")
    _current.append(KINDS[name]())
    try:
        yield current()
    finally:
        _current.pop()


@overload
def make_interface() -> SecureCookieSessionInterface: ...


@overload
def make_interface(base: type[AnyInterface]) -> AnyInterface: ...


def make_interface(base: type[Any] = SecureCookieSessionInterface) -> Any:
    """Make an interface of the kind that is tested: the stock one, or what a subclass makes of it."""
    stock = current().interface
    if issubclass(stock, base):
        return stock()
    if not issubclass(base, SecureCookieSessionInterface) or stock is SecureCookieSessionInterface:
        return base()
    # Interfaces are siblings: what makes the difference between them is put over what is written for signed cookies.
    own = {name: vars(stock)[name] for name in ("purpose", "make_codec", "__init__") if name in vars(stock)}
    kept = {name: value for name, value in own.items() if not any(name in vars(each) for each in find_own(base))}
    return type(base.__name__, (base,), kept)()


def find_own(base: type) -> list[type]:
    """Return the classes of a test's own interface, without those of the package."""
    return [each for each in base.__mro__ if not each.__module__.startswith(("handstamp", "typing", "builtins"))]


def make_salt(name: str = "session") -> str:
    """Return what binds a token of the kind that is tested to its purpose and its cookie's name."""
    return f"{current().interface.purpose}:{len(name)}:{name}"


# -- tokens of that kind, made and opened without handstamp -----------------------------------------------------------


def sign(text: str, *, at: float = START, key: str = KEY, name: str = "session") -> str:
    """Make a token of the text of a payload."""
    return current().write(text, at, key, make_salt(name))


def stamp(data: Mapping[str, Any], *, at: float = START, created: int = START, key: str = KEY) -> str:
    """Make a token of the data of a session."""
    return sign(payload.dumps({**data, "_created": created}), at=at, key=key)


def unsign(token: str, *keys: Key, name: str = "session") -> str:
    """Return the text of a token's payload, opened with these keys."""
    return current().open(token, keys or (KEY,), make_salt(name))


def unstamp(token: str, *keys: Key) -> dict[str, Any]:
    """Return what a token holds, ``_created`` included, opened with these keys."""
    return payload.loads(unsign(token, *keys))
