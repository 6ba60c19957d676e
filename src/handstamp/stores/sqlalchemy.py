"""Sessions in a database, through SQLAlchemy 2: extra ``handstamp[sqlalchemy]``.

A session is a row, and each field of its data is a row of another table. Every change begins with one UPDATE of the
session's row, whose WHERE is the law: it finds a row or not, and from then on holds it until all is written. (One row
with all fields and a version, written back if the version is still the one that was read, was the other way: with 8
processes at one session it took 1.4 to 3 times as long in PostgreSQL, MariaDB and SQLite.)
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
except ImportError as error:
    raise ImportError("sessions in a database need an extra: pip install 'handstamp[sqlalchemy]'") from error

_T = TypeVar("_T")

_OWN = {"hash": str, "owner": str, "created": int, "seen": int, "end": int}
_HASH_LENGTH = 64
_BATCH = 500
_ATTEMPTS = 5
# Deadlocks and failed serialization: of PostgreSQL by SQLSTATE, of MariaDB and MySQL by number.
_BROKEN_OFF = frozenset({"40P01", "40001", 1213})


class SQLAlchemyStore:
    """Keep records in PostgreSQL, MariaDB or SQLite; MySQL is untested.

    What is sent is never logged by ``sqlalchemy.engine``, but at DEBUG it logs each row that is read, which no option
    hides: leave it at INFO.

    :param engine: used with its own pool; nothing is hooked into it. Make it by
        ``create_engine(url, hide_parameters=True)``, or SQLAlchemy's own errors and logs show what others send by it.
    :param prefix: what the names of the two tables begin with
    """

    def __init__(self, engine: Engine, prefix: str = "handstamp_") -> None:
        # A statement must see what others have committed before it, and lock no more than the rows that it finds.
        level = "SERIALIZABLE" if engine.dialect.name == "sqlite" else "READ COMMITTED"
        self._engine = engine.execution_options(isolation_level=level)
        self._engine.hide_parameters = True  # of this copy alone: they are what sessions hold
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._tables = MetaData()
        self._sessions, self._fields = _make_tables(self._tables, prefix)

    # -- for the operator

    def create_schema(self) -> None:
        """Make the tables, if they are not there."""
        self._run(self._tables.create_all)

    def delete_expired(self, now: float | None = None) -> int:
        """Delete the records whose end has passed, and return how many; call it now and then, as from cron.

        :param now: seconds since 1970; ``None``: this machine's clock
        """
        last = int(time.time() if now is None else now) - GRACE_SECONDS
        table = self._sessions
        ended = select(table.c.handle).where(table.c.end < last)
        keys = self._run(lambda connection: connection.execute(ended).scalars().all())
        return sum(self._run(partial(self._drop, keys=some, last=last)) for some in _split(keys))

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
        there = self.load(handle)
        return there is not None and there.hash == record.hash

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record."""
        table = self._sessions
        is_admitted = (
            table.c.handle == handle.encode(),
            table.c.hash.in_((expect, change.hash or expect)),
            table.c.end >= change.seen,
        )
        told = {
            "seen": _later(table.c.seen, change.seen),
            "end": change.end if change.shorten else _later(table.c.end, change.end),
            "hash": change.hash,
            "owner": change.owner,
            "owner_key": None if change.owner is None else _digest(change.owner),
            "created": change.created,
        }
        values = {name: value for name, value in told.items() if value is not None}

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
                return False  # holding no row: fields that are there now are of a session created meanwhile
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
                continue  # it is nobody's
        return found

    # -- statements

    def _find(self, condition: Any) -> Sequence[Row[Any]]:
        """Return a row for each field, and one for a session without any; one statement, so of one moment."""
        sessions, fields = self._sessions, self._fields
        both = sessions.outerjoin(fields, sessions.c.handle == fields.c.handle)
        query = select(sessions, fields.c.name, fields.c.text).select_from(both).where(condition)
        return self._run(lambda connection: connection.execute(query.order_by(sessions.c.handle)).all())

    def _erase(self, connection: Connection, handle: str, names: Iterable[str]) -> None:
        table = self._fields
        for some in _split([_digest(name) for name in names]):
            connection.execute(delete(table).where(table.c.handle == handle.encode(), table.c.name_key.in_(some)))

    def _write(self, connection: Connection, handle: str, fields: Mapping[str, str]) -> None:
        key = handle.encode()
        rows = [{"handle": key, "name_key": _digest(name), "name": name, "text": fields[name]} for name in fields]
        if rows:
            connection.execute(insert(self._fields), rows)

    def _run(self, work: Callable[[Connection], _T], attempts: int = _ATTEMPTS) -> _T:
        """Do something in a transaction; again if the pool's connection is dead, or the database has broken it off.

        :raises StoreError: without the database's error, which may hold what was sent
        """
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            kind = type(error).__name__
            may_go_again = isinstance(error, DBAPIError) and (error.connection_invalidated or _is_broken_off(error))
        except self._driver_error as error:  # as it comes from setting the isolation level
            kind, may_go_again = type(error).__name__, True
            self._engine.dispose()  # the pool has not noticed, and may keep more of them
        if may_go_again and attempts > 1:
            return self._run(work, attempts - 1)
        raise StoreError(
            f"the database failed ({kind}); see whether it runs, and whether create_schema() has made the tables"
        )


def _is_broken_off(error: DBAPIError) -> bool:
    """Return whether a transaction was sacrificed to another one; to repeat it is what the manuals ask for."""
    code = getattr(error.orig, "sqlstate", None) or next(iter(getattr(error.orig, "args", ())), None)
    return code in _BROKEN_OFF


def _make_tables(tables: MetaData, prefix: str) -> tuple[Table, Table]:
    # Bytes are compared exactly everywhere; texts are not: MariaDB ignores blanks at their end, and mostly case.
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
    """Read a session's rows; :exc:`StoreError` if they are no record."""
    own = {name: getattr(rows[0], name) for name in _OWN}
    fields = {row.name: row.text for row in rows if row.name is not None}
    # SQLite keeps a value of any type in any column.
    is_whole = all(type(own[name]) is kind for name, kind in _OWN.items())
    if not is_whole or len(own["hash"]) != _HASH_LENGTH or {*map(type, fields), *map(type, fields.values())} - {str}:
        raise damaged_error(handle)
    return Record(fields=fields, **own)


def _later(column: Column[int], time: int) -> Any:
    return case((column < time, time), else_=column)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _split(keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    """Split keys into as many as a statement may have."""
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
