"""The session of a cookie is a mapping that knows exactly whether it was looked into and whether it has changed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webob import Request

from handstamp import (
    ReservedKey,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionCommitted,
    Settings,
    payload,
)
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import HOUR, SETTINGS, START
from tests.support.cookie_kinds import make_interface, stamp
from tests.support.values import exact
from tests.support.wsgi import make_environ

Step = Callable[[Any], object]

pytestmark = pytest.mark.usefixtures("kind")


class Keeping(SecureCookieSessionInterface):
    """An interface that keeps the request alive, as the middleware does while an exchange lasts."""

    request: Request

    def open_session(self, settings: Settings, request: Request) -> SecureCookieSession | None:
        self.request = request
        return super().open_session(settings, request)


def read(data: Mapping[str, Any] | None = None, *, clock: FrozenClock | None = None, created: int = START) -> Any:
    """Open the session of a cookie with some data, or of no cookie at all."""
    clock = clock or FrozenClock(START)
    environ = make_environ()
    if data is not None:
        environ["HTTP_COOKIE"] = f"session={stamp(data, at=clock(), created=created)}"
    return on_clock(make_interface(Keeping), clock).open_session(Settings(SETTINGS), Request(environ))


# -- the laws of mappings ---------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", "~d", "_permanent", "é"])
ATOMS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, -0.0, 1.0, 1.5]) | st.text(max_size=3)
HASHABLE = ATOMS | st.binary(max_size=3) | st.dates() | st.decimals(-2, 2, places=1) | st.tuples(ATOMS)
VALUES = st.recursive(
    HASHABLE | st.frozensets(ATOMS, max_size=2).map(set),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
DATA = st.dictionaries(KEYS, VALUES, max_size=4)


def _or_update(mapping: Any, other: Any) -> None:
    mapping |= other


def _grow(value: Any) -> None:
    """Change a value in place, if it can change."""
    if isinstance(value, list):
        value.append(0)
    elif isinstance(value, dict):
        value["grown"] = 0
    elif isinstance(value, set):
        value.add(0)


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda key, value: lambda m: m.__setitem__(key, copy.deepcopy(value)), KEYS, VALUES),
    st.builds(lambda key: lambda m: m.__delitem__(key), KEYS),
    st.builds(lambda key: lambda m: m.pop(key), KEYS),
    st.builds(lambda key, value: lambda m: m.pop(key, value), KEYS, VALUES),
    st.builds(lambda key, value: lambda m: m.setdefault(key, copy.deepcopy(value)), KEYS, VALUES),
    st.builds(lambda data: lambda m: m.update(copy.deepcopy(data)), DATA),
    st.builds(lambda data: lambda m: _or_update(m, copy.deepcopy(data)), DATA),
    st.builds(lambda data: lambda m: m | data, DATA),
    st.builds(lambda data: lambda m: data | m, DATA),
    st.builds(lambda key: lambda m: _grow(m.get(key)), KEYS),
    st.builds(lambda key: lambda m: key in m, KEYS),
    st.sampled_from(
        [
            lambda m: m.popitem(),
            lambda m: m.clear(),
            lambda m: m.copy(),
            lambda m: [_grow(value) for value in m.values()],
            sorted,
            list,
            dict,
            len,
            bool,
        ]
    ),
)


def _outcome(step: Step, mapping: Any) -> object:
    """Return what a step gives, or the type of what it raises, as text that shows exact types."""
    try:
        return exact(step(mapping))
    except KeyError:
        return KeyError


@given(DATA, st.lists(STEPS, max_size=8))
def test_is_a_dict(data: dict[str, Any], steps: list[Step]) -> None:
    """Whatever is done to it, the session gives and holds what a dict does, in the same order."""
    session, model = read(data), copy.deepcopy(data)
    for step in steps:
        assert _outcome(step, session) == _outcome(step, model)
    assert exact(list(session.items())) == exact(list(model.items()))


@given(DATA, st.lists(STEPS, max_size=8))
def test_modified_is_exact(data: dict[str, Any], steps: list[Step]) -> None:
    """Modified is true exactly if what would be written differs from what was read."""
    session = read(data)
    for step in steps:
        _outcome(step, session)
    modified = session.modified
    assert modified is (payload.fingerprint(dict(session)) != payload.fingerprint(data))


def test_popitem_takes_last() -> None:
    """Popitem takes the key that came last, as in a dict."""
    assert read({"a": 1, "b": 2}).popitem() == ("b", 2)


def test_popitem_of_nothing() -> None:
    """Popitem of an empty session is a KeyError."""
    with pytest.raises(KeyError, match="empty"):
        read({}).popitem()


def test_refuses_unhashable_keys() -> None:
    """A key that cannot be hashed is a TypeError, as in a dict."""
    with pytest.raises(TypeError, match="unhashable"):
        read({}).get([])


@pytest.mark.parametrize(
    "make",
    [lambda s: s.copy(), lambda s: s | {}, lambda s: {} | s, lambda s: s | s],
    ids=["copy", "or", "ror", "or itself"],
)
def test_copies_are_dicts(make: Callable[[Any], object]) -> None:
    """Copy and ``|`` give a dict, which is no session."""
    made = make(read({"a": 1}))
    assert (type(made), made) == (dict, {"a": 1})


def test_copy_is_shallow() -> None:
    """A change of a copy leaves the session as it is."""
    session = read({"a": 1})
    session.copy()["a"] = 2
    assert (session["a"], session.modified) == (1, False)


@pytest.mark.parametrize(
    "join", [lambda s: s | 1, lambda s: 1 | s, lambda s: s | [("a", 1)]], ids=["or", "ror", "pairs"]
)
def test_joins_mappings_only(join: Callable[[Any], object]) -> None:
    """``|`` with something that is no mapping is a TypeError, as with dicts."""
    with pytest.raises(TypeError, match="unsupported operand"):
        join(read({}))


def test_update_in_place_keeps_session() -> None:
    """``|=`` changes the session itself, and takes pairs as dicts do."""
    session = original = read({"a": 1})
    session |= [("b", 2)]
    assert session is original
    assert session == {"a": 1, "b": 2}


# -- modified ---------------------------------------------------------------------------------------------------------

BASKET: dict[str, Any] = {"basket": ["tea"], "user": {"name": "Ada", "roles": {"admin"}}, "n": 1, "at": ([1], 2)}


def _make_permanent(session: Any) -> None:
    session.permanent = True


def _set_and_delete(session: Any) -> None:
    session["x"] = 1
    del session["x"]


def _delete_and_set(session: Any) -> None:
    n = session.pop("n")
    session["n"] = n


def _reorder(session: Any) -> None:
    session["user"] = dict(reversed(session["user"].items()))


CHANGES: dict[str, Step] = {
    "assign": lambda s: s.__setitem__("n", 2),
    "assign a new key": lambda s: s.__setitem__("x", None),
    "delete": lambda s: s.__delitem__("n"),
    "pop": lambda s: s.pop("n"),
    "popitem": lambda s: s.popitem(),
    "clear": lambda s: s.clear(),
    "setdefault": lambda s: s.setdefault("x", 1),
    "change what setdefault gave": lambda s: s.setdefault("basket", []).append("jam"),
    "update": lambda s: s.update(n=2),
    "|=": lambda s: _or_update(s, {"n": 2}),
    "permanent": _make_permanent,
    "renew": lambda s: s.renew(),
    "invalidate": lambda s: s.invalidate(),
    "change a list": lambda s: s["basket"].append("jam"),
    "change a list got": lambda s: s.get("basket").append("jam"),
    "change a list among values": lambda s: [value.append("x") for value in s.values() if isinstance(value, list)],
    "change a list among items": lambda s: dict(s.items())["basket"].clear(),
    "change a list of a copy": lambda s: s.copy()["basket"].append("jam"),
    "change a list of a union": lambda s: (s | {})["basket"].append("jam"),
    "change a list unpacked": lambda s: {**s}["basket"].append("jam"),
    "change a dict": lambda s: s["user"].update(name="Bob"),
    "change a set in a dict": lambda s: s["user"]["roles"].add("guest"),
    "change a list in a tuple": lambda s: s["at"][0].append(2),
    "swap a list for an atom": lambda s: s.__setitem__("basket", None),
    "swap an atom for a list": lambda s: s.__setitem__("n", [1]),
    "take what cannot be written": lambda s: s.__setitem__("basket", object()),
    "put into a list what cannot be written": lambda s: s["basket"].append(object()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_modifies(change: Step) -> None:
    """Whichever way it is changed, the session is modified."""
    session = read(BASKET)
    change(session)
    assert session.modified is True


NO_CHANGES: dict[str, Step] = {
    "nothing": lambda s: None,
    "read": dict,
    "assign an equal value": lambda s: s.__setitem__("n", 1),
    "assign an equal list": lambda s: s.__setitem__("basket", ["tea"]),
    "assign an equal dict in another order": _reorder,
    "assign an equal set": lambda s: s.update(user={"name": "Ada", "roles": {"admin"}}),
    "set and delete": _set_and_delete,
    "delete and set": _delete_and_set,
    "change a list there and back": lambda s: (s["basket"].append("jam"), s["basket"].pop()),
    "setdefault of a key there": lambda s: s.setdefault("n", 2),
    "pop of no key": lambda s: s.pop("x", None),
    "update with nothing": lambda s: s.update(),
    "get of a default": lambda s: s.get("x", []).append(1),
}


@pytest.mark.parametrize("step", NO_CHANGES.values(), ids=NO_CHANGES)
def test_no_change(step: Step) -> None:
    """What leaves the data equal is no modification."""
    session = read(BASKET)
    step(session)
    assert session.modified is False


class Int(int):
    """An int that looks like one."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, True),
        (0, False),
        (True, 1),
        (1, 1.0),
        (0.0, -0.0),
        (1, "1"),
        ([1], [True]),
        ({"a": 0.0}, {"a": -0.0}),
        ((1,), [1]),
        ("a", b"a"),
        (None, False),
        ([], {}),
        ([1, 2], [2, 1]),
        (Decimal("1.0"), Decimal("1.00")),
        (date(2024, 1, 1), datetime(2024, 1, 1)),
        (datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))),
        (1, Int(1)),
    ],
    ids=repr,
)
def test_types_count(before: object, after: object) -> None:
    """Values that are equal to Python but are written differently are a modification, one way and the other."""
    session = read({"a": before})
    session["a"] = after
    assert session.modified is True


