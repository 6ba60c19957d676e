"""Sessions in a database, through SQLAlchemy 2: extra ``handstamp[sqlalchemy]``.

A session is one row. A change reads the row, merges, and writes it back if its version is still the one that was read,
else it begins again. Each statement is a transaction of its own, whatever the engine's isolation level: none sees old
data, none waits for another with a lock in its hand, and each may be sent again.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..exceptions import StoreError
from .base import GRACE, Change, Record, damaged, name_record

try:
    from sqlalchemy import (
        BigInteger,
        Column,
        Engine,
        Index,
        LargeBinary,
        MetaData,
        String,
        Table,
        Text,
        delete,
        insert,
        select,
        update,
    )
    from sqlalchemy.dialects import mysql
    from sqlalchemy.engine import Connection, Row
    from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
except ImportError as error:
    raise ImportError("sessions in a database need an extra: pip install 'handstamp[sqlalchemy]'") from error

_T = TypeVar("_T")

# How often a change begins again if others change the same session at the same moment, and how long it waits before, in
# seconds: a random part of so much for each attempt.
_ATTEMPTS = 100
_PAUSE = 0.002

_OWN = ("hash", "owner", "created", "seen", "end")


class SQLAlchemyStore:
    """Keep records in PostgreSQL, MariaDB, MySQL or SQLite.

    :param engine: used as it is, with its pool; nothing is hooked into it
    :param table: the name of the table, which :meth:`create_schema` makes
    """

    def __init__(self, engine: Engine, table: str = "handstamp_sessions") -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._table = _make_table(table)

    # -- for the operator

    def create_schema(self) -> None:
        """Make the table, if it is not there."""
        self._run(self._table.metadata.create_all)

    def delete_expired(self, now: float | None = None) -> int:
        """Drop the records whose end has passed, and return how many; call it now and then, as from cron.

        :param now: seconds since 1970; ``None``: this machine's clock
        """
        last = int(time.time() if now is None else now) - GRACE
        return self._run(lambda run: run.execute(delete(self._table).where(self._table.c.end < last)).rowcount)

    # -- the five verbs

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if it is gone."""
        row = self._read(handle)
        return None if row is None else _read_record(handle, row)

    def create(self, handle: str, record: Record) -> bool:
        """Keep a new record."""
        row = {"handle": handle.encode(), "version": 0, **_write_record(record)}

        def run(connection: Connection) -> bool:
            try:
                connection.execute(insert(self._table).values(row))
            except IntegrityError:
                return False
            return True

        if self._run(run):
            return True
        there = self.load(handle)
        return there is not None and there.hash == record.hash

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record."""
        for attempt in range(_ATTEMPTS):
            time.sleep(random.random() * _PAUSE * attempt)  # noqa: S311  # no secret
            row = self._read(handle)
            if row is None:
                return False
            record = _read_record(handle, row)
            if not record.admits(expect, change):
                return False
            if self._replace(handle, row.version, record.apply(change)):
                return True
        raise StoreError(
            f"{name_record(handle)} is changed by too many requests at once; let them change it less often"
        )

    def delete(self, handle: str) -> bool:
        """Drop a record."""
        return self._run(lambda run: run.execute(delete(self._table).where(self._is(handle))).rowcount) > 0

    def find(self, owner: str) -> dict[str, Record]:
        """Return the records of an owner by their handles."""
        named = select(self._table).where(self._table.c.owner_key == _hash_owner(owner))
        found = {}
        for row in self._run(lambda run: run.execute(named).all()):
            handle = row.handle.decode()
            try:
                record = _read_record(handle, row)
            except StoreError:
                continue  # it is nobody's
            if record.owner == owner:
                found[handle] = record
        return found

    # -- statements

    def _is(self, handle: str) -> Any:
        return self._table.c.handle == handle.encode()

    def _read(self, handle: str) -> Row[Any] | None:
        return self._run(lambda run: run.execute(select(self._table).where(self._is(handle))).one_or_none())

    def _replace(self, handle: str, version: int, record: Record) -> bool:
        table = self._table
        statement = update(table).where(self._is(handle), table.c.version == version)
        values = {"version": version + 1, **_write_record(record)}
        return self._run(lambda run: run.execute(statement.values(values)).rowcount) == 1

    def _run(self, work: Callable[[Connection], _T]) -> _T:
        """Do something with a connection, once more if the one that the pool kept has died.

        :raises StoreError: without the database's error, which may hold what was sent
        """
        for is_last in (False, True):
            try:
                with self._engine.connect() as connection:
                    return work(connection)
            except SQLAlchemyError as error:
                kind = type(error).__name__
                if is_last or not (isinstance(error, DBAPIError) and error.connection_invalidated):
                    break
        raise StoreError(
            f"the database failed ({kind}); see whether it runs, and whether create_schema() has made the table"
        )


# -- record <-> row ---------------------------------------------------------------------------------------------------


def _make_table(name: str) -> Table:
    # Bytes are compared exactly everywhere; texts are not: MariaDB ignores blanks at their end, and often case.
    key = LargeBinary().with_variant(mysql.VARBINARY(64), "mysql", "mariadb")
    text = Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb")
    return Table(
        name,
        MetaData(),
        Column("handle", key, primary_key=True),
        Column("version", BigInteger, nullable=False),
        Column("hash", String(64), nullable=False),
        Column("fields", text, nullable=False),
        Column("owner", text, nullable=False),
        Column("owner_key", key, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("seen", BigInteger, nullable=False),
        Column("end", BigInteger, nullable=False),
        Index(f"{name}_owner", "owner_key"),
        Index(f"{name}_end", "end"),
    )


def _write_record(record: Record) -> dict[str, Any]:
    own = {name: getattr(record, name) for name in _OWN}
    fields = json.dumps(dict(record.fields), ensure_ascii=False, separators=(",", ":"))
    return {**own, "owner_key": _hash_owner(record.owner), "fields": fields}


def _read_record(handle: str, row: Row[Any]) -> Record:
    """Read a row; the error for a damaged one if it is no record."""
    try:
        fields = json.loads(row.fields)
    except ValueError:
        fields = None
    if type(fields) is not dict or not all(type(text) is str for text in fields.values()):
        raise damaged(handle)
    return Record(fields=fields, **{name: getattr(row, name) for name in _OWN})


def _hash_owner(owner: str) -> bytes:
    return hashlib.sha256(owner.encode()).digest()
