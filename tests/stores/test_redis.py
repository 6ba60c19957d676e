"""RedisStore keeps the contract of stores in a real Redis."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.missing_programs import need

need("redis")

import redis
from redis.backoff import NoBackoff
from redis.exceptions import SlotNotCoveredError
from redis.retry import Retry

from handstamp import StoreError
from handstamp.stores._base import GRACE_SECONDS
from handstamp.stores.redis import RedisStore
from handstamp.testing import StoreContract, StoreModel
from handstamp.testing._records import make_change, make_handle, make_owner, make_record
from tests.support.redis_servers import run_cluster, run_redis

#: Redis's client asks once, and waits for nothing.
ONCE = Retry(NoBackoff(), 0)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
def client(request: pytest.FixtureRequest, port: int) -> Iterator[Any]:
    client = redis.Redis(port=port, decode_responses=request.param, socket_timeout=5)
    with client:
        yield client


@pytest.fixture
def store(client: Any) -> RedisStore:
    return RedisStore(client)


def key(handle: str) -> str:
    return f"handstamp:{{{handle}}}"


def keep(store: RedisStore, **told: Any) -> str:
    handle = make_handle()
    assert store.create(handle, make_record(**told))
    return handle


class TestRedisStore(StoreContract, StoreModel):
    """In Redis every law of a store holds."""

    #: The environment variable ONE_OF=1 has it play all orders.
    one_of = int(os.environ.get("ONE_OF", "100"))

    def damage(self, store: Any, handle: str) -> None:
        store._client.delete(key(handle))
        store._client.set(key(handle), "no record")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_cluster(tmp_path_factory.mktemp("cluster")) as ports:
        yield ports[0]


class TestRedisStoreInCluster(TestRedisStore):
    """In a Cluster of three every law holds too."""

    @pytest.fixture
    def store(self, cluster: int) -> Iterator[RedisStore]:
        with redis.RedisCluster(host="127.0.0.1", port=cluster, socket_timeout=5) as client:
            yield RedisStore(client)


#: What somebody else may have made of a record.
FOREIGN: dict[str, Callable[[Any, str], object]] = {
    "no number": lambda client, name: client.hset(name, "end", "never"),
    "no text": lambda client, name: client.hset(name, "hash", b"\xff"),
    "no owner": lambda client, name: client.hdel(name, "owner"),
    "more": lambda client, name: client.hset(name, "more", "1"),
    "a list": lambda client, name: (client.delete(name), client.rpush(name, "hash", "1")),
}


@pytest.mark.parametrize("spoil", FOREIGN.values(), ids=FOREIGN)
def test_foreign_is_nobodys(client: Any, store: RedisStore, spoil: Callable[[Any, str], object]) -> None:
    """A record that is not whole is an error to load, is found with nobody, and can be deleted."""
    owner = make_owner()
    handle, whole = keep(store, owner=owner), keep(store, owner=owner)
    spoil(client, key(handle))
    with pytest.raises(StoreError, match="is damaged or foreign") as caught:
        store.load(handle)
    assert handle not in str(caught.value)
    assert list(store.find(owner)) == [whole]
    assert store.delete(handle) is True
    assert store.load(handle) is None


def test_expires_a_minute_late(client: Any, store: RedisStore) -> None:
    """Redis itself drops a record a minute after its end, counted from when it was last seen."""
    record, handle = make_record(), make_handle()
    store.create(handle, record)
    left = record.end - record.seen + GRACE_SECONDS
    assert left - 60 < client.ttl(key(handle)) <= left
    store.update(handle, record.hash, make_change(record, end=record.end + 1000))
    assert left + 940 < client.ttl(key(handle)) <= left + 1000


def test_index_expires(client: Any, store: RedisStore) -> None:
    """An owner's index is dropped by Redis after the last of its ends."""
    owner = make_owner()
    keep(store, owner=owner)
    assert 3600 < client.ttl(store._index(owner)) <= 3600 + GRACE_SECONDS