@pytest.mark.parametrize(
    "value",
    [1, 0.0, -0.0, "a", None, (1, [2]), b"x", {"a": {"b": 1}}, {1, "1", None}],
    ids=lambda value: type(value).__name__,  # the repr of a set differs between processes
)
def test_equal_value(value: object) -> None:
    """A value set anew to what it is, as a copy, is no modification."""
    session = read({"a": value})
    session["a"] = copy.deepcopy(value)
    assert session.modified is False


def test_looking_at_modified() -> None:
    """Asking for modified changes nothing: a later change is still seen, and so is its undoing."""
    session = read(BASKET)
    seen = [session.modified]
    session["n"] = 2
    seen.append(session.modified)
    session["n"] = 1
    seen.append(session.modified)
    assert seen == [False, True, False]


@pytest.mark.parametrize("value", [True, False])
def test_modified_assigned(value: bool) -> None:
    """Assigning modified overrules what was found, and later changes too."""
    session = read(BASKET)
    session["n"] = 2 - value
    session.modified = value
    session["n"] = 1 + value
    assert session.modified is value


def test_discarded_is_not_stale() -> None:
    """A session that is discarded is not due to be issued anew either, however old its token is."""
    clock = FrozenClock(START)
    session = read(BASKET, clock=clock)
    clock.tick(20 * 24 * HOUR)
    assert session["n"] == 1
    stale = [session.needs_reissue]
    session.modified = False
    stale.append(session.needs_reissue)
    assert stale == [True, False]


