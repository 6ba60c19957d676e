"""The fuzzer's targets are alive: each holds over its own seeds, and they reach what they are for.

The fuzzer itself needs atheris and runs apart: ``nox -s fuzz``.
"""

from __future__ import annotations

import pytest

from handstamp import RejectReason
from tests.fuzz.cookie_header import DOORS, visit
from tests.fuzz.cookie_header import SEEDS as HEADERS
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.support import missing_programs
from tests.support.cookie_kinds import KINDS

SEEDS = [
    pytest.param(target, seed, id=f"{name}-{number}")
    for name, target in TARGETS.items()
    for number, seed in enumerate(target.seeds)
]


@pytest.mark.parametrize(("target", "seed"), SEEDS)
def test_target_holds(target: Target, seed: bytes) -> None:
    """A target finds nothing in a seed, nor in the seed cut short at any place."""
    for end in range(0, len(seed) + 1, max(1, len(seed) // 16)):
        target.run(seed[:end])
    target.run(seed)


@pytest.mark.parametrize(("target", "seed"), SEEDS)
def test_seed_is_short_enough(target: Target, seed: bytes) -> None:
    """The fuzzer takes every seed whole."""
    assert len(seed) <= target.longest


#: The doors of each kind, by the first byte of an input.
NUMBERS = {"signed": b"\x00", "encrypted": b"\x06", "encrypted, with a fallback": b"\x07"}


def need(kind: str) -> None:
    """Skip a test where cookies of its kind cannot be made; in CI that is an error."""
    if kind != "signed":
        missing_programs.need("cryptography")


@pytest.mark.parametrize(("kind", "door"), NUMBERS.items(), ids=NUMBERS)
def test_what_is_made_opens(kind: str, door: bytes) -> None:
    """Behind the doors of each kind the fuzzer's own cookies open, so that it comes to what lies behind the keys."""
    need(kind)
    text, number, strange = (door + b"\x02" + style + b'{"a":1}' for style in (b"\x18", b"\x01", b"\x10"))
    session, headers = visit(text)
    lines = [value for name, value in headers if name == "Set-Cookie"]
    assert (dict(session), lines) == ({"a": 1}, [])
    assert dict(visit(number)[0]) == {"a": {"a": 1}}
    assert dict(visit(strange)[0]) == {}
    written = [value for name, value in visit(door + b"\x05\x18{}")[1] if name == "Set-Cookie"]
    assert ("." in written[0].partition(";")[0]) is (kind == "signed")


def test_a_fallback_opens_at_the_encrypted_door() -> None:
    """The fallback's cookies open at the second encrypted door, and are issued anew with the current key."""
    need("encrypted")
    session, headers = visit(b'\x07\x02\x08{"a":1}')
    assert (dict(session), [name for name, _ in headers].count("Set-Cookie")) == ({"a": 1}, 1)


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_seeds_reach_every_rejection(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer's headers to begin with are rejected for every reason that there is, behind the doors of each kind."""
    need(kind)
    interface_class = KINDS[kind]().interface
    reasons: set[RejectReason] = set()
    for door in DOORS:
        interface = door.app.session_interface
        if type(interface) is interface_class:
            monkeypatch.setattr(interface, "cookie_rejected", lambda settings, request, reason: reasons.add(reason))
    for seed in HEADERS:
        visit(seed)
    assert reasons == set(RejectReason) - {RejectReason.REVOKED}  # which is the application's own
