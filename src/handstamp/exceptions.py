"""The errors that handstamp raises, and the reasons for which it refuses a cookie.

The first are mistakes of the application or of its operator: each message names the thing, the value and the cure.
The second are the visitor's and raise nothing. Neither ever holds a secret, a token or an id.
"""

from __future__ import annotations

from enum import StrEnum


class SessionError(Exception):
    """Root of everything that handstamp raises on purpose."""


class SettingsError(SessionError, ValueError):
    """Report every problem of a settings dict at once.

    :ivar problems: one sentence for each problem, ``KEY: what is wrong; the cure``
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        return "\n".join([f"{len(self.problems)} problems:", *(f"  {problem}" for problem in self.problems)])


class SessionUnavailable(SessionError, RuntimeError):
    """A null session was written to."""


class SessionCommitted(SessionError, RuntimeError):
    """A session was changed, or looked into for the first time, after the response's head had gone."""


class SessionEnded(SessionError, RuntimeError):
    """A session was written to that another request had ended meanwhile."""


class CookieTooLarge(SessionError, ValueError):
    """A session does not fit into its cookie."""


class UnserializableValue(SessionError, TypeError):
    """A value has no exact form in JSON."""


class ReservedKey(SessionError, KeyError):
    """A key was assigned that handstamp keeps for itself."""

    # KeyError shows the repr of its message, quotes and all: made for keys, not for sentences.
    __str__ = Exception.__str__


class StoreError(SessionError):
    """A store of sessions failed, or holds a record that it cannot read."""


class RejectReason(StrEnum):
    """Why a cookie was refused; what :meth:`SessionInterface.cookie_rejected` is told."""

    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    BAD_SIGNATURE = "bad_signature"
    FUTURE = "future"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    REVOKED = "revoked"


class BadToken(Exception):
    """A token does not open. Never leaves handstamp: a hostile cookie is an empty session, not an error.

    Made with its :class:`RejectReason`.
    """

    @property
    def reason(self) -> RejectReason:
        """Why the token does not open."""
        return self.args[0]  # type: ignore[no-any-return]