# -- accessed ---------------------------------------------------------------------------------------------------------

LOOKS: dict[str, Step] = {
    "[]": lambda s: s["n"],
    "get": lambda s: s.get("n"),
    "get of no key": lambda s: s.get("x"),
    "in": lambda s: "x" in s,
    "len": len,
    "bool": bool,
    "iter": iter,
    "list": list,
    "==": lambda s: s == {},
    "!=": lambda s: s != {},
    "keys": lambda s: list(s.keys()),
    "values": lambda s: list(s.values()),
    "items": lambda s: list(s.items()),
    "copy": lambda s: s.copy(),
    "|": lambda s: s | {},
    "reflected |": lambda s: {} | s,
    "dict": dict,
    "**": lambda s: {**s},
    "new": lambda s: s.new,
    "created": lambda s: s.created,
    "permanent": lambda s: s.permanent,
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_look_accesses(look: Step) -> None:
    """Any look inside is an access, and no modification."""
    session = read(BASKET)
    look(session)
    assert (session.accessed, session.modified) == (True, False)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_accesses(change: Step) -> None:
    """Any change is an access."""
    session = read(BASKET)
    change(session)
    assert session.accessed is True


@pytest.mark.parametrize(
    "ask",
    [lambda s: s.accessed, lambda s: s.modified, lambda s: s.needs_reissue, lambda s: s.committed, repr, id, hasattr],
    ids=["accessed", "modified", "stale", "committed", "repr", "id", "hasattr"],
)
def test_no_look(ask: Callable[..., object]) -> None:
    """Asking what the middleware asks is no look, and neither is repr."""
    session = read(BASKET)
    if ask is hasattr:
        ask(session, "modified")
    else:
        ask(session)
    assert session.accessed is False


def test_untouched() -> None:
    """A session that nobody touched is neither accessed nor modified."""
    session = read(BASKET)
    assert (session.accessed, session.modified) == (False, False)


def test_reads_once() -> None:
    """A cookie is read at the first look and not again."""
    environ = make_environ(HTTP_COOKIE=f"session={stamp({'n': 1}, at=START)}")
    session: Any = on_clock(make_interface(Keeping), FrozenClock(START)).open_session(
        Settings(SETTINGS), Request(environ)
    )
    assert session["n"] == 1
    environ["HTTP_COOKIE"] = f"session={stamp({'n': 2}, at=START + 1)}"
    assert session["n"] == 1


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (lambda s: None, "<SecureCookieSession: not loaded>"),
        (lambda s: s["name"], "<SecureCookieSession: loaded>"),
        (lambda s: s.update(name="Bob"), "<SecureCookieSession: modified>"),
    ],
    ids=["not read", "read", "modified"],
)
def test_repr(step: Step, expected: str) -> None:
    """The repr says in which state the session is, and shows none of its data."""
    session = read({"name": "Ada"})
    step(session)
    assert repr(session) == expected


