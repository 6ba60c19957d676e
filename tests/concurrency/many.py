"""A million sessions in one Redis: memory of each, the time of an access, and the end of a thousand of one owner."""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from redis import Redis

from handstamp._session_id import dump_owner
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import Record
from handstamp.stores.redis import RedisStore
from handstamp.testing._records import make_change, make_handle, make_record
from tests.support.redis_servers import run_redis

#: Three keys, as a small session has: 75 bytes of JSON.
FIELDS = {'"user"': "4711", '"token"': '"0123456789abcdef0123456789abcdef"', '"cart"': "[1,2,3,4,5]"}


def make_store(port: int) -> RedisStore:
    """Return a store with a client of its own."""
    return RedisStore(Redis(port=port, socket_timeout=30))


def fill(port: int, number: int, owner: str) -> None:
    """Keep so many sessions; each has an owner of its own if there is one at all."""
    store = make_store(port)
    for turn in range(number):
        store.create(make_handle(), make_record(fields=FIELDS, owner=f"{owner}{turn}" if owner else ""))


def fill_at_once(port: int, number: int, processes: int, owner: str = "") -> float:
    """Keep so many sessions; return the bytes of each."""
    client = Redis(port=port)
    before = client.info("memory")["used_memory"]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        tasks = [(port, number // processes, owner and f"{owner}{process}.") for process in range(processes)]
        pool.starmap(fill, tasks, chunksize=1)
    used: int = client.info("memory")["used_memory"] - before
    return used / (number // processes * processes)


def measure_access(store: RedisStore, handle: str, record: Record, number: int = 50) -> float:
    """Return the seconds of loading and changing one session."""
    begun = time.perf_counter()
    for turn in range(number):
        store.load(handle)
        store.update(handle, record.hash, make_change(record, fields={'"n"': str(turn)}))
    return (time.perf_counter() - begun) / number


def compare_access(full: RedisStore, empty: RedisStore, rounds: int) -> float:
    """Return how many times as long an access takes in a full store: the median of rounds of both."""
    sessions = []
    for store in (full, empty):
        handle, record = make_handle(), make_record(fields=FIELDS)
        store.create(handle, record)
        sessions.append((store, handle, record))
    pairs = [[measure_access(*session) for session in sessions] for _ in range(rounds)]
    return median(first / second for first, second in pairs)


def end_all(store: RedisStore, number: int) -> float:
    """Return the seconds that it takes to end all sessions of an owner."""
    for _ in range(number):
        store.create(make_handle(), make_record(fields=FIELDS, owner=dump_owner("ada")))
    interface = ServerSideSessionInterface(store)
    begun = time.perf_counter()
    if interface.end_all("ada") != number:
        raise RuntimeError("not all sessions were ended")
    return time.perf_counter() - begun


def main(arguments: Sequence[str]) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency many", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        full, empty, owned = (stack.enter_context(run_redis(place / name)) for name in ("full", "empty", "owned"))
        each = fill_at_once(full, options.sessions, options.processes)
        print(f"{options.sessions} sessions: {each:.0f} bytes each, {2**30 / each:.0f} in a GB", flush=True)
        with_owner = fill_at_once(owned, options.sessions // 10, options.processes, "owner ")
        print(f"with an owner each: {with_owner:.0f} bytes", flush=True)
        ratio = compare_access(make_store(full), make_store(empty), options.rounds)
        print(f"an access takes {ratio:.2f} of its time in an empty store", flush=True)
        print(f"1,000 sessions of an owner end in {end_all(make_store(full), 1000) * 1000:.0f} ms")
