"""Masters of a Redis Cluster are killed under load: what was acknowledged, and what of it is lost.

Replication is asynchronous: a master acknowledges what its replica may not have yet. So after a failover the last
writes may be missing, and the last deletes undone; how many, is counted here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread

from redis import RedisCluster
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from handstamp import StoreError
from handstamp.stores import Record
from handstamp.stores.redis import RedisStore
from handstamp.testing._records import make_change, make_handle, make_record
from tests.support.redis_servers import ask, kill, run_cluster

PATIENCE = 30  # seconds


def make_store(port: int) -> RedisStore:
    """Return a store with the client that the manual shows."""
    retry = Retry(ExponentialBackoff(cap=0.1, base=0.01), 2)
    return RedisStore(
        RedisCluster(host="127.0.0.1", port=port, socket_timeout=1, socket_connect_timeout=1, retry=retry)
    )


class Load:
    """Threads that write to sessions of their own, and end a third of them.

    :ivar counts: how often what was answered
    """

    def __init__(self, store: RedisStore, threads: int) -> None:
        self.counts: Counter[str] = Counter()
        self.written: dict[str, dict[str, str]] = {}
        self.deleted: set[str] = set()
        self._store = store
        self._stop, self._lock = Event(), Lock()
        self._threads = [Thread(target=self._work) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; :exc:`RuntimeError` if something but a :exc:`StoreError` has ended one."""
        are_well = all(thread.is_alive() for thread in self._threads)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if not are_well:
            raise RuntimeError("a thread met something but a StoreError")

    def _work(self) -> None:
        while not self._stop.is_set():
            self._live(make_handle(), make_record(fields={}))

    def _live(self, handle: str, record: Record) -> None:
        """Live the life of a session: it is created, written to, and perhaps ended."""
        if not self._try("create", lambda: self._store.create(handle, record)):
            return
        kept = self.written.setdefault(handle, {})
        for turn in range(9):
            fields = {f'"{turn}"': str(turn)}
            change = make_change(record, fields=fields)
            if self._try("write", partial(self._store.update, handle, record.hash, change)):
                kept.update(fields)
        if int.from_bytes(handle.encode()) % 3 == 0 and self._try("delete", lambda: self._store.delete(handle)):
            self.deleted.add(handle)

    def _try(self, verb: str, attempt: Callable[[], object]) -> bool:
        try:
            is_done = bool(attempt())
        except StoreError:
            is_done, verb = False, f"{verb} failed"
        with self._lock:
            self.counts[verb if is_done or "failed" in verb else f"{verb} refused"] += 1
        return is_done


def count_lost(store: RedisStore, load: Load) -> Counter[str]:
    """Read everything back; count what is missing, and what is there again."""
    lost: Counter[str] = Counter(lost=0, undone=0)
    for handle, fields in load.written.items():
        record = store.load(handle)
        if handle in load.deleted:
            lost["undone"] += record is not None
        else:
            lost["lost"] += len(fields) + 1 if record is None else len(fields.keys() - record.fields.keys())
    return lost


def wait_for_service(store: RedisStore) -> float:
    """Wait until sessions of every master can be kept again; return the seconds."""
    begun = time.monotonic()
    good = 0
    while good < 50:
        try:
            good = good + 1 if store.create(make_handle(), make_record()) else 0
        except StoreError:
            good = 0
        if time.monotonic() > begun + PATIENCE:
            raise RuntimeError("the Cluster does not come back")
    return time.monotonic() - begun


def find_master(ports: Sequence[int]) -> int:
    """Return the port of a master."""
    return next(port for port in ports if b"role:master" in ask(port, "info", "replication"))


def fail_over(ports: Sequence[int], threads: int = 8, seconds: float = 1) -> Counter[str]:
    """Kill a master of a Cluster under load; return what came of it."""
    store = make_store(ports[-1])
    load = Load(store, threads)
    try:
        time.sleep(seconds)
        kill(find_master(ports))
        pause = wait_for_service(store)
        time.sleep(seconds)
    finally:
        load.stop()
    load.counts.update(count_lost(store, load), milliseconds=round(pause * 1000))
    return load.counts


def main(arguments: Sequence[str]) -> None:
    """Print what came of each kill, and of all."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency failover", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args(arguments)
    total: Counter[str] = Counter()
    for turn in range(options.kills):
        with tempfile.TemporaryDirectory() as directory, run_cluster(Path(directory), replicas=1) as ports:
            found = fail_over(ports, options.threads)
        total.update(found)
        print(turn + 1, dict(found), flush=True)
    print("all", dict(total))
