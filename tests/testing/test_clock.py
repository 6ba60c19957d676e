"""The frozen clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from handstamp import SecureCookieSessionInterface, SessionMiddleware
from handstamp.testing import FrozenClock, frozen, make_cookie, read_cookie
from tests.support.constants import DAY, SETTINGS, START
from tests.support.cookie_kinds import make_interface

pytestmark = pytest.mark.usefixtures("kind")


def make_middleware() -> SessionMiddleware:
    """Wrap an application that is never called."""
    return SessionMiddleware(lambda environ, start_response: [], SETTINGS, session_interface=make_interface())


@pytest.mark.parametrize("at", [START, float(START), datetime.fromtimestamp(START, UTC)])
def test_stands_still(at: float | datetime) -> None:
    """The clock says what it was told, however often it is asked."""
    clock = FrozenClock(at)
    assert [clock(), clock()] == [START, START]
    assert repr(clock) == "FrozenClock(1700000000.0)"


def test_stands_at_the_present() -> None:
    """Told nothing, it stands at the present second."""
    before = int(time.time())
    assert before <= FrozenClock()() <= time.time()
    assert FrozenClock()().is_integer()


@pytest.mark.parametrize("step", [90, 90.0, timedelta(seconds=90)])
def test_ticks(step: float | timedelta) -> None:
    """It goes on when it is told to, and by a second if it is told no more."""
    clock = FrozenClock(START)
    clock.tick(step)
    clock.tick()
    assert clock() == START + 91


def test_refuses_a_time_without_zone() -> None:
    """A datetime without a zone is another time on another machine."""
    with pytest.raises(ValueError, match="UTC"):
        FrozenClock(datetime(2026, 1, 1))


def test_frozen_ages_sessions() -> None:
    """Under a frozen clock a session reaches its idle limit in no time."""
    middleware = make_middleware()
    with frozen(middleware, START) as clock:
        cookie = [("Set-Cookie", make_cookie(middleware, {"user": "ada"}))]
        clock.tick(31 * DAY)
        assert read_cookie(middleware, cookie) == {"user": "ada"}
        clock.tick()
        with pytest.raises(Exception, match="rejects"):
            read_cookie(middleware, cookie)


def test_frozen_gives_the_clock_back() -> None:
    """After the block the interface has its own clock again, also after an error."""

    class Interface(SecureCookieSessionInterface):
        def now(self) -> float:
            return 7.0

    middleware = make_middleware()
    middleware.session_interface = Interface()
    with frozen(middleware, START):
        assert middleware.session_interface.now() == START
    with pytest.raises(ZeroDivisionError), frozen(middleware, START):
        1 / 0  # noqa: B018
    assert middleware.session_interface.now() == 7.0
    assert vars(middleware.session_interface).get("now") is None


def test_clock_of_an_interface() -> None:
    """An interface can have the clock for good."""

    class Interface(SecureCookieSessionInterface):
        now = FrozenClock(START)

    assert Interface().now() == START
