"""Sessions in Redis, Cluster too: extra ``handstamp[redis]``.

A session is one hash: the record's own fields, and the data's with a colon before their names. Every verb is one Lua
script over one key, which is atomic, runs on a primary alone, and stays in one slot of a Cluster. An owner's index is a
sorted set of handles by their ends, in a slot of its own: it may name too many, never too few, for the record decides.
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


# What a client of a Cluster raises where slots have no server, as in a failover, is no RedisError.
_ERRORS = (RedisError, RedisClusterException)


class Client(Protocol):
    """What the store asks of a client: ``redis.Redis``, ``redis.RedisCluster``, or one that Sentinel gave."""

    def eval(self, script: str, numkeys: int, /, *keys_and_args: Any) -> Any:
        """Run a script."""
        ...

    def evalsha(self, sha: str, numkeys: int, /, *keys_and_args: Any) -> Any:
        """Run a script that the server knows."""
        ...

    def pipeline(self, *, transaction: bool) -> Any:
        """Return what sends several commands at once."""
        ...


class _Script(NamedTuple):
    text: str
    sha: str


# Arguments come as lines of one text: twelve of them cost redis-py a tenth of a call.
_SPLIT = """
local args = {}
for line in string.gmatch(ARGV[1], '([^\\n]*)\\n') do args[#args + 1] = line end
"""


def _script(text: str) -> _Script:
    text = _SPLIT + text.lstrip()
    return _Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324  # Redis names scripts by it


# One text, which costs redis-py a fifth less than a list: names and values hold no line feed. What is no hash comes
# back as a text that no record gives.
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

# args: expect, new hash or '', seen, end, shorten, grace, how many names go, these, then names and values. Returns the
# owner and the end if the change is accepted.
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

# Returns how many went, and the owner.
_DELETE = _script("""
local owner = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'owner')
return {redis.call('DEL', KEYS[1]), owner or ''}
""")

# args: handle, end, grace. What has ended goes; the whole goes with its last.
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
    """Keep records in Redis 6.2 or later; Valkey, which speaks the same, is untested.

    :param client: of redis-py, with timeouts and a retry of its own; every verb may be replayed
    :param prefix: what the keys begin with
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
            # Before the record, so that nothing an owner has can be missing from the index.
            self._index_add(change.owner, handle, change.end)
        own = {name: getattr(change, name) for name in ("hash", "owner", "created")}
        told = _flatten({name: value for name, value in own.items() if value is not None}, change.fields)
        times = (change.seen, change.end, int(change.shorten), GRACE_SECONDS)
        removed = [f":{name}" for name in change.removed]
        accepted = self._run(
            _UPDATE, self._key(handle), expect, change.hash or "", *times, len(removed), *removed, *told
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
        """Return the records of an owner by their handles; one round trip to each server for 500 of them."""
        handles = [_text(handle) for handle in self._run(_LIST, self._index(owner))]
        found = {}
        for start in range(0, len(handles), _BATCH):
            some = handles[start : start + _BATCH]
            for handle, flat in zip(some, self._load_all(some), strict=True):
                try:
                    record = _read_record(flat)
                except ValueError:
                    continue  # it is nobody's
                if record is not None and record.owner == owner:
                    found[handle] = record
        return found

    # -- keys and commands

    def _key(self, handle: str) -> str:
        return f"{self._prefix}{{{handle}}}"  # the braces choose the slot of a Cluster

    def _index(self, owner: str) -> str:
        # Hashed, so that an owner may be any text, and keys tell of nobody.
        return f"{self._prefix}owner:{hashlib.sha256(owner.encode()).hexdigest()}"

    def _index_add(self, owner: str, handle: str, end: int) -> None:
        self._run(_INDEX_ADD, self._index(owner), handle, end, GRACE_SECONDS)

    def _run(self, script: _Script, key: str, *args: object) -> Any:
        """Run a script over a key.

        :param args: without line feeds
        :raises StoreError: without the client's error, which may hold what was sent
        :raises ValueError: what came back is no UTF-8
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
        """Load records at once, as they are: what is no UTF-8 in one must not hide the others."""
        try:
            pipeline = self._client.pipeline(transaction=False)
            for handle in handles:
                pipeline.execute_command("EVAL", _LOAD.text, 1, self._key(handle), "", **{NEVER_DECODE: []})
            return cast("list[bytes]", pipeline.execute())
        except _ERRORS as error:
            kind = type(error).__name__
        raise _failed_error(kind)


def _failed_error(kind: str) -> StoreError:
    return StoreError(f"Redis failed ({kind}); see whether it runs, and whether the client's timeouts are long enough")


# -- record <-> hash

_OWN = ("hash", "owner", "created", "seen", "end")


def _flatten(own: dict[str, Any], fields: Any) -> list[Any]:
    """Return names and values in turn."""
    pairs = {**own, **{f":{name}": text for name, text in fields.items()}}
    return [part for pair in pairs.items() for part in pair]


def _read_record(flat: bytes | str) -> Record | None:
    """Read names and values, a line each; :exc:`ValueError` if they are no record."""
    if not flat:
        return None
    texts = _text(flat).split("\n")
    pairs = dict(zip(texts[::2], texts[1::2], strict=True))
    fields = {name[1:]: text for name, text in pairs.items() if name.startswith(":")}
    if pairs.keys() - {f":{name}" for name in fields} != set(_OWN):
        raise ValueError("no record")
    times = (int(pairs[name]) for name in ("created", "seen", "end"))
    return Record(pairs["hash"], fields, pairs["owner"], *times)


def _text(part: bytes | str) -> str:
    return part.decode() if isinstance(part, bytes) else part
