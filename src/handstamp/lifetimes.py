"""How long a session lives. Every figure is in whole seconds, every time in whole seconds since 1970.

The idle limit counts from the last time the token was issued, the absolute limit from the session's creation; activity
moves the first and never the second (OWASP Session Management Cheat Sheet, "Session Expiration"). A limit is reached
one second after its last good second, as itsdangerous counts.
"""

from __future__ import annotations

from typing import NamedTuple

from .exceptions import RejectReason

#: Seconds by which the clocks of several machines may differ: a token from the near future is a fresh one.
CLOCK_TOLERANCE = 60

_DAY = 24 * 3600


class Lifetimes(NamedTuple):
    """The limits of one settings dict.

    :ivar permanent: idle limit of permanent sessions
    :ivar idle: idle limit of all others
    :ivar absolute: limit since creation; ``None``: there is none
    :ivar refresh: age at which a token is re-issued; ``None``: a tenth of its idle limit, at most a day;
        ``False``: never
    """

    permanent: int
    idle: int
    absolute: int | None
    refresh: int | bool | None

    def idle_limit(self, permanent: bool) -> int:
        """Return the idle limit of a session."""
        return self.permanent if permanent else self.idle

    def refuse_token(self, issued: int, now: int) -> RejectReason | None:
        """Return why a token is refused for its time alone, before its payload is parsed."""
        if issued > now + CLOCK_TOLERANCE:
            return RejectReason.FUTURE
        if now - issued > self.permanent and now - issued > self.idle:
            return RejectReason.IDLE
        return None

    def refuse_session(self, issued: int, created: int, permanent: bool, now: int) -> RejectReason | None:
        """Return why a session is refused that has reached one of its limits."""
        if now - issued > self.idle_limit(permanent):
            return RejectReason.IDLE
        if self.absolute is not None and now - created > self.absolute:
            return RejectReason.ABSOLUTE
        return None

    def is_due(self, issued: int, permanent: bool, now: int) -> bool:
        """Tell whether a token is old enough to be issued anew."""
        refresh = self.refresh
        if refresh is None:
            refresh = min(self.idle_limit(permanent) // 10, _DAY)
        return refresh is not False and max(0, now - issued) >= refresh

    def expires(self, created: int, permanent: bool, now: int) -> int:
        """Return when a session that is issued now ends, if nobody comes back."""
        end = now + self.idle_limit(permanent)
        return end if self.absolute is None else min(end, created + self.absolute)
