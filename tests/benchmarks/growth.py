"""How the cost grows: with a session's size, foreign cookies, a hostile header; in memory, at import, in the long run.

Run ``python -m tests.benchmarks growth``.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import random
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from handstamp import SessionMiddleware
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore, Record

from .application import SECRET_KEY, Action, cookie_pair, in_environ, make_request, mint, request
from .cases import READ, SMALL, WRITE, Case, read
from .contestants import BARE, CONTESTANTS, available
from .measure import Cell, measure, own_time_slice, pin, start_response

OURS = next(contestant for contestant in CONTESTANTS if contestant.key == "handstamp")
SIZES = (100, 250, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000)  # bytes of JSON
NUMBERS = (0, 5, 10, 20, 40, 80, 160, 320)  # foreign cookies
HEADER_SIZES = (1024, 4096, 16384, 65536, 262144)  # bytes of Cookie; waitress takes up to 262144
JUNK_SIZES = (1024, 2048, 4096, 8192, 16384)  # bytes
HOSTILE_ROUNDS = 5
SESSIONS = 1000
IMPORTS = {"handstamp": "handstamp", "webob + itsdangerous": "webob, itsdangerous"}
STOPWATCH = "import time; begin = time.perf_counter(); import {}; print((time.perf_counter() - begin) * 1000)"


def of_size(size: int) -> dict[str, Any]:
    """Make a session of so many bytes of JSON, a quarter of them hard to compress."""
    source = random.Random(size)
    session: dict[str, Any] = {"visits": 3, "items": []}
    while (missing := size - len(json.dumps(session, separators=(",", ":")))) > 0:
        if missing < 60:
            session["rest"] = "r" * max(0, missing - len(',"rest":""'))
            break
        session["items"].append({"ref": f"{source.getrandbits(48):012x}", "count": source.randrange(10)})
    return session


def curve(cases: dict[int, Case], rounds: int) -> dict[int, float]:
    """Measure handstamp's overhead in a family of cases, in microseconds."""
    cells = {str(size): [Cell(contestant, case) for contestant in (BARE, OURS)] for size, case in cases.items()}
    results = measure(cells, rounds)
    return {size: results.overhead((case.letter, OURS.key)) for size, case in cases.items()}


def straightness(points: dict[int, float]) -> tuple[float, float, float]:
    """Fit a line; give its slope, its intercept, and how far the worst point lies off it (1.0 is all of its height)."""
    slope, intercept = linear_regression(list(points), list(points.values()))
    return slope, intercept, max(abs(value / (intercept + slope * size) - 1) for size, value in points.items())


def curves(rounds: int) -> Iterator[str]:
    """Measure all curves, and say how straight each is."""
    families = {
        "read, bytes of JSON": {size: Case(str(size), "read", READ, of_size(size)) for size in SIZES},
        "write, bytes of JSON": {size: Case(str(size), "write", WRITE, of_size(size)) for size in SIZES},
        "read, foreign cookies": {
            number: Case(str(number), "read", READ, SMALL, header=f"{'name=value-of-it; ' * number}{{}}".format)
            for number in NUMBERS
        },
        "read, bytes of junk": {
            size: Case(str(size), "read", READ, SMALL, header=f"{'x' * size}; {{}}".format) for size in JUNK_SIZES
        },
    }
    for title, cases in families.items():
        points = curve(cases, rounds)
        slope, intercept, off = straightness(points)
        yield f"{title}: " + ", ".join(f"{size}: {value:.1f} us" for size, value in points.items())
        yield f"    a line of {intercept:.1f} us + {slope * 1000:.2f} us per 1000; the worst point is {off:.0%} off it"


class CountingStore(MemoryStore):
    """A store that counts how often it is asked for a session."""

    loads = 0

    def load(self, handle: str) -> Record | None:
        self.loads += 1
        return super().load(handle)


class CountingHandler(logging.Handler):
    """Count the lines of a log, and write none."""

    lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1


