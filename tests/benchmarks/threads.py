"""One middleware under eight threads: is a session ever mixed up with another, and what do the threads cost?

Run ``python -m tests.benchmarks threads``; under a free-threaded interpreter it shows whether anything serialises.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier
from typing import TYPE_CHECKING, Any

from .application import SECRET_KEY, cookie_pair, make_request

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 8


def make_app() -> WSGIApplication:
    """Make the one middleware; its application counts visits, and answers with whose session it found."""
    from handstamp import SessionMiddleware

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = environ["session"]
        session.setdefault("visitor", environ["REMOTE_PORT"])
        session["visits"] = session.get("visits", 0) + 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{session['visitor']} {session['visits']}".encode()]

    return SessionMiddleware(application, {"SECRET_KEY": SECRET_KEY})


def visit(app: WSGIApplication, visitor: str, requests: int, start: Barrier) -> int:
    """Come back so many times as one visitor; return how often the answer was another's."""
    heads: list[list[tuple[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        heads.append(headers)

    start.wait()
    mixed, cookie = 0, ""
    for number in range(1, requests + 1):
        environ = make_request(cookie) | {"REMOTE_PORT": visitor}
        answer = b"".join(app(environ, start_response))
        mixed += answer != f"{visitor} {number}".encode()
        cookie = cookie_pair(heads.pop())
    return mixed


def run(app: WSGIApplication, threads: int, requests: int) -> tuple[float, int]:
    """Share out the requests to the threads; return the requests a second and the number of mixed answers."""
    start, share = Barrier(threads + 1), requests // threads
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(visit, app, f"visitor-{number}", share, start) for number in range(threads)]
        start.wait()
        begin = time.perf_counter()
        mixed = sum(job.result() for job in jobs)
        return share * threads / (time.perf_counter() - begin), mixed


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks threads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=40_000, help="requests a round (40000)")
    options = parser.parse_args(arguments)
    app = make_app()
    ratios, mixed = [], 0
    for _ in range(options.rounds):
        one, mixed_one = run(app, 1, options.requests)
        many, mixed_many = run(app, THREADS, options.requests)
        ratios.append(many / one)
        mixed += mixed_one + mixed_many
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(f"Python {sys.version.split()[0]}, {'with' if locked else 'without'} the global lock")
    print(f"{THREADS} threads answer {median(ratios):.2f} times as many requests as one; {mixed} sessions mixed up")
    sys.exit(1 if mixed else 0)
