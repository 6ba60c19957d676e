"""The contract of sessions in cookies: what is written, keys, limits, and every way to be refused.

It holds for signed cookies and for encrypted ones, and each test runs for both; the few that are about the wire format
of signed cookies, or about what only they can be told, are ``signed_only``.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import random
import time
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any
from uuid import UUID

import flask
import pytest
from flask.json.tag import TaggedJSONSerializer
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer
from webob import Request

from handstamp import (
    CookieTooLarge,
    RejectReason,
    SecureCookieSession,
    SecureCookieSessionInterface,
    Settings,
    UnserializableValue,
    payload,
)
from handstamp._loaded import Loaded
from handstamp._rejection import BadToken
from handstamp.testing import FrozenClock
from tests.support.constants import DAY, HOUR, KEY, MINUTE, OLD_KEY, START
from tests.support.cookie_kinds import (
    KINDS,
    current,
    decode,
    encode,
    make_interface,
    make_salt,
    sign,
    stamp,
    stock_serializer,
    unsign,
    unstamp,
)
from tests.support.site import Site
from tests.support.values import exact
from tests.support.wsgi import TEXT, Answer

pytestmark = pytest.mark.usefixtures("kind")
signed_only = pytest.mark.parametrize("kind", ["signed"], indirect=True)


class Colour(IntEnum):
    RED = 1


def _count(session: Any) -> None:
    session["n"] = session.get("n", 0) + 1


def _write(session: Any) -> None:
    session["n"] = 1


def _with(token: str) -> dict[str, str]:
    return {"HTTP_COOKIE": f"session={token}"}


def _reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why cookies were refused, as logged."""
    before, messages = "session cookie rejected: ", [record.getMessage() for record in caplog.records]
    return [message.removeprefix(before) for message in messages if message.startswith(before)]


# -- the wire format --------------------------------------------------------------------------------------------------

#: Whole values as itsdangerous 2.2 signs them with KEY at START.
VECTORS: list[tuple[str, int, dict[str, Any]]] = [
    (
        "eyJ1c2VyIjo3LCJfY3JlYXRlZCI6MTcwMDAwMDAwMH0.ZVPxAA.yiLAeljGAtN_LB2cVyYr6j8y_fKxYzT7iKrKVfQE0TY",
        START,
        {"user": 7},
    ),
    (
        "eyJuYW1lIjoiWm_DqyIsImJhc2tldCI6WyJ0ZWEiLHsifnR1cGxlIjpbMSwyXX1dLCJfcGVybWFuZW50Ijp0cnVlLCJfY3JlYXRlZCI6MTY5"
        "OTk5NjQwMH0.ZVPxAA.p4AEnIsNfImEM4YPvDw2D25UMpn14dhn6vD8EqN8yfQ",
        START - HOUR,
        {"name": "Zoë", "basket": ["tea", (1, 2)], "_permanent": True},
    ),
]
PACKED = ".eJyrVsrJz0tXslKqGAVEAyUdpfjkotTEktQUJStDcwMoqAUAznCV1A.ZVPxAA.IUh0c84037cSvleomBnXUxrlFC-Zr7EPzvzeGCp0A-E"


@signed_only
@pytest.mark.parametrize(("token", "created", "data"), VECTORS)
def test_vector_reads(token: str, created: int, data: dict[str, Any]) -> None:
    """A known cookie gives known data."""
    answer = Site().visit(lambda s: (dict(s), s.created), **_with(token))
    assert answer.result == (data, datetime.fromtimestamp(created, UTC))


@signed_only
@pytest.mark.parametrize(("token", "created", "data"), VECTORS)
def test_vector_writes(token: str, created: int, data: dict[str, Any]) -> None:
    """Known data give a known cookie."""
    site = Site(clock=FrozenClock(created))
    site.visit(len)
    first = site.visit(lambda s: s.update(data)).token
    site.clock.tick(START - created)
    assert site.visit(lambda s: setattr(s, "modified", True), **_with(first)).token == token


@signed_only
def test_vector_packed_reads() -> None:
    """A known cookie with a packed payload gives known data."""
    assert Site().visit(dict, **_with(PACKED)).result == {"long": "x" * 300}


def _write_long(size: int, session: Any) -> None:
    session["long"] = "x" * size


@signed_only
def test_packs_where_it_saves() -> None:
    """A payload that zlib makes smaller is packed, behind a dot; one that it does not is sent as it is."""
    site = Site()
    tokens = [site.visit(partial(_write_long, n)).token for n in (3, 300)]
    assert [token.startswith(".") for token in tokens] == [False, True]


JSON_DATA = st.dictionaries(
    st.text(min_size=1, max_size=4).filter(
        lambda key: key not in ("_created", "_permanent") and not key.startswith("~")
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner),
        max_leaves=4,
    ),
    min_size=1,
    max_size=4,
)


@given(JSON_DATA)
def test_stock_opens_ours(data: dict[str, Any]) -> None:
    """Whoever has the key opens all that we write, by stock itsdangerous or by bare calls of cryptography."""
    token = Site().visit(lambda s: s.update(data)).token
    assert unstamp(token) == {**data, "_created": START}


@given(JSON_DATA)
def test_we_open_stock(data: dict[str, Any]) -> None:
    """We open all that stock itsdangerous writes, or bare calls of cryptography."""
    assert Site().visit(dict, **_with(sign(payload.dumps(data)))).result == data


@signed_only
def test_signed_time_is_whole() -> None:
    """A token's time is the whole second it was written in."""
    token = Site(clock=FrozenClock(START + 0.9)).visit(_write).token
    _, signed = stock_serializer().loads(token, return_timestamp=True)
    assert signed == datetime.fromtimestamp(START, UTC)


def test_keeps_created() -> None:
    """A change issues the token anew and leaves created as it was."""
    site = Site()
    site.visit(_count)
    site.clock.tick(HOUR)
    assert unstamp(site.visit(_count).token) == {"n": 2, "_created": START}


def test_renew_moves_created() -> None:
    """Renewing issues the token anew, with the data kept and created now."""
    site = Site()
    site.visit(_count)
    site.clock.tick(HOUR)
    assert unstamp(site.visit(lambda s: s.renew()).token) == {"n": 1, "_created": START + HOUR}


