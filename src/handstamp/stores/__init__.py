"""Stores for sessions on a server. ``RedisStore`` and ``SQLAlchemyStore`` need an extra and have their own modules."""

from ._base import Change, Record, Store
from .memory import MemoryStore

__all__ = ["Change", "MemoryStore", "Record", "Store"]
