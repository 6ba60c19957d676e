"""Limits hold to the second, activity moves the idle one alone, and a token is re-issued well before it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp._lifetimes import CLOCK_TOLERANCE_SECONDS, Lifetimes, Limits, default_reissue_after
from handstamp.exceptions import RejectReason

NOW = 1_700_000_000
DAY = 24 * 3600

SHORT, LONG = Limits(100, None, 10), Limits(1000, None, 100)
SHORT_PERMANENT = Lifetimes(permanent=SHORT, other=LONG)
LONG_PERMANENT = Lifetimes(permanent=LONG, other=SHORT)
BOUNDED = Limits(1000, 5000, 100)

seconds = st.integers(min_value=0, max_value=400 * DAY)
limits = st.builds(Limits, idle=seconds, absolute=st.none() | seconds, reissue_after=st.none() | seconds)
lifetimes = st.builds(Lifetimes, permanent=limits, other=limits)


# -- a token ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [(1, None), (CLOCK_TOLERANCE_SECONDS, None), (CLOCK_TOLERANCE_SECONDS + 1, RejectReason.FUTURE)],
)
def test_token_from_the_future(ahead: int, reason: RejectReason | None) -> None:
    """A token from the near future, of a machine whose clock is fast, is fresh; from beyond it is refused."""
    assert LONG_PERMANENT.find_reason(NOW + ahead, NOW) is reason


def test_clocks_may_differ_by_a_minute() -> None:
    """The clocks of several machines may differ by 60 seconds."""
    assert CLOCK_TOLERANCE_SECONDS == 60


@pytest.mark.parametrize("lifetimes", [SHORT_PERMANENT, LONG_PERMANENT])
@pytest.mark.parametrize(("age", "reason"), [(0, None), (100, None), (101, None), (1000, None), (1001, "idle")])
def test_old_token(lifetimes: Lifetimes, age: int, reason: str | None) -> None:
    """A token is refused for its time alone once it is older than the longer of both idle limits."""
    assert lifetimes.find_reason(NOW - age, NOW) == reason


# -- a session --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "age", "reason"),
    [(LONG, 1000, None), (LONG, 1001, "idle"), (SHORT, 100, None), (SHORT, 101, "idle")],
)
def test_idle_session(limits: Limits, age: int, reason: str | None) -> None:
    """A session is good for exactly its idle limit after its token was issued."""
    assert limits.find_reason(NOW - age, NOW - age, NOW) == reason


@pytest.mark.parametrize(("age", "reason"), [(5000, None), (5001, "absolute")])
def test_absolute_limit(age: int, reason: str | None) -> None:
    """A session is good for exactly its absolute limit after its creation, however fresh its token."""
    assert BOUNDED.find_reason(NOW, NOW - age, NOW) == reason


def test_no_absolute_limit() -> None:
    """Without an absolute limit a session in use lives for ever."""
    assert LONG.find_reason(NOW, 0, NOW) is None


@given(lifetimes, seconds, seconds, st.booleans())
def test_tokens_are_refused_early_only_if_the_session_would_be(
    lifetimes: Lifetimes, age: int, life: int, permanent: bool
) -> None:
    """The glance at a token's age never refuses what a look at the session would take."""
    if lifetimes.find_reason(NOW - age, NOW) is RejectReason.IDLE:
        limits = lifetimes.permanent if permanent else lifetimes.other
        assert limits.find_reason(NOW - age, NOW - life, NOW) is RejectReason.IDLE


# -- issuing anew -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refresh", "age", "due"),
    [
        (300, 299, False),
        (300, 300, True),  # reached means older
        (0, 0, True),  # at every access
        (None, 1000, False),  # never
        (0, -30, True),  # from a machine whose clock is fast
        (300, -30, False),
    ],
)
def test_due(refresh: int | None, age: int, due: bool) -> None:
    """A token is due at its refresh interval."""
    assert Limits(1000, None, refresh).needs_reissue(NOW - age, NOW) is due


@pytest.mark.parametrize(("idle", "refresh"), [(1000, 100), (9, 0), (10 * DAY, DAY), (31 * DAY, DAY)])
def test_default_refresh(idle: int, refresh: int) -> None:
    """Where nothing is said a token is due at a tenth of the idle limit, and at a day at the latest."""
    assert default_reissue_after(idle) == refresh


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limits", "expires"), [(LONG, NOW + 1000), (SHORT, NOW + 100)])
def test_expires(limits: Limits, expires: int) -> None:
    """A session that is issued now ends at its idle limit."""
    assert limits.find_end(NOW, NOW) == expires


def test_expires_at_the_absolute_end() -> None:
    """A session never ends later than its absolute limit."""
    assert BOUNDED.find_end(NOW - 4500, NOW) == NOW + 500


@given(limits, seconds, seconds)
def test_expires_is_the_last_good_second(limits: Limits, life: int, later: int) -> None:
    """A session that nobody touches is good until it expires, and not a second longer."""
    created = NOW - life
    end = limits.find_end(created, NOW)
    assert (limits.find_reason(NOW, created, NOW + later) is not None) is (NOW + later > end)
