"""The example with sessions in Redis, run as it says: twice, over one Redis, which also stops for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from missing import need
from programs import run_example
from redis_servers import run_redis

need("redis")


@contextmanager
def run_program(redis: int) -> Iterator[int]:
    """Run the program over the Redis on a port; yield its port."""
    with run_example("redis_sessions.py", REDIS_URL=f"redis://127.0.0.1:{redis}/0") as port:
        yield port


class Visitor:
    """Keeps the one cookie."""

    def __init__(self) -> None:
        self.cookie = ""

    def visit(self, port: int) -> tuple[int, str]:
        """Return the status and the body."""
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/", headers={"Cookie": self.cookie} if self.cookie else {})
            response = connection.getresponse()
            self.cookie = (response.getheader("Set-Cookie") or self.cookie).partition(";")[0]
            return response.status, response.read().decode()
        finally:
            connection.close()


def test_two_instances_count_together(tmp_path: Path) -> None:
    """Two instances count the visits of one visitor, and those of another apart."""
    with run_redis(tmp_path) as redis, run_program(redis) as first, run_program(redis) as second:
        visitor = Visitor()
        answers = [visitor.visit(port) for port in (first, second, second, first)]
        assert answers == [(200, f"visit {number}\n") for number in range(1, 5)]
        assert Visitor().visit(second) == (200, "visit 1\n")


def test_redis_comes_back(tmp_path: Path) -> None:
    """While Redis is down the answer is a 500 without a visit, and when it is back the same process works again."""
    visitor = Visitor()
    with ExitStack() as stack:
        with run_redis(tmp_path / "first") as redis:
            port = stack.enter_context(run_program(redis))
            assert visitor.visit(port) == (200, "visit 1\n")
        cookie = visitor.cookie
        for someone in (visitor, Visitor()):
            status, body = someone.visit(port)
            assert (status, "visit" in body) == (500, False)
        assert visitor.cookie == cookie
        with run_redis(tmp_path / "second", port=redis):  # it kept nothing on the disk
            assert [visitor.visit(port) for _ in range(2)] == [(200, "visit 1\n"), (200, "visit 2\n")]
