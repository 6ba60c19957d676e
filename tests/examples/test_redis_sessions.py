"""The example with sessions in Redis, run as it says: twice, over one Redis, which also stops for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.example_programs import run_example
from tests.support.http_client import forward_to
from tests.support.missing_programs import need
from tests.support.redis_servers import run_redis
from tests.support.visitor import Visitor

need("redis")


@contextmanager
def run_program(redis: int) -> Iterator[int]:
    """Run the program over the Redis on a port; yield its port."""
    with run_example("redis_sessions.py", REDIS_URL=f"redis://127.0.0.1:{redis}/0") as port:
        yield port


def visit(visitor: Visitor, port: int) -> tuple[int, str]:
    """Visit the program on a port; return the number of the status, and the body."""
    visitor.app = forward_to(port)
    answer = visitor.get()
    return answer.code, answer.text


def make_visitor() -> Visitor:
    """Return a visitor without cookies."""
    return Visitor(forward_to(0), host="localhost")


def test_two_instances_count_together(tmp_path: Path) -> None:
    """Two instances count the visits of one visitor, and those of another apart."""
    with run_redis(tmp_path) as redis, run_program(redis) as first, run_program(redis) as second:
        visitor = make_visitor()
        answers = [visit(visitor, port) for port in (first, second, second, first)]
        assert answers == [(200, f"visit {number}\n") for number in range(1, 5)]
        assert visit(make_visitor(), second) == (200, "visit 1\n")


def test_redis_comes_back(tmp_path: Path) -> None:
    """While Redis is down the answer is a 500 without a visit, and when it is back the same process works again."""
    visitor = make_visitor()
    with ExitStack() as stack:
        with run_redis(tmp_path / "first") as redis:
            port = stack.enter_context(run_program(redis))
            assert visit(visitor, port) == (200, "visit 1\n")
        jar = dict(visitor.jar)
        for someone in (visitor, make_visitor()):
            status, body = visit(someone, port)
            assert (status, "visit" in body) == (500, False)
        assert visitor.jar == jar
        with run_redis(tmp_path / "second", port=redis):  # it kept nothing on the disk
            assert [visit(visitor, port) for _ in range(2)] == [(200, "visit 1\n"), (200, "visit 2\n")]
