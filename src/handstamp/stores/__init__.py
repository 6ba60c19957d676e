"""Where sessions are kept on a server; the stores that need an extra are imported from their own modules."""

from ._base import Change, Record, Store
from .memory import MemoryStore

__all__ = ["Change", "MemoryStore", "Record", "Store"]
