"""A master or a primary is killed: every verb is acknowledged or a StoreError, and sessions go on without a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.missing_programs import need

need("redis")

import redis
from redis.cluster import LoadBalancingStrategy
from redis.sentinel import Sentinel

from handstamp import StoreError
from handstamp.stores.redis import RedisStore
from handstamp.testing import StoreContract
from handstamp.testing._records import make_change, make_handle, make_owner, make_record
from tests.concurrency.failover import fail_over
from tests.support.processes import wait_until
from tests.support.redis_servers import ask, kill, run_cluster, run_sentinel


def test_cluster(tmp_path: Path) -> None:
    """Replicas of a Cluster are asked nothing; when a master is killed, all is acknowledged or a StoreError."""
    with run_cluster(tmp_path, replicas=1) as ports:
        check_replicas(ports)
        found = fail_over(ports, threads=4, seconds=0.5)
    assert min(found["create"], found["write"], found["delete"]) > 0
    # What is refused was lost before, as Redis may: else a record that is there takes every write.
    assert not found["write refused"] or found["lost"]


def check_replicas(ports: Sequence[int]) -> None:
    """See to it that no verb goes to a replica, even by a client that is told to read from them."""
    client: Any = redis.RedisCluster(
        host="127.0.0.1", port=ports[0], socket_timeout=5, load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN
    )
    with client:
        store, owner = RedisStore(client), make_owner()
        records = {make_handle(): make_record(owner=owner) for _ in range(60)}
        for handle, record in records.items():
            assert store.create(handle, record)
            client.get(f"handstamp:{{{handle}}}:other")  # which is read from replicas too
            assert store.load(handle)
        assert store.find(owner) == records
    replicas = [port for port in ports if b"role:slave" in ask(port, "info", "replication")]
    statistics = [ask(port, "info", "commandstats") for port in replicas]
    assert len(replicas) == 3
    assert any(b"cmdstat_get:" in each for each in statistics)
    # What a script does to a replica's copy comes there as plain commands, not as a script.
    assert not [each for each in statistics if b"cmdstat_eval" in each]


def ask_sentinel(port: int, **options: Any) -> Any:
    """Return the client that Sentinel finds."""
    sentinels: Any = Sentinel  # which has no annotations
    return sentinels([("127.0.0.1", port)], socket_timeout=options["socket_timeout"]).master_for("sessions", **options)


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[tuple[RedisStore, list[int]]]:
    with run_sentinel(tmp_path) as (port, ports):
        client = ask_sentinel(port, socket_timeout=1)
        with client:
            yield RedisStore(client), ports


def test_sentinel(sentinel: tuple[RedisStore, list[int]]) -> None:
    """Sentinel's client goes on with the replica when the primary is killed; until then there are StoreErrors."""
    store, (primary, replica) = sentinel
    handle, record = make_handle(), make_record(owner=make_owner())
    assert store.create(handle, record)
    key = f"handstamp:{{{handle}}}"
    wait_until(lambda: ask(replica, "exists", key).strip() == b"1", "the replica does not get the record")
    kill(primary)
    refused, deadline = 0, time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert store.update(handle, record.hash, make_change(record, fields={'"b"': "2"}))
            break
        except StoreError:
            refused += 1
    assert refused
    assert store.find(record.owner)[handle].fields == {'"a"': "1", '"b"': "2"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_sentinel(tmp_path_factory.mktemp("sentinel")) as (port, _):
        yield port


class TestRedisStoreBySentinel(StoreContract):
    """With Sentinel's client every law holds."""

    @pytest.fixture(params=[False, True], ids=["bytes", "text"])
    def store(self, port: int, request: pytest.FixtureRequest) -> Iterator[RedisStore]:
        options = {"socket_timeout": 5, "decode_responses": request.param}
        with ask_sentinel(port, **options) as client:
            yield RedisStore(client)

    def damage(self, store: Any, handle: str) -> None:
        store._client.delete(f"handstamp:{{{handle}}}")
        store._client.set(f"handstamp:{{{handle}}}", "no record")
