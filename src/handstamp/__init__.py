"""Handstamp: sessions for any WSGI application, in signed cookies."""

from ._interface import SessionInterface
from ._middleware import SessionMiddleware
from ._policy import CookiePolicy
from ._session import NullSession, SessionMixin
from ._settings import Settings, SettingsDict
from ._signed import SecureCookieSessionInterface
from ._tracked import SecureCookieSession
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

__all__ = [
    "CookiePolicy",
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
    "SettingsDict",
    "SettingsError",
    "StoreError",
    "UnserializableValue",
]
