"""MemoryStore keeps the contract of stores, forgets when it is full, and says so."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from handstamp.stores import MemoryStore, Store
from handstamp.testing import StoreContract
from handstamp.testing.stores import make_change, make_handle, make_record


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    def damage(self, store: Any, handle: str) -> None:
        store._records[handle] = "no record"
