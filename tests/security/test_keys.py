"""The life of a key, from added to dropped, across machines that are updated one at a time: nobody is logged out."""

from __future__ import annotations

import hashlib
import hmac
from itertools import permutations
from typing import Any

import pytest
from itsdangerous import Signer

from handstamp import RejectReason
from handstamp.testing import FrozenClock
from tests.support.constants import KEY, OLD_KEY, START
from tests.support.cookie_kinds import Kind, encode, make_interface, make_salt, stamp, unstamp
from tests.support.rejections import RememberingInterface
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wsgi import Answer

pytestmark = pytest.mark.usefixtures("kind")

OLD, NEW = OLD_KEY, KEY
MACHINES = 3

#: What stands in the settings at each step of a rotation, as the README tells it.
BEFORE: dict[str, Any] = {"SECRET_KEY": OLD}
ADDED: dict[str, Any] = {"SECRET_KEY": OLD, "SECRET_KEY_FALLBACKS": [NEW]}
PROMOTED: dict[str, Any] = {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]}
DROPPED: dict[str, Any] = {"SECRET_KEY": NEW}


class Fleet:
    """Machines that share their visitors, each with settings of its own."""

    def __init__(self) -> None:
        self.rejected: list[RejectReason] = []
        self.clock = FrozenClock(START)
        self.machines = [self._start(BEFORE) for _ in range(MACHINES)]

    def _start(self, settings: dict[str, Any]) -> Site:
        interface = make_interface(RememberingInterface)
        interface.rejected = self.rejected
        return Site(settings, interface, clock=self.clock)

    def update(self, machine: int, settings: dict[str, Any]) -> None:
        """Start a machine anew with other settings."""
        self.machines[machine] = self._start(settings)

    def visit(self, machine: int, browser: Visitor, action: Any) -> Answer:
        """Have a browser visit a machine."""
        site = self.machines[machine]
        site.visitor, browser.app = browser, site.middleware
        return site.visit(action)


class Traveller:
    """A visitor who goes from machine to machine and knows what to find there."""

    def __init__(self, fleet: Fleet, first: int) -> None:
        self.fleet = fleet
        self.visitor = Visitor(fleet.machines[first].middleware)
        self.written = 0
        fleet.visit(first, self.visitor, lambda session: session.update(n=0))

    def go_round(self, machines: tuple[int, ...], *, write: bool) -> None:
        """Visit machines in an order: each must know what the one before has written."""
        for machine in machines:
            found = self.fleet.visit(machine, self.visitor, _count if write else _read).result
            assert found == self.written
            self.written += write

    @property
    def token(self) -> str:
        """The cookie's value."""
        return self.visitor.cookie_header().partition("=")[2]


def _read(session: Any) -> Any:
    return session.get("n")


def _count(session: Any) -> Any:
    found = session.get("n")
    session["n"] = found + 1
    return found


ORDERS = list(permutations(range(MACHINES)))
each_order = pytest.mark.parametrize("order", ORDERS, ids=str)


@pytest.mark.parametrize("add", ORDERS, ids=str)
@pytest.mark.parametrize("promote", ORDERS, ids=str)
@pytest.mark.parametrize("drop", ORDERS, ids=str)
def test_nobody_is_logged_out(add: tuple[int, ...], promote: tuple[int, ...], drop: tuple[int, ...]) -> None:
    """In whichever order machines are updated, step by step, whoever comes by at each moment keeps the session."""
    fleet = Fleet()
    readers, writers = ([Traveller(fleet, machine) for machine in range(MACHINES)] for _ in range(2))
    for settings, machines in ((ADDED, add), (PROMOTED, promote), (DROPPED, drop)):
        for machine in machines:
            fleet.update(machine, settings)
            fleet.clock.tick(1)
            for round_trip, reader, writer in zip(ORDERS, readers, writers, strict=False):
                reader.go_round(round_trip, write=False)
                writer.go_round(round_trip, write=True)
    assert fleet.rejected == []
    assert [writer.written for writer in writers] == [3 * MACHINES * MACHINES] * MACHINES


@each_order
def test_whoever_stays_away_is_logged_out_by_the_drop_alone(order: tuple[int, ...]) -> None:
    """A visitor who comes back only once the old key is dropped begins anew, and not a step before."""
    fleet = Fleet()
    away = [Traveller(fleet, 0) for _ in range(3)]
    for settings, visitor, expected in zip((ADDED, PROMOTED, DROPPED), away, (0, 0, None), strict=True):
        for machine in order:
            fleet.update(machine, settings)
        assert fleet.visit(order[0], visitor.visitor, _read).result == expected
    assert fleet.rejected == [RejectReason.BAD_SIGNATURE]


@each_order
@pytest.mark.parametrize("updated", range(MACHINES + 1))
def test_dropped_key_opens_nothing(order: tuple[int, ...], updated: int) -> None:
    """A machine that has dropped a key opens nothing of it, whatever the other machines still do."""
    fleet = Fleet()
    for machine in order:
        fleet.update(machine, PROMOTED)
    for machine in order[:updated]:
        fleet.update(machine, DROPPED)
    forged = stamp({"n": 7}, key=OLD)
    found = {machine: fleet.machines[machine].visit(_read, HTTP_COOKIE=f"session={forged}").result for machine in order}
    assert found == dict.fromkeys(order, 7) | dict.fromkeys(order[:updated])


def test_dropped_and_taken_back() -> None:
    """A key that was dropped opens nothing that it signs meanwhile, and all of it once it is put back."""
    fleet = Fleet()
    visitor = Traveller(fleet, 0)
    fleet.update(0, DROPPED)
    assert fleet.machines[0].visit(_read, HTTP_COOKIE=f"session={visitor.token}").result is None
    fleet.update(0, PROMOTED)
    assert fleet.machines[0].visit(_read, HTTP_COOKIE=f"session={visitor.token}").result == 0


