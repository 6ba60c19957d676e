"""Helpers for the tests of a store: they make records and changes, and check errors."""

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
    """Return a new handle."""
    return secrets.token_urlsafe(16)


def make_hash() -> str:
    """Return the hash of a new secret."""
    return hashlib.sha256(secrets.token_bytes(16)).hexdigest()


def make_owner() -> str:
    """Return a new owner, who has no records."""
    return f"owner-{secrets.token_hex(4)}"


def make_record(*, owner: str = "", fields: dict[str, str] | None = None) -> Record:
    """Return the record of a session that was created just now and ends in an hour."""
    now = int(time.time())
    return Record(make_hash(), {'"a"': "1"} if fields is None else fields, owner, now, now, now + HOUR)


def make_change(record: Record, **parts: Any) -> Change:
    """Return a change at the times of a record, with these parts."""
    return Change(record.seen, record.end)._replace(**parts)


def keep(store: Store, record: Record) -> str:
    """Create a record under a new handle, and return the handle."""
    handle = make_handle()
    assert store.create(handle, record) is True
    return handle


def catch_error(attempt: Callable[[], object]) -> BaseException | None:
    """Return the :exc:`StoreError` that a call raises. Fail if it raises none."""
    try:
        attempt()
    except StoreError as error:
        return error
    raise AssertionError("no StoreError was raised")


def is_rejected(attempt: Callable[[], bool]) -> bool:
    """Return whether a call returns False or raises a :exc:`StoreError`."""
    try:
        return attempt() is False
    except StoreError:
        return True
