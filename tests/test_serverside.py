"""Sessions in a store: what the store is asked, when the cookie is set, and what becomes of slow requests."""

from __future__ import annotations

import copy
import gc
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import webtest
from hypothesis import given
from hypothesis import strategies as st

from handstamp import (
    ReservedKey,
    SessionCommitted,
    SessionEnded,
    SessionMiddleware,
    SessionUnavailable,
    SettingsError,
    StoreError,
    UnserializableValue,
    payload,
)
from handstamp.serverside import ServerSideSession, ServerSideSessionInterface
from handstamp.stores import Change, MemoryStore, Record
from handstamp.testing import FrozenClock, make_cookie, read_cookie, session_transaction
from tests.support.clock import on_clock
from tests.support.constants import DAY, HOUR, KEY, MINUTE, OLD_KEY, START
from tests.support.cookie_kinds import decode
from tests.support.random_steps import STEPS, VALUES, Step, clear
from tests.support.site import Site
from tests.support.values import exact
from tests.support.wsgi import TEXT, Answer, make_environ, serve

VERBS = ("load", "create", "update", "delete", "find")


class Spy(MemoryStore):
    """Counts what it is asked; fails if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.down: set[str] = set()

    def take(self) -> dict[str, int]:
        """Return what was asked since the last time."""
        asked, self.asked = dict(self.asked), Counter()
        return asked


def _spy(verb: str) -> Callable[..., Any]:
    def call(self: Spy, *args: Any) -> Any:
        self.asked[verb] += 1
        if verb in self.down:
            raise StoreError("the store is down; start it")
        return getattr(MemoryStore, verb)(self, *args)

    return call


for _verb in VERBS:
    setattr(Spy, _verb, _spy(_verb))


class Shop(Site):
    """A site whose sessions are in a store."""

    def __init__(self, settings: dict[str, Any] | None = None, on_failure: Any = "raise", **more: Any) -> None:
        self.store = more.pop("store", None) or Spy()
        super().__init__(settings, ServerSideSessionInterface(self.store, on_failure), **more)
        self.interface: ServerSideSessionInterface

    @property
    def records(self) -> dict[str, Record]:
        """What is kept, by handles."""
        return dict(self.store._records)

    @property
    def record(self) -> Record:
        """The one record."""
        (record,) = self.records.values()
        return record

    def begin(self) -> Slow:
        """Begin a slow request; its response goes when it is told to."""
        return Slow(self)


class Slow:
    """A request that stays open while others come."""

    headers: list[tuple[str, str]] | None = None

    def __init__(self, shop: Shop) -> None:
        held: list[Any] = []
        app = SessionMiddleware(_hold(held), shop.middleware.settings, session_interface=shop.interface)
        environ = make_environ(HTTP_COOKIE=shop.visitor.cookie_header())
        self._body: Any = app(environ, self._start_response)
        self.session = held[0]

    def _start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.headers = headers
        return bytes

    def finish(self) -> list[str]:
        """Let the response go; return its Set-Cookie lines."""
        try:
            list(self._body)
        finally:
            self._body.close()
        assert self.headers is not None
        return [value for name, value in self.headers if name == "Set-Cookie"]


def _hold(held: list[Any]) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        held.append(environ["session"])
        start_response("200 OK", [])
        return iter([b""])

    return app


def sign_in(session: Any) -> None:
    session["user"] = "ada"


def put(key: str, value: object) -> Callable[[Any], None]:
    return lambda session: session.__setitem__(key, value)


def get(key: str) -> Callable[[Any], Any]:
    return lambda session: session.get(key)


def label(device: str, session: Any) -> None:
    session["device"] = device
    session.owner = 7


def take_all(steps: Iterable[Step], session: Any) -> None:
    for step in steps:
        step(session)


def own(owner: object) -> Callable[[Any], None]:
    return lambda session: setattr(session, "owner", owner)


def end(session: Any) -> None:
    session.invalidate()


def renew(session: Any) -> None:
    session.renew()


@pytest.fixture
def shop() -> Shop:
    return Shop()


def is_left_alone(answer: Answer) -> bool:
    """Tell whether a response said that it depends on the cookie, and left it alone."""
    return answer.cookies == [] and answer.every("Vary") == ["Cookie"]


# -- what comes back --------------------------------------------------------------------------------------------------


def test_comes_back(shop: Shop) -> None:
    """What was written comes back exactly, whatever its type."""
    data = {
        "int": 1, "true": True, "tuple": (1, [2, {"~x": 3}]), "bytes": b"\0\xff", "": None, '"\\\0é😀': "\0\"\\é😀",
        "set": {1, "a"}, "when": datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "id": UUID(int=7), "~tuple": [1],
    }  # fmt: skip
    shop.visit(lambda session: session.update(data))
    found = shop.visit(dict).result
    assert {key: exact(value) for key, value in found.items()} == {key: exact(value) for key, value in data.items()}


def test_large(shop: Shop) -> None:
    """A session may be far larger than a cookie."""
    shop.visit(put("much", "x" * 1_000_000))
    assert len(shop.visitor.cookie_header()) < 200
    assert shop.visit(get("much")).result == "x" * 1_000_000


def test_one_key_alone(shop: Shop) -> None:
    """A session whose one key looks like a tag is no tag."""
    shop.visit(put("~tuple", [1]))
    assert shop.visit(dict).result == {"~tuple": [1]}


def test_nested_change(shop: Shop) -> None:
    """A change inside of a value that was handed out is kept, and only that value is written."""
    shop.visit(lambda session: session.update(cart=[1], other=2))
    updates: list[Any] = []
    update = shop.store.update

    def note(handle: str, hash: str, change: Change) -> bool:
        updates.append(change)
        return update(handle, hash, change)

    shop.store.update = note  # type: ignore[method-assign]  # a spy
    shop.visit(lambda session: session["cart"].append(2))
    assert [dict(change.fields) for change in updates] == [{'"cart"': "[1,2]"}]
    assert shop.visit(dict).result == {"cart": [1, 2], "other": 2}


def test_removed(shop: Shop) -> None:
    """A key that was deleted is gone, and the others stay."""
    shop.visit(lambda session: session.update(a=1, b=2))
    shop.visit(lambda session: session.pop("a"))
    assert shop.visit(dict).result == {"b": 2}


def test_kind(shop: Shop) -> None:
    """The session says what it is, and shows no data."""
    shop.visit(sign_in)
    kind, text = shop.visit(lambda session: (type(session), session["user"] and repr(session))).result
    assert kind is ServerSideSession
    assert text == "<ServerSideSession: loaded>"


def test_unserializable(shop: Shop) -> None:
    """What has no exact form is refused by its path, on creating and on changing, and nothing is kept."""
    for _ in range(2):
        with pytest.raises(UnserializableValue, match=r"session\['cart'\]\[1\] \(object\)"):
            shop.visit(lambda session: session.update(cart=[1, object()], a=2))
        assert shop.visit(dict).result in ({}, {"b": 1})
        shop.visit(put("b", 1))


def test_reserved_key(shop: Shop) -> None:
    """The reserved key is reserved here too."""
    with pytest.raises(ReservedKey):
        shop.visit(put("_created", 1))


# -- the token and the record -----------------------------------------------------------------------------------------


def test_record_holds_a_hash(shop: Shop) -> None:
    """A token holds handle and secret, 128 bits each; the record is kept under one and holds SHA-256 of the other."""
    token = shop.visit(sign_in).token
    content = decode(token.partition(".")[0])
    ((handle, record),) = shop.records.items()
    assert len(content) == 32
    assert decode(handle) == content[:16]
    assert record.hash == hashlib.sha256(content[16:]).hexdigest()
    assert record == Record(record.hash, {'"user"': '"ada"'}, "", START, START, START + 31 * DAY)


def test_ids_differ() -> None:
    """No two sessions share a handle or a secret."""
    shop = Shop()
    contents = set()
    for _ in range(1000):
        contents.add(decode(shop.visit(sign_in).token.partition(".")[0]))
        shop.visitor.jar.clear()
    assert len({content[:16] for content in contents}) == len({content[16:] for content in contents}) == 1000


def test_made_up_tokens(shop: Shop) -> None:
    """1,000 requests with made-up tokens leave no record and ask the store nothing."""
    good = shop.visit(sign_in).token
    shop.store.take()
    other = Shop({"SECRET_KEY": OLD_KEY})
    for number in range(1000):
        if number % 2:
            other.visitor.jar.clear()
            made_up = other.visit(sign_in).token
        else:
            place = number % len(good)
            made_up = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        shop.visitor.jar.clear()
        answer = shop.visit(dict, HTTP_COOKIE=f"session={made_up}")
        assert answer.result == {}
        assert is_left_alone(answer)
    assert shop.store.take() == {}
    assert len(shop.records) == 1


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"x" * 48])
def test_other_contents(shop: Shop, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A token that is validly signed and holds no ticket is refused, and the store is not asked."""
    settings, interface = shop.middleware.settings, shop.interface
    codec = interface.get_codec(settings, "session")
    caplog.set_level(logging.INFO, "handstamp")
    token = codec.seal(codec.pack(content), START)
    assert shop.visit(dict, HTTP_COOKIE=f"session={token}").result == {}
    assert "malformed" in caplog.text
    assert shop.store.take() == {}


