"""Helpers for the tests of your own application; the manual's chapter "Testing your application" shows them at work."""

import pkgutil
import sys

if "pytest" in sys.modules:
    # The contract's assertions tell what they compared, as those in the user's own files do. pytest rewrites only
    # what is not imported yet, so this stands first. Where nobody imported pytest, it is not looked for.
    for _room in pkgutil.iter_modules(__path__, f"{__name__}."):
        sys.modules["pytest"].register_assert_rewrite(_room.name)

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
