"""Limits hold to the second, activity moves the idle one alone, and a token is re-issued well before it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp.exceptions import RejectReason
from handstamp.lifetimes import CLOCK_TOLERANCE, Lifetimes

NOW = 1_700_000_000
DAY = 24 * 3600

SHORT_PERMANENT = Lifetimes(permanent=100, idle=1000, absolute=None, refresh=None)
LONG_PERMANENT = Lifetimes(permanent=1000, idle=100, absolute=None, refresh=None)
BOUNDED = Lifetimes(permanent=1000, idle=100, absolute=5000, refresh=None)

seconds = st.integers(min_value=0, max_value=400 * DAY)
lifetimes = st.builds(
    Lifetimes,
    permanent=seconds,
    idle=seconds,
    absolute=st.none() | seconds,
    refresh=st.none() | st.just(False) | seconds,
)


@pytest.mark.parametrize(("permanent", "limit"), [(True, 1000), (False, 100)])
def test_idle_limit(permanent: bool, limit: int) -> None:
    """Permanent sessions and all others have an idle limit each."""
    assert LONG_PERMANENT.idle_limit(permanent) == limit


# -- a token ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [(1, None), (CLOCK_TOLERANCE, None), (CLOCK_TOLERANCE + 1, RejectReason.FUTURE)],
)
def test_token_from_the_future(ahead: int, reason: RejectReason | None) -> None:
    """A token from the near future, of a machine whose clock is fast, is fresh; from beyond it is refused."""
    assert LONG_PERMANENT.refuse_token(NOW + ahead, NOW) is reason


def test_clocks_may_differ_by_a_minute() -> None:
    """The clocks of several machines may differ by 60 seconds."""
    assert CLOCK_TOLERANCE == 60


@pytest.mark.parametrize("limits", [SHORT_PERMANENT, LONG_PERMANENT])
@pytest.mark.parametrize(("age", "reason"), [(0, None), (100, None), (101, None), (1000, None), (1001, "idle")])
def test_old_token(limits: Lifetimes, age: int, reason: str | None) -> None:
    """A token is refused for its time alone once it is older than the longer of both idle limits."""
    assert limits.refuse_token(NOW - age, NOW) == reason


# -- a session --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permanent", "age", "reason"),
    [(True, 1000, None), (True, 1001, "idle"), (False, 100, None), (False, 101, "idle")],
)
def test_idle_session(permanent: bool, age: int, reason: str | None) -> None:
    """A session is good for exactly its idle limit after its token was issued."""
    assert LONG_PERMANENT.refuse_session(NOW - age, NOW - age, permanent, NOW) == reason


@pytest.mark.parametrize(("age", "reason"), [(5000, None), (5001, "absolute")])
def test_absolute_limit(age: int, reason: str | None) -> None:
    """A session is good for exactly its absolute limit after its creation, however fresh its token."""
    assert BOUNDED.refuse_session(NOW, NOW - age, True, NOW) == reason


def test_no_absolute_limit() -> None:
    """Without an absolute limit a session in use lives for ever."""
    assert LONG_PERMANENT.refuse_session(NOW, 0, True, NOW) is None


@given(lifetimes, seconds, seconds, st.booleans())
def test_tokens_are_refused_early_only_if_the_session_would_be(
    limits: Lifetimes, age: int, life: int, permanent: bool
) -> None:
    """The glance at a token's age never refuses what a look at the session would take."""
    if limits.refuse_token(NOW - age, NOW) is RejectReason.IDLE:
        assert limits.refuse_session(NOW - age, NOW - life, permanent, NOW) is RejectReason.IDLE


# -- issuing anew -----------------------------------------------------------------------------------------------------


def limits_refreshed(refresh: int | bool | None, idle: int = 1000) -> Lifetimes:
    """Return limits with a refresh interval."""
    return Lifetimes(permanent=idle, idle=idle, absolute=None, refresh=refresh)


@pytest.mark.parametrize(
    ("refresh", "idle", "age", "due"),
    [
        (None, 1000, 99, False),
        (None, 1000, 100, True),  # a tenth of the idle limit
        (None, 31 * DAY, DAY - 1, False),
        (None, 31 * DAY, DAY, True),  # at most a day
        (300, 1000, 299, False),
        (300, 1000, 300, True),  # reached means older
        (0, 1000, 0, True),  # at every access
        (False, 1000, 1000, False),  # never
        (0, 1000, -30, True),  # from a machine whose clock is fast
        (None, 1000, -30, False),
    ],
)
def test_due(refresh: int | bool | None, idle: int, age: int, due: bool) -> None:
    """A token is due at its refresh interval: as said, or a tenth of the idle limit and at most a day."""
    assert limits_refreshed(refresh, idle).is_due(NOW - age, True, NOW) is due


@pytest.mark.parametrize(("permanent", "due"), [(True, False), (False, True)])
def test_due_by_its_own_limit(permanent: bool, due: bool) -> None:
    """The tenth is counted of the session's own idle limit."""
    assert LONG_PERMANENT.is_due(NOW - 50, permanent, NOW) is due


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("permanent", "expires"), [(True, NOW + 1000), (False, NOW + 100)])
def test_expires(permanent: bool, expires: int) -> None:
    """A session that is issued now ends at its idle limit."""
    assert LONG_PERMANENT.expires(NOW, permanent, NOW) == expires


def test_expires_at_the_absolute_end() -> None:
    """A session never ends later than its absolute limit."""
    assert BOUNDED.expires(NOW - 4500, True, NOW) == NOW + 500


@given(lifetimes, seconds, st.booleans(), seconds)
def test_expires_is_the_last_good_second(limits: Lifetimes, life: int, permanent: bool, later: int) -> None:
    """A session that nobody touches is good until it expires, and not a second longer."""
    created = NOW - life
    end = limits.expires(created, permanent, NOW)
    is_refused = limits.refuse_session(NOW, created, permanent, NOW + later) is not None
    assert is_refused is (NOW + later > end)
