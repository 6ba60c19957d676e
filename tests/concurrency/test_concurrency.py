"""Many requests meet in one session, for a short time; ``python -m tests.concurrency`` does so at full length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.concurrency import overlaps, throughput, writes
from tests.concurrency.sites import Client, handstamp
from tests.support.missing_programs import need
from tests.support.redis_servers import run_redis

need("redis")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_redis(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


def test_writes(url: str) -> None:
    """Processes that write to different keys of one session lose nothing."""
    assert writes.count("handstamp", url, 2, 50) == (100, 0)


def test_writes_are_counted(url: str) -> None:
    """The count sees what is lost: a key that was acknowledged and is not there."""
    visitor = Client(handstamp, url)
    visitor.visit(lambda session: session.update(a=1, b=2))
    assert writes.find_lost(visitor, ["a", "b"]) == []
    assert writes.find_lost(visitor, ["a", "lost", "b"]) == ["lost"]


@pytest.mark.parametrize("meeting", overlaps.MEETINGS)
def test_overlaps(url: str, meeting: str) -> None:
    """Whatever a slow request overlaps, what was ended stays ended, and what was acknowledged is kept."""
    found = overlaps.count("handstamp", url, meeting, 60)
    assert found["rounds"] == found["acknowledged"] + found["refused"] == 60
    assert found["refused"] > 0
    assert (found["lost"], found["brought back"]) == (0, 0)


def test_revivals_are_counted(url: str) -> None:
    """The count sees what is brought back: here by a session that is written whole."""
    assert overlaps.count("flask-session", url, "logout", 60)["brought back"] > 0


def test_throughput_does_the_work(url: str) -> None:
    """Every site really writes, in every process."""
    found = throughput.compare(["handstamp", "flask-session", "django", "beaker"], url, 2, 1, 2)
    assert {case: set(rates) for case, rates in found.items()} == {
        case: {"handstamp", "flask-session", "django", "beaker"} for case in ("read", "write")
    }


def test_begins_before_the_race() -> None:
    """A site that answers with an error stops the count: nothing is taken for acknowledged."""
    with pytest.raises(Exception, match="Redis failed"):
        writes.count("handstamp", "redis://127.0.0.1:1/0", 1, 1)
