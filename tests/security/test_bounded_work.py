"""What a request costs has a bound: equal cookies count once, few are loaded, and each reason is told of once.

The browser writes the Cookie header, and servers take up to 256 KB of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from handstamp import RejectReason, SecureCookieSessionInterface, SessionMiddleware, Settings
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore, Record
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import DAY, HOUR, KEY, OLD_KEY, SETTINGS, START
from tests.support.cookie_kinds import make_interface, stamp
from tests.support.site import Site
from tests.support.wsgi import make_environ, serve

MOST = 8
HUGE = 256 * 1024


class CountingStore(MemoryStore):
    """A store that counts how often it is asked for a session."""

    loads = 0

    def load(self, handle: str) -> Record | None:
        self.loads += 1
        return super().load(handle)


class CountingSerializer:
    """JSON that counts how often it is read."""

    def __init__(self) -> None:
        self.loads_of = 0

    def dumps(self, data: Any) -> str:
        raise AssertionError("nothing is written here")

    def loads(self, text: str) -> Any:
        self.loads_of += 1
        return {"user": "Ada"}


def fill(*cookies: str) -> str:
    """Repeat cookies until a header is as long as any server takes."""
    joined = "; ".join(cookies)
    return "; ".join([joined] * (HUGE // (len(joined) + 2)))


# -- on a server ------------------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> CountingStore:
    """A store that nobody has asked yet."""
    return CountingStore()


@pytest.fixture
def site(store: CountingStore) -> Site:
    """A site whose sessions are on the server."""
    return Site(interface=ServerSideSessionInterface(store))


def make_ended(site: Site) -> str:
    """Begin a session and end it; return the cookie that still names it."""
    site.visitor.jar.clear()
    site.visit(lambda session: session.update(user="Ada"))
    cookie = site.visitor.cookie_header()
    site.visit(lambda session: session.invalidate())
    return cookie


def count_loads(site: Site, store: CountingStore, header: str) -> int:
    """Return how often the store is asked in one request."""
    store.loads = 0
    assert site.visit(dict, HTTP_COOKIE=header).result == {}
    return store.loads


def test_one_ended_cookie_repeated(site: Site, store: CountingStore) -> None:
    """A store is asked once for a cookie, however often the header repeats it."""
    assert count_loads(site, store, fill(make_ended(site))) == 1


def test_many_ended_cookies(site: Site, store: CountingStore) -> None:
    """Of any number of well-signed cookies a store is asked for eight."""
    ended = [make_ended(site) for _ in range(3 * MOST)]
    assert count_loads(site, store, fill(*ended)) == MOST


def test_refused_by_the_application(site: Site, store: CountingStore) -> None:
    """So it is where the store has them all, and ``validate_session`` refuses each."""
    site.interface.validate_session = lambda settings, session: False  # type: ignore[method-assign]
    cookies = []
    for _ in range(3 * MOST):
        site.visitor.jar.clear()
        site.visit(lambda session: session.update(user="Ada"))
        cookies.append(site.visitor.cookie_header())
    assert count_loads(site, store, "; ".join(cookies)) == MOST


# -- in cookies -------------------------------------------------------------------------------------------------------


def count_parsed(kind: Any, header: str, **settings: Any) -> int:
    """Return how many payloads are parsed in one request."""
    serializer = CountingSerializer()
    interface = on_clock(kind.interface(), FrozenClock(START + 2 * HOUR))
    interface.serializer = serializer
    ready = Settings({**SETTINGS, **settings})
    middleware = SessionMiddleware(lambda environ, start_response: [], ready, session_interface=interface)
    request = make_environ(HTTP_COOKIE=header)
    answer = serve(look(middleware), request)
    assert answer.status == "200 OK"
    return serializer.loads_of


def look(middleware: SessionMiddleware) -> SessionMiddleware:
    """Give a middleware an application that looks into its session."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["session"].get("user")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    middleware.app = app
    return middleware


