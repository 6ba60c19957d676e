"""The servers that keep sessions, started for a run and stopped after it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.databases import DATABASES
from tests.support.redis_servers import run_redis


@contextmanager
def running(store: str) -> Iterator[str]:
    """Run what keeps sessions; yield its url.

    :param store: ``redis``, or one of :data:`DATABASES`
    """
    with tempfile.TemporaryDirectory() as directory:
        if store in DATABASES:
            with DATABASES[store](Path(directory, store)) as url:
                _create_schema(url)
                yield url
        else:
            with run_redis(Path(directory, "redis")) as port:
                yield f"redis://127.0.0.1:{port}/0"


def _create_schema(url: str) -> None:
    from sqlalchemy import create_engine

    from handstamp.stores.sqlalchemy import SQLAlchemyStore

    engine = create_engine(url)
    SQLAlchemyStore(engine).create_schema()
    engine.dispose()