def test_other_kinds_do_not_open(shop: Shop) -> None:
    """A signed cookie of the same key does not open as a token, nor a token as one."""
    signed = Site()
    signed.visit(sign_in)
    assert shop.visit(dict, HTTP_COOKIE=signed.visitor.cookie_header()).result == {}
    shop.visit(sign_in)
    assert signed.visit(dict, HTTP_COOKIE=shop.visitor.cookie_header()).result == {}


def test_no_key() -> None:
    """Without a key the null session stands in."""
    shop = Shop({"SECRET_KEY": None})
    with pytest.raises(SessionUnavailable, match="SECRET_KEY"):
        shop.visit(sign_in)


def test_handle(shop: Shop) -> None:
    """A session knows its handle once it was saved."""
    assert shop.visit(lambda session: (session.handle, sign_in(session))).result[0] is None
    assert list(shop.records) == [shop.visit(lambda session: session.handle).result]


def test_handle_is_taken(shop: Shop) -> None:
    """A new record whose handle is taken already is an error with a word, not a session."""
    shop.store.create = lambda *args: False  # type: ignore[method-assign]  # a fault
    with pytest.raises(StoreError, match=r"the session record [0-9a-f]{16} exists already"):
        shop.visit(sign_in)


def test_a_serializer_has_no_effect() -> None:
    """Records hold handstamp's own JSON, so a list in the place of an equal tuple is saved, whatever is assigned."""
    shop = Shop()
    shop.interface.serializer = json  # type: ignore[attr-defined]  # of other interfaces
    shop.visit(lambda session: session.update(a=(1, 2), b={3}))
    shop.visit(lambda session: session.update(a=[1, 2]))
    assert exact(shop.visit(dict).result) == exact({"a": [1, 2], "b": {3}})


