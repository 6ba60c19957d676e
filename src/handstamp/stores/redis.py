"""Sessions in Redis or a Redis Cluster: extra ``handstamp[redis]``.

A session is one hash. It has a field for each attribute of the record, and one for each key of the data, whose name
begins with a colon. Each method is one Lua script on one key. A script is atomic, runs on a primary only, and stays in
one slot of a Cluster. The index of an owner is a sorted set of handles, with the ends as scores. It has a slot of its
own. It may list too many handles, but never too few, because the record decides who its owner is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

from ..exceptions import StoreError
from ._base import GRACE_SECONDS, Change, Record, damaged_error

try:
    from redis.client import NEVER_DECODE
    from redis.exceptions import NoScriptError, RedisClusterException, RedisError
except ImportError as _error:
    raise ImportError("sessions in Redis need an extra: pip install 'handstamp[redis]'") from _error


__all__ = ["RedisStore"]

# While slots have no server, as in a failover, a client of a Cluster raises an error that is not a RedisError.
_ERRORS = (RedisError, RedisClusterException)


class Client(Protocol):
    """The methods that the store calls: ``redis.Redis``, ``redis.RedisCluster`` and the clients of Sentinel fit."""

    def eval(self, script: str, numkeys: int, /, *keys_and_args: Any) -> Any:
        """Run a script."""
        ...

    def evalsha(self, sha: str, numkeys: int, /, *keys_and_args: Any) -> Any:
        """Run a script that the server has cached."""
        ...

    def pipeline(self, *, transaction: bool) -> Any:
        """Return a pipeline, which sends several commands at once."""
        ...


class _Script(NamedTuple):
    text: str
    sha: str


# All arguments are lines of one text: twelve separate arguments cost redis-py a tenth of a call.
_SPLIT = """
local args = {}
for line in string.gmatch(ARGV[1], '([^\\n]*)\\n') do args[#args + 1] = line end
"""


def _script(text: str) -> _Script:
    text = _SPLIT + text.lstrip()
    return _Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324  # Redis names scripts by their SHA-1


# The reply is one text, which costs redis-py a fifth less than a list. Names and values contain no line feed. If the
# key does not hold a hash, the reply is the server's error text, which _read_record rejects.
_LOAD = _script("""
local flat = redis.pcall('HGETALL', KEYS[1])
return flat.err or table.concat(flat, '\\n')
""")

# args: hash, seconds to live, then names and values.
_CREATE = _script("""
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'hash' then return redis.call('HGET', KEYS[1], 'hash') == args[1] and 1 or 0 end
if kind ~= 'none' then return 0 end
for i = 3, #args, 1000 do redis.call('HSET', KEYS[1], unpack(args, i, math.min(i + 999, #args))) end
redis.call('EXPIRE', KEYS[1], args[2])
return 1
""")

# args: expect, new hash or '', seen, end, shorten, grace, number of names to remove, these names, then names and values
# to set. Returns the owner and the end if the change is accepted.
_UPDATE = _script("""
local key = KEYS[1]
local kept = redis.pcall('HMGET', key, 'hash', 'seen', 'end', 'owner')
if kept.err or not (kept[1] and kept[2] and kept[3] and kept[4]) then return false end
local seen, last, now, new = tonumber(kept[2]), tonumber(kept[3]), tonumber(args[3]), tonumber(args[4])
if not (seen and last) or now > last or kept[1] ~= args[1] and kept[1] ~= args[2] then return false end
local removed = 7 + args[7]
for i = 8, removed do redis.call('HDEL', key, args[i]) end
for i = removed + 1, #args, 1000 do redis.call('HSET', key, unpack(args, i, math.min(i + 999, #args))) end
seen, last = math.max(seen, now), args[5] == '1' and new or math.max(last, new)
local text = string.format('%d', last)
redis.call('HSET', key, 'seen', string.format('%d', seen), 'end', text)
redis.call('EXPIRE', key, last - seen + args[6])
return redis.call('HGET', key, 'owner') .. '\\n' .. text
""")

# Returns the number of deleted keys, and the owner.
_DELETE = _script("""
local owner = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'owner')
return {redis.call('DEL', KEYS[1]), owner or ''}
""")

# args: handle, end, grace. Removes the handles of sessions that have ended. The index expires with its last session.
_INDEX_ADD = _script("""
redis.call('ZADD', KEYS[1], 'GT', args[2], args[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (redis.call('TIME')[1] - args[3]))
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if last then redis.call('EXPIREAT', KEYS[1], last + args[3]) end
return 1
""")

_INDEX_REMOVE = _script("return redis.call('ZREM', KEYS[1], args[1])")

_LIST = _script("return redis.call('ZRANGE', KEYS[1], 0, -1)")


_BATCH = 500


class RedisStore:
    """Keep records in Redis 6.2 or later. Valkey has the same protocol, but is untested.

    :param client: a client of redis-py; give it timeouts and a retry, since each method of a store may be repeated
    :param prefix: the beginning of every key

    >>> from redis import Redis
    >>> client = Redis.from_url("redis://127.0.0.1:6379", socket_timeout=1, socket_connect_timeout=1)
    >>> store = RedisStore(client, prefix="shop:")
    """

    def __init__(self, client: Client, prefix: str = "handstamp:") -> None:
        self._client = client
        self._prefix = prefix

    def load(self, handle: str) -> Record | None:
        """Return a record, or ``None`` if there is none."""
        try:
            return _read_record(self._run(_LOAD, self._key(handle)))
        except ValueError:
            raise damaged_error(handle) from None

    def create(self, handle: str, record: Record) -> bool:
        """Save a new record."""
        if record.owner:
            self._index_add(record.owner, handle, record.end)
        lifetime = max(1, record.end - record.seen + GRACE_SECONDS)
        own = {name: getattr(record, name) for name in _OWN}
        return bool(self._run(_CREATE, self._key(handle), record.hash, lifetime, *_flatten(own, record.fields)))

    def update(self, handle: str, expect: str, change: Change) -> bool:
        """Merge a change into a record."""
        if change.owner:
            # Before the record, so that the index never lacks a session of the owner.
            self._index_add(change.owner, handle, change.end)
        own = {name: getattr(change, name) for name in ("hash", "owner", "created")}
        written = _flatten({name: value for name, value in own.items() if value is not None}, change.fields)
        times = (change.seen, change.end, int(change.shorten), GRACE_SECONDS)
        removed = [f":{name}" for name in change.removed]
        accepted = self._run(
            _UPDATE, self._key(handle), expect, change.hash or "", *times, len(removed), *removed, *written
        )
        if accepted is None:
            return False
        owner, _, end = _text(accepted).rpartition("\n")
        if owner:
            self._index_add(owner, handle, int(end))
        return True

    def delete(self, handle: str) -> bool:
        """Delete a record."""
        number, owner = self._run(_DELETE, self._key(handle))
        if owner:
            self._run(_INDEX_REMOVE, self._index(_text(owner)), handle)
        return bool(number)

    def find(self, owner: str) -> dict[str, Record]:
        """Return the records of an owner by their handles. 500 records take one round trip to each server."""
        handles = [_text(handle) for handle in self._run(_LIST, self._index(owner))]
        found = {}
        for start in range(0, len(handles), _BATCH):
            batch = handles[start : start + _BATCH]
            for handle, flat in zip(batch, self._load_all(batch), strict=True):
                try:
                    record = _read_record(flat)
                except ValueError:
                    continue  # a damaged record has no owner
                if record is not None and record.owner == owner:
                    found[handle] = record
        return found

    # -- keys and commands

    def _key(self, handle: str) -> str:
        return f"{self._prefix}{{{handle}}}"  # the braces choose the slot of a Cluster

    def _index(self, owner: str) -> str:
        # Hashed, so that an owner may be any text, and the key does not show who it is.
        return f"{self._prefix}owner:{hashlib.sha256(owner.encode()).hexdigest()}"

    def _index_add(self, owner: str, handle: str, end: int) -> None:
        self._run(_INDEX_ADD, self._index(owner), handle, end, GRACE_SECONDS)

    def _run(self, script: _Script, key: str, *args: object) -> Any:
        """Run a script on a key.

        :param args: their texts contain no line feeds
        :raises StoreError: Redis failed. It does not chain the client's error, which may contain the command.
        :raises ValueError: the reply is not UTF-8
        """
        lines = "".join([f"{arg}\n" for arg in args])
        try:
            try:
                return self._client.evalsha(script.sha, 1, key, lines)
            except NoScriptError:
                return self._client.eval(script.text, 1, key, lines)
        except _ERRORS as error:
            kind = type(error).__name__
        raise _failed_error(kind)

    def _load_all(self, handles: Sequence[str]) -> list[bytes]:
        """Load records at once, as bytes, so that a record that is not UTF-8 does not hide the others."""
        try:
            pipeline = self._client.pipeline(transaction=False)
            for handle in handles:
                pipeline.execute_command("EVAL", _LOAD.text, 1, self._key(handle), "", **{NEVER_DECODE: []})
            return cast("list[bytes]", pipeline.execute())
        except _ERRORS as error:
            kind = type(error).__name__
        raise _failed_error(kind)


def _failed_error(kind: str) -> StoreError:
    return StoreError(f"Redis failed ({kind}); check that it runs, and that the client's timeouts are long enough")


# -- record <-> hash

_OWN = ("hash", "owner", "created", "seen", "end")


def _flatten(own: dict[str, Any], fields: Any) -> list[Any]:
    """Return names and values in one list, alternating."""
    pairs = {**own, **{f":{name}": text for name, text in fields.items()}}
    return [part for pair in pairs.items() for part in pair]


def _read_record(flat: bytes | str) -> Record | None:
    """Read a record from alternating lines of names and values.

    :raises ValueError: they are not a record
    """
    if not flat:
        return None
    texts = _text(flat).split("\n")
    pairs = dict(zip(texts[::2], texts[1::2], strict=True))
    fields = {name[1:]: text for name, text in pairs.items() if name.startswith(":")}
    if pairs.keys() - {f":{name}" for name in fields} != set(_OWN):
        raise ValueError("not a record")
    times = (int(pairs[name]) for name in ("created", "seen", "end"))
    return Record(pairs["hash"], fields, pairs["owner"], *times)


def _text(part: bytes | str) -> str:
    return part.decode() if isinstance(part, bytes) else part
