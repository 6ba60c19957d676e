"""SQLAlchemyStore keeps the contract of stores in SQLite, and in a real PostgreSQL and MariaDB."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.missing_programs import need

need("sqlalchemy", "psycopg", "pymysql")

from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError

from handstamp import StoreError
from handstamp.stores import Record
from handstamp.stores import sqlalchemy as store_module
from handstamp.stores._base import GRACE_SECONDS
from handstamp.stores.sqlalchemy import SQLAlchemyStore
from handstamp.testing import StoreContract, StoreModel
from handstamp.testing._records import keep, make_change, make_handle, make_owner, make_record
from tests.support.constants import DAY
from tests.support.databases import DATABASES
from tests.support.paths import ROOT
from tests.support.processes import find_ports


@contextmanager
def using(url: str) -> Iterator[Any]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(scope="module", params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with DATABASES[request.param](tmp_path_factory.mktemp(request.param)) as url:
        with using(url) as engine:
            SQLAlchemyStore(engine).create_schema()
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Any]:
    with using(url) as engine:
        yield engine


@pytest.fixture
def store(engine: Any) -> SQLAlchemyStore:
    return SQLAlchemyStore(engine)


def run(store: Any, statement: str, **values: Any) -> Any:
    """Run a statement; return the one value that it asks for."""
    with store._engine.begin() as connection:
        result = connection.execute(text(statement), values)
        return result.scalar() if result.returns_rows else None


class TestSQLAlchemyStore(StoreContract, StoreModel):
    """In a database every law of a store holds."""

    #: The environment variable ONE_OF=1 has it play all orders.
    one_of = int(os.environ.get("ONE_OF", "400"))

    def damage(self, store: Any, handle: str) -> None:
        run(store, "UPDATE handstamp_sessions SET hash = 'no record' WHERE handle = :key", key=handle.encode())


# -- the tables -------------------------------------------------------------------------------------------------------


def test_missing_tables(engine: Any) -> None:
    """Without its tables the store says how they are made; making them twice is harmless."""
    store = SQLAlchemyStore(engine, prefix="other_")
    with pytest.raises(StoreError, match=r"the database failed \(\w+\); .* create_schema\(\) has created the tables"):
        store.load(make_handle())
    for _ in range(2):
        store.create_schema()
    record = make_record(owner=make_owner())
    handle = keep(store, record)
    assert store.load(handle) == record
    assert SQLAlchemyStore(engine).load(handle) is None


def test_engine_is_left_alone(engine: Any) -> None:
    """Nothing is hooked into the engine or its pool, and its isolation level stays."""
    with engine.connect() as connection:
        level = connection.get_isolation_level()
    keep(SQLAlchemyStore(engine), make_record())
    assert not engine._has_events
    assert not any(len(getattr(engine.pool.dispatch, name)) for name in ("checkout", "checkin", "reset"))
    with engine.connect() as connection:
        assert connection.get_isolation_level() == level


def test_much(store: SQLAlchemyStore) -> None:
    """A session of more fields than a statement takes is kept, changed and emptied."""
    record = make_record(fields={f'"{number}"': "1" for number in range(1200)})
    handle = keep(store, record)
    assert store.update(handle, record.hash, make_change(record, fields=dict.fromkeys(record.fields, "2")))
    assert store.load(handle) == record._replace(fields=dict.fromkeys(record.fields, "2"))
    assert store.update(handle, record.hash, make_change(record, removed=list(record.fields)))
    assert store.load(handle) == record._replace(fields={})


# -- the end ----------------------------------------------------------------------------------------------------------


VERBS: dict[str, Callable[[SQLAlchemyStore, str, Record], object]] = {
    "load": lambda store, handle, record: store.load(handle),
    "create": lambda store, handle, record: store.create(make_handle(), record),
    "update": lambda store, handle, record: store.update(
        handle, record.hash, make_change(record, fields={'"b"': "2", '"c"': "3"}, removed=['"a"'])
    ),
    "delete": lambda store, handle, record: store.delete(handle),
    "find": lambda store, handle, record: store.find(record.owner),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_one_transaction(
    engine: Any, store: SQLAlchemyStore, verb: Callable[[SQLAlchemyStore, str, Record], object]
) -> None:
    """Each verb takes one transaction, however many fields and sessions it is about."""
    owner = make_owner()
    record = make_record(owner=owner)
    handles = [keep(store, record) for _ in range(20)]
    begun: list[object] = []
    event.listen(engine, "begin", begun.append)
    assert verb(store, handles[0], record)
    assert len(begun) == 1


@pytest.mark.parametrize("verb", ["load", "find"])
def test_one_statement(engine: Any, store: SQLAlchemyStore, verb: str) -> None:
    """What only reads takes one statement."""
    record = make_record(owner=make_owner())
    handles = [keep(store, record) for _ in range(20)]
    statements: list[str] = []
    event.listen(
        engine, "after_cursor_execute", lambda _connection, _cursor, statement, *_: statements.append(statement)
    )
    assert VERBS[verb](store, handles[0], record)
    assert len(statements) == 1


def count_fields(store: Any, *handles: str) -> int:
    query = "SELECT count(*) FROM handstamp_fields WHERE handle = :key"
    return sum(run(store, query, key=handle.encode()) for handle in handles)


def test_delete_expired(store: SQLAlchemyStore) -> None:
    """What ended over a minute ago is dropped, and counted, its fields too; the rest stays."""
    now = int(time.time())
    store.delete_expired(now + 2 * DAY)
    records = [make_record()._replace(end=now + seconds) for seconds in (-GRACE_SECONDS - 1, -GRACE_SECONDS, 0, DAY)]
    handles = [keep(store, record) for record in records]
    assert store.delete_expired(now) == 1
    assert [store.load(handle) is None for handle in handles] == [True, False, False, False]
    assert [count_fields(store, handle) for handle in handles] == [0, 1, 1, 1]
    assert store.delete_expired(now) == 0
    assert store.delete_expired(now + DAY + GRACE_SECONDS + 1) == 3
    assert count_fields(store, *handles) == 0


def test_delete_expired_by_the_clock(store: SQLAlchemyStore) -> None:
    """Without a time it is this machine's."""
    store.delete_expired(time.time() + 2 * DAY)
    keep(store, make_record())
    keep(store, make_record()._replace(end=int(time.time()) - 2 * GRACE_SECONDS))
    assert store.delete_expired() == 1


