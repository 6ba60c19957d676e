"""The servers that keep sessions, started for a run and stopped after it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # where the helpers of the tests are

from redis_servers import run_redis


@contextmanager
def running(store: str) -> Iterator[str]:
    """Run a server; yield the url of its store."""
    with tempfile.TemporaryDirectory() as directory, run_redis(Path(directory, "redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"
