"""Sessions in the memory of one process, for tests and small tools. They are lost when the process ends."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock

from ._base import Change, Record, damaged_error

__all__ = ["MemoryStore"]

_logger = logging.getLogger("handstamp")


class MemoryStore:
    """Keep records in a dict.

    :param limit: the largest number of records; a new record beyond it replaces the one that was written or touched
        least recently

    >>> from handstamp.serverside import ServerSideSessionInterface
    >>> interface = ServerSideSessionInterface(MemoryStore(limit=500))
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._lock = Lock()
        self._has_forgotten = False
        _logger.warning(
            "MemoryStore loses all sessions when this process ends, and shares them with no other process; use"
            " RedisStore or SQLAlchemyStore instead"
        )

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if there is none."""
        with self._lock:
            return self._get(handle)

    def create(self, handle: str, record: Record) -> bool:
        """Save a new record."""
        with self._lock:
            present = self._get(handle)
            if present is not None:
                return present.hash == record.hash
            self._records[handle] = record._replace(fields=dict(record.fields))
            self._forget()
            return True

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record."""
        with self._lock:
            record = self._get(handle)
            if record is None or not record.admits(expect, change):
                return False
            self._records[handle] = record.apply(change)
            self._records.move_to_end(handle)
            return True

    def delete(self, handle: str) -> bool:
        """Delete a record."""
        with self._lock:
            return self._records.pop(handle, None) is not None

    def find(self, owner: str) -> dict[str, Record]:
        """Return the records of an owner by their handles."""
        with self._lock:
            records = [(handle, record) for handle, record in self._records.items() if type(record) is Record]
        return {handle: record for handle, record in records if record.owner == owner}

    def _get(self, handle: str) -> Record | None:
        record = self._records.get(handle)
        if record is not None and type(record) is not Record:
            raise damaged_error(handle)
        return record

    def _forget(self) -> None:
        if len(self._records) <= self._limit:
            return
        self._records.popitem(last=False)
        if not self._has_forgotten:
            self._has_forgotten = True
            _logger.warning(
                "MemoryStore is full: each new session beyond %d replaces an old one; raise limit", self._limit
            )
