"""Cookies of one name, wherever they came from: the valid one issued last is found, and junk shadows nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial
from typing import Any

import pytest
from webob import Request

from handstamp import Settings
from handstamp._cookie_based import CookieSessionInterface
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import DAY, HOUR, OLD_KEY, SETTINGS, START
from tests.support.cookie_kinds import Kind, sign, stamp
from tests.support.site import Site
from tests.support.visitor import Visitor

MINE = {"user": "Ada"}
THEIRS = {"user": "Eve"}
NOW = START + 10 * HOUR

#: Of the cookies that meet, one each. All that are not to be found were issued later than the one that is, if they can.
KINDS = ["valid", "older valid", "expired", "tampered", "foreign", "other name", "half quoted", "nameless"]


def make_valid() -> str:
    """Return the value that is to be found."""
    return stamp(MINE, at=NOW - 9)


def make_newer() -> str:
    """Return a value that would open, and that was issued later."""
    return stamp(THEIRS, at=NOW - 1)


def make_cookies() -> dict[str, str]:
    """Return a cookie of each kind."""
    newer = make_newer()
    cookies = [
        f"session={make_valid()}",
        f"session={stamp(THEIRS, at=NOW - HOUR)}",
        f"session={stamp(THEIRS, at=NOW - 2 * DAY, created=NOW)}",
        f"session={newer[:-2]}{'A' if newer[-2] != 'A' else 'B'}{newer[-1]}",
        f"session={stamp(THEIRS, at=NOW, key=OLD_KEY)}",
        f"session2={newer}",
        f'session="{newer}',
        f"=session={newer}",
    ]
    return dict(zip(KINDS, cookies, strict=True))


#: More tricks by which a value is made to look like ours (CVE-2023-23934 and its kin).
TRICKS: dict[str, Callable[[str], str]] = {
    "nameless, bare": lambda value: value,
    "nameless, spaced": lambda value: f"= session={value}",
    "in a value": lambda value: f"other=session={value}",
    "in quotes": lambda value: f'other="; =session={value}; "',
    "in another case": lambda value: f"Session={value}",
    "with a blank": lambda value: f"session ={value}",
    "with an attribute": lambda value: f"$Version=1; =; session={value[:-1]}",
    "with a prefix": lambda value: f"__Host-session={value}",
    "joined by an ampersand": lambda value: f"other=1&session={value}",
    "in two pairs of quotes": lambda value: f'session=""{value}""',
    "escaped": lambda value: f"%73ession={value}",
    "with a NUL": lambda value: f"session\x00={value}",
    "behind a line": lambda value: f"other=1\nsession={value}",
    "of another name": lambda value: f"session={sign('{}', at=NOW, name='session2')}",
    "half": lambda value: f"session={value[: len(value) // 2]}",
    "twice": lambda value: f"session={value}.{value}",
    "empty": lambda value: "session=",
    "no value": lambda value: "session",
}

READY = Settings({**SETTINGS, "SESSION_IDLE_LIFETIME": DAY})


@pytest.fixture
def interface(kind: Kind) -> CookieSessionInterface[Any]:
    """An interface of the kind that is tested, which each test asks without a server between."""
    return on_clock(kind.interface(), FrozenClock(NOW))


def find(interface: CookieSessionInterface[Any], header: str) -> dict[str, str]:
    """Return the session that is found in a Cookie header."""
    request = Request({"HTTP_COOKIE": header})
    return dict(interface.open_session(READY, request) or {})


def test_every_order(interface: CookieSessionInterface[Any]) -> None:
    """In all 40,320 orders of eight cookies the valid one that was issued last is found."""
    orders = list(permutations(make_cookies().values()))
    found = [find(interface, "; ".join(order)) for order in orders]
    assert len(orders) == factorial(8)
    assert found == [MINE] * len(orders)


@pytest.mark.parametrize("left_out", KINDS)
def test_each_left_out(interface: CookieSessionInterface[Any], left_out: str) -> None:
    """Without any one of them the same is found; without the valid one, the older."""
    header = "; ".join(cookie for name, cookie in make_cookies().items() if name != left_out)
    assert find(interface, header) == (MINE if left_out != "valid" else THEIRS)


@pytest.mark.parametrize("alone", KINDS)
def test_each_alone(interface: CookieSessionInterface[Any], alone: str) -> None:
    """Alone, none opens but the two that are valid."""
    assert find(interface, make_cookies()[alone]) == {"valid": MINE, "older valid": THEIRS}.get(alone, {})


@pytest.mark.parametrize("make_trick", TRICKS.values(), ids=TRICKS)
def test_tricks(interface: CookieSessionInterface[Any], make_trick: Callable[[str], str]) -> None:
    """Whatever looks like our cookie, before or behind ours, is not taken for it, and does not hide it."""
    valid, trick = f"session={make_valid()}", make_trick(make_newer())
    headers = (trick, f"{trick}; {valid}", f"{valid}; {trick}")
    assert [find(interface, header) for header in headers] == [{}, MINE, MINE]


@pytest.mark.parametrize("join", [",", ", ", " , ", ";", " ; "])
def test_joined_in_every_order(interface: CookieSessionInterface[Any], join: str) -> None:
    """Joined by commas, as servers join several fields, the same is found: only what verifies counts."""
    rows = [list(order) for order in permutations(list(make_cookies().values())[:5])]
    assert [find(interface, join.join(order)) for order in rows] == [MINE] * len(rows)


def test_quoted(interface: CookieSessionInterface[Any]) -> None:
    """A value in double quotes is read without them, for some clients quote what they send."""
    assert find(interface, f'$Version="1"; session="{make_valid()}"; $Path="/"') == MINE


@pytest.mark.parametrize("junk", KINDS[1:])
@pytest.mark.parametrize("place", [0, 250, 500])
def test_tossed_junk_logs_nobody_out(interface: CookieSessionInterface[Any], junk: str, place: int) -> None:
    """Five hundred cookies of junk, wherever ours stands among them, log nobody out."""
    cookies = [make_cookies()[junk]] * 500
    cookies.insert(place, f"session={make_valid()}")
    assert find(interface, "; ".join(cookies)) == MINE


@pytest.mark.usefixtures("kind")
def test_wherever_they_were_set() -> None:
    """A cookie that was left behind by a changed Path goes on being sent, and never comes before the newer one."""
    clock = FrozenClock(START)
    before, now = (Site({"SESSION_COOKIE_PATH": path}, clock=clock) for path in ("/shop", "/"))
    browser = Visitor(before.middleware)
    before.visitor = now.visitor = browser
    before.visit(lambda session: session.update(n=1), path="/shop")
    clock.tick(1)
    browser.app = now.middleware
    now.visit(lambda session: session.update(n=2), path="/shop")
    assert browser.cookie_header("/shop").count("session=") == 2
    assert now.visit(dict, path="/shop").result == {"n": 2}


def test_another_account_is_not_told_apart(interface: CookieSessionInterface[Any]) -> None:
    """A tossed valid cookie of another account wins if it was issued later: only ``__Host-`` stops it, as is said."""
    assert find(interface, f"session={make_valid()}; session={make_newer()}") == THEIRS