# -- what the store is asked ------------------------------------------------------------------------------------------


def test_round_trips(shop: Shop) -> None:
    """Untouched asks nothing, a read one load, a new session one create, a write one load and one update."""
    shop.visit(bool)
    assert shop.store.take() == {}
    shop.visit(sign_in)
    assert shop.store.take() == {"create": 1}
    shop.visit(lambda session: None)
    assert shop.store.take() == {}
    shop.visit(dict)
    assert shop.store.take() == {"load": 1}
    shop.visit(put("a", 1))
    assert shop.store.take() == {"load": 1, "update": 1}
    shop.visit(end)
    assert shop.store.take() == {"load": 1, "delete": 1}


def test_touch_is_throttled(shop: Shop) -> None:
    """A session that is read is touched, with a fresh cookie, once its token is as old as the refresh interval."""
    shop.visit(sign_in)
    shop.clock.tick(DAY - 1)
    assert is_left_alone(shop.visit(get("user")))
    shop.clock.tick(1)
    shop.store.take()
    answer = shop.visit(get("user"))
    assert shop.store.take() == {"load": 1, "update": 1}
    assert len(answer.cookies) == 1
    assert (shop.record.seen, shop.record.end) == (START + DAY, START + 32 * DAY)
    assert is_left_alone(shop.visit(get("user")))
    assert shop.store.take() == {"load": 1}


def test_refresh_waits() -> None:
    """On a response that is meant for shared caches the cookie waits for the next other one; the record is touched."""
    shop = Shop(headers=[*TEXT, ("Cache-Control", "public, max-age=60")])
    shop.visit(sign_in)
    shop.clock.tick(2 * DAY)
    answer = shop.visit(get("user"))
    assert is_left_alone(answer)
    assert answer.every("Cache-Control") == ["public, max-age=60"]
    assert shop.record.seen == START + 2 * DAY
    shop.headers = TEXT
    assert len(shop.visit(get("user")).cookies) == 1
    assert shop.visit(get("user")).cookies == []


STORES_NOTHING: dict[str, Callable[[Any], object]] = {
    "read": dict,
    "equal value": put("user", "ada"),
    "set and deleted": lambda session: (session.update(a=1), session.pop("a")),
    "discarded": lambda session: (session.update(a=1), setattr(session, "modified", False)),
    "equal owner": lambda session: setattr(session, "owner", session.owner),
}


@pytest.mark.parametrize("action", STORES_NOTHING.values(), ids=STORES_NOTHING)
def test_stores_nothing(shop: Shop, action: Callable[[Any], object]) -> None:
    """A request that changes nothing writes nothing and sets no cookie."""
    shop.visit(sign_in)
    shop.store.take()
    assert is_left_alone(shop.visit(action))
    assert shop.store.take() == {"load": 1}


FOR_NOTHING: dict[str, Callable[[Any], object]] = {
    **{name: action for name, action in STORES_NOTHING.items() if name != "equal value"},
    "end": end,
    "renew": renew,
    "forced": lambda session: setattr(session, "modified", True),
}


@pytest.mark.parametrize("action", FOR_NOTHING.values(), ids=FOR_NOTHING)
def test_anonymous(shop: Shop, action: Callable[[Any], object]) -> None:
    """Nothing is kept for a visitor of whom there is nothing to keep."""
    assert is_left_alone(shop.visit(action))
    assert shop.store.take() == {}


def test_discarding_reads_nothing(shop: Shop) -> None:
    """To say that nothing shall be saved asks the store nothing."""
    shop.visit(sign_in)
    shop.store.take()
    shop.visit(lambda session: setattr(session, "modified", False))
    assert shop.store.take() == {}


def test_forced(shop: Shop) -> None:
    """A forced save writes what was changed, and no more: others may have changed the rest."""
    shop.visit(lambda session: session.update(a=1, b=1))
    slow = shop.begin()
    assert slow.session["a"] == 1
    slow.session.modified = True
    shop.visit(put("a", 2))
    slow.finish()
    assert shop.visit(dict).result == {"a": 2, "b": 1}


