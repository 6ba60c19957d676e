"""How long a session lives. Durations are whole seconds, times whole seconds since 1970.

The idle limit counts from the last time the session was used: when its token was issued, or when a store last saw it.
The absolute limit counts from the session's creation, and no activity moves it (OWASP Session Management Cheat Sheet,
"Session Expiration"). A session is still valid when its age equals the limit, as with itsdangerous.
"""

from __future__ import annotations

from typing import NamedTuple

from .exceptions import RejectReason

#: By how much the clocks of several machines may differ: a token from the near future is a fresh one.
CLOCK_TOLERANCE_SECONDS = 60

_DAY_SECONDS = 24 * 3600


class Limits(NamedTuple):
    """The limits of a session.

    :ivar idle: seconds since the token was issued
    :ivar absolute: seconds since the session was created; ``None``: no limit
    :ivar reissue_after: age of the token, in seconds, at which it needs to be reissued; ``None``: never
    """

    idle: int
    absolute: int | None
    reissue_after: int | None

    def find_reason(self, issued: int, created: int, now: int) -> RejectReason | None:
        """Return why a session is rejected, or ``None`` if it is within its limits."""
        if now - issued > self.idle:
            return RejectReason.IDLE
        if self.absolute is not None and now - created > self.absolute:
            return RejectReason.ABSOLUTE
        return None

    def needs_reissue(self, issued: int, now: int) -> bool:
        """Return whether a token is old enough to be reissued."""
        # A token from the near future has a negative age, which an interval of 0 covers all the same.
        return self.reissue_after is not None and (now - issued >= self.reissue_after or self.reissue_after == 0)

    def find_end(self, created: int, now: int) -> int:
        """Return when a session that is issued now ends, if there is no further request."""
        end = now + self.idle
        return end if self.absolute is None else min(end, created + self.absolute)


class Lifetimes(NamedTuple):
    """The limits of one settings dict.

    :ivar permanent: the limits of permanent sessions
    :ivar other: the limits of all other sessions
    """

    permanent: Limits
    other: Limits

    def find_reason(self, issued: int, now: int) -> RejectReason | None:
        """Return why a token is rejected for its time alone, before its payload is parsed."""
        if issued > now + CLOCK_TOLERANCE_SECONDS:
            return RejectReason.FUTURE
        if now - issued > self.permanent.idle and now - issued > self.other.idle:
            return RejectReason.IDLE
        return None


def default_reissue_after(idle: int) -> int:
    """Return the default age for a reissue: a tenth of the idle limit, at most a day."""
    return min(idle // 10, _DAY_SECONDS)
