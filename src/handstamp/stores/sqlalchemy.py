"""Sessions in a database, through SQLAlchemy 2: extra ``handstamp[sqlalchemy]``.

A session is one row, and each field of its data is one row of another table. Every change begins with an UPDATE of the
session's row. Its WHERE clause holds the rule that accepts or rejects the change. If it finds the row, it locks the row
until the transaction ends. (The alternative is one row with all fields and a version number, which is written back if
the version has not changed. With 8 processes at one session it took 1.4 to 3 times as long in PostgreSQL, MariaDB and
SQLite.)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from ..exceptions import StoreError
from ._base import GRACE_SECONDS, Change, Record, damaged_error

try:
    from sqlalchemy import (
        BigInteger,
        Column,
        Engine,
        LargeBinary,
        MetaData,
        String,
        Table,
        Text,
        case,
        delete,
        insert,
        select,
        update,
    )
    from sqlalchemy.dialects import mysql
    from sqlalchemy.engine import Connection, Row
    from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
except ImportError as _error:
    raise ImportError("sessions in a database need an extra: pip install 'handstamp[sqlalchemy]'") from _error

__all__ = ["SQLAlchemyStore"]

_T = TypeVar("_T")

_OWN = {"hash": str, "owner": str, "created": int, "seen": int, "end": int}
_HASH_LENGTH = 64
_BATCH = 500
_ATTEMPTS = 5
# Deadlocks and serialization failures: SQLSTATEs of PostgreSQL, the error number of MariaDB and MySQL.
_ABORTED = frozenset({"40P01", "40001", 1213})


class SQLAlchemyStore:
    """Keep records in PostgreSQL, MariaDB or SQLite; MySQL is untested.

    The store hides the parameters of its statements from the logger ``sqlalchemy.engine``. But at DEBUG this logger
    also logs each row that is read, and no option hides the rows. Leave it at INFO.

    :param engine: the store uses its pool, and registers no event listeners. Create it with ``hide_parameters=True``,
        because otherwise SQLAlchemy's own errors and logs show the parameters of other users of the engine
    :param prefix: the beginning of the names of both tables

    >>> from sqlalchemy import create_engine
    >>> engine = create_engine("sqlite://", hide_parameters=True)
    >>> store = SQLAlchemyStore(engine, prefix="shop_")
    >>> store.create_schema()
    >>> store.delete_expired()
    0
    >>> engine.dispose()
    """

    def __init__(self, engine: Engine, prefix: str = "handstamp_") -> None:
        # A statement must see all earlier commits of others, and lock only the rows that it finds.
        level = "SERIALIZABLE" if engine.dialect.name == "sqlite" else "READ COMMITTED"
        self._engine = engine.execution_options(isolation_level=level)
        self._engine.hide_parameters = True  # of this copy only; the parameters are the data of sessions
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._tables = MetaData()
        self._sessions, self._fields = _make_tables(self._tables, prefix)

    # -- for the operator

    def create_schema(self) -> None:
        """Create the tables that do not exist yet."""
        self._run(self._tables.create_all)

    def delete_expired(self, now: float | None = None) -> int:
        """Delete the records whose end has passed, and return their number. Call it regularly, for example from cron.

        :param now: seconds since 1970; ``None`` asks this machine's clock
        """
        last = int(time.time() if now is None else now) - GRACE_SECONDS
        table = self._sessions
        ended = select(table.c.handle).where(table.c.end < last)
        keys = self._run(lambda connection: connection.execute(ended).scalars().all())
        return sum(self._run(partial(self._drop, keys=batch, last=last)) for batch in _split(keys))

    def _drop(self, connection: Connection, keys: Sequence[bytes], last: int) -> int:
        table, fields = self._sessions, self._fields
        gone = connection.execute(delete(table).where(table.c.handle.in_(keys), table.c.end < last)).rowcount
        kept = select(table.c.handle).where(table.c.handle == fields.c.handle).exists()
        connection.execute(delete(fields).where(fields.c.handle.in_(keys), ~kept))
        return gone

    # -- the five verbs

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if there is none."""
        rows = self._find(self._sessions.c.handle == handle.encode())
        return _read_record(handle, rows) if rows else None

    def create(self, handle: str, record: Record) -> bool:
        """Save a new record."""
        own = {name: getattr(record, name) for name in _OWN}
        row = {"handle": handle.encode(), "owner_key": _digest(record.owner), **own}

        def work(connection: Connection) -> bool:
            try:
                connection.execute(insert(self._sessions).values(row))
            except IntegrityError:
                return False
            self._write(connection, handle, record.fields)
            return True

        if self._run(work):
            return True
        present = self.load(handle)
        return present is not None and present.hash == record.hash

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record."""
        table = self._sessions
        is_admitted = (
            table.c.handle == handle.encode(),
            table.c.hash.in_((expect, change.hash or expect)),
            table.c.end >= change.seen,
        )
        columns = {
            "seen": _later(table.c.seen, change.seen),
            "end": change.end if change.shorten else _later(table.c.end, change.end),
            "hash": change.hash,
            "owner": change.owner,
            "owner_key": None if change.owner is None else _digest(change.owner),
            "created": change.created,
        }
        values = {name: value for name, value in columns.items() if value is not None}

        def work(connection: Connection) -> bool:
            if connection.execute(update(table).where(*is_admitted).values(values)).rowcount == 0:
                return False
            self._erase(connection, handle, [*change.removed, *change.fields])
            self._write(connection, handle, change.fields)
            return True

        return self._run(work)

    def delete(self, handle: str) -> bool:
        """Delete a record."""
        sessions, fields = self._sessions, self._fields

        def work(connection: Connection) -> bool:
            if connection.execute(delete(sessions).where(sessions.c.handle == handle.encode())).rowcount == 0:
                return False  # without a lock on the row: another request may have created a session and its fields
            connection.execute(delete(fields).where(fields.c.handle == handle.encode()))
            return True

        return self._run(work)

    def find(self, owner: str) -> dict[str, Record]:
        """Return the records of an owner by their handles."""
        found = {}
        rows = self._find(self._sessions.c.owner_key == _digest(owner))
        for key, group in groupby(rows, lambda row: row.handle):
            try:
                found[key.decode()] = _read_record(key.decode(), list(group))
            except (StoreError, UnicodeDecodeError):
                continue  # a damaged record has no owner
        return found

    # -- statements

    def _find(self, condition: Any) -> Sequence[Row[Any]]:
        """Return a row for each field, and one row for a session without fields.

        It takes one statement, so that all rows are of the same moment.
        """
        sessions, fields = self._sessions, self._fields
        both = sessions.outerjoin(fields, sessions.c.handle == fields.c.handle)
        query = select(sessions, fields.c.name, fields.c.text).select_from(both).where(condition)
        return self._run(lambda connection: connection.execute(query.order_by(sessions.c.handle)).all())

    def _erase(self, connection: Connection, handle: str, names: Iterable[str]) -> None:
        table = self._fields
        for batch in _split([_digest(name) for name in names]):
            connection.execute(delete(table).where(table.c.handle == handle.encode(), table.c.name_key.in_(batch)))

    def _write(self, connection: Connection, handle: str, fields: Mapping[str, str]) -> None:
        key = handle.encode()
        rows = [{"handle": key, "name_key": _digest(name), "name": name, "text": fields[name]} for name in fields]
        if rows:
            connection.execute(insert(self._fields), rows)

    def _run(self, work: Callable[[Connection], _T], attempts: int = _ATTEMPTS) -> _T:
        """Do some work in a transaction. Repeat it if the connection was dead or the database aborted the transaction.

        :raises StoreError: the database failed. It does not chain the database's error, which may contain parameters.
        """
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            kind = type(error).__name__
            may_repeat = isinstance(error, DBAPIError) and (error.connection_invalidated or _is_aborted(error))
        except self._driver_error as error:  # raised while the isolation level is set
            kind, may_repeat = type(error).__name__, True
            self._engine.dispose()  # the pool has not noticed, and may hold more dead connections
        if may_repeat and attempts > 1:
            return self._run(work, attempts - 1)
        raise StoreError(
            f"the database failed ({kind}); check that it runs, and that create_schema() has created the tables"
        )


def _is_aborted(error: DBAPIError) -> bool:
    """Return whether the database aborted a transaction in favor of another one. The manuals say to repeat it."""
    code = getattr(error.orig, "sqlstate", None) or next(iter(getattr(error.orig, "args", ())), None)
    return code in _ABORTED


def _make_tables(tables: MetaData, prefix: str) -> tuple[Table, Table]:
    # All databases compare bytes exactly. Texts are different: MariaDB ignores trailing blanks, and usually case.
    def key(name: str, **options: Any) -> Column[bytes]:
        kind = LargeBinary().with_variant(mysql.VARBINARY(64), "mysql", "mariadb")
        return Column(name, kind, nullable=False, **options)

    def text(name: str) -> Column[str]:
        return Column(
            name, Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb"), nullable=False
        )

    def number(name: str, **options: Any) -> Column[int]:
        return Column(name, BigInteger, nullable=False, **options)

    sessions = Table(
        f"{prefix}sessions",
        tables,
        key("handle", primary_key=True),
        Column("hash", String(_HASH_LENGTH), nullable=False),
        text("owner"),
        key("owner_key", index=True),
        number("created"),
        number("seen"),
        number("end", index=True),
    )
    fields = Table(
        f"{prefix}fields",
        tables,
        key("handle", primary_key=True),
        key("name_key", primary_key=True),
        text("name"),
        text("text"),
    )
    return sessions, fields


def _read_record(handle: str, rows: Sequence[Row[Any]]) -> Record:
    """Read a record from its rows.

    :raises StoreError: they are not a record
    """
    own = {name: getattr(rows[0], name) for name in _OWN}
    fields = {row.name: row.text for row in rows if row.name is not None}
    # SQLite stores a value of any type in any column.
    is_whole = all(type(own[name]) is kind for name, kind in _OWN.items())
    if not is_whole or len(own["hash"]) != _HASH_LENGTH or {*map(type, fields), *map(type, fields.values())} - {str}:
        raise damaged_error(handle)
    return Record(fields=fields, **own)


def _later(column: Column[int], time: int) -> Any:
    return case((column < time, time), else_=column)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _split(keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    """Split keys into batches that fit into one statement."""
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
