"""Two machines whose clocks differ by up to a minute serve one browser, and every limit holds to the second."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest

from handstamp import RejectReason
from handstamp.testing import FrozenClock
from tests.support.constants import HOUR, KEY, MINUTE, OLD_KEY, START
from tests.support.cookie_kinds import make_interface
from tests.support.rejections import RememberingInterface
from tests.support.site import Action, Site
from tests.support.visitor import Visitor
from tests.support.wsgi import Answer

pytestmark = pytest.mark.usefixtures("kind")

#: Seconds by which the second machine's clock may be ahead of the first one's.
SKEWS = range(-60, 61)

IDLE, ABSOLUTE, REFRESH = 10 * MINUTE, 2 * HOUR, MINUTE
LIMITS = {
    "SESSION_IDLE_LIFETIME": IDLE,
    "SESSION_ABSOLUTE_LIFETIME": ABSOLUTE,
    "SESSION_REFRESH_INTERVAL": REFRESH,
}


class Fleet:
    """Machines with a clock each, and one browser that visits now this, now that one."""

    def __init__(self, *skews: int, **settings: Any) -> None:
        self.watching = [make_interface(RememberingInterface) for _ in skews]
        self.machines = [
            Site({**LIMITS, **settings}, interface, clock=FrozenClock(START + skew))
            for skew, interface in zip(skews, self.watching, strict=True)
        ]
        self.visitor = Visitor(self.machines[0].middleware)
        for machine in self.machines:
            machine.visitor = self.visitor

    def advance(self, seconds: int) -> None:
        """Let time pass, which is the same for all."""
        for machine in self.machines:
            machine.clock.tick(seconds)

    def visit(self, machine: int, action: Action) -> Answer:
        """Visit one of the machines."""
        self.visitor.app = self.machines[machine].middleware
        return self.machines[machine].visit(action)

    @property
    def rejected(self) -> list[RejectReason]:
        """What any of the machines has rejected."""
        return [reason for interface in self.watching for reason in interface.rejected]


def _read(session: Any) -> Any:
    return session.get("n")


def _count(session: Any) -> None:
    session["n"] += 1


def _renew(session: Any) -> None:
    session.renew()


@pytest.mark.parametrize("skew", SKEWS)
def test_an_hour_of_visits(skew: int) -> None:
    """For an hour one browser reads, writes and signs in, on either machine: nothing is refused, nothing is lost."""
    fleet = Fleet(0, skew, SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=[OLD_KEY])
    written = 0
    fleet.visit(0, lambda session: session.update(n=0))
    # Seven waits, five actions and three turns: they meet in ever new mixtures.
    waits, actions, turns = (
        cycle([0, 1, 59, 7, 61, 30, 90]),
        cycle([_read, _count, _read, _renew, _count]),
        cycle("011"),
    )
    end = fleet.machines[0].clock() + HOUR
    while fleet.machines[0].clock() < end:
        fleet.advance(next(waits))
        action, turn = next(actions), int(next(turns))
        assert fleet.visit(turn, _read).result == written
        fleet.visit(turn, action)
        written += action is _count
    assert (fleet.visit(0, _read).result, fleet.rejected) == (written, [])
    assert written > 30


@pytest.mark.parametrize("skew", [-61, 61])
def test_beyond_a_minute(skew: int) -> None:
    """One second beyond a minute the machine that is behind refuses what the other one has just issued."""
    fleet = Fleet(0, skew)
    ahead, behind = (1, 0) if skew > 0 else (0, 1)
    fleet.visit(ahead, lambda session: session.update(n=0))
    assert (fleet.visit(behind, _read).result, fleet.rejected) == (None, [RejectReason.FUTURE])


@pytest.mark.parametrize("permanent", [False, True])
@pytest.mark.parametrize("skew", [-60, -59, -1, 0, 1, 59, 60])
def test_idle_limit_is_exact(skew: int, permanent: bool) -> None:
    """A session ends to the second at its idle limit, by the clock of the machine that is asked."""
    limits = {"SESSION_REFRESH_INTERVAL": False, "PERMANENT_SESSION_LIFETIME": 2 * IDLE}
    fleet = Fleet(0, skew, **limits)
    fleet.visit(0, lambda session: (session.update(n=0), setattr(session, "permanent", permanent)))
    fleet.advance((2 * IDLE if permanent else IDLE) - skew)
    assert (fleet.visit(1, _read).result, fleet.rejected) == (0, [])
    fleet.advance(1)
    assert (fleet.visit(1, _read).result, fleet.rejected) == (None, [RejectReason.IDLE])


@pytest.mark.parametrize("skew", [-60, -59, -1, 0, 1, 59, 60])
def test_absolute_limit_is_exact(skew: int) -> None:
    """A session in use ends to the second at its absolute limit, by the clock of the machine that is asked."""
    fleet = Fleet(0, skew)
    fleet.visit(0, lambda session: session.update(n=0))
    for _ in range(ABSOLUTE // MINUTE - 2):
        fleet.advance(MINUTE)
        fleet.visit(0, _count)
    fleet.advance(2 * MINUTE - skew)
    assert (fleet.visit(1, _read).result, fleet.rejected) == (ABSOLUTE // MINUTE - 2, [])
    fleet.advance(1)
    assert (fleet.visit(1, _read).result, fleet.rejected) == (None, [RejectReason.ABSOLUTE])


@pytest.mark.parametrize("skew", [-60, -59, -1, 0, 1, 59, 60])
def test_refresh_is_exact(skew: int) -> None:
    """A token is issued anew to the second at its interval, by the clock of the machine that is asked."""
    fleet = Fleet(0, skew, SESSION_REFRESH_INTERVAL=2 * MINUTE)
    fleet.visit(0, lambda session: session.update(n=0))
    fleet.advance(2 * MINUTE - skew - 1)
    assert fleet.visit(1, _read).cookies == []
    fleet.advance(1)
    assert len(fleet.visit(1, _read).cookies) == 1


@pytest.mark.parametrize("skew", SKEWS)
def test_two_clocks_do_not_fight(skew: int) -> None:
    """A session that is only read is issued anew no more often than with one clock: the clocks do not fight over it."""
    fleet = Fleet(0, skew, SESSION_REFRESH_INTERVAL=5 * MINUTE)
    fleet.visit(0, lambda session: session.update(n=0))
    issued = 0
    for second in range(0, HOUR, 10):
        fleet.advance(10)
        issued += len(fleet.visit(second // 10 % 2, _read).cookies)
    assert issued <= HOUR // (4 * MINUTE)


def test_a_clock_that_is_set_back() -> None:
    """A clock that is set back by a minute, as happens to any machine, loses nobody and makes nothing last longer."""
    fleet = Fleet(0)
    fleet.visit(0, lambda session: session.update(n=0))
    fleet.advance(-60)
    assert (fleet.visit(0, _read).result, fleet.rejected) == (0, [])
    fleet.visit(0, _count)
    fleet.advance(IDLE)
    assert fleet.visit(0, _read).result == 1
    fleet.advance(IDLE + 1)
    assert (fleet.visit(0, _read).result, fleet.rejected) == (None, [RejectReason.IDLE])