def test_index_is_pruned(client: Any, store: RedisStore) -> None:
    """An owner's index forgets handles whose end has passed, at the next record that comes."""
    owner = make_owner()
    client.zadd(store._index(owner), {"gone": 1000})
    handle = keep(store, owner=owner)
    assert client.zcard(store._index(owner)) == 1
    store.delete(handle)
    assert client.zcard(store._index(owner)) == 0


def test_index_keeps_what_comes(client: Any, store: RedisStore) -> None:
    """A handle in the index whose record is not there yet is not found, and stays."""
    owner = make_owner()
    store._index_add(owner, make_handle(), 9_999_999_999)
    assert store.find(owner) == {}
    assert client.zcard(store._index(owner)) == 1


def test_touch_moves_the_index(client: Any, store: RedisStore) -> None:
    """A touch moves the end in the owner's index along, and one by a clock that is behind does not move it back."""
    owner, handle = make_owner(), make_handle()
    record = make_record(owner=owner)
    store.create(handle, record)
    for ahead in (50, -50):
        assert store.update(handle, record.hash, make_change(record, end=record.end + ahead))
        assert client.zscore(store._index(owner), handle) == record.end + 50


def test_index_never_moves_back(client: Any, store: RedisStore) -> None:
    """Of two who enter a record into an index at once, the later end stays."""
    owner, handle, end = make_owner(), make_handle(), make_record().end
    for ahead in (50, 0):
        store._index_add(owner, handle, end + ahead)
    assert client.zscore(store._index(owner), handle) == end + 50


