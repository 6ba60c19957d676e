"""Helpers for the tests of your own application; the manual's chapter "Testing your application" shows them at work."""

from .clients import session_transaction
from .clock import FrozenClock, frozen
from .cookies import make_cookie, read_cookie
from .model import StoreModel
from .stores import StoreContract

__all__ = [
    "FrozenClock",
    "StoreContract",
    "StoreModel",
    "frozen",
    "make_cookie",
    "read_cookie",
    "session_transaction",
]
