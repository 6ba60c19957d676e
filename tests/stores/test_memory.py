"""The stores keep the contract; the one in memory forgets when it is full, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from handstamp.stores import MemoryStore, Record
from handstamp.testing import StoreContract, StoreModel
from handstamp.testing._model import ModelStore, list_plays, make_scene, play
from handstamp.testing._records import make_change, make_handle, make_record


class TestMemoryStore(StoreContract, StoreModel):
    """In memory every law of a store holds."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    def damage(self, store: Any, handle: str) -> None:
        store._records[handle] = "no record"


def fill(store: MemoryStore, number: int) -> dict[str, Record]:
    records = {make_handle(): make_record() for _ in range(number)}
    for handle, record in records.items():
        assert store.create(handle, record)
    return records


def find_kept(store: MemoryStore, records: dict[str, Record]) -> list[bool]:
    return [store.load(handle) is not None for handle in records]


def test_forgets_the_oldest() -> None:
    """A full store forgets the record that was not written or touched for longest, one for each new one."""
    store = MemoryStore(limit=3)
    records = fill(store, 3)
    first, record = next(iter(records.items()))
    assert store.update(first, record.hash, make_change(record))
    fill(store, 1)
    assert find_kept(store, records) == [True, False, True]
    fill(store, 1)
    assert find_kept(store, records) == [True, False, False]


def test_a_look_keeps_nothing() -> None:
    """Loading a record does not keep it from being forgotten."""
    store = MemoryStore(limit=2)
    records = fill(store, 2)
    store.load(next(iter(records)))
    fill(store, 1)
    assert find_kept(store, records) == [False, True]


def test_warns(caplog: pytest.LogCaptureFixture) -> None:
    """It warns that sessions are lost when the process ends, and once when it is full."""
    store = MemoryStore(limit=1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "loses all sessions when this process ends" in caplog.text
    caplog.clear()
    fill(store, 1)
    assert caplog.records == []
    fill(store, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "MemoryStore is full: each new session beyond 1 replaces an old one; raise limit"
    ]
    assert caplog.records[0].name == "handstamp"


def test_keeps_a_copy() -> None:
    """What the caller does to its fields afterwards does not reach the store."""
    store, handle, fields = MemoryStore(), make_handle(), {'"a"': "1"}
    store.create(handle, make_record(fields=fields))
    fields['"a"'] = "2"
    kept = store.load(handle)
    assert kept is not None
    assert kept.fields == {'"a"': "1"}


def test_contract_needs_damage() -> None:
    """A test of a store that does not say how a record is damaged is told so."""
    with pytest.raises(NotImplementedError, match="StoreContract needs a damage method"):
        StoreContract().damage(MemoryStore(), make_handle())


class Careless(MemoryStore):
    """Takes over what is there, and gives what is damaged."""

    def create(self, handle: str, record: Record) -> bool:
        self._records[handle] = record
        return True

    def _get(self, handle: str) -> Any:
        return self._records.get(handle)


@pytest.mark.parametrize(
    "law", ["test_create_never_takes_over", "test_create_replayed_late", "test_damaged_is_an_error"]
)
def test_contract_finds(law: str) -> None:
    """The contract finds a store that breaks a law."""
    with pytest.raises(AssertionError):
        getattr(TestMemoryStore(), law)(Careless())


def test_contract_finds_what_is_taken_over() -> None:
    """A store that takes over what it cannot read is found too."""
    store = Careless()
    store.update = lambda *_: True  # type: ignore[method-assign]  # a fault
    with pytest.raises(AssertionError):
        TestMemoryStore().test_damaged_is_never_accepted(store)


# -- the model --------------------------------------------------------------------------------------------------------


def test_model_keeps_the_laws() -> None:
    """In the model nothing that was ended comes back, and what was acknowledged is kept."""
    plays = [each for each in list_plays() if "create again" not in each[0]]
    for names, order in plays:
        scene = make_scene()
        *answers, kept, _ = play(ModelStore(), scene, names, order)
        told = list(zip(order, answers, strict=True))
        if any(answer is True and names[number] == "delete" for number, answer in told) or [True] in answers:
            assert kept is None
            continue
        assert isinstance(kept, Record)
        for number, answer in told:
            if answer is True and names[number] in ("own key", "remove", "renew", "replayed"):
                assert kept.fields[f'"own{number}"'] == "1"
            if answer is True and names[number] in ("renew", "replayed"):
                assert kept.hash == scene.hashes[number]


class Reviving(MemoryStore):
    """Creates where it should change."""

    def update(self, handle: str, expect: str, change: Any) -> bool:
        if handle not in self._records:
            self._records[handle] = Record(expect, dict(change.fields), "", 0, change.seen, change.end)
        return super().update(handle, expect, change)


class Trusting(MemoryStore):
    """Looks at no hash."""

    def update(self, handle: str, expect: str, change: Any) -> bool:
        record = self._get(handle)
        return record is not None and super().update(handle, record.hash, change)


class Whole(MemoryStore):
    """Drops the fields that a change does not tell of."""

    def update(self, handle: str, expect: str, change: Any) -> bool:
        record = self._get(handle)
        return record is not None and super().update(
            handle, expect, change._replace(removed=[*record.fields.keys() - change.fields.keys()])
        )


class Moving(MemoryStore):
    """Moves the end back by a mere touch."""

    def update(self, handle: str, expect: str, change: Any) -> bool:
        return super().update(handle, expect, change._replace(shorten=True))


@pytest.mark.parametrize("store", [Careless, Reviving, Trusting, Whole, Moving])
def test_model_finds(store: type[MemoryStore]) -> None:
    """The model finds a store that breaks a law."""
    with pytest.raises(AssertionError):
        TestMemoryStore().test_every_order(store())
