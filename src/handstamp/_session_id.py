"""SessionId: what opens a record in a store. Owners, as text."""

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
    """What opens a record: a handle, under which it is kept, and a secret.

    :ivar payload: handle and secret as bytes: what the token holds
    :ivar handle: 22 characters of base64url; the same as long as the session lives
    :ivar hash: SHA-256 of the secret: what the record holds. 128 random bits need no salt.
    """

    payload: bytes
    handle: str
    hash: str

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read what a token holds.

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
        """Return an id with the same handle and another secret."""
        return self.parse(self.payload[:_HANDLE_BYTES] + token_bytes(_SECRET_BYTES))

    def opens(self, record_hash: str) -> bool:
        """Return whether this is the secret of a record, in constant time."""
        return compare_digest(record_hash.encode(), self.hash.encode())


def is_handle(text: str) -> bool:
    """Return whether a text, which may come from anywhere, can be the handle of a record."""
    return len(text) == _HANDLE_CHARACTERS and text.isascii() and not text.encode().translate(None, ALPHABET)


def dump_owner(owner: object) -> str:
    """Write an owner exactly, so that 1 is not "1"; ``""`` for nobody.

    :raises UnserializableValue: a session cannot hold such a value
    """
    return "" if owner is None else dump_fields({"owner": owner})['"owner"']


def load_owner(text: str) -> Any:
    """Read what :func:`dump_owner` wrote; :exc:`ValueError` for anything else."""
    return load_fields({'"owner"': text})["owner"] if text else None
