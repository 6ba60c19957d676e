"""Records, changes and attempts for the tests of a store."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any

from ..exceptions import StoreError
from ..stores._base import Change, Record, Store

HOUR = 3600


def make_handle() -> str:
    """Return a handle that nobody has."""
    return secrets.token_urlsafe(16)


def make_hash() -> str:
    """Return the hash of a secret that nobody has."""
    return hashlib.sha256(secrets.token_bytes(16)).hexdigest()


def make_owner() -> str:
    """Return an owner that has no record."""
    return f"owner-{secrets.token_hex(4)}"


def make_record(*, owner: str = "", fields: dict[str, str] | None = None) -> Record:
    """Return a record of a session that began just now and ends in an hour."""
    now = int(time.time())
    return Record(make_hash(), {'"a"': "1"} if fields is None else fields, owner, now, now, now + HOUR)


def make_change(record: Record, **told: Any) -> Change:
    """Return a change that tells no more than it is given, at the times of a record."""
    return Change(record.seen, record.end)._replace(**told)


def keep(store: Store, record: Record) -> str:
    """Create a record; return its handle."""
    handle = make_handle()
    assert store.create(handle, record) is True
    return handle


def catch_error(attempt: Callable[[], object]) -> BaseException | None:
    """Return the :exc:`StoreError` that an attempt must raise."""
    try:
        attempt()
    except StoreError as error:
        return error
    raise AssertionError("no StoreError")


def is_rejected(attempt: Callable[[], bool]) -> bool:
    """Return whether an attempt is rejected, by its answer or by a :exc:`StoreError`."""
    try:
        return attempt() is False
    except StoreError:
        return True