@each_order
def test_new_key_signs_alone(order: tuple[int, ...]) -> None:
    """Once every machine has the new key, each session is issued with it once, at its first read, and then stays."""
    fleet = Fleet()
    visitor = Traveller(fleet, 0)
    for settings in (ADDED, PROMOTED):
        for machine in order:
            fleet.update(machine, settings)
    issued = [len(fleet.visit(machine, visitor.visitor, _read).cookies) for machine in order * 3]
    assert issued == [1] + [0] * (3 * MACHINES - 1)
    assert unstamp(visitor.token, NEW)["n"] == 0


@pytest.mark.parametrize(("settings", "signing"), [(BEFORE, OLD), (ADDED, OLD), (PROMOTED, NEW), (DROPPED, NEW)])
def test_one_key_signs(kind: Kind, settings: dict[str, Any], signing: str) -> None:
    """At every step SECRET_KEY alone signs, and a key that was only added does not (CVE-2025-47278)."""
    token = Site(settings).visit(lambda session: session.update(n=1)).token
    other = OLD if signing is NEW else NEW
    assert unstamp(token, signing)["n"] == 1
    with pytest.raises(kind.error):
        unstamp(token, other)


def test_adding_comes_first() -> None:
    """What adding first is for: a key that signs on one machine before the others know it logs visitors out there."""
    fleet = Fleet()
    visitor = Traveller(fleet, 0)
    fleet.update(0, PROMOTED)
    assert fleet.visit(0, visitor.visitor, _read).result == 0
    assert fleet.visit(1, visitor.visitor, _read).result is None
    assert fleet.rejected == [RejectReason.BAD_SIGNATURE]


def test_two_rotations_at_once() -> None:
    """A second rotation may begin before the first one's old key is dropped."""
    newest = "the key of next year, no secret"
    fleet = Fleet()
    visitor = Traveller(fleet, 0)
    for settings in (
        {"SECRET_KEY": OLD, "SECRET_KEY_FALLBACKS": [NEW]},
        {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]},
        {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD, newest]},
        {"SECRET_KEY": newest, "SECRET_KEY_FALLBACKS": [NEW, OLD]},
        {"SECRET_KEY": newest, "SECRET_KEY_FALLBACKS": [NEW]},
        {"SECRET_KEY": newest},
    ):
        for machine in range(MACHINES):
            fleet.update(machine, settings)
            visitor.go_round((0, 1, 2), write=False)
    assert unstamp(visitor.token, newest)["n"] == 0


def test_a_key_under_both_names() -> None:
    """A key that stands as the current one and as a fallback too is the current one: nothing is issued for ever."""
    site = Site({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [NEW, OLD]})
    site.visit(lambda session: session.update(n=1))
    assert [site.visit(_read).cookies for _ in range(3)] == [[], [], []]


# -- a key that leaked ------------------------------------------------------------------------------------------------


def visit_with(token: str, settings: dict[str, Any]) -> tuple[Any, str | None]:
    """Return what a machine finds in a token, and the token that it issues in its place."""
    answer = Site(settings).visit(_read, HTTP_COOKIE=f"session={token}")
    return answer.result, answer.token if answer.cookies else None


def test_forgery_with_a_fallback_is_reissued() -> None:
    """What is forged with a fallback is issued anew with the current key, and outlives the fallback's drop."""
    found, reissued = visit_with(stamp({"n": 666}, key=OLD), PROMOTED)
    assert found == 666
    assert reissued is not None
    assert unstamp(reissued, NEW)["n"] == 666
    assert visit_with(reissued, DROPPED) == (666, None)


def test_forgery_without_the_fallback() -> None:
    """Where a leaked key was replaced, with no fallback, what it signed is no session, whoever signed it."""
    fleet = Fleet()
    visitor = Traveller(fleet, 0)
    for token in (stamp({"n": 666}, key=OLD), visitor.token):
        assert visit_with(token, DROPPED) == (None, None)


def test_replaced_once_more() -> None:
    """What was issued anew while a leaked key was a fallback ends with the key that issued it."""
    _, reissued = visit_with(stamp({"n": 666}, key=OLD), PROMOTED)
    assert reissued is not None
    assert visit_with(reissued, {"SECRET_KEY": "the key of next year, no secret"}) == (None, None)


# -- a key that signs other things too --------------------------------------------------------------------------------


def hmac_of_the_salt() -> bytes:
    """Return what an application gives away that lets visitors have any text signed by the bare key."""
    return hmac.new(KEY.encode(), make_salt().encode(), "sha256").digest()


@pytest.mark.parametrize("kind", ["signed"], indirect=True)
def test_key_signs_nothing_else() -> None:
    """One plain HMAC-SHA256 by SECRET_KEY, made for something else, can forge signed cookies: itsdangerous wants it."""
    signer = Signer(hmac_of_the_salt(), key_derivation="none", digest_method=hashlib.sha256)
    content = encode(b'{"n":666}') + b"." + encode(START.to_bytes(4))
    assert visit_with(signer.sign(content).decode(), DROPPED)[0] == 666


@pytest.mark.parametrize("kind", ["encrypted"], indirect=True)
def test_encrypted_key_is_derived_in_two_steps() -> None:
    """The same HMAC does not open or forge encrypted cookies, whose key is derived by HKDF."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV  # the kind has looked for it

    content = b'{"n":666}\x80'
    box = AESGCMSIV(hmac_of_the_salt()).encrypt(
        bytes(12), START.to_bytes(8) + content + bytes(56 - len(content)), make_salt().encode()
    )
    assert visit_with(encode(bytes(12) + box).decode(), DROPPED)[0] is None