def hostile_headers() -> Iterator[str]:
    """Fill the Cookie header with well-signed cookies whose sessions have ended; count loads and lines of the log."""
    store, handler = CountingStore(), CountingHandler()
    app = SessionMiddleware(
        in_environ(Action(do_as_told)), {"SECRET_KEY": SECRET_KEY}, session_interface=ServerSideSessionInterface(store)
    )
    cookies = [end_session(app) for _ in range(max(HEADER_SIZES) // len(end_session(app)) + 1)]
    logger = logging.getLogger("handstamp")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        for title, source in {
            "one ended cookie, repeated": cookies[:1] * len(cookies),
            "ended cookies": cookies,
        }.items():
            points = {size: send_header(app, store, handler, "; ".join(source)[:size]) for size in HEADER_SIZES}
            yield f"{title}, bytes of Cookie: " + ", ".join(f"{size}: {point}" for size, point in points.items())
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def do_as_told(session: Any) -> None:
    """Begin a session where there is none, and end one that is there."""
    if session.new:
        session["user"] = 4711
    else:
        session.invalidate()


def end_session(app: Any) -> str:
    """Begin a session and end it; return the cookie that still names it."""
    pair = cookie_pair(request(app))
    request(app, pair)
    return pair


def send_header(app: Any, store: CountingStore, handler: CountingHandler, header: str) -> str:
    """Send a header, and say how many loads and lines it costs, and how long it takes at the best."""
    store.loads = handler.lines = 0
    times = []
    for _ in range(HOSTILE_ROUNDS):
        begin = time.perf_counter()
        app(make_request(header), start_response)
        times.append(time.perf_counter() - begin)
    loads, lines = store.loads // HOSTILE_ROUNDS, handler.lines // HOSTILE_ROUNDS
    return f"{loads} loads, {lines} lines, {min(times) * 1e6:.0f} us"


def memory() -> Iterator[str]:
    """Weigh what a session keeps alive beside the environ, untouched and loaded with the small session."""
    found, _ = available(["handstamp", "flask", "beaker"])
    for key, contestant in found.items():
        header = mint(contestant.build, SMALL)
        untouched, live = (weigh(contestant.build, header, touch) for touch in (id, read))
        yield f"{key}: {untouched:.0f} bytes untouched, {live:.0f} bytes live"


def weigh(build: Callable[[Action], Any], header: str, touch: Callable[[Any], object]) -> float:
    """Hold many sessions after their requests, and give the bytes of one."""
    kept: list[Any] = [None] * SESSIONS
    place = iter(range(SESSIONS + 1))

    def keep(session: Any) -> None:
        touch(session)
        kept[next(place)] = session

    app, environ = build(Action(keep)), make_request(header)
    app(environ, start_response)
    place = iter(range(SESSIONS))
    tracemalloc.start()
    for _ in range(SESSIONS):
        app(environ, start_response)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / SESSIONS


def import_times(rounds: int = 21) -> Iterator[str]:
    """Time imports in fresh interpreters, in turn."""
    times: dict[str, list[float]] = {title: [] for title in IMPORTS}
    for _ in range(rounds):
        for title, names in IMPORTS.items():
            times[title].append(import_once(names))
    more = median(ours - theirs for ours, theirs in zip(*times.values(), strict=True))
    yield ", ".join(f"{title}: {median(values):.1f} ms" for title, values in times.items())
    yield f"    {more:.1f} ms more (at most 6)"


def import_once(names: str) -> float:
    """Give the milliseconds that an import takes in a fresh interpreter."""
    command = [sys.executable, "-W", "ignore", "-c", STOPWATCH.format(names)]
    # From bytecode, as in any installation: without it the sources are compiled anew each time.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def resident() -> int:
    """Give the resident memory of this process, in KiB; zero where the platform does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if statm.exists() else 0


def marathon(requests: int) -> Iterator[str]:
    """Send so many requests, a tenth at a time, and watch the resident memory."""
    app, send = OURS.build(WRITE), own_time_slice()
    environ = make_request(mint(OURS.build, SMALL))
    send(app, environ, requests // 100)
    sizes = [resident()]
    for _ in range(10):
        send(app, environ, requests // 10)
        sizes.append(resident())
    yield f"{requests:,} requests, each writing: {', '.join(map(str, sizes))} KiB resident"
    yield f"    {sizes[-1] - sizes[0]} KiB more"


def show(title: str, lines: Iterable[str]) -> None:
    """Print one part of the report, line by line as it comes."""
    print(f"{title}\n")
    for line in lines:
        print(f"  {line}", flush=True)
    print()


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of every curve (60)")
    parser.add_argument("--requests", type=int, default=1_000_000, help="requests of the marathon (1000000)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # the contestants' own
    pin()
    show("time", curves(options.rounds))
    show("hostile headers", hostile_headers())
    show("memory of one session", memory())
    show("import", import_times())
    show("marathon", marathon(options.requests))