def test_payloads_parsed(kind: Any) -> None:
    """Of any number of well-signed cookies eight are unpacked and parsed, and one that is repeated once."""
    # Over the idle limit of sessions that are not permanent, which only the payload tells.
    cookies = [f"session={stamp({'user': number})}" for number in range(3 * MOST)]
    assert count_parsed(kind, fill(cookies[0]), SESSION_IDLE_LIFETIME=HOUR) == 1
    assert count_parsed(kind, fill(*cookies), SESSION_IDLE_LIFETIME=HOUR) == MOST


@pytest.mark.usefixtures("kind")
def test_latest_are_loaded() -> None:
    """Those that were issued last are loaded: a crowd of older ones hides no newer one, wherever it stands."""
    older = [f"session={stamp({'user': number}, at=START - 60 - number)}" for number in range(500)]
    for place in (0, 250, 500):
        cookies = [*older[:place], f"session={stamp({'user': 'Ada'})}", *older[place:]]
        assert Site().visit(dict, HTTP_COOKIE="; ".join(cookies)).result == {"user": "Ada"}


# -- in the log -------------------------------------------------------------------------------------------------------


def make_junk() -> dict[RejectReason, list[str]]:
    """Return cookies that are rejected, by their reasons."""
    return {
        RejectReason.MALFORMED: [f"session={text}" for text in ("", "x", "y")],
        RejectReason.BAD_SIGNATURE: [f"session={stamp({'n': number}, key=OLD_KEY)}" for number in range(4)],
        RejectReason.FUTURE: [f"session={stamp({}, at=START + HOUR)}"],
        RejectReason.IDLE: [f"session={stamp({'n': number}, at=START - 40 * DAY)}" for number in range(2)],
        RejectReason.TOO_LONG: [f"session={'x' * 5000}"],
    }


@pytest.mark.usefixtures("kind")
def test_one_line_a_reason(caplog: pytest.LogCaptureFixture) -> None:
    """The log has one line for each reason, which says how many different cookies had it, and no cookie."""
    caplog.set_level(logging.INFO, "handstamp")
    junk = [cookie for cookies in make_junk().values() for cookie in cookies]
    Site().visit(dict, HTTP_COOKIE=fill(*junk))
    assert sorted(record.getMessage() for record in caplog.records) == [
        "session cookie rejected: bad_signature (4 cookies)",
        "session cookie rejected: future",
        "session cookie rejected: idle (2 cookies)",
        "session cookie rejected: malformed (3 cookies)",
        "session cookie rejected: too_long",
    ]


@pytest.mark.usefixtures("kind")
def test_hook_is_called_once_a_reason() -> None:
    """The hook is called once for each reason, and finds in the environ how many cookies had it."""
    told: list[tuple[RejectReason, int]] = []

    class Telling(SecureCookieSessionInterface):
        def cookie_rejected(self, settings: Settings, request: Any, reason: RejectReason) -> None:
            told.append((reason, request.environ["handstamp.rejected"][reason]))

    junk = make_junk()
    header = fill(*(cookie for cookies in junk.values() for cookie in cookies))
    Site(interface=make_interface(Telling)).visit(dict, HTTP_COOKIE=header)
    assert dict(told) == {reason: len(cookies) for reason, cookies in junk.items()}
    assert len(told) == len(junk)


@pytest.mark.parametrize("refuse", [lambda *args: False, lambda *args: 1 / 0], ids=["refuses", "fails"])
@pytest.mark.usefixtures("kind")
def test_told_in_any_case(refuse: Callable[..., bool], caplog: pytest.LogCaptureFixture) -> None:
    """What was rejected is told of, too, where ``validate_session`` refuses the rest, and where it fails."""
    caplog.set_level(logging.INFO, "handstamp")
    site = Site()
    site.interface.validate_session = refuse  # type: ignore[method-assign]
    header = f"session=x; session={stamp({'n': 1})}; session={stamp({'n': 2}, key=KEY)}"
    try:
        site.visit(dict, HTTP_COOKIE=header)
    except ZeroDivisionError:
        expected = ["session cookie rejected: malformed"]
    else:
        expected = ["session cookie rejected: malformed", "session cookie rejected: revoked (2 cookies)"]
    assert [record.getMessage() for record in caplog.records] == expected