def test_other_cookie_does_not_shadow(shop: Shop) -> None:
    """Of several tokens the one issued last whose record is there counts."""
    shop.visit(put("n", 1))
    first = shop.visitor.cookie_header()
    shop.visitor.jar.clear()
    shop.clock.tick(MINUTE)
    shop.visit(lambda session: (put("n", 2)(session), own("ada")(session)))
    second = shop.visitor.cookie_header()
    assert shop.visit(get("n"), HTTP_COOKIE=f"{first}; {second}").result == 2
    shop.interface.end_all("ada")
    answer = shop.visit(lambda session: (session["n"], session.owner), HTTP_COOKIE=f"{second}; {first}")
    assert answer.result == (1, None)


def test_all_tokens_refused(shop: Shop) -> None:
    """Where no token opens, nothing of any record is left in the session."""
    shop.visit(lambda session: (sign_in(session), own("ada")(session)))
    shop.interface.validate_session = lambda settings, session: False  # type: ignore[method-assign]  # a hook
    found = shop.visit(lambda session: (dict(session), session.owner, session.handle, session.new)).result
    assert found == ({}, None, None, True)


# -- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "last", "reason"),
    [
        ({"SESSION_IDLE_LIFETIME": HOUR}, HOUR, "idle"),
        ({"SESSION_IDLE_LIFETIME": HOUR, "SESSION_ABSOLUTE_LIFETIME": 60}, 60, "absolute"),
    ],
)
def test_limit(settings: dict[str, Any], last: int, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """A session opens in its last good second and not in the next, whatever the store still keeps."""
    caplog.set_level(logging.INFO, "handstamp")
    shop = Shop({"SESSION_REFRESH_INTERVAL": False, **settings})
    shop.visit(sign_in)
    assert shop.record.end == START + last
    shop.clock.tick(last)
    assert shop.visit(get("user")).result == "ada"
    shop.clock.tick(1)
    caplog.clear()
    assert shop.visit(get("user")).result is None
    assert [record.getMessage() for record in caplog.records] == [f"session cookie rejected: {reason}"]


def test_end_of_the_record_decides(caplog: pytest.LogCaptureFixture) -> None:
    """Longer limits do not revive what has ended; shorter ones hold at once."""
    caplog.set_level(logging.INFO, "handstamp")
    store, clock = Spy(), FrozenClock(START)
    short = Shop({"SESSION_IDLE_LIFETIME": HOUR}, store=store, clock=clock)
    long = Shop({"SESSION_IDLE_LIFETIME": DAY}, store=store, clock=clock)
    long.visitor.jar = short.visitor.jar
    short.visit(sign_in)
    clock.tick(HOUR + 1)
    caplog.clear()
    assert long.visit(get("user")).result is None
    assert "idle" in caplog.text
    long.visit(sign_in)
    clock.tick(HOUR + 1)
    assert short.visit(get("user")).result is None
    assert long.visit(get("user")).result == "ada"


def test_absolute_limit_stays() -> None:
    """Activity moves the end up to the absolute limit, and never past it."""
    shop = Shop({"SESSION_IDLE_LIFETIME": HOUR, "SESSION_ABSOLUTE_LIFETIME": 2 * HOUR})
    shop.visit(sign_in)
    for _ in range(12):
        assert shop.visit(get("user")).result == "ada"
        shop.clock.tick(10 * MINUTE)
    assert shop.record.end == START + 2 * HOUR
    assert shop.visit(get("user")).result == "ada"
    shop.clock.tick(1)
    assert shop.visit(get("user")).result is None


def test_permanent() -> None:
    """A permanent session's cookie outlives the browser; ending that shortens the record and says so to the browser."""
    shop = Shop({"SESSION_IDLE_LIFETIME": HOUR})
    shop.visit(sign_in)
    answer = shop.visit(lambda session: setattr(session, "permanent", True))
    assert answer.attributes["max-age"] == str(31 * DAY)
    assert shop.record.end == START + 31 * DAY
    answer = shop.visit(lambda session: setattr(session, "permanent", False))
    assert "max-age" not in answer.attributes
    assert shop.record.end == START + HOUR


def test_writers_keep_their_cookie() -> None:
    """A session that is only ever written to keeps its cookie alive, even where reads never refresh."""
    for refresh in (None, False):
        shop = Shop({"SESSION_REFRESH_INTERVAL": refresh})
        shop.visit(lambda session: setattr(session, "permanent", True))
        for day in range(60):
            shop.clock.tick(DAY)
            shop.visit(put("day", day))
        assert shop.visit(get("day")).result == 59


def test_write_leaves_a_young_cookie_alone(shop: Shop) -> None:
    """A write sets no cookie where the browser's is young: a slow response could put it over a newer one."""
    shop.visit(sign_in)
    shop.clock.tick(HOUR)
    assert is_left_alone(shop.visit(put("a", 1)))
    assert shop.record.end == START + HOUR + 31 * DAY


def test_fallback_is_replaced() -> None:
    """A token that a fallback opened is signed anew with the current key; record and secret stay."""
    old = Shop({"SECRET_KEY": OLD_KEY})
    old.visit(sign_in)
    before = old.record
    new = Shop({"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [OLD_KEY]}, store=old.store)
    new.visitor.jar = old.visitor.jar
    assert len(new.visit(get("user")).cookies) == 1
    assert is_left_alone(new.visit(get("user")))
    assert new.record.hash == before.hash
    assert old.visit(get("user")).result is None


# -- renewing and ending ----------------------------------------------------------------------------------------------


def test_renew(shop: Shop) -> None:
    """Renewing keeps handle and data, begins anew, and the old token is dead at once."""
    shop.visit(put("cart", [1]))
    old, (handle,) = shop.visitor.cookie_header(), shop.records
    shop.clock.tick(MINUTE)
    answer = shop.visit(lambda session: (renew(session), put("user", "ada")(session)))
    assert len(answer.cookies) == 1
    assert list(shop.records) == [handle]
    assert shop.record.created == START + MINUTE
    assert shop.visit(dict).result == {"cart": [1], "user": "ada"}
    stolen = shop.visit(dict, HTTP_COOKIE=old)
    assert stolen.result == {}
    assert is_left_alone(stolen)


def test_renew_of_a_new_session(shop: Shop) -> None:
    """Renewing a session that begins with this request keeps one record."""
    shop.visit(lambda session: (sign_in(session), renew(session)))
    assert shop.store.take() == {"create": 1}
    assert shop.visit(get("user")).result == "ada"


def test_invalidate(shop: Shop) -> None:
    """Ending a session deletes record and cookie; a copy of its token opens nothing."""
    shop.visit(sign_in)
    copy = shop.visitor.cookie_header()
    answer = shop.visit(end)
    assert answer.attributes["max-age"] == "0"
    assert shop.records == {}
    assert shop.visit(dict, HTTP_COOKIE=copy).result == {}


def test_new_after_end(shop: Shop) -> None:
    """A write after the end begins a brand-new session, under another handle and with no owner."""
    shop.visit(lambda session: (sign_in(session), own("ada")(session)))
    (handle,) = shop.records
    shop.visit(lambda session: (end(session), put("flash", "bye")(session), end(session), put("b", 1)(session)))
    assert handle not in shop.records
    assert shop.record.fields == {'"b"': "1"}
    assert shop.visit(lambda session: (session.owner, dict(session))).result == (None, {"b": 1})


def test_owner_after_end(shop: Shop) -> None:
    """An owner alone is worth keeping, also after an end."""
    shop.visit(sign_in)
    shop.visit(lambda session: (end(session), own("bob")(session)))
    assert shop.visit(lambda session: session.owner).result == "bob"


def test_record_is_gone(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """A token whose record is gone is an empty session that sets nothing until the application writes."""
    caplog.set_level(logging.INFO, "handstamp")
    shop.visit(sign_in)
    (handle,) = shop.records
    shop.interface.end(handle)
    assert is_left_alone(shop.visit(get("user")))
    assert "session cookie rejected: revoked" in caplog.text
    assert len(shop.visit(sign_in).cookies) == 1
    assert handle not in shop.records


# -- slow requests ----------------------------------------------------------------------------------------------------


def test_different_keys(shop: Shop) -> None:
    """Of two requests at once that write to different keys both are kept."""
    shop.visit(lambda session: session.update(a=0, b=0, c=0))
    slow = shop.begin()
    slow.session["a"] = 1
    del slow.session["c"]
    shop.visit(put("b", 2))
    slow.finish()
    assert shop.visit(dict).result == {"a": 1, "b": 2}


def test_reader_overwrites_nobody(shop: Shop) -> None:
    """A slow reader overwrites nothing, be its session due."""
    shop.visit(lambda session: session.update(a=0, cart=[]))
    shop.clock.tick(2 * DAY)
    slow = shop.begin()
    assert list(slow.session.values()) == [0, []]
    shop.visit(lambda session: (put("a", 1)(session), session["cart"].append(2)))
    slow.finish()
    assert shop.visit(dict).result == {"a": 1, "cart": [2]}


@pytest.mark.parametrize("ending", [end, renew, lambda session: (end(session), sign_in(session))])
def test_slow_writer(shop: Shop, ending: Callable[[Any], object]) -> None:
    """A write to a session that was ended or renewed meanwhile raises before the head goes, and changes nothing."""
    shop.visit(sign_in)
    slow = shop.begin()
    slow.session["a"] = 1
    shop.visit(ending)
    kept = shop.records
    with pytest.raises(SessionEnded, match="another request ended or renewed"):
        slow.finish()
    assert slow.headers is None
    assert shop.records == kept


@pytest.mark.parametrize("ending", [end, renew])
def test_slow_reader(shop: Shop, ending: Callable[[Any], object]) -> None:
    """A mere touch that is refused is silent, and leaves the cookie alone."""
    shop.visit(sign_in)
    shop.clock.tick(2 * DAY)
    slow = shop.begin()
    assert slow.session["user"] == "ada"
    shop.visit(ending)
    kept = shop.records
    assert slow.finish() == []
    assert shop.records == kept


def test_slow_end(shop: Shop) -> None:
    """A slow request that ends what is gone already leaves the cookie alone: it may be a newer session's."""
    shop.visit(sign_in)
    slow = shop.begin()
    slow.session.invalidate()
    shop.visit(end)
    shop.visit(sign_in)
    assert slow.finish() == []
    assert shop.visit(get("user")).result == "ada"


def test_two_renew(shop: Shop) -> None:
    """Of two requests that renew one session at once the second is refused."""
    shop.visit(sign_in)
    slow = shop.begin()
    slow.session.renew()
    shop.visit(renew)
    with pytest.raises(SessionEnded):
        slow.finish()
    assert shop.visit(get("user")).result == "ada"


@given(st.lists(st.lists(STEPS, max_size=4), max_size=6))
def test_is_kept_from_request_to_request(requests: list[list[Step]]) -> None:
    """Over several requests a session is a dict that somebody keeps, whatever is done to it."""
    shop = Shop()
    model: dict[str, Any] = {}
    for steps in requests:
        shop.visit(partial(take_all, steps))
        for step in steps:
            step(model)
        assert payload.fingerprint(shop.visit(dict).result) == payload.fingerprint(model)


# A dict forgets all its keys at once; a session those that it knew.
STEPS_BY_KEY = STEPS.filter(lambda step: step is not clear)


@given(st.lists(STEPS_BY_KEY, max_size=4), st.dictionaries(st.sampled_from("xyz"), VALUES), st.booleans())
def test_merges(steps: list[Step], others: dict[str, Any], is_new: bool) -> None:
    """Whatever two requests at once do to different keys, the outcome is as if one had come after the other."""
    shop = Shop()
    model: dict[str, Any] = {"a": [1], "x": {"y": 2}} if is_new else {"a": 1, "b": [2], "z": 3}
    shop.visit(lambda session: session.update(copy.deepcopy(model)))
    slow = shop.begin()
    for step in steps:
        step(slow.session)
        step(model)
    shop.visit(lambda session: session.update(copy.deepcopy(others)))
    model |= others
    slow.finish()
    assert payload.fingerprint(shop.visit(dict).result) == payload.fingerprint(model)


# -- owners -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["ada", "", 7, 0, True, UUID(int=1), ("tenant", 7), "\0é\ud83d\ude00"[:2]])
def test_owner(shop: Shop, owner: object) -> None:
    """A session belongs to any value that it can hold, exactly, and to nobody again."""
    assert len(shop.visit(own(owner)).cookies) == 1
    assert exact(shop.visit(lambda session: session.owner).result) == exact(owner)
    assert len(shop.interface.sessions(owner)) == 1
    shop.visit(own(None))
    assert shop.interface.sessions(owner) == []
    assert shop.visit(lambda session: (session.owner, session.new)).result == (None, False)


def test_owners_are_exact(shop: Shop) -> None:
    """1, "1" and True are three owners."""
    for owner in (1, "1", True):
        shop.visit(own(owner))
        shop.visitor.jar.clear()
    assert [len(shop.interface.sessions(owner)) for owner in (1, "1", True, 1.0)] == [1, 1, 1, 0]


def test_no_owner(shop: Shop) -> None:
    """What has no exact form owns nothing."""
    with pytest.raises(UnserializableValue, match=r"session\['owner'\] \(object\)"):
        shop.visit(own(object()))


def test_owner_is_a_change(shop: Shop) -> None:
    """Assigning an owner is a modification; assigning the same one again is none."""

    def look(session: Any) -> list[bool]:
        seen = [session.modified]
        for owner in ("ada", "ada", None):
            session.owner = owner
            seen.append(session.modified)
        return seen

    shop.visit(sign_in)
    assert shop.visit(look).result == [False, True, True, False]


def test_sessions(shop: Shop) -> None:
    """The sessions of an owner are listed, last seen first, with what a page needs to label them."""
    for device in ("phone", "laptop"):
        shop.visit(partial(label, device))
        shop.visitor.jar.clear()
        shop.clock.tick(MINUTE)
    laptop, phone = shop.interface.sessions(7)
    assert (laptop.data["device"], phone.data["device"]) == ("laptop", "phone")
    assert {laptop.handle, phone.handle} == shop.records.keys()
    assert phone.created == phone.seen == datetime.fromtimestamp(START, UTC)
    assert laptop.seen == datetime.fromtimestamp(START + MINUTE, UTC)
    with pytest.raises(TypeError):
        laptop.data["device"] = "mine"  # type: ignore[index]  # wrong on purpose


def test_sessions_that_ended(shop: Shop) -> None:
    """Sessions whose end has passed are not listed, nor are damaged ones."""
    for seconds in (0, DAY, DAY):
        shop.clock.tick(seconds)
        shop.visit(lambda session: (sign_in(session), own(7)(session)))
        shop.visitor.jar.clear()
    shop.clock.tick(29 * DAY)
    assert len(shop.interface.sessions(7)) == 3
    shop.clock.tick(1)
    assert len(shop.interface.sessions(7)) == 2
    (first, *_) = [handle for handle, record in shop.records.items() if record.seen == START + DAY]
    shop.store._records[first] = shop.records[first]._replace(fields={'"a"': "?"})
    assert len(shop.interface.sessions(7)) == 1


def test_end(shop: Shop) -> None:
    """A session is ended by its handle, once."""
    shop.visit(own(7))
    (listed,) = shop.interface.sessions(7)
    assert [shop.interface.end(listed.handle), shop.interface.end(listed.handle)] == [True, False]
    assert shop.visit(lambda session: session.owner).result is None


@pytest.mark.parametrize("handle", ["", "x", "\ud800" * 22, "é" * 22, "x" * 21 + "}", "x" * 21 + "\n", "x" * 23])
def test_end_of_no_handle(shop: Shop, handle: str) -> None:
    """What cannot be a handle ends nothing, and the store is not asked: it may come from anywhere."""
    shop.visit(own(7))
    shop.store.take()
    assert shop.interface.end(handle) is False
    assert shop.store.take() == {}


def test_end_all(shop: Shop) -> None:
    """All sessions of an owner are ended but the one that is kept; those of others stay."""
    for owner in (7, 7, 8, 7):
        shop.visitor.jar.clear()
        shop.visit(own(owner))
    assert shop.visit(lambda session: shop.interface.end_all(7, keep=session)).result == 2
    assert [len(shop.interface.sessions(owner)) for owner in (7, 8)] == [1, 1]
    assert shop.visit(lambda session: session.owner).result == 7
    assert shop.interface.end_all(7) == 1
    assert shop.visit(lambda session: session.owner).result is None


def test_end_all_before_the_first_save(shop: Shop) -> None:
    """A session that is not kept yet survives the end of all others."""
    shop.visit(own(7))
    shop.visitor.jar.clear()
    shop.visit(lambda session: (own(7)(session), shop.interface.end_all(7, keep=session)))
    assert shop.visit(lambda session: session.owner).result == 7


# -- faults -----------------------------------------------------------------------------------------------------------


def test_down_while_opening(shop: Shop) -> None:
    """With the store down a first look raises, an untouched session does not, and when it is back all works."""
    shop.visit(sign_in)
    shop.store.down = set(VERBS)
    assert shop.visit(lambda session: None).every("Vary") == []
    for _ in range(2):
        with pytest.raises(StoreError, match="the store is down"):
            shop.visit(get("user"))
    shop.store.down = set()
    assert shop.visit(get("user")).result == "ada"


SAVES: dict[str, Callable[[Any], object]] = {"update": put("a", 1), "delete": end, "create": sign_in}


@pytest.mark.parametrize("verb", SAVES)
@pytest.mark.parametrize("on_failure", ["raise", "readonly"])
def test_down_while_saving(verb: str, on_failure: str) -> None:
    """With the store down while saving the error comes before the head, by any policy; nothing is changed."""
    shop = Shop(on_failure=on_failure)
    if verb != "create":
        shop.visit(sign_in)
    kept = shop.records
    shop.store.down = {verb}
    with pytest.raises(StoreError, match="the store is down"):
        shop.visit(SAVES[verb])
    assert shop.records == kept
    shop.store.down = set()
    shop.visit(SAVES[verb])
    assert shop.records != kept


def test_readonly(caplog: pytest.LogCaptureFixture) -> None:
    """A read-only session is empty, no cache keeps its response, the cookie stays, and the log says why."""
    shop = Shop(on_failure="readonly", headers=[*TEXT, ("Cache-Control", "public"), ("cache-control", "max-age=60")])
    shop.visit(sign_in)
    shop.store.down = {"load"}
    answer = shop.visit(lambda session: (dict(session), session.new, session.owner, session.modified))
    assert answer.result == ({}, True, None, False)
    assert answer.every("Cache-Control") == ["no-store"]
    assert is_left_alone(answer)
    assert [record.levelname for record in caplog.records if "read-only" in record.getMessage()] == ["ERROR"]
    shop.store.down = set()
    assert shop.visit(get("user")).result == "ada"


WRITES: dict[str, Callable[[Any], object]] = {
    "set": sign_in,
    "delete": lambda session: session.__delitem__("user"),
    "pop": lambda session: session.pop("user", None),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "update": lambda session: session.update(a=1),
    "setdefault": lambda session: session.setdefault("a", 1),
    "renew": renew,
    "invalidate": end,
    "owner": own(7),
    "permanent": lambda session: setattr(session, "permanent", True),
    "not permanent": lambda session: setattr(session, "permanent", False),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_readonly_refuses(write: Callable[[Any], object]) -> None:
    """A read-only session refuses every change, be it the first touch."""
    shop = Shop(on_failure="readonly")
    shop.visit(sign_in)
    shop.store.down = {"load"}
    with pytest.raises(SessionUnavailable, match="the session store could not be read"):
        shop.visit(write)


def test_readonly_without_a_cookie() -> None:
    """A visitor without a cookie notices nothing of a store that cannot be read."""
    shop = Shop(on_failure="readonly")
    shop.store.down = {"load"}
    assert len(shop.visit(sign_in).cookies) == 1


def test_wrong_policy() -> None:
    """An unknown policy is an error that names the known ones."""
    with pytest.raises(SettingsError, match="on_failure: 'ignore' is unknown; use 'raise' or 'readonly'"):
        ServerSideSessionInterface(MemoryStore(), "ignore")  # type: ignore[arg-type]  # wrong on purpose


DAMAGE: dict[str, Callable[[Record], Any]] = {
    "no record": lambda record: "junk",
    "no JSON": lambda record: record._replace(fields={'"a"': "?"}),
    "no name": lambda record: record._replace(fields={"a": "1"}),
    "two values": lambda record: record._replace(fields={'"a"': "1}{"}),
    "owner": lambda record: record._replace(owner="?"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged(shop: Shop, damage: Callable[[Record], Any]) -> None:
    """A damaged record is an error that names it by its handle's hash, and can be ended."""
    shop.visit(sign_in)
    ((handle, record),) = shop.records.items()
    shop.store._records[handle] = damage(record)
    name = hashlib.sha256(handle.encode()).hexdigest()[:16]
    with pytest.raises(StoreError, match=f"the session record {name} is damaged or foreign") as caught:
        shop.visit(dict)
    assert handle not in str(caught.value)
    assert shop.interface.end(handle)
    assert shop.visit(dict).result == {}


def test_foreign_hash(shop: Shop) -> None:
    """A record whose hash is no hash opens to nobody."""
    shop.visit(sign_in)
    ((handle, record),) = shop.records.items()
    shop.store._records[handle] = record._replace(hash="é")
    assert shop.visit(dict).result == {}


# -- as every session -------------------------------------------------------------------------------------------------


def test_too_late(shop: Shop) -> None:
    """After the head a change raises, and so does a new owner; the handle is still known."""
    shop.visit(sign_in)
    slow = shop.begin()
    session = slow.session
    assert session["user"] == "ada"
    slow.finish()
    for late in (lambda: own(7)(session), lambda: put("a", 1)(session), session.clear, session.invalidate):
        with pytest.raises(SessionCommitted):
            late()
    assert session.handle in shop.records


def test_leaves_no_garbage(shop: Shop) -> None:
    """No request leaves anything to the garbage collector."""
    shop.visit(lambda session: (sign_in(session), own(7)(session)))
    gc.collect()
    gc.disable()
    try:
        for action in (bool, dict, put("n", [1]), renew, end, sign_in):
            environ = make_environ(HTTP_COOKIE=shop.visitor.cookie_header())
            shop.action = action
            list(shop.middleware(environ, lambda *args: bytes))
            del environ
            assert gc.collect() == 0
    finally:
        gc.enable()


def test_helpers_for_tests() -> None:
    """The helpers for tests make, read and change sessions in a store as they do cookies."""

    def count(environ: Any, start_response: Any) -> list[bytes]:
        session = environ["session"]
        session["visits"] = session.get("visits", 0) + 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"visit {session['visits']}".encode()]

    app = SessionMiddleware(count, {"SECRET_KEY": KEY}, session_interface=ServerSideSessionInterface(MemoryStore()))
    client = webtest.TestApp(app)
    with session_transaction(client, app) as session:
        session["visits"] = 41
    assert client.get("/").text == "visit 42"
    assert webtest.TestApp(app).get("/", headers={"Cookie": make_cookie(app, {"visits": 6})}).text == "visit 7"
    assert read_cookie(app, webtest.TestApp(app).get("/")) == {"visits": 1}


def test_leaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No log record and no error holds a handle, a secret, a token or data."""
    caplog.set_level(logging.DEBUG)
    shop = Shop(on_failure="readonly")
    token = shop.visit(lambda session: (put("secret", "of the visitor")(session), own("somebody")(session))).token
    content = decode(token.partition(".")[0])
    ((handle, record),) = shop.records.items()
    said = [repr(shop.visit(lambda session: (dict(session), repr(session))).result[1])]
    shop.store._records[handle] = record._replace(fields={'"a"': "?"})
    shop.visit(dict)
    shop.interface.end(handle)
    shop.visit(dict)
    said += [record.getMessage() for record in caplog.records]
    assert len(said) >= 3
    for secret in (handle, token, record.hash, content.hex(), "of the visitor", "somebody"):
        assert not [text for text in said if secret in text]


def test_head_is_whole(shop: Shop) -> None:
    """Inside wsgiref.validate the head is whole."""
    on_clock(shop.interface, FrozenClock(START))
    shop.action = sign_in
    answer = serve(shop.middleware, make_environ())
    assert answer.status == "200 OK"
    assert answer.attributes == {"path": "/", "httponly": "", "samesite": "Lax"}
