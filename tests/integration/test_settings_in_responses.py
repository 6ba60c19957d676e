"""Each row of the table of settings, seen in a Set-Cookie line or an error.

A browser visits twice. Each visit counts in the session, or only looks; then the line is compared, with the token's
payload written out in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from handstamp import SessionMiddleware, SessionUnavailable, SettingsError
from handstamp._settings import DEFAULTS
from tests.support.constants import DAY, HOUR, KEY, OLD_KEY
from tests.support.cookie_kinds import unsign
from tests.support.site import Site

Action = Callable[[Any], object]

pytestmark = pytest.mark.usefixtures("kind")


def count(session: Any) -> None:
    """Count a visit."""
    session["n"] = session.get("n", 0) + 1


def keep(session: Any) -> None:
    """Count a visit of somebody who wants to be remembered."""
    session.permanent = True
    count(session)


def look(session: Any) -> None:
    """Look into the session, and change nothing."""
    session.get("n")


class Row(NamedTuple):
    """What a browser is answered.

    :ivar settings: those of the last visit
    :ivar line: its Set-Cookie line; empty: there is none
    :ivar action: what it does
    :ivar later: it comes so many seconds after a first visit that counts; ``None``: it is the first
    :ivar first: the settings of the first visit
    """

    settings: dict[str, Any]
    line: str
    scheme: str = "http"
    action: Action = count
    later: int | None = None
    first: dict[str, Any] | None = None


ONE = 'session={"n":1,"_created":1700000000}'
TWO = 'session={"n":2,"_created":1700000000}'
REST = "; Path=/; HttpOnly; SameSite=Lax"
SAFE = {"SESSION_COOKIE_SECURE": True}
KEPT = 'session={"_permanent":true,"n":1,"_created":1700000000}'

# fmt: off
ROWS: dict[str, list[Row]] = {
    "SECRET_KEY": [
        Row({}, ONE + REST),
        Row({"SECRET_KEY": KEY.encode()}, TWO + REST, later=1),
        Row({"SECRET_KEY": OLD_KEY}, 'session={"n":1,"_created":1700000001}' + REST, later=1),
        Row({"SECRET_KEY": None}, "", action=look),
    ],
    "SECRET_KEY_FALLBACKS": [
        Row({"SECRET_KEY_FALLBACKS": [OLD_KEY]}, ONE + REST, action=look, later=1, first={"SECRET_KEY": OLD_KEY}),
        Row({"SECRET_KEY_FALLBACKS": None}, "", action=look, later=1, first={"SECRET_KEY": OLD_KEY}),
    ],
    "SESSION_COOKIE_NAME": [
        Row({"SESSION_COOKIE_NAME": "sid"}, ONE.replace("session", "sid") + REST),
        Row({"SESSION_COOKIE_NAME": "sid"}, "", action=look, later=1),
        Row({"SESSION_COOKIE_NAME": "__Host-sid", **SAFE},
            ONE.replace("session", "__Host-sid") + "; Path=/; Secure; HttpOnly; SameSite=Lax", "https"),
    ],
    "SESSION_COOKIE_DOMAIN": [
        Row({"SESSION_COOKIE_DOMAIN": "example.com"}, ONE + "; Domain=example.com" + REST),
        Row({"SESSION_COOKIE_DOMAIN": ".example.com"}, ONE + "; Domain=example.com" + REST),
        Row({"SESSION_COOKIE_DOMAIN": "a.test", "SERVER_NAME": "b.test"}, ONE + "; Domain=a.test" + REST),
        Row({"SESSION_COOKIE_DOMAIN": False, "SERVER_NAME": "b.test"}, ONE + REST),
    ],
    "SERVER_NAME": [
        Row({"SERVER_NAME": "example.com"}, ONE + "; Domain=example.com" + REST),
        Row({"SERVER_NAME": "example.com:8000"}, ONE + "; Domain=example.com" + REST),
        Row({"SERVER_NAME": "localhost:8000"}, ONE + REST),
        Row({"SERVER_NAME": "127.0.0.1:8000"}, ONE + REST),
        Row({"SERVER_NAME": "[::1]:8000"}, ONE + REST),
        Row({"SERVER_NAME": "example.com", "SESSION_COOKIE_NAME": "__Host-sid", **SAFE},
            ONE.replace("session", "__Host-sid") + "; Path=/; Secure; HttpOnly; SameSite=Lax", "https"),
    ],
    "SESSION_COOKIE_PATH": [
        Row({"SESSION_COOKIE_PATH": "/shop"}, ONE + "; Path=/shop; HttpOnly; SameSite=Lax"),
        Row({"SESSION_COOKIE_PATH": "/shop", "APPLICATION_ROOT": "/app"}, ONE + "; Path=/shop; HttpOnly; SameSite=Lax"),
    ],
    "APPLICATION_ROOT": [
        Row({"APPLICATION_ROOT": "/app"}, ONE + "; Path=/app; HttpOnly; SameSite=Lax"),
    ],
    "SESSION_COOKIE_HTTPONLY": [
        Row({"SESSION_COOKIE_HTTPONLY": False}, ONE + "; Path=/; SameSite=Lax"),
    ],
    "SESSION_COOKIE_SECURE": [
        Row({"SESSION_COOKIE_SECURE": None}, ONE + REST, "http"),
        Row({"SESSION_COOKIE_SECURE": None}, ONE + "; Path=/; Secure; HttpOnly; SameSite=Lax", "https"),
        Row({"SESSION_COOKIE_SECURE": True}, ONE + "; Path=/; Secure; HttpOnly; SameSite=Lax", "http"),
        Row({"SESSION_COOKIE_SECURE": False}, ONE + REST, "https"),
    ],
    "SESSION_COOKIE_SAMESITE": [
        Row({"SESSION_COOKIE_SAMESITE": "Strict"}, ONE + "; Path=/; HttpOnly; SameSite=Strict"),
        Row({"SESSION_COOKIE_SAMESITE": "None", **SAFE}, ONE + "; Path=/; Secure; HttpOnly; SameSite=None", "https"),
        Row({"SESSION_COOKIE_SAMESITE": None}, ONE + "; Path=/; HttpOnly"),
    ],
    "SESSION_COOKIE_PARTITIONED": [
        Row({"SESSION_COOKIE_PARTITIONED": True, **SAFE},
            ONE + "; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned", "https"),
    ],
    "PERMANENT_SESSION_LIFETIME": [
        Row({}, KEPT + "; Expires=Fri, 15 Dec 2023 22:13:20 GMT; Max-Age=2678400" + REST, action=keep),
        Row({"PERMANENT_SESSION_LIFETIME": HOUR},
            KEPT + "; Expires=Tue, 14 Nov 2023 23:13:20 GMT; Max-Age=3600" + REST, action=keep),
        Row({"PERMANENT_SESSION_LIFETIME": timedelta(days=400)},
            KEPT + "; Expires=Wed, 18 Dec 2024 22:13:20 GMT; Max-Age=34560000" + REST, action=keep),
        Row({"PERMANENT_SESSION_LIFETIME": HOUR}, TWO + REST, later=HOUR),
        Row({"PERMANENT_SESSION_LIFETIME": HOUR}, 'session={"n":1,"_created":1700003601}' + REST, later=HOUR + 1),
    ],
    "SESSION_IDLE_LIFETIME": [
        Row({"SESSION_IDLE_LIFETIME": HOUR}, TWO + REST, later=HOUR),
        Row({"SESSION_IDLE_LIFETIME": HOUR}, 'session={"n":1,"_created":1700003601}' + REST, later=HOUR + 1),
        Row({"SESSION_IDLE_LIFETIME": None}, TWO + REST, later=31 * DAY),
        Row({"SESSION_IDLE_LIFETIME": None}, 'session={"n":1,"_created":1702678401}' + REST, later=31 * DAY + 1),
    ],
    "SESSION_ABSOLUTE_LIFETIME": [
        Row({"SESSION_ABSOLUTE_LIFETIME": HOUR}, TWO + REST, later=HOUR),
        Row({"SESSION_ABSOLUTE_LIFETIME": HOUR}, 'session={"n":1,"_created":1700003601}' + REST, later=HOUR + 1),
        Row({"SESSION_ABSOLUTE_LIFETIME": HOUR},
            KEPT + "; Expires=Tue, 14 Nov 2023 23:13:20 GMT; Max-Age=3600" + REST, action=keep),
    ],
    "SESSION_REFRESH_INTERVAL": [
        Row({"SESSION_REFRESH_INTERVAL": None}, "", action=look, later=DAY - 1),
        Row({"SESSION_REFRESH_INTERVAL": None}, ONE + REST, action=look, later=DAY),
        Row({"SESSION_REFRESH_INTERVAL": HOUR}, "", action=look, later=HOUR - 1),
        Row({"SESSION_REFRESH_INTERVAL": HOUR}, ONE + REST, action=look, later=HOUR),
        Row({"SESSION_REFRESH_INTERVAL": 0}, ONE + REST, action=look, later=0),
        Row({"SESSION_REFRESH_INTERVAL": False}, "", action=look, later=31 * DAY),
    ],
    "SESSION_COOKIE_WARN_BYTES": [
        Row({"SESSION_COOKIE_WARN_BYTES": 10}, ONE + REST),
        Row({"SESSION_COOKIE_WARN_BYTES": False}, ONE + REST),
    ],
}
# fmt: on


def _show(line: str, key: str) -> str:
    """Write a Set-Cookie line with the payload in the place of the token."""
    pair, semicolon, rest = line.partition(";")
    name, _, token = pair.partition("=")
    return f"{name}={unsign(token, key, name=name)}{semicolon}{rest}"


@pytest.mark.parametrize(
    "row",
    [row for rows in ROWS.values() for row in rows],
    ids=[f"{key}-{number}" for key, rows in ROWS.items() for number, _ in enumerate(rows)],
)
def test_line(row: Row) -> None:
    """A setting is seen in the Set-Cookie line."""
    site = Site(row.settings, scheme=row.scheme)
    extra = {}
    if row.later is not None:
        first = Site(row.first, scheme=row.scheme)
        first.visit(count)
        extra = {"HTTP_COOKIE": first.visitor.cookie_header()}
        site.clock.tick(row.later)
    lines = site.visit(row.action, **extra).cookies
    key = site.middleware.settings["SECRET_KEY"]
    assert [_show(line, key) for line in lines] == [row.line][: len(row.line)]


def test_table_is_complete() -> None:
    """The table above has a row for each setting."""
    assert set(ROWS) == set(DEFAULTS)


ERRORS: list[tuple[str, Any, dict[str, Any]]] = [
    ("SECRET_KEY", "too short", {}),
    ("SECRET_KEY", "", {}),
    ("SECRET_KEY", 17, {}),
    ("SECRET_KEY_FALLBACKS", KEY, {}),
    ("SECRET_KEY_FALLBACKS", ["too short"], {}),
    ("SECRET_KEY_FALLBACKS", [None], {}),
    ("SESSION_COOKIE_NAME", "my session", {}),
    ("SESSION_COOKIE_WARN_BYTES", 0, {}),
    ("SESSION_COOKIE_WARN_BYTES", "3500", {}),
    ("SESSION_COOKIE_NAME", "", {}),
    ("SESSION_COOKIE_DOMAIN", "a b", {}),
    ("SESSION_COOKIE_DOMAIN", "example.com", {"SESSION_COOKIE_NAME": "__host-s", **SAFE}),
    ("SESSION_COOKIE_DOMAIN", True, {}),
    ("SERVER_NAME", 8000, {}),
    ("SESSION_COOKIE_PATH", "shop", {}),
    ("SESSION_COOKIE_PATH", "/a;b", {}),
    ("SESSION_COOKIE_PATH", "/shop", {"SESSION_COOKIE_NAME": "__HOST-s", **SAFE}),
    ("APPLICATION_ROOT", None, {}),
    ("SESSION_COOKIE_HTTPONLY", "false", {}),
    ("SESSION_COOKIE_HTTPONLY", False, {"SESSION_COOKIE_NAME": "__Http-s", **SAFE}),
    ("SESSION_COOKIE_SECURE", "yes", {}),
    ("SESSION_COOKIE_SECURE", None, {"SESSION_COOKIE_NAME": "__Secure-s"}),
    ("SESSION_COOKIE_SECURE", False, {"SESSION_COOKIE_NAME": "__Host-s"}),
    ("SESSION_COOKIE_SECURE", None, {"SESSION_COOKIE_SAMESITE": "None"}),
    ("SESSION_COOKIE_SECURE", None, {"SESSION_COOKIE_PARTITIONED": True}),
    ("SESSION_COOKIE_SAMESITE", "Maybe", {}),
    ("SESSION_COOKIE_SAMESITE", False, {}),
    ("SESSION_COOKIE_PARTITIONED", 1, {}),
    ("PERMANENT_SESSION_LIFETIME", timedelta(days=401), {}),
    ("PERMANENT_SESSION_LIFETIME", 0, {}),
    ("PERMANENT_SESSION_LIFETIME", None, {}),
    ("SESSION_IDLE_LIFETIME", "an hour", {}),
    ("SESSION_IDLE_LIFETIME", -1, {}),
    ("SESSION_ABSOLUTE_LIFETIME", 0, {}),
    ("SESSION_ABSOLUTE_LIFETIME", True, {}),
    ("SESSION_REFRESH_INTERVAL", -1, {}),
    ("SESSION_REFRESH_INTERVAL", True, {}),
    ("SESSION_REFRESH_INTERVAL", HOUR // 2 + 1, {"SESSION_IDLE_LIFETIME": HOUR}),
    ("SESSION_REFRESH_INTERVAL", HOUR, {"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_IDLE_LIFETIME": DAY}),
]


@pytest.mark.parametrize(("key", "value", "others"), ERRORS)
def test_error(key: str, value: object, others: dict[str, Any]) -> None:
    """A wrong value of a setting is an error that begins with the setting, when the middleware is made."""
    with pytest.raises(SettingsError) as caught:
        SessionMiddleware(Site({}).app, {"SECRET_KEY": KEY, **others, key: value})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [key]


def test_errors_are_complete() -> None:
    """The table of errors has a row for each setting."""
    assert {key for key, _, _ in ERRORS} == set(DEFAULTS)


def test_missing_key() -> None:
    """Without a SECRET_KEY a write is an error that says how to make one."""
    with pytest.raises(SessionUnavailable, match=r"SECRET_KEY is not set; make one with: python -m handstamp secret"):
        Site({"SECRET_KEY": None}).visit(count)
