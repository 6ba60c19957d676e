"""How long a session lives. Every figure is in whole seconds, every time in whole seconds since 1970.

The idle limit counts from the last time the token was issued, the absolute limit from the session's creation; activity
moves the first and never the second (OWASP Session Management Cheat Sheet, "Session Expiration"). A limit is reached
one second after its last good second, as itsdangerous counts.
"""

# No annotations from the future here: NamedTuple would compile each of its own when the package is imported.

from typing import NamedTuple

from .exceptions import RejectReason

#: Seconds by which the clocks of several machines may differ: a token from the near future is a fresh one.
CLOCK_TOLERANCE = 60

_DAY = 24 * 3600


class Limits(NamedTuple):
    """The limits of one kind of session.

    :ivar idle: since the token was issued
    :ivar absolute: since the session was created; ``None``: there is none
    :ivar refresh: age at which the token is issued anew; ``None``: never
    """

    idle: int
    absolute: int | None
    refresh: int | None

    def refuse(self, issued: int, created: int, now: int) -> RejectReason | None:
        """Return why a session is refused that has reached one of its limits."""
        if now - issued > self.idle:
            return RejectReason.IDLE
        if self.absolute is not None and now - created > self.absolute:
            return RejectReason.ABSOLUTE
        return None

    def is_due(self, issued: int, now: int) -> bool:
        """Tell whether a token is old enough to be issued anew."""
        # One from the near future has no age; an interval of 0 is over all the same.
        return self.refresh is not None and (now - issued >= self.refresh or self.refresh == 0)

    def expires(self, created: int, now: int) -> int:
        """Return when a session that is issued now ends, if nobody comes back."""
        end = now + self.idle
        return end if self.absolute is None else min(end, created + self.absolute)


class Lifetimes(NamedTuple):
    """The limits of one settings dict.

    :ivar permanent: those of permanent sessions
    :ivar other: those of all others
    """

    permanent: Limits
    other: Limits

    def of(self, permanent: bool) -> Limits:
        """Return the limits of a session."""
        return self.permanent if permanent else self.other

    def refuse_token(self, issued: int, now: int) -> RejectReason | None:
        """Return why a token is refused for its time alone, before its payload is parsed."""
        if issued > now + CLOCK_TOLERANCE:
            return RejectReason.FUTURE
        if now - issued > self.permanent.idle and now - issued > self.other.idle:
            return RejectReason.IDLE
        return None


def default_refresh(idle: int) -> int:
    """Return the age at which tokens are issued anew if nothing is said: a tenth of the idle limit, at most a day."""
    return min(idle // 10, _DAY)