def test_created_by_a_clock_ahead() -> None:
    """A session may have begun up to a minute after its token was signed: by a machine whose clock is ahead."""
    created = Site().visit(lambda s: s.created, **_with(stamp({"n": 1}, created=START + 60))).result
    assert created == datetime.fromtimestamp(START + 60, UTC)


def test_created_after_it_was_signed() -> None:
    """One that began later is none of ours, and would outlive its absolute limit: it is refused."""
    site = Site({"SESSION_ABSOLUTE_LIFETIME": HOUR}, clock=FrozenClock(START + 2 * HOUR))
    token = stamp({"n": 1}, at=START + 2 * HOUR, created=START + 2 * HOUR + 61)
    assert site.visit(dict, **_with(token)).result == {}


def test_without_created() -> None:
    """A token that does not say when its session began counts from its signature, and says so when issued anew."""
    site = Site()
    site.clock.tick(HOUR)
    answer = site.visit(lambda s: (s.created, _write(s)), **_with(sign('{"a":1}')))
    assert answer.result[0] == datetime.fromtimestamp(START, UTC)
    assert unstamp(answer.token) == {"a": 1, "n": 1, "_created": START}


def test_exact_types() -> None:
    """Data come back with exactly the types that went in."""
    data = {"a": (1, [2.0]), "b": b"\0", "c": datetime(2024, 1, 2, 3, 4, 5, 6, UTC), "d": {1, "1"}, "~e": {"~f": None}}
    site = Site()
    site.visit(lambda s: s.update(data))
    assert exact(site.visit(dict).result) == exact(data)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a":1,"b":{"~tuple":[1]}}', {"a": 1, "b": (1,)}),
        ('{"a":1,"b":{"\\u007etuple":[1]}}', {"a": 1, "b": (1,)}),
        ('{"a":1,"b":[{"~dict":{"~x":1}}]}', {"a": 1, "b": [{"~x": 1}]}),
    ],
    ids=["a tag", "a tag spelt with an escape", "a dict like a tag"],
)
def test_untouched_types(text: str, data: dict[str, Any]) -> None:
    """Values that a request does not touch keep their types when another one is written."""
    site = Site()
    token = site.visit(lambda s: s.update(a=2), **_with(sign(text))).token
    assert exact(site.visit(dict, **_with(token)).result) == exact({**data, "a": 2})


@pytest.mark.parametrize("value", [(1,), {"~x": 1}, [Colour.RED], {"b": {1: 2}}], ids=repr)
@pytest.mark.parametrize("key", ["a", "new"])
def test_touched_types(value: Any, key: str) -> None:
    """Values that are written beside plain JSON are looked at as all are: kept exactly, or refused."""
    site = Site()
    site.visit(lambda s: s.update(a=["read"], b="plain"))
    try:
        expected = {"a": ["read"], "b": "plain", **payload.loads(payload.dumps({key: value}))}
    except UnserializableValue:
        with pytest.raises(UnserializableValue):
            site.visit(lambda s: s.update({key: value}))
    else:
        site.visit(lambda s: s.update({key: value}))
        assert exact(site.visit(dict).result) == exact(expected)


class Key(StrEnum):
    """Equal to a str, and no str that comes back."""

    A = "a"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: (s.pop("a"), s.update({Key.A: 2})),
        lambda s: (s.clear(), s.update({Key.A: 2})),
        lambda s: (s.update(c=1), s.pop("c"), s.update({type("Str", (str,), {})("c"): 2})),
    ],
    ids=["popped", "cleared", "touched"],
)
def test_touched_keys(change: Callable[[Any], Any]) -> None:
    """A key of another type that takes the place of an equal one is refused, as it is in a new session."""
    site = Site()
    site.visit(lambda s: s.update(a=1, b=2))
    with pytest.raises(UnserializableValue, match="key of type"):
        site.visit(change)


def _hook_payload(interface: Any, convert: Callable[[dict[str, Any]], None]) -> Any:
    """Give an interface another reading of its payloads."""
    load_payload = interface.load_payload
    interface.load_payload = lambda *args: _convert(load_payload(*args), convert)
    return interface


def _hook_sessions(interface: Any, convert: Callable[[dict[str, Any]], None]) -> Any:
    """Have an interface load other data than its cookie held."""
    load_sessions = interface.load_sessions
    interface.load_sessions = lambda *args: [_convert(loaded, convert) for loaded in load_sessions(*args)]
    return interface


def _convert(loaded: Loaded, convert: Callable[[dict[str, Any]], None]) -> Loaded:
    data = dict(loaded.data)
    convert(data)
    return Loaded(data, loaded.created, loaded.used)


def test_loaded_data_are_read_only() -> None:
    """Nobody can slip a value into what was loaded, of which no more than the changes is looked at."""
    interface: Any = make_interface()
    found = []
    load_sessions = interface.load_sessions
    interface.load_sessions = lambda *args: found.append(list(load_sessions(*args))) or found[-1]
    site = Site(interface=interface)
    site.visit(lambda s: s.update(a=1))
    site.visit(dict)
    with pytest.raises(TypeError):
        found[-1][0].data["b"] = (1, 2)


@pytest.mark.parametrize("change", [_hook_payload, _hook_sessions])
def test_types_of_another_reading(change: Callable[..., Any]) -> None:
    """What an interface of one's own makes of the data that it read is looked at too, touched or not."""
    site = Site()
    token = site.visit(lambda s: s.update(a=1, b=[1])).token
    interface = change(make_interface(), lambda data: data.update(b=tuple(data["b"])))
    written = Site(interface=interface).visit(lambda s: s.update(a=2), **_with(token)).token
    assert exact(site.visit(dict, **_with(written)).result) == exact({"a": 2, "b": (1,)})


def test_types_handed_out() -> None:
    """What an application puts into a list that was read is looked at too."""
    site = Site()
    site.visit(lambda s: s.update(a=["read"], b="plain"))
    site.visit(lambda s: s["a"].append((1, {"~x": 1})))
    assert exact(site.visit(dict).result) == exact({"a": ["read", (1, {"~x": 1})], "b": "plain"})