VERBS: dict[str, Callable[[RedisStore, str, str], object]] = {
    "create": lambda store, handle, owner: store.create(handle, make_record(owner=owner)),
    "update": lambda store, handle, owner: store.update(handle, "", make_change(make_record(), owner=owner)),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_index_comes_first(
    client: Any, store: RedisStore, monkeypatch: pytest.MonkeyPatch, verb: Callable[[RedisStore, str, str], object]
) -> None:
    """What comes to an owner is in the index before the record says so, whatever fails in between."""
    owner, handle, run = make_owner(), make_handle(), store._run

    def fail(script: Any, name: str, *args: Any) -> Any:
        if name == key(handle):
            raise StoreError("the connection broke")
        return run(script, name, *args)

    monkeypatch.setattr(store, "_run", fail)
    with pytest.raises(StoreError, match="broke"):
        verb(store, handle, owner)
    assert client.zcard(store._index(owner)) == 1


def test_half_a_record_is_refused(client: Any, store: RedisStore) -> None:
    """A change of a record that has lost its end is refused."""
    handle, record = make_handle(), make_record()
    store.create(handle, record)
    client.hdel(key(handle), "end")
    assert store.update(handle, record.hash, make_change(record)) is False


def test_prefix(client: Any) -> None:
    """Stores with different prefixes see nothing of each other."""
    here, there = RedisStore(client), RedisStore(client, prefix="other:")
    owner = make_owner()
    handle = keep(here, owner=owner)
    assert there.load(handle) is None
    assert there.find(owner) == {}


def test_keys_tell_no_owner(client: Any, store: RedisStore) -> None:
    """No key holds the name of an owner."""
    owner = make_owner()
    keep(store, owner=owner)
    assert not any(owner in str(name) for name in client.keys("*"))


def test_scripts_are_sent_again(client: Any, store: RedisStore) -> None:
    """A server that has forgotten the scripts gets them again."""
    handle = keep(store)
    client.script_flush()
    assert store.load(handle) is not None


def test_server_is_down() -> None:
    """Without a server each verb is an error that names the cause, and neither handle nor secret."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    store, handle, record = RedisStore(redis.Redis(port=port, retry=ONCE)), make_handle(), make_record(owner="ada")
    verbs: list[Callable[[], object]] = [
        lambda: store.load(handle),
        lambda: store.create(handle, record),
        lambda: store.update(handle, record.hash, make_change(record)),
        lambda: store.delete(handle),
        lambda: store.find("ada"),
    ]
    for verb in verbs:
        with pytest.raises(StoreError, match=r"Redis failed \(ConnectionError\)") as caught:
            verb()
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_comes_back(tmp_path: Path) -> None:
    """A server that comes back is used again, without a new client."""
    with run_redis(tmp_path / "first") as port:
        store = RedisStore(redis.Redis(port=port, retry=ONCE))
        keep(store)
    with pytest.raises(StoreError):
        keep(store)
    with run_redis(tmp_path / "second", port=port):
        keep(store)


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says which one is missing."""
    monkeypatch.setitem(sys.modules, "redis.exceptions", None)
    monkeypatch.delitem(sys.modules, "handstamp.stores.redis")
    with pytest.raises(ImportError, match=r"pip install 'handstamp\[redis\]'"):
        import_module("handstamp.stores.redis")


# -- round trips ------------------------------------------------------------------------------------------------------


class Counting:
    """A client that counts how often it goes to the server."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.trips = 0

    def evalsha(self, *args: Any) -> Any:
        self.trips += 1
        return self.client.evalsha(*args)

    def eval(self, *args: Any) -> Any:
        return self.client.eval(*args)

    def pipeline(self, **options: Any) -> Any:
        self.trips += 1
        return self.client.pipeline(**options)

    def count(self, work: Callable[[], object]) -> int:
        """Return how many round trips something takes."""
        self.trips = 0
        work()
        return self.trips


def test_fails_while_finding(client: Any) -> None:
    """Redis may fail between an owner's index and the records: that is a StoreError, too."""
    counting, owner = Counting(client), make_owner()
    store = RedisStore(counting)
    assert store.create(make_handle(), make_record(owner=owner))
    counting.pipeline = redis.Redis(port=1, retry=ONCE).pipeline  # type: ignore[method-assign,assignment]  # fails there
    with pytest.raises(StoreError, match=r"Redis failed \(ConnectionError\)") as caught:
        store.find(owner)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("verb", ["load", "find"])
def test_cluster_without_a_server(client: Any, verb: str) -> None:
    """Where a slot of a Cluster has no server, that is a StoreError too, of a verb and of what is sent at once."""
    counting, owner = Counting(client), make_owner()
    store = RedisStore(counting)
    assert store.create(make_handle(), make_record(owner=owner))

    def fail(*args: Any, **options: Any) -> None:
        raise SlotNotCoveredError("slot 7 is not covered")

    setattr(counting, {"load": "evalsha", "find": "pipeline"}[verb], fail)
    with pytest.raises(StoreError, match=r"Redis failed \(SlotNotCoveredError\)") as caught:
        getattr(store, verb)(owner)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(("owner", "trips"), [("", [1, 1, 1, 1]), ("ada", [2, 1, 2, 2])])
def test_round_trips(client: Any, owner: str, trips: list[int]) -> None:
    """Each verb goes to the server once; with an owner all but a load once more, for the index."""
    counting = Counting(client)
    store, handle, record = RedisStore(counting), make_handle(), make_record(owner=owner)
    verbs: list[Callable[[], object]] = [
        lambda: store.create(handle, record),
        lambda: store.load(handle),
        lambda: store.update(handle, record.hash, make_change(record, fields={'"a"': "2"})),
        lambda: store.delete(handle),
    ]
    assert [counting.count(verb) for verb in verbs] == trips


def test_round_trips_of_finding(client: Any) -> None:
    """A thousand sessions of an owner are found with three round trips."""
    counting, owner = Counting(client), make_owner()
    store = RedisStore(counting)
    records = {make_handle(): make_record(owner=owner) for _ in range(1000)}
    for handle, record in records.items():
        assert store.create(handle, record)
    found: list[Any] = []
    assert counting.count(lambda: found.append(store.find(owner))) == 3
    assert found == [records]
