"""The errors that handstamp raises, and the reasons why it rejects a cookie.

An error is a mistake of the application or of its operator. Its message names the thing, the value and the cure. A
rejected cookie is an everyday event and raises nothing: the visitor gets an empty session. Neither a message nor a
reason ever holds a secret, a token or an id.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "CookieTooLarge",
    "RejectReason",
    "ReservedKey",
    "SessionCommitted",
    "SessionEnded",
    "SessionError",
    "SessionUnavailable",
    "SettingsError",
    "StoreError",
    "UnserializableValue",
]


class SessionError(Exception):
    """The base class of every error that handstamp raises on purpose."""


class SettingsError(SessionError, ValueError):
    """One or more settings are wrong.

    :ivar problems: one sentence for each problem: ``KEY: what is wrong; the cure``

    >>> from handstamp import Settings
    >>> Settings({"SESSION_COOKIE_NAME": "my session"})
    Traceback (most recent call last):
        ...
    handstamp.exceptions.SettingsError: SESSION_COOKIE_NAME: 'my session' is not a token of RFC 6265; use letters, \
digits, '-' and '_'
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        return "\n".join([f"{len(self.problems)} problems:", *(f"  {problem}" for problem in self.problems)])


class SessionUnavailable(SessionError, RuntimeError):
    """A session was changed that cannot be saved: there is no secret key, or the store could not be read."""


class SessionCommitted(SessionError, RuntimeError):
    """A session was changed, or read for the first time, after the response headers had been sent."""


class SessionEnded(SessionError, RuntimeError):
    """A session was changed that another request had ended or renewed in the meantime."""


class CookieTooLarge(SessionError, ValueError):
    """A session does not fit into a cookie."""


class UnserializableValue(SessionError, TypeError):
    """A value has no exact form in a session."""


class ReservedKey(SessionError, KeyError):
    """A key was assigned that handstamp keeps for itself."""

    # KeyError shows the repr of its message, which is made for keys and not for sentences.
    def __str__(self) -> str:
        return Exception.__str__(self)


class StoreError(SessionError):
    """A session store failed, or holds a record that it cannot read."""


class RejectReason(StrEnum):
    """Why a cookie was rejected; an argument of :meth:`SessionInterface.cookie_rejected`.

    :cvar MALFORMED: the value is not a token, or the token does not hold a session
    :cvar TOO_LONG: name and value are longer than any browser stores
    :cvar BAD_SIGNATURE: none of the keys made this value for a cookie of this name
    :cvar FUTURE: the token was issued in the future
    :cvar IDLE: the idle limit has passed
    :cvar ABSOLUTE: the absolute limit has passed
    :cvar REVOKED: ``validate_session`` returned False, or the store no longer has the session
    """

    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    BAD_SIGNATURE = "bad_signature"
    FUTURE = "future"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    REVOKED = "revoked"