def test_what_came_alive_stays(store: Any) -> None:
    """A session that is touched while the expired ones are dropped stays whole."""
    store.delete_expired(time.time() + 2 * DAY)
    record = make_record()._replace(end=1000)
    handles = [keep(store, record) for _ in range(3)]
    assert store.update(handles[0], record.hash, make_change(record, seen=1000, end=int(time.time())))
    keys = [handle.encode() for handle in handles]
    assert store._run(lambda connection: store._drop(connection, keys, 2000)) == 2
    assert [count_fields(store, handle) for handle in handles] == [1, 0, 0]


# -- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_comes_back(database: str, tmp_path: Path) -> None:
    """While the server is down there are StoreErrors; once it is back the next call works, on the same engine."""
    (port,) = find_ports(1)
    with DATABASES[database](tmp_path / database, port=port) as url:
        engine = create_engine(url)
        store = SQLAlchemyStore(engine)
        store.create_schema()
        record = make_record()
        handle = keep(store, record)
    with pytest.raises(StoreError, match="the database failed"):
        store.load(handle)
    with DATABASES[database](tmp_path / database, port=port):
        assert store.load(handle) == record
        kept = store.load(handle)
    with DATABASES[database](tmp_path / database, port=port):
        # Nobody asked while it was away: the pool's connection is dead and does not know.
        assert store.load(handle) == kept
        engine.dispose()


def test_driver_error_on_connecting(tmp_path: Path) -> None:
    """An error that comes bare from the driver, as while the isolation level is set, is tried again, then a StoreError.

    SQLAlchemy wraps it elsewhere; a server that went away brings it, and here the engine's first steps do.
    """
    failures = 0

    def fail(connection: Any) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            connection.close()  # nobody else would
            raise sqlite3.OperationalError("gone")

    with using(f"sqlite:///{tmp_path / 'sessions.sqlite'}") as engine:
        store = SQLAlchemyStore(engine)
        store.create_schema()
        event.listen(engine, "engine_connect", fail)
        failures = 1
        assert store.load(make_handle()) is None
        assert failures == 0
        failures = 100
        with pytest.raises(StoreError, match="OperationalError"):
            store.load(make_handle())


