"""The work that a Cookie header makes, from its first character to the session, grows no faster than the header.

What is counted is the same on every machine: calls of functions, and bytes that are hashed. (That finding the values
looks at each character a fixed number of times is shown beside the finder's other tests.)
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Self

import pytest
from webob import Request

from handstamp import SecureCookieSessionInterface, Settings
from handstamp.testing import FrozenClock
from tests.support import cookie_kinds
from tests.support.call_counts import count_calls
from tests.support.clock import on_clock
from tests.support.constants import DAY, OLD_KEY, SETTINGS, START
from tests.support.cookie_kinds import stamp


class CountingHash:
    """SHA-256 that counts the bytes that it takes in, of all its instances together."""

    total: ClassVar[int] = 0

    def __init__(self, data: bytes = b"", *, inner: Any = None) -> None:
        self._inner = inner or hashlib.sha256()
        self.name, self.block_size, self.digest_size = "sha256", 64, 32
        self.update(data)

    def update(self, data: bytes) -> None:
        CountingHash.total += len(data)
        self._inner.update(data)

    def copy(self) -> Self:
        return type(self)(inner=self._inner.copy())

    def digest(self) -> bytes:
        return bytes(self._inner.digest())


class CountingInterface(SecureCookieSessionInterface):
    """The default interface, its hash counted."""

    digest_method: Any = CountingHash


KEYS = 3
READY = Settings({**SETTINGS, "SECRET_KEY_FALLBACKS": [OLD_KEY, "the key of the year before"]})
GOOD = stamp({"user": "Ada"})
ENDED = stamp({"user": "Ada"}, at=START - 40 * DAY)
FORGED = f"{GOOD[:-2]}AA"

#: One piece of each kind of junk.
JUNK = {
    "one long name": "x",
    "blanks": " ",
    "semicolons": ";",
    "equals signs": "=",
    "quotes": '"',
    "backslashes": '\\"',
    "other cookies": "a=b; ",
    "our name": "session",
    "ours, empty": "session=; ",
    "ours, run together": "session=session=",
    "ours, malformed": "session=x; ",
    "ours, dots": "session=...; ",
    "ours, well-formed": "session=e30.AQ.x; ",
    "ours, forged": f"session={FORGED}; ",
    "ours, forged and long": f"session={'e30' * 1300}.ZVPxAA.x; ",
    "ours, too long": f"session={'x' * 5000}; ",
    "ours, ended": f"session={ENDED}; ",
    "ours, good": f"session={GOOD}; ",
    "not ASCII": "session=\xe9; ",
}


def measure(header: str, interface: SecureCookieSessionInterface | None = None) -> tuple[int, int, bool]:
    """Return how many calls and hashed bytes a header costs, and whether a session was found in it."""
    interface = on_clock(interface or CountingInterface(), FrozenClock(START))
    request = Request({"HTTP_COOKIE": header})
    session = interface.open_session(READY, request)
    interface.get_codec(READY, "session")
    CountingHash.total = 0
    calls = count_calls(lambda: bool(session))
    return calls, CountingHash.total, bool(session)


@pytest.mark.parametrize("piece", JUNK.values(), ids=JUNK)
def test_work_is_linear(piece: str) -> None:
    """Four times as much junk makes at most four times the work, from 4 KB to 16 and 64, and logs nobody out."""
    headers = [piece * (length * 1024 // len(piece)) + f"; session={GOOD}" for length in (4, 16, 64)]
    calls, hashed, found = zip(*map(measure, headers), strict=True)
    assert found == (True, True, True)
    assert calls[1] <= 4.2 * calls[0]
    assert calls[2] <= 4.2 * calls[1]
    # With each key a value is hashed once, and then 32 bytes more: the shortest that is well-formed counts three times.
    assert all(work <= 3 * KEYS * len(header) for work, header in zip(hashed, headers, strict=True))


@pytest.mark.parametrize("junk", ["another key", "ended", "good", "too long", "form", "empty", "other cookies"])
def test_work_is_linear_encrypted(junk: str) -> None:
    """So it is where cookies are encrypted."""
    with cookie_kinds.testing("encrypted"):
        good = stamp({"user": "Ada"})
        piece = {
            "another key": f"session={stamp({'user': 'Ada'}, key=OLD_KEY + ', or another')}; ",
            "ended": f"session={stamp({'user': 'Ada'}, at=START - 40 * DAY)}; ",
            "good": f"session={good}; ",
            "too long": f"session={'x' * 5000}; ",
            "form": f"session={'A' * 123}; ",
            "empty": "session=; ",
            "other cookies": "a=b; ",
        }[junk]
        headers = [piece * (length * 1024 // len(piece)) + f"; session={good}" for length in (4, 16, 64)]
        calls, _, found = zip(*(measure(header, cookie_kinds.make_interface()) for header in headers), strict=True)
    assert found == (True, True, True)
    assert calls[1] <= 4.2 * calls[0]
    assert calls[2] <= 4.2 * calls[1]


@pytest.mark.parametrize("junk", ["ours, empty", "ours, malformed", "ours, dots", "ours, too long", "not ASCII"])
def test_what_is_not_well_formed_costs_no_hash(junk: str) -> None:
    """Only what is well-formed and of legal length costs an HMAC."""
    _, hashed, found = measure(JUNK[junk] * 100)
    assert (hashed, found) == (0, False)


def test_the_hash_is_counted() -> None:
    """A forged value is hashed with every key, a good one with the key that fits: the count above means something."""
    _, forged, _ = measure(f"session={FORGED}")
    _, good, _ = measure(f"session={GOOD}")
    assert (forged, good) == tuple(keys * (len(GOOD.rpartition(".")[0]) + 32) for keys in (KEYS, 1))
