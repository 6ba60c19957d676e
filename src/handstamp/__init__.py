"""Handstamp: sessions for any WSGI application, in signed cookies."""

from .exceptions import (
    CookieTooLarge,
    RejectReason,
    ReservedKey,
    SessionCommitted,
    SessionEnded,
    SessionError,
    SessionUnavailable,
    SettingsError,
    StoreError,
    UnserializableValue,
)
from .interface import SessionInterface
from .lazy import SecureCookieSession
from .middleware import SessionMiddleware
from .session import NullSession, SessionMixin
from .settings import Settings
from .signed import SecureCookieSessionInterface

__all__ = [
    "CookieTooLarge",
    "NullSession",
    "RejectReason",
    "ReservedKey",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "SessionCommitted",
    "SessionEnded",
    "SessionError",
    "SessionInterface",
    "SessionMiddleware",
    "SessionMixin",
    "SessionUnavailable",
    "Settings",
    "SettingsError",
    "StoreError",
    "UnserializableValue",
]