def test_deleting_nothing_spares_what_comes(url: str, engine: Any) -> None:
    """A session that is created while nothing is deleted under its handle keeps its fields."""
    if url.startswith("sqlite"):
        pytest.skip("SQLite lets nobody write in between")
    handle, record, created = make_handle(), make_record(), []

    def create(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM handstamp_sessions"):
            with using(url) as other:
                created.append(SQLAlchemyStore(other).create(handle, record))

    event.listen(engine, "after_cursor_execute", create)
    store = SQLAlchemyStore(engine)
    assert store.delete(handle) is False
    assert created == [True]
    assert store.load(handle) == record


def test_foreign_handle_is_left_out(store: Any) -> None:
    """A row whose handle is no text hides none of the owner's sessions."""
    record = make_record(owner=make_owner())
    handle, foreign = keep(store, record), keep(store, record)
    run(store, "UPDATE handstamp_sessions SET handle = :new WHERE handle = :key", new=b"\xff", key=foreign.encode())
    try:
        assert store.find(record.owner) == {handle: record}
    finally:
        run(store, "DELETE FROM handstamp_sessions WHERE handle = :key", key=b"\xff")


@pytest.mark.parametrize(
    "spoil",
    [
        "sessions SET \"end\" = 'never'",
        "sessions SET created = 1.5",
        "sessions SET owner = x'ff'",
        "sessions SET hash = zeroblob(64)",
        "fields SET name = x'ff'",
        "fields SET text = x'31'",
    ],
)
def test_foreign_types_are_errors(tmp_path: Path, spoil: str) -> None:
    """SQLite takes any type in any column: a record with another is an error to load, and can be deleted."""
    with using(f"sqlite:///{tmp_path / 'file'}") as engine:
        store = SQLAlchemyStore(engine)
        store.create_schema()
        handle = keep(store, make_record())
        run(store, f"UPDATE handstamp_{spoil} WHERE handle = :key", key=handle.encode())
        with pytest.raises(StoreError, match="is damaged or foreign"):
            store.load(handle)
        assert store.delete(handle) is True
        assert store.load(handle) is None


class Sacrificed(Exception):
    """What a driver raises for a transaction that was broken off."""

    def __init__(self, code: object) -> None:
        super().__init__(code)
        self.sqlstate = code if isinstance(code, str) else None


@pytest.mark.parametrize("code", [1213, "40P01", "40001"])
def test_deadlock(code: object, tmp_path: Path) -> None:
    """What the database breaks off, as in a deadlock, is done again, a few times at most."""
    attempts: list[int] = []

    def work(_: Any) -> str:
        attempts.append(1)
        if len(attempts) < failing:
            raise OperationalError("UPDATE", {}, Sacrificed(code))
        return "done"

    with using(f"sqlite:///{tmp_path / 'file'}") as engine:
        store: Any = SQLAlchemyStore(engine)
        failing = 5
        assert store._run(work) == "done"
        attempts.clear()
        failing = 6
        with pytest.raises(StoreError, match=r"the database failed \(OperationalError\)"):
            store._run(work)
    assert len(attempts) == 5


def test_other_errors_are_not_repeated(tmp_path: Path) -> None:
    """An error that will come again is not waited for."""
    attempts: list[int] = []

    def work(_: Any) -> None:
        attempts.append(1)
        raise OperationalError("UPDATE", {}, Sacrificed(1146))

    with using(f"sqlite:///{tmp_path / 'file'}") as engine:
        store: Any = SQLAlchemyStore(engine)
        with pytest.raises(StoreError):
            store._run(work)
    assert attempts == [1]


def test_locked(tmp_path: Path) -> None:
    """A SQLite file that somebody else holds is a StoreError, and works once it is free."""
    with using(f"sqlite:///{tmp_path / 'file'}?timeout=0.05") as engine:
        store = SQLAlchemyStore(engine)
        store.create_schema()
        record = make_record()
        handle = keep(store, record)
        with closing(sqlite3.connect(tmp_path / "file")) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match=r"the database failed \(OperationalError\)"):
                store.update(handle, record.hash, make_change(record, fields={'"a"': "2"}))
        assert store.load(handle) == record
        assert store.update(handle, record.hash, make_change(record, fields={'"a"': "2"}))