def test_unserializable() -> None:
    """A value without an exact form is an error that names its path, and no head goes."""
    with pytest.raises(UnserializableValue, match=r"session\['cart'\]\[1\]"):
        Site().visit(lambda s: s.update(cart=[1, object()]))


# -- writing or not ---------------------------------------------------------------------------------------------------

QUIET: dict[str, Callable[[Any], object]] = {
    "no access": lambda s: None,
    "read only": dict,
    "equal value": lambda s: s.update(n=s.get("n", 0)) if s else None,
    "set and deleted": lambda s: (s.update(x=1), s.pop("x")),
    "logout of nobody": lambda s: s.invalidate() if not s else None,
    "renewal of nothing": lambda s: s.renew() if not s else None,
}


@pytest.mark.parametrize("has_cookie", [True, False], ids=["a cookie", "no cookie"])
@pytest.mark.parametrize("action", QUIET.values(), ids=QUIET)
def test_stores_nothing(action: Callable[[Any], object], has_cookie: bool) -> None:
    """A request that stores nothing sets no cookie."""
    site = Site()
    if has_cookie:
        site.visit(_write)
    assert site.visit(action).cookies == []


def test_deletes_ended() -> None:
    """A session that has ended has its cookie deleted, with every attribute it was set with."""
    site = Site({"SESSION_COOKIE_PATH": "/shop", "SESSION_COOKIE_DOMAIN": "example.com"}, scheme="https")
    token = site.visit(_write).token
    assert site.visit(lambda s: s.invalidate(), **_with(token)).cookie == (
        "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; "
        "Domain=example.com; Path=/shop; Secure; HttpOnly; SameSite=Lax"
    )
    assert site.visitor.jar == {}


def test_deletes_emptied() -> None:
    """A session that was emptied has its cookie deleted."""
    site = Site()
    site.visit(_write)
    assert site.visit(lambda s: s.clear()).attributes["max-age"] == "0"


def test_new_after_end() -> None:
    """A write after the end begins a session that holds nothing of the old one."""
    site = Site()
    site.visit(lambda s: s.update(user=7, secret="x"))
    site.clock.tick(HOUR)
    token = site.visit(lambda s: (s.invalidate(), _write(s))).token
    assert unstamp(token) == {"n": 1, "_created": START + HOUR}


def test_forced() -> None:
    """Modified assigned True has the session written without a look inside."""
    site = Site()
    site.visit(_write)
    site.clock.tick(HOUR)
    assert unstamp(site.visit(lambda s: setattr(s, "modified", True)).token) == {"n": 1, "_created": START}


def test_discarded() -> None:
    """Modified assigned False discards what was changed."""
    site = Site()
    site.visit(_count)
    site.visit(lambda s: (_count(s), setattr(s, "modified", False)))
    assert site.visit(dict).result == {"n": 1}


def test_json_too_large() -> None:
    """A session of more than 256 KiB of JSON is an error however small it packs, and names its biggest key."""
    with pytest.raises(CookieTooLarge, match=r"262\d{3} bytes of JSON, 262144 are allowed; the biggest keys: 'zeros'"):
        Site().visit(lambda s: s.update(zeros="0" * 262144, n=1))


@signed_only
def test_biggest_json() -> None:
    """A session of exactly 256 KiB of JSON that packs into a cookie is written and read back."""
    site = Site()
    overhead = len(payload.dumps({"zeros": "", "_created": START}))
    site.visit(lambda s: s.update(zeros="0" * (262144 - overhead)))
    assert site.visit(lambda s: len(s["zeros"])).result == 262144 - overhead


def test_cookie_too_large() -> None:
    """A session that does not fit into its cookie is an error, and names its biggest keys."""
    noise = random.Random(7).randbytes(4000).hex()
    with pytest.raises(CookieTooLarge, match=r"4096 are allowed; the biggest keys: 'noise' \(about 8002\), 'n'"):
        Site().visit(lambda s: s.update(noise=noise, n=1))