# -- life and death ---------------------------------------------------------------------------------------------------


def test_new_without_cookie() -> None:
    """A session without a cookie is new and was created now."""
    session = read()
    assert (session.new, session.created) == (True, datetime.fromtimestamp(START, UTC))


def test_not_new_with_cookie() -> None:
    """A session with a cookie is not new and was created when it says."""
    session = read({}, created=START - HOUR)
    assert (session.new, session.created) == (False, datetime.fromtimestamp(START - HOUR, UTC))


def test_created_is_aware() -> None:
    """Created is an aware datetime, in UTC."""
    assert read({}).created.tzinfo is UTC


def test_never_shows_created_key() -> None:
    """The key in which the payload keeps created is none of the mapping's."""
    session = read({"a": 1})
    assert (list(session), "_created" in session, session.get("_created")) == (["a"], False, None)


def test_dump() -> None:
    """What is written is the data and when the session began."""
    text = read({"a": 1}, created=START - HOUR).dump(payload)
    assert payload.loads(text) == {"a": 1, "_created": START - HOUR}


def test_renew() -> None:
    """Renewing keeps the data and starts created anew."""
    clock = FrozenClock(START + HOUR)
    session = read({"a": 1}, clock=clock)
    session.renew()
    assert (session, session.created) == ({"a": 1}, datetime.fromtimestamp(START + HOUR, UTC))


def test_renew_is_not_new() -> None:
    """A renewed session is not a new one."""
    session = read({"a": 1})
    session.renew()
    assert session.new is False


def test_renew_nothing() -> None:
    """Renewing an empty session that had no cookie writes nothing."""
    session = read()
    session.renew()
    assert session.modified is False


def test_renew_before_write() -> None:
    """A new session may be renewed before anything is written to it."""
    session = read()
    session.renew()
    session["a"] = 1
    assert session.modified is True


def test_invalidate() -> None:
    """Ending a session drops its data."""
    session = read({"a": 1})
    session.invalidate()
    assert (session, session.modified, session.new) == ({}, True, True)


def test_invalidate_anonymous() -> None:
    """Ending a session that never was writes nothing."""
    session = read()
    session.invalidate()
    assert session.modified is False


def test_write_after_invalidate() -> None:
    """A write after the end begins a brand-new session: new, created now, nothing of the old data."""
    session = read({"a": 1}, clock=FrozenClock(START + HOUR))
    session.invalidate()
    session["b"] = 2
    assert (session, session.new, session.modified) == ({"b": 2}, True, True)
    assert session.created == datetime.fromtimestamp(START + HOUR, UTC)


def test_same_data_after_invalidate() -> None:
    """A brand-new session with the old data is a modification all the same."""
    session = read({"a": 1})
    session.invalidate()
    session["a"] = 1
    assert session.modified is True


def test_old_list_after_invalidate() -> None:
    """A list handed out before the end is not part of the session that follows."""
    session = read(BASKET)
    basket = session["basket"]
    session.invalidate()
    basket.append("jam")
    assert session == {}


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "assign",
    [
        lambda s: s.__setitem__("_created", 1),
        lambda s: s.update(_created=1),
        lambda s: s.setdefault("_created", 1),
        lambda s: _or_update(s, {"_created": 1}),
    ],
    ids=["assign", "update", "setdefault", "|="],
)
def test_reserved_key(assign: Step) -> None:
    """The key of created cannot be assigned; the error is a sentence that names it and the cure."""
    session = read({"a": 1})
    with pytest.raises(ReservedKey) as caught:
        assign(session)
    assert str(caught.value).startswith("'_created' is reserved")
    assert "renew()" in str(caught.value)
    assert session == {"a": 1}


