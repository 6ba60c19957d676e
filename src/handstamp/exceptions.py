"""The errors that handstamp raises, and the reasons why it rejects a cookie.

An error points to a mistake of the application or its operator. The message names the thing, the value and the cure. A
rejected cookie is an everyday event and raises no error: the visitor gets an empty session. No message and no reason
ever contains a secret, a token or an id.
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
    """The base class of every error that handstamp raises on purpose.

    >>> from handstamp import Settings
    >>> try:
    ...     Settings({"SESSION_COOKIE_PATH": "shop"})
    ... except SessionError as error:
    ...     print(error)
    SESSION_COOKIE_PATH: 'shop' is not a path; begin with '/', and use printable ASCII without ';' and ','
    """


class SettingsError(SessionError, ValueError):
    """One or more settings are wrong.

    :ivar problems: one sentence for each problem: ``KEY: what is wrong; the cure``

    >>> from handstamp import Settings
    >>> Settings({"SESSION_COOKIE_NAME": "my session"})
    Traceback (most recent call last):
        ...
    handstamp.exceptions.SettingsError: SESSION_COOKIE_NAME: 'my session' is not a cookie name; use letters, \
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
    """The application changed a session that cannot be saved, for lack of a secret key or because the store failed.

    >>> from handstamp import NullSession
    >>> NullSession()["user"] = 7
    Traceback (most recent call last):
        ...
    handstamp.exceptions.SessionUnavailable: there is no session: SECRET_KEY is not set; ...
    """


class SessionCommitted(SessionError, RuntimeError):
    """The application changed a session, or accessed it for the first time, after the response headers had been sent.

    >>> def application(environ, start_response):
    ...     session = environ["session"]
    ...     start_response("200 OK", [("Content-Type", "text/plain")])
    ...     session["visits"] = 1  # works, because the first chunk sends the headers
    ...     yield b"one, "
    ...     session["visits"] = 2
    >>> from handstamp import SessionMiddleware
    >>> from webob import Request
    >>> middleware = SessionMiddleware(application, {"SECRET_KEY": "the key of an example"})
    >>> Request.blank("/").get_response(middleware).body
    Traceback (most recent call last):
        ...
    handstamp.exceptions.SessionCommitted: the session was changed after the response headers had been sent; ...
    """


class SessionEnded(SessionError, RuntimeError):
    """The application changed a session on a server that another request had ended or renewed meanwhile.

    The middleware raises it before the headers are sent. If the application returns a list, catch it like this:

    >>> def with_apology(middleware):
    ...     def application(environ, start_response):
    ...         try:
    ...             return middleware(environ, start_response)
    ...         except SessionEnded:
    ...             start_response("303 See Other", [("Location", "/")])
    ...             return [b""]
    ...
    ...     return application
    """


class CookieTooLarge(SessionError, ValueError):
    """A session does not fit into a cookie.

    >>> import secrets
    >>> from handstamp import SessionMiddleware
    >>> from handstamp.testing import make_cookie
    >>> from webob import Response
    >>> middleware = SessionMiddleware(Response("hello"), {"SECRET_KEY": "the key of an example"})
    >>> make_cookie(middleware, {"letter": secrets.token_urlsafe(5000)})
    Traceback (most recent call last):
        ...
    handstamp.exceptions.CookieTooLarge: the session is too large: ...; the biggest keys: 'letter' ...
    """


class UnserializableValue(SessionError, TypeError):
    """A session cannot hold a value, because it would not come back with exactly its type and value.

    >>> from handstamp.payload import dumps
    >>> dumps({"cart": ["pen", object()]})
    Traceback (most recent call last):
        ...
    handstamp.exceptions.UnserializableValue: session['cart'][1] (object) has no exact form in a session; ...
    """


class ReservedKey(SessionError, KeyError):
    """The application assigned a key that is reserved for handstamp.

    >>> from handstamp import SessionMiddleware
    >>> from handstamp.testing import make_cookie
    >>> from webob import Response
    >>> middleware = SessionMiddleware(Response("hello"), {"SECRET_KEY": "the key of an example"})
    >>> make_cookie(middleware, {"_created": 0})
    Traceback (most recent call last):
        ...
    handstamp.exceptions.ReservedKey: '_created' is reserved; call session.renew() to restart the session's age
    """

    # KeyError shows the repr of its argument. That suits a key, but not a sentence.
    def __str__(self) -> str:
        return Exception.__str__(self)


class StoreError(SessionError):
    """A session store failed, or holds a damaged record.

    The middleware raises it before the headers are sent. If the application returns a list, catch it like this:

    >>> def with_apology(middleware):
    ...     def application(environ, start_response):
    ...         try:
    ...             return middleware(environ, start_response)
    ...         except StoreError:
    ...             start_response("503 Service Unavailable", [("Retry-After", "10")])
    ...             return [b"Please try again soon."]
    ...
    ...     return application
    """


class RejectReason(StrEnum):
    """The reason why a cookie was rejected: an argument of :meth:`SessionInterface.cookie_rejected`.

    :cvar MALFORMED: the value is not a token, or the token does not hold a session
    :cvar TOO_LONG: name and value are longer than any cookie that a browser stores
    :cvar BAD_SIGNATURE: none of the keys signed this value for a cookie of this name
    :cvar FUTURE: the token was issued in the future
    :cvar IDLE: the idle limit has passed
    :cvar ABSOLUTE: the absolute limit has passed
    :cvar REVOKED: ``validate_session`` returned False, or the store no longer has the session

    >>> from handstamp import SecureCookieSessionInterface
    >>> class SilentInterface(SecureCookieSessionInterface):
    ...     def cookie_rejected(self, settings, request, reason):
    ...         if reason not in (RejectReason.IDLE, RejectReason.ABSOLUTE):
    ...             super().cookie_rejected(settings, request, reason)
    """

    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    BAD_SIGNATURE = "bad_signature"
    FUTURE = "future"
    IDLE = "idle"
    ABSOLUTE = "absolute"
    REVOKED = "revoked"