def test_errors_tell_nothing(engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No message, no chain and no log of ours holds a handle, an owner or data."""
    caplog.set_level(logging.DEBUG, "handstamp")
    store = SQLAlchemyStore(engine, prefix="nowhere_")
    handle, record = make_handle(), make_record(owner=make_owner(), fields={'"secret"': '"of the visitor"'})
    change = make_change(record, fields=record.fields)
    attempts: list[Callable[[], object]] = [
        lambda: store.load(handle),
        lambda: store.create(handle, record),
        lambda: store.update(handle, record.hash, change),
        lambda: store.delete(handle),
        lambda: store.find(record.owner),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError) as caught:
            attempt()
        assert caught.value.__cause__ is caught.value.__context__ is None
        said = [str(caught.value), *caplog.messages]
        assert not [text for text in said for word in (handle, record.owner, "visitor", record.hash) if word in text]


DATA = {'"secret"': '"of the visitor"'}


def logged(caplog: pytest.LogCaptureFixture, level: int, engine: Any) -> str:
    """Use each verb, and return what SQLAlchemy logs of it."""
    caplog.set_level(level, "sqlalchemy.engine")
    store = SQLAlchemyStore(engine)
    handle, record = make_handle(), make_record(owner=make_owner(), fields=DATA)
    store.create(handle, record)
    store.update(handle, record.hash, make_change(record, fields=DATA))
    assert store.load(handle) == record
    assert store.find(record.owner) == {handle: record}
    store.delete(handle)
    assert any(entry.name.startswith("sqlalchemy.engine") for entry in caplog.records)
    return "\n".join(caplog.messages)


def test_what_is_sent_is_not_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """At INFO SQLAlchemy logs the statements, and nothing of a session, whatever the engine says."""
    with using(url) as engine:
        assert engine.hide_parameters is False
        assert "visitor" not in logged(caplog, logging.INFO, engine)
        assert engine.hide_parameters is False  # for others who use it


def test_rows_are_logged_at_debug(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """What the manual warns of: at DEBUG SQLAlchemy logs the rows that it reads, with hide_parameters too."""
    engine = create_engine(url, hide_parameters=True)
    try:
        assert "visitor" in logged(caplog, logging.DEBUG, engine)
    finally:
        engine.dispose()


MANUALS = [ROOT / "README.rst", ROOT / "examples" / "README.rst", Path(store_module.__file__)]


@pytest.mark.parametrize("path", MANUALS, ids=["README", "examples", "docstrings"])
def test_every_engine_of_the_manual_hides_parameters(path: Path) -> None:
    """Whoever copies an engine from the manual copies hide_parameters=True."""
    text = path.read_text(encoding="utf-8")
    engines = re.findall(r"create_engine\(.*", text)
    assert engines
    assert all("hide_parameters=True" in engine for engine in engines)


# -- whatever the engine is set to ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE", "REPEATABLE READ"])
@pytest.mark.parametrize(
    "law", ["test_writers_lose_nothing", "test_one_renews", "test_one_creates", "test_ended_stays_ended"]
)
def test_isolation(url: str, level: str, law: str) -> None:
    """The laws on what happens at once hold for an engine of any isolation level."""
    if url.startswith("sqlite") and level == "REPEATABLE READ":
        pytest.skip("SQLite has no such level")
    engine = create_engine(url, isolation_level=level)
    try:
        getattr(TestSQLAlchemyStore(), law)(SQLAlchemyStore(engine))
    finally:
        engine.dispose()


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SQLAlchemy the import says which extra is missing."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "handstamp.stores.sqlalchemy")
    with pytest.raises(ImportError, match=re.escape("pip install 'handstamp[sqlalchemy]'")):
        import_module("handstamp.stores.sqlalchemy")
