"""SessionId: the handle and the secret that open a record in a store. Also owners as text."""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from secrets import token_bytes
from typing import Any, NamedTuple, Self

from ._base64url import ALPHABET, encode_urlsafe
from ._rejection import BadToken
from .exceptions import RejectReason
from .payload import dump_fields, load_fields

# 128 bits each (ASVS 7.2.3).
_HANDLE_BYTES = _SECRET_BYTES = 16

_HANDLE_CHARACTERS = 22  # of base64url


class SessionId(NamedTuple):
    """The handle of a record and the secret that opens it.

    :ivar payload: handle and secret as bytes, as the token holds them
    :ivar handle: 22 characters of base64url; it never changes while the session lives
    :ivar hash: SHA-256 of the secret, as the record holds it. A secret of 128 random bits needs no salt.
    """

    payload: bytes
    handle: str
    hash: str

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read the payload of a token.

        :raises BadToken: it is not a session id
        """
        if len(payload) != _HANDLE_BYTES + _SECRET_BYTES:
            raise BadToken(RejectReason.MALFORMED)
        handle, secret = payload[:_HANDLE_BYTES], payload[_HANDLE_BYTES:]
        return cls(payload, encode_urlsafe(handle).decode(), hashlib.sha256(secret).hexdigest())

    @classmethod
    def generate(cls) -> Self:
        """Return the id of a new session."""
        return cls.parse(token_bytes(_HANDLE_BYTES + _SECRET_BYTES))

    def renew(self) -> SessionId:
        """Return an id with the same handle and a new secret."""
        return self.parse(self.payload[:_HANDLE_BYTES] + token_bytes(_SECRET_BYTES))

    def matches(self, record_hash: str) -> bool:
        """Return whether the secret fits the hash of a record. The comparison takes constant time."""
        return compare_digest(record_hash.encode(), self.hash.encode())


def is_handle(text: str) -> bool:
    """Return whether a text has the form of a handle. The text may come from anywhere."""
    return len(text) == _HANDLE_CHARACTERS and text.isascii() and not text.encode().translate(None, ALPHABET)


def dump_owner(owner: object) -> str:
    """Return an owner as a JSON text, in which 1 differs from "1"; ``""`` if there is no owner.

    :raises UnserializableValue: a session cannot hold such a value
    """
    return "" if owner is None else dump_fields({"owner": owner})['"owner"']


def load_owner(text: str) -> Any:
    """Read an owner that :func:`dump_owner` wrote.

    :raises ValueError: the text is something else
    """
    return load_fields({'"owner"': text})["owner"] if text else None