def _assign_modified(session: Any) -> None:
    session.modified = True


LATE_CHANGES: dict[str, Step] = {
    "assign": lambda s: s.__setitem__("n", 2),
    "assign an equal value": lambda s: s.__setitem__("n", 1),
    "delete": lambda s: s.__delitem__("n"),
    "pop": lambda s: s.pop("n"),
    "popitem": lambda s: s.popitem(),
    "clear": lambda s: s.clear(),
    "setdefault": lambda s: s.setdefault("x", 1),
    "update": lambda s: s.update(n=2),
    "|=": lambda s: _or_update(s, {"n": 2}),
    "permanent": _make_permanent,
    "modified": _assign_modified,
    "renew": lambda s: s.renew(),
    "invalidate": lambda s: s.invalidate(),
}


@pytest.mark.parametrize("accessed", [True, False], ids=["read", "not read"])
@pytest.mark.parametrize("change", LATE_CHANGES.values(), ids=LATE_CHANGES)
def test_late_change(change: Step, accessed: bool) -> None:
    """A change after the head has gone raises, whether the session was read before or not."""
    session = read(BASKET)
    assert not accessed or session
    session.committed = True
    with pytest.raises(SessionCommitted, match="after the response headers had been sent"):
        change(session)


@pytest.mark.parametrize("change", LATE_CHANGES.values(), ids=LATE_CHANGES)
def test_late_change_changes_nothing(change: Step) -> None:
    """A change that comes too late leaves the data as they were sent."""
    session = read(BASKET)
    assert session
    session.committed = True
    with pytest.raises(SessionCommitted):
        change(session)
    assert session == BASKET


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_late_first_look(look: Step) -> None:
    """A first look after the head has gone raises, since Vary can no longer be said."""
    session = read(BASKET)
    session.committed = True
    with pytest.raises(SessionCommitted, match="accessed for the first time after"):
        look(session)


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_late_second_look(look: Step) -> None:
    """What was looked into before may be looked into after."""
    session = read(BASKET)
    first = repr(look(session)) if look is not iter else None
    session.committed = True
    assert first is None or repr(look(session)) == first


def test_request_is_gone() -> None:
    """A first look at a session whose request is gone raises as one that comes too late does."""
    session: Any = make_interface().open_session(Settings(SETTINGS), Request(make_environ()))
    with pytest.raises(SessionCommitted, match="accessed for the first time after"):
        session.get("a")


class Broken(Keeping):
    """An interface whose user table cannot be asked."""

    def validate_session(self, settings: Settings, session: Any) -> bool:
        raise ConnectionError("the user table is away")


def test_failed_validation_is_no_session() -> None:
    """A session whose validation failed is not found loaded at the next touch; the access counts all the same."""
    environ = make_environ(HTTP_COOKIE=f"session={stamp({'user': 7})}")
    session: Any = on_clock(make_interface(Broken), FrozenClock(START)).open_session(
        Settings(SETTINGS), Request(environ)
    )
    for _ in range(2):
        with pytest.raises(ConnectionError):
            session.get("user")
    assert (session.accessed, session.is_available) == (True, False)


def test_available_again() -> None:
    """A session whose first access failed is there at the next one, if what failed is back."""
    interface = make_interface(Broken)
    environ = make_environ(HTTP_COOKIE=f"session={stamp({'user': 7})}")
    request = Request(environ)
    session: Any = on_clock(interface, FrozenClock(START)).open_session(Settings(SETTINGS), request)
    with pytest.raises(ConnectionError):
        session.get("user")
    interface.validate_session = lambda settings, session: True  # type: ignore[method-assign]  # as users may do, too
    assert (session.get("user"), session.is_available) == (7, True)


def test_is_not_pickled() -> None:
    """Nobody pickles a session, and settings and cookie along with it."""
    with pytest.raises((TypeError, pickle.PicklingError), match=r"(cannot|Can't) pickle"):
        pickle.dumps(read(BASKET))


# -- memory -----------------------------------------------------------------------------------------------------------


def test_has_slots() -> None:
    """A session has no dict of its own: a misspelt attribute is an error, and memory stays small."""
    session = read()
    assert not hasattr(session, "__dict__")
    with pytest.raises(AttributeError):
        session.permanant = True


def test_is_unhashable() -> None:
    """A session is as unhashable as a dict."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(read())
