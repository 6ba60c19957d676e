"""SQLAlchemyStore keeps the contract of stores in SQLite, and in a real PostgreSQL and MariaDB."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

if "CI" not in os.environ:
    for _module in ("sqlalchemy", "psycopg", "pymysql"):
        pytest.importorskip(_module, reason="SQLAlchemyStore needs the extra 'sqlalchemy', and drivers")

from databases import DATABASES
from sqlalchemy import create_engine, text

from handstamp.stores.sqlalchemy import SQLAlchemyStore
from handstamp.testing import StoreContract, StoreModel


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
    with store._engine.begin() as connection:
        return connection.execute(text(statement), values)


class TestSQLAlchemyStore(StoreContract, StoreModel):
    """In a database every law of a store holds."""

    #: The environment variable ONE_OF=1 has it play all orders.
    one_of = int(os.environ.get("ONE_OF", "150"))

    def damage(self, store: Any, handle: str) -> None:
        run(store, "UPDATE handstamp_sessions SET hash = 'no record' WHERE handle = :key", key=handle.encode())