@signed_only
def test_too_large_to_issue_anew(caplog: pytest.LogCaptureFixture) -> None:
    """A token that has no room for ``_created`` can be read when it is due, and stays; that is warned of once."""
    site = Site()
    noise = random.Random(7).randbytes(2618).hex()
    token = sign(payload.dumps({"noise": noise}))
    assert 4030 < len("session") + len(token) <= 4096
    site.clock.tick(31 * DAY // 10)
    for _ in range(2):
        answer = site.visit(lambda s: len(s["noise"]), **_with(token))
        assert (answer.result, answer.cookies) == (len(noise), [])
    assert caplog.text.count("too large") == 1
    with pytest.raises(CookieTooLarge):
        site.visit(_write, **_with(token))


# -- keys -------------------------------------------------------------------------------------------------------------


def test_key_signs_alone() -> None:
    """A new cookie opens with the current key alone, and not with the fallback."""
    token = Site({"SECRET_KEY_FALLBACKS": [OLD_KEY]}).visit(_write).token
    assert unstamp(token, KEY)["n"] == 1
    with pytest.raises(current().error):
        unstamp(token, OLD_KEY)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_fallbacks_open(position: int) -> None:
    """Each fallback still opens, wherever it stands."""
    keys = ["the first of other keys", "the second of other keys"]
    keys.insert(position, OLD_KEY)
    site = Site({"SECRET_KEY_FALLBACKS": keys})
    assert site.visit(dict, **_with(stamp({"n": 1}, key=OLD_KEY))).result == {"n": 1}


@pytest.mark.parametrize("refresh", [None, False], ids=["refreshed", "never refreshed"])
def test_fallback_is_replaced(refresh: object) -> None:
    """A session opened with a fallback is issued anew with the current key at its first access, then stays."""
    site = Site({"SECRET_KEY_FALLBACKS": [OLD_KEY], "SESSION_REFRESH_INTERVAL": refresh})
    first = site.visit(dict, **_with(stamp({"n": 1}, key=OLD_KEY)))
    assert unstamp(first.token, KEY) == {"n": 1, "_created": START}
    assert site.visit(dict).cookies == []


def test_fallback_untouched() -> None:
    """A session that is not touched is not issued anew, whatever key it was signed with."""
    site = Site({"SECRET_KEY_FALLBACKS": [OLD_KEY]})
    assert site.visit(lambda s: None, **_with(stamp({"n": 1}, key=OLD_KEY))).cookies == []


def test_bytes_key() -> None:
    """A key of bytes is the same key as its text."""
    assert Site({"SECRET_KEY": KEY.encode()}).visit(dict, **_with(stamp({"n": 1}))).result == {"n": 1}


def test_without_key() -> None:
    """Without a SECRET_KEY there is a null session, whatever cookie came."""
    site = Site({"SECRET_KEY": None})
    assert site.visit(lambda s: (dict(s), repr(s)), **_with(stamp({"n": 1}))).result == (
        {},
        "<NullSession: no SECRET_KEY>",
    )


# -- time -------------------------------------------------------------------------------------------------------------

LIMITS: list[tuple[str, dict[str, Any], bool, int, int]] = [
    ("idle", {"SESSION_IDLE_LIFETIME": HOUR}, False, HOUR, 0),
    ("idle", {"SESSION_IDLE_LIFETIME": timedelta(minutes=1)}, False, MINUTE, 0),
    ("idle", {"PERMANENT_SESSION_LIFETIME": HOUR}, False, HOUR, 0),
    ("idle", {"PERMANENT_SESSION_LIFETIME": HOUR}, True, HOUR, 0),
    ("idle", {"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_IDLE_LIFETIME": MINUTE}, False, MINUTE, 0),
    ("idle", {"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_IDLE_LIFETIME": MINUTE}, True, HOUR, 0),
    ("idle", {"PERMANENT_SESSION_LIFETIME": MINUTE, "SESSION_IDLE_LIFETIME": HOUR}, False, HOUR, 0),
    ("idle", {"PERMANENT_SESSION_LIFETIME": MINUTE, "SESSION_IDLE_LIFETIME": HOUR}, True, MINUTE, 0),
    ("idle", {}, False, 31 * DAY, 0),
    ("absolute", {"SESSION_ABSOLUTE_LIFETIME": HOUR}, False, HOUR, 0),
    ("absolute", {"SESSION_ABSOLUTE_LIFETIME": HOUR}, True, HOUR, 0),
    ("absolute", {"SESSION_ABSOLUTE_LIFETIME": HOUR}, False, HOUR - MINUTE, MINUTE),
    ("absolute", {"SESSION_ABSOLUTE_LIFETIME": HOUR, "SESSION_IDLE_LIFETIME": HOUR}, False, MINUTE, HOUR - MINUTE),
]


@pytest.mark.parametrize(("reason", "settings", "permanent", "last", "age"), LIMITS)
def test_limit(
    reason: str,
    settings: dict[str, Any],
    permanent: bool,
    last: int,
    age: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A limit holds to the second: in the last one the session is there, in the next it is refused."""
    caplog.set_level(logging.INFO, "handstamp")
    data = {"n": 1, "_permanent": permanent}
    site = Site(settings, clock=FrozenClock(START + last))
    token = stamp(data, created=START - age)
    assert site.visit(dict, **_with(token)).result == data
    site.clock.tick(1)
    assert site.visit(dict, **_with(token)).result == {}
    assert _reasons(caplog) == [reason]


def test_activity_moves_idle() -> None:
    """Activity moves the idle limit: an active visitor stays."""
    site = Site({"SESSION_IDLE_LIFETIME": HOUR})
    for _ in range(5):
        result = site.visit(lambda s: (_count(s), s["n"])).result
        site.clock.tick(HOUR)
    assert result == (None, 5)


def test_activity_leaves_absolute() -> None:
    """No activity moves the absolute limit."""
    site = Site({"SESSION_ABSOLUTE_LIFETIME": 2 * HOUR, "SESSION_REFRESH_INTERVAL": 0})
    seen = []
    for _ in range(4):
        seen.append(site.visit(lambda s: (s.get("n"), _count(s))[0]).result)
        site.clock.tick(HOUR)
    assert seen == [None, 1, 2, None]


def test_renewal_moves_absolute() -> None:
    """Renewing starts the absolute limit anew."""
    site = Site({"SESSION_ABSOLUTE_LIFETIME": HOUR})
    site.visit(_write)
    site.clock.tick(HOUR)
    site.visit(lambda s: s.renew())
    site.clock.tick(HOUR)
    assert site.visit(dict).result == {"n": 1}


@pytest.mark.parametrize(("ahead", "expected"), [(1, {"n": 1}), (60, {"n": 1}), (61, {}), (10 * DAY, {})])
def test_future(ahead: int, expected: dict[str, Any]) -> None:
    """A token from up to 60 s ahead is a fresh one, for clocks differ; beyond that it is refused."""
    assert Site().visit(dict, **_with(stamp({"n": 1}, at=START + ahead))).result == expected


def test_future_is_fresh() -> None:
    """A token from the near future is not issued anew."""
    assert Site().visit(dict, **_with(stamp({"n": 1}, at=START + 60))).cookies == []


REFRESH: list[tuple[dict[str, Any], bool, int, bool]] = [
    ({"SESSION_IDLE_LIFETIME": HOUR}, False, 359, False),
    ({"SESSION_IDLE_LIFETIME": HOUR}, False, 360, True),
    ({"SESSION_IDLE_LIFETIME": HOUR}, True, 360, False),
    ({"SESSION_IDLE_LIFETIME": HOUR}, True, DAY, True),
    ({}, False, DAY - 1, False),
    ({}, False, DAY, True),
    ({"SESSION_REFRESH_INTERVAL": 0}, False, 0, True),
    ({"SESSION_REFRESH_INTERVAL": 0}, False, 1, True),
    ({"SESSION_REFRESH_INTERVAL": False}, False, 31 * DAY, False),
    ({"SESSION_REFRESH_INTERVAL": 100}, False, 99, False),
    ({"SESSION_REFRESH_INTERVAL": 100}, False, 100, True),
    ({"SESSION_REFRESH_INTERVAL": timedelta(seconds=100)}, True, 100, True),
    ({"SESSION_REFRESH_INTERVAL": HOUR, "SESSION_IDLE_LIFETIME": 2 * HOUR}, False, HOUR, True),
]


@pytest.mark.parametrize(("settings", "permanent", "age", "is_issued"), REFRESH)
def test_refresh(settings: dict[str, Any], permanent: bool, age: int, is_issued: bool) -> None:
    """An accessed session whose token has reached the interval is issued anew, one second before it is not."""
    site = Site(settings, clock=FrozenClock(START + age))
    answer = site.visit(dict, **_with(stamp({"n": 1, "_permanent": permanent})))
    assert [unstamp(answer.token) for _ in answer.cookies] == is_issued * [
        {"n": 1, "_permanent": permanent, "_created": START}
    ]


@pytest.mark.parametrize("every", [1, 60, HOUR // 10, HOUR // 10 + 1, HOUR // 2, HOUR - HOUR // 10, HOUR])
def test_readers_stay(every: int) -> None:
    """Whoever only reads, as seldom as the idle limit allows, is never lost, and gets data seldom sent again."""
    site = Site({"SESSION_IDLE_LIFETIME": HOUR})
    site.visit(_write)
    visits = max(20, 2 * HOUR // every)
    issued = 0
    for _ in range(visits):
        site.clock.tick(every)
        answer = site.visit(dict)
        assert answer.result == {"n": 1}
        issued += len(answer.cookies)
    assert issued <= visits * every // (HOUR // 10)


def test_refresh_needs_access() -> None:
    """A session that is not accessed is not issued anew, however old its token is."""
    site = Site({"SESSION_REFRESH_INTERVAL": 0})
    assert site.visit(lambda s: None, **_with(stamp({"n": 1}))).headers == [("Content-Type", "text/plain")]


def test_refresh_settles() -> None:
    """What was issued anew is fresh: the next access leaves it alone."""
    site = Site()
    site.visit(_write)
    site.clock.tick(DAY)
    assert [len(site.visit(dict).cookies) for _ in range(2)] == [1, 0]


SHARED = [
    [("Cache-Control", "public, max-age=60")],
    [("Cache-Control", "max-age=60, S-MaxAge=600")],
    [("CDN-Cache-Control", "max-age=60")],
]


@pytest.mark.parametrize("said", SHARED, ids=str)
def test_refresh_waits(said: list[tuple[str, str]]) -> None:
    """On a response that is meant for shared caches a refresh waits for the next other one, and all stays as said."""
    site = Site(headers=[*TEXT, *said])
    site.visit(_write)
    site.clock.tick(2 * DAY)
    for _ in range(2):
        answer = site.visit(dict)
        assert answer.headers[:2] == [*TEXT, *said]
        assert (answer.cookies, answer.every("Vary")) == ([], ["Cookie"])
    site.headers = [*TEXT, ("Cache-Control", "max-age=60")]
    answer = site.visit(dict)
    assert (len(answer.cookies), answer.every("Cache-Control")) == (1, ["max-age=60, private"])
    assert site.visit(dict).cookies == []


@pytest.mark.parametrize("said", SHARED, ids=str)
def test_change_does_not_wait(said: list[tuple[str, str]]) -> None:
    """A change goes with its own response, and makes it private."""
    site = Site(headers=[*TEXT, *said])
    site.visit(_write)
    site.clock.tick(2 * DAY)
    answer = site.visit(lambda s: s.update(n=2))
    assert unstamp(answer.token)["n"] == 2
    assert answer.every("Cache-Control")[0].endswith("private")


# -- several cookies of our name --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]], ids=str)
def test_issued_last_wins(order: list[int]) -> None:
    """Of several good cookies the one issued last wins, wherever it stands."""
    tokens = [stamp({"n": n}, at=START - n * MINUTE) for n in range(3)]
    header = "; ".join(f"session={tokens[n]}" for n in order)
    assert Site().visit(dict, HTTP_COOKIE=header).result == {"n": 0}


def test_junk_shadows_nothing() -> None:
    """Junk under our name, however much, logs nobody out."""
    junk = "; ".join(f'session={value}; session="{value}"' for value in ("", "x", "a.b.c", "%", "e30.ZVPxAA.x" * 9))
    header = f"{junk}; session={stamp({'n': 1})}; {'; '.join([junk] * 50)}; x="
    assert Site().visit(dict, HTTP_COOKIE=header).result == {"n": 1}


def test_bad_one_falls_back() -> None:
    """A newer cookie whose payload is no session gives way to the next."""
    header = f"session={sign('[]', at=START)}; session={stamp({'n': 1}, at=START - 1)}"
    assert Site().visit(dict, HTTP_COOKIE=header).result == {"n": 1}


class Revoking(SecureCookieSessionInterface):
    """Refuse the sessions of banned users, and those from before their users' "valid after"."""

    valid_after: datetime | None = None

    def validate_session(self, settings: Settings, session: Any) -> bool:
        is_late = self.valid_after is None or session.created >= self.valid_after
        return bool(is_late and session.get("user") != "banned")


def test_revoked_falls_back() -> None:
    """A revoked cookie gives way to the one issued before it."""
    header = f"session={stamp({'user': 'banned'})}; session={stamp({'user': 'Ada'}, at=START - 1)}"
    answer = Site(interface=make_interface(Revoking)).visit(lambda s: (dict(s), s.modified), HTTP_COOKIE=header)
    assert answer.result == ({"user": "Ada"}, False)


def test_log_out_everywhere() -> None:
    """By validate_session sessions from before a time are refused, and one renewed at a sign-in is good."""
    interface = make_interface(Revoking)
    site = Site(interface=interface)
    site.visit(lambda s: s.update(user="Ada"))
    site.clock.tick(HOUR)
    interface.valid_after = datetime.fromtimestamp(site.clock(), UTC)
    assert site.visit(lambda s: (dict(s), s.new)).result == ({}, True)
    site.visit(lambda s: (s.renew(), s.update(user="Ada")))
    assert site.visit(dict).result == {"user": "Ada"}


# -- refused ----------------------------------------------------------------------------------------------------------


def _seal(content: bytes) -> str:
    """Seal any bytes in the place of a packed payload, as somebody who has the key can."""
    return current().seal(content, START, KEY, make_salt())


def _swap(token: str, index: int) -> str:
    """Change one character of a token to another of the alphabet."""
    characters = list(token)
    characters[index] = "A" if characters[index] != "A" else "B"
    return "".join(characters)


def _good() -> str:
    return stamp({"user": "Ada Lovelace"})


def _unused_bits(token: str) -> str:
    """Set a bit of the last character that decodes to nothing."""
    return token[:-1] + chr(ord(token[-1]) + 1)


def _cut_block(token: str) -> str:
    """Cut off a block of an encrypted token."""
    return encode(decode(token)[:-64]).decode()


Refused = tuple[str, RejectReason, Callable[[], str]]
REFUSED: list[Refused] = [
    ("empty", RejectReason.MALFORMED, lambda: ""),
    ("no dots", RejectReason.MALFORMED, lambda: "abc"),
    ("one dot", RejectReason.MALFORMED, lambda: "abc.def"),
    ("dots alone", RejectReason.MALFORMED, lambda: ".."),
    ("half quoted", RejectReason.MALFORMED, lambda: f'"{_good()}'),
    ("padded", RejectReason.MALFORMED, lambda: f"{_good()}="),
    ("a blank within", RejectReason.MALFORMED, lambda: f"{_good()[:9]} {_good()[9:]}"),
    ("not ASCII", RejectReason.MALFORMED, lambda: f"{_good()}é"),
    ("a part too many", RejectReason.MALFORMED, lambda: f"a.{_good()}"),
    ("another alphabet", RejectReason.MALFORMED, lambda: f"{_good()[:9]}+{_good()[10:]}"),
    ("too long", RejectReason.TOO_LONG, lambda: "x" * 4090),
    ("payload changed", RejectReason.BAD_SIGNATURE, lambda: _swap(_good(), 3)),
    ("signature changed", RejectReason.BAD_SIGNATURE, lambda: _swap(_good(), -5)),
    ("another key", RejectReason.BAD_SIGNATURE, lambda: stamp({"user": "Ada"}, key=OLD_KEY)),
    ("another name", RejectReason.BAD_SIGNATURE, lambda: sign('{"user":"Ada"}', name="other")),
    ("future", RejectReason.FUTURE, lambda: stamp({"user": "Ada"}, at=START + 61)),
    ("idle", RejectReason.IDLE, lambda: stamp({"user": "Ada"}, at=START - DAY)),
    (
        "idle but not permanent",
        RejectReason.IDLE,
        lambda: stamp({"user": "Ada"}, at=START - 2 * HOUR, created=START - DAY),
    ),
    ("absolute", RejectReason.ABSOLUTE, lambda: stamp({"user": "Ada"}, created=START - 10 * DAY)),
    ("revoked", RejectReason.REVOKED, lambda: stamp({"user": "banned"})),
    # Validly sealed, and still no session.
    ("no JSON", RejectReason.MALFORMED, lambda: sign("user=Ada")),
    ("half of a JSON", RejectReason.MALFORMED, lambda: sign('{"user":')),
    ("two JSONs", RejectReason.MALFORMED, lambda: sign("{}{}")),
    ("a JSON list", RejectReason.MALFORMED, lambda: sign("[]")),
    ("a JSON null", RejectReason.MALFORMED, lambda: sign("null")),
    ("an unknown tag", RejectReason.MALFORMED, lambda: sign('{"a":{"~pickle":"x"}}')),
    ("NaN", RejectReason.MALFORMED, lambda: sign('{"a":NaN}')),
    ("nested deep", RejectReason.MALFORMED, lambda: sign("[" * 2900)),
    *(
        (f"_created is {text}", RejectReason.MALFORMED, lambda text=text: sign(f'{{"a":1,"_created":{text}}}'))
        for text in ("null", "true", "-1", "1.5", '"1700000000"', "253402300800", "[]", "1e9", str(START + 61))
    ),
]
REFUSED_OF_KIND: dict[str, list[Refused]] = {
    "signed": [
        ("time too long", RejectReason.MALFORMED, lambda: _good().replace(".ZVPxAA.", f".{'A' * 12}.")),
        ("too long, well-formed", RejectReason.TOO_LONG, lambda: f"{'x' * 4096}.ZVPxAA.{'x' * 43}"),
        ("time changed", RejectReason.BAD_SIGNATURE, lambda: _swap(_good(), _good().index(".") + 2)),
        ("signature cut", RejectReason.BAD_SIGNATURE, lambda: _good()[:-1]),
        ("signature with unused bits", RejectReason.BAD_SIGNATURE, lambda: _unused_bits(_good())),
        ("nested without end", RejectReason.MALFORMED, lambda: sign("[" * 100_000)),
        ("no UTF-8", RejectReason.MALFORMED, lambda: _seal(encode(b'{"a":"\xff"}'))),
        ("unused bits", RejectReason.MALFORMED, lambda: _seal(b"e31")),
        ("no zlib", RejectReason.MALFORMED, lambda: _seal(b"." + encode(b"no zlib"))),
        ("zlib cut", RejectReason.MALFORMED, lambda: _seal(b"." + encode(zlib.compress(b"{}")[:-1]))),
        ("zlib and more", RejectReason.MALFORMED, lambda: _seal(b"." + encode(zlib.compress(b"{}") + b"x"))),
        ("a zlib bomb", RejectReason.MALFORMED, lambda: _seal(b"." + encode(zlib.compress(b" " * 262145 + b"{}")))),
    ],
    "encrypted": [
        ("tag cut", RejectReason.MALFORMED, lambda: _good()[:-1]),
        ("a block cut", RejectReason.BAD_SIGNATURE, lambda: _cut_block(stamp({"user": "x" * 99}))),
        ("too long, well-formed", RejectReason.TOO_LONG, lambda: encode(bytes(12 + 48 * 64 + 16)).decode()),
        ("unused bits", RejectReason.MALFORMED, lambda: _unused_bits(_good())),
        ("no UTF-8", RejectReason.MALFORMED, lambda: _seal(b'{"a":"\xff"}\x80'.ljust(56, b"\0"))),
        ("no end", RejectReason.MALFORMED, lambda: _seal(b"{}".ljust(56, b"\0"))),
        ("something behind the end", RejectReason.MALFORMED, lambda: _seal(b"{}\x80".ljust(55, b"\0") + b"x")),
        ("a block of padding too many", RejectReason.MALFORMED, lambda: _seal(b"{}\x80".ljust(120, b"\0"))),
    ],
}
each_refused = pytest.mark.parametrize(
    ("kind", "reason", "make_token"),
    [
        pytest.param(kind, reason, make_token, id=f"{kind}-{title}")
        for kind in KINDS
        for title, reason, make_token in REFUSED + REFUSED_OF_KIND[kind]
    ],
    indirect=["kind"],
)


def _visit_strict(token: str, action: Callable[[Any], object] = dict) -> Answer:
    settings = {
        "SESSION_IDLE_LIFETIME": HOUR,
        "PERMANENT_SESSION_LIFETIME": 3 * HOUR,
        "SESSION_ABSOLUTE_LIFETIME": DAY,
    }
    return Site(settings, interface=make_interface(Revoking)).visit(action, **_with(token))


@each_refused
def test_refused_is_empty(reason: RejectReason, make_token: Callable[[], str]) -> None:
    """A refused cookie is an empty new session, and is left with the browser."""
    answer = _visit_strict(make_token(), lambda s: (dict(s), s.new, s.modified))
    assert answer.result == ({}, True, False)
    assert (answer.status, answer.cookies) == ("200 OK", [])


@each_refused
def test_refused_is_logged(
    reason: RejectReason, make_token: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """A refused cookie is logged with its reason and without itself."""
    caplog.set_level(logging.DEBUG)
    token = make_token()
    _visit_strict(token)
    assert _reasons(caplog) == [reason.value]
    assert not any(part in caplog.text for part in token.strip('"').split(".") if len(part) > 4)


@each_refused
def test_refused_is_replaced(reason: RejectReason, make_token: Callable[[], str]) -> None:
    """A refused cookie is replaced as soon as something is written, and nothing of it is taken over."""
    assert unstamp(_visit_strict(make_token(), _write).token) == {"n": 1, "_created": START}


def test_every_reason_is_reached() -> None:
    """The table above reaches every RejectReason."""
    assert {reason for _, reason, _ in REFUSED} == set(RejectReason)


def test_every_character_counts() -> None:
    """No character of a token can be changed, added or left out: the signature covers every byte that is read."""
    good = _good()
    for index in range(len(good)):
        tokens = (_swap(good, index), good[:index] + good[index + 1 :], f"{good[:index]}A{good[index:]}")
        assert [_visit_strict(token).result for token in tokens] == [{}, {}, {}], index


def test_hook_is_told() -> None:
    """The hook is told of refused cookies once for each reason, with settings, request and reason."""
    told: list[tuple[object, ...]] = []

    class Telling(SecureCookieSessionInterface):
        def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
            told.append((settings, request.path, reason))

    site = Site(interface=make_interface(Telling))
    site.visit(dict, HTTP_COOKIE=f"session=x; session={_good()}; session={_swap(_good(), 1)}")
    assert told == [
        (site.middleware.settings, "/", RejectReason.MALFORMED),
        (site.middleware.settings, "/", RejectReason.BAD_SIGNATURE),
    ]


def _stock(salt: str, digest: Any = hashlib.sha256, derivation: str = "hmac") -> str:
    signer_kwargs = {"key_derivation": derivation, "digest_method": digest}
    return str(URLSafeTimedSerializer(KEY, salt=salt, signer_kwargs=signer_kwargs).dumps({"user": 7}))


#: Made of signed cookies: to encrypted ones all of them are another codec.
WEAKER = {
    "JSON": json.dumps({"user": 7}),
    "unsigned": urlsafe_b64encode(b'{"user":7}').rstrip(b"=").decode(),
    "signed with nothing": sign('{"user":7}').rpartition(".")[0] + ".",
    "SHA-1": _stock(make_salt(), hashlib.sha1),
    "another derivation": _stock(make_salt(), derivation="django-concat"),
    "Flask's": _stock("cookie-session", hashlib.sha1),
    "itsdangerous' default": _stock("itsdangerous"),
    "another purpose": _stock("handstamp.encrypted:7:session"),
    "label and name run together": _stock("handstamp.signed:7:sessio"),
}


@pytest.mark.parametrize("token", WEAKER.values(), ids=WEAKER)
def test_no_other_codec(token: str) -> None:
    """When the signature fails no other codec is tried, weaker or not, be it with the right key."""
    assert Site(clock=FrozenClock(time.time())).visit(dict, **_with(token)).result == {}


PURPOSES = st.sampled_from(["handstamp.signed", "handstamp.encrypted"]) | st.text("a127:", min_size=1)
NAMES = st.text("s17!#$%&'*+-.^_`|~", min_size=1, max_size=12)


@given(PURPOSES, NAMES, PURPOSES, NAMES)
@example("a:7", "session", "a", "7session")
@example("a2", "s", "a", "1s")
def test_purpose_and_name_are_apart(purpose: str, name: str, other_purpose: str, other_name: str) -> None:
    """What a token is bound to differs for each purpose and each legal name: the two cannot run into each other."""
    one, other = SecureCookieSessionInterface(), SecureCookieSessionInterface()
    one.purpose, other.purpose = purpose, other_purpose
    is_same = (purpose, name) == (other_purpose, other_name)
    assert (one.get_salt(name) == other.get_salt(other_name)) is is_same


def test_names_in_turn() -> None:
    """Where the name differs from request to request, each keeps a codec of its own, whichever was asked for last."""
    interface, settings = make_interface(), Settings({"SECRET_KEY": KEY})
    codec = interface.get_codec(settings, "a")
    token = codec.seal(codec.pack(b"{}"), START)
    with pytest.raises(BadToken):
        interface.get_codec(settings, "b").unseal(token)
    assert interface.get_codec(settings, "a").unseal(token)[1:] == (START, 0)


def test_value_under_another_name() -> None:
    """A value that is moved to another cookie name does not open."""
    token = Site({"SESSION_COOKIE_NAME": "admin"}).visit(_write).token
    assert Site({"SESSION_COOKIE_NAME": "guest"}).visit(dict, HTTP_COOKIE=f"guest={token}").result == {}


# -- the class attributes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("salt", ["my salt", b"my salt"], ids=repr)
def test_salt(salt: str | bytes) -> None:
    """A salt of one's own, as text or bytes, is what tokens are bound to."""

    class Salted(SecureCookieSessionInterface):
        pass

    Salted.salt = salt
    token = Site(interface=make_interface(Salted)).visit(_write).token
    assert payload.loads(current().open(token, (KEY,), "my salt"))["n"] == 1


@signed_only
@pytest.mark.parametrize(
    ("digest_method", "key_derivation"),
    [
        (hashlib.sha512, "hmac"),
        (hashlib.sha256, "concat"),
        (hashlib.sha256, "django-concat"),
        (hashlib.sha256, "none"),
    ],
)
def test_digest_and_derivation(digest_method: Any, key_derivation: str) -> None:
    """Digest and key derivation of one's own are those of the stock itsdangerous."""

    class Other(SecureCookieSessionInterface):
        pass

    Other.digest_method = staticmethod(digest_method)
    Other.key_derivation = key_derivation
    token = Site(interface=Other(), clock=FrozenClock(time.time())).visit(_write).token
    stock = URLSafeTimedSerializer(
        KEY, salt=make_salt(), signer_kwargs={"digest_method": digest_method, "key_derivation": key_derivation}
    )
    assert stock.loads(token)["n"] == 1


def test_session_class() -> None:
    """The session_class is what open_session makes."""

    class Basket(SecureCookieSession):
        def add(self, item: str) -> None:
            self.setdefault("basket", []).append(item)

    class Shop(SecureCookieSessionInterface):
        session_class = Basket

    site = Site(interface=make_interface(Shop))
    site.visit(lambda s: s.add("tea"))
    site.visit(lambda s: s.add("jam"))
    assert site.visit(dict).result == {"basket": ["tea", "jam"]}


class Plain:
    """A serializer of one's own that fails in a way of its own, and has no fingerprint."""

    @staticmethod
    def dumps(obj: Any) -> str:
        return json.dumps(obj, sort_keys=True)

    @staticmethod
    def loads(text: str) -> Any:
        if "boom" in text:
            raise LookupError(text)
        return json.loads(text)


class PlainJSON(SecureCookieSessionInterface):
    serializer = Plain()


def test_serializer() -> None:
    """A serializer of one's own writes and reads the data, and nested changes are seen by what it writes."""
    site = Site(interface=make_interface(PlainJSON))
    site.visit(lambda s: s.update(basket=["tea"]))
    assert site.visit(lambda s: s["basket"]).cookies == []
    site.visit(lambda s: s["basket"].append("jam"))
    assert site.visit(dict).result == {"basket": ["tea", "jam"]}


@pytest.mark.parametrize("text", ['{"boom":1}', "[1]", "null"])
def test_serializer_fails(text: str) -> None:
    """A serializer of one's own that fails to read, in whatever way, or reads no dict, gives an empty session."""
    assert Site(interface=make_interface(PlainJSON)).visit(dict, **_with(sign(text))).result == {}


class FlaskSessions(SecureCookieSessionInterface):
    """Five lines with Flask's values."""

    salt = "cookie-session"
    digest_method = staticmethod(hashlib.sha1)
    key_derivation = "hmac"
    serializer = TaggedJSONSerializer()


DATA_OF_FLASK: dict[str, Any] = {
    "user": 7,
    "tuple": (1, [2]),
    "bytes": b"\0\xff",
    "uuid": UUID(int=7),
    "at": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "nested": {"basket": ["tea"]},
}


def _flask_app() -> flask.Flask:
    app = flask.Flask(__name__)
    app.config["SECRET_KEY"] = KEY

    @app.get("/read")
    def read() -> str:
        return repr({key: value for key, value in flask.session.items() if key != "_created"})

    @app.get("/write")
    def write() -> str:
        flask.session.update(DATA_OF_FLASK)
        return "written"

    return app


@signed_only
def test_reads_flask() -> None:
    """A session of a Flask application opens with Flask's values."""
    line = _flask_app().test_client().get("/write").headers["Set-Cookie"]
    site = Site(interface=FlaskSessions(), clock=FrozenClock(time.time()))
    assert site.visit(dict, HTTP_COOKIE=line.partition(";")[0]).result == DATA_OF_FLASK


@signed_only
def test_flask_reads() -> None:
    """A session of ours with Flask's values opens in a Flask application."""
    token = (
        Site(interface=FlaskSessions(), clock=FrozenClock(time.time())).visit(lambda s: s.update(DATA_OF_FLASK)).token
    )
    client = _flask_app().test_client()
    client.set_cookie("session", token)
    assert client.get("/read").text == repr(DATA_OF_FLASK)


@signed_only
def test_flask_nested_change() -> None:
    """A nested change of a session that a Flask application made is seen and written."""
    line = _flask_app().test_client().get("/write").headers["Set-Cookie"]
    site = Site(interface=FlaskSessions(), clock=FrozenClock(time.time()))
    site.visit(lambda s: s["nested"]["basket"].append("jam"), HTTP_COOKIE=line.partition(";")[0])
    assert site.visit(lambda s: s["nested"]).result == {"basket": ["tea", "jam"]}


# -- memory -----------------------------------------------------------------------------------------------------------


class NameOfHost(SecureCookieSessionInterface):
    """A policy that takes the cookie's name from the host that the request asks for."""

    def get_cookie_name(self, settings: Settings, request: Request) -> str:
        return f"session-{request.domain}"


def _count_codecs() -> int:
    gc.collect()
    kind = type(make_interface().get_codec(Settings({"SECRET_KEY": KEY}), "session"))
    return sum(type(thing) is kind for thing in gc.get_objects())


def test_many_names() -> None:
    """A policy with any number of names neither mixes up their keys nor fills the memory."""
    before = _count_codecs()
    site = Site(interface=make_interface(NameOfHost))
    for number in range(300):
        site.visit(_count, HTTP_HOST=f"host{number}")
    token = site.visit(_count, HTTP_HOST="host0").token
    assert payload.loads(unsign(token, name="session-host0")) == {"n": 2, "_created": START}
    assert 0 < _count_codecs() - before < 100
