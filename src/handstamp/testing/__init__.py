"""Helpers for the tests of your application. The README's chapter "Testing your application" shows how to use them.

The contract of a store is here too, for tests of your own store.
"""

import pkgutil
import sys

if "pytest" in sys.modules:
    # If an assertion of the contract fails, pytest shows the values, as it does for assertions in the user's own tests.
    # pytest rewrites only modules that have not been imported yet, so this comes before the imports.
    for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
        sys.modules["pytest"].register_assert_rewrite(_module.name)

from ._clients import session_transaction
from ._clock import FrozenClock, frozen
from ._cookies import make_cookie, read_cookie
from ._model import StoreModel
from ._stores import StoreContract

__all__ = [
    "FrozenClock",
    "StoreContract",
    "StoreModel",
    "frozen",
    "make_cookie",
    "read_cookie",
    "session_transaction",
]
