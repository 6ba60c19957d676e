"""Every session has the mixin's attributes; the null session reads as empty, and says at a change what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handstamp import NullSession, SessionError, SessionMixin, SessionUnavailable, Settings
from tests.support.constants import KEY


class Session(dict[str, Any], SessionMixin):
    """The foreign session of the manual."""


# -- any mapping ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("new", False),
        ("modified", True),
        ("accessed", True),
        ("permanent", False),
        ("created", None),
        ("needs_reissue", False),
        ("needs_new_id", False),
        ("committed", False),
        ("is_available", True),
    ],
)
def test_defaults(attribute: str, expected: object) -> None:
    """A foreign session has Flask's defaults: it counts as read and changed, for it tracks nothing."""
    assert getattr(Session(), attribute) is expected


def test_is_its_mapping() -> None:
    """A dict with the mixin is still a dict."""
    session = Session(a=1)
    session["b"] = 2
    assert session == {"a": 1, "b": 2}
    assert isinstance(session, dict)


def test_permanent_is_a_key() -> None:
    """Permanent reflects the key ``_permanent``."""
    session = Session()
    session.permanent = True
    assert session == {"_permanent": True}
    assert session.permanent is True


def test_permanent_reads_any_truth() -> None:
    """What stands under ``_permanent`` is taken as a bool."""
    assert Session(_permanent=1).permanent is True


def test_permanent_taken_back() -> None:
    """Permanent can be taken back."""
    session = Session(_permanent=True)
    session.permanent = False
    assert session.permanent is False


@pytest.mark.parametrize("before", [{}, {"_permanent": True}, {"_permanent": 1}], ids=str)
def test_permanent_as_it_is(before: dict[str, Any]) -> None:
    """Assigning permanent what it is already writes nothing."""
    session = Session(before)
    session.permanent = session.permanent
    assert session == before


@pytest.mark.parametrize("end", [Session.renew, Session.invalidate])
def test_renewing_asks_for_another_id(end: Callable[[Session], None]) -> None:
    """A sign-in and a sign-out come by the one method that takes another id."""
    session = Session(user=7)
    end(session)
    assert session.needs_new_id is True


def test_renew_marks() -> None:
    """Renewing a foreign session marks it modified and keeps its data."""
    session = Session(user=7)
    session.modified = False
    session.renew()
    assert (session.modified, session) == (True, {"user": 7})


def test_invalidate_clears() -> None:
    """Invalidating a foreign session clears it and marks it modified."""
    session = Session(user=7)
    session.modified = False
    session.invalidate()
    assert (session.modified, session) == (True, {})


# -- the null session -------------------------------------------------------------------------------------------------


READS: dict[str, tuple[Callable[[Any], object], object]] = {
    "get": (lambda session: session.get("a"), None),
    "get with a default": (lambda session: session.get("a", 1), 1),
    "in": (lambda session: "a" in session, False),
    "len": (len, 0),
    "bool": (bool, False),
    "list": (list, []),
    "dict": (dict, {}),
    "keys": (lambda session: list(session.keys()), []),
    "values": (lambda session: list(session.values()), []),
    "items": (lambda session: list(session.items()), []),
    "== empty": (lambda session: session == {}, True),
    "== filled": (lambda session: session == {"a": 1}, False),
    "copy": (lambda session: session.copy(), {}),
    "|": (lambda session: session | {"a": 1}, {"a": 1}),
    "reflected |": (lambda session: {"a": 1} | session, {"a": 1}),
    "new": (lambda session: session.new, False),
    "modified": (lambda session: session.modified, False),
    "accessed": (lambda session: session.accessed, False),
    "permanent": (lambda session: session.permanent, False),
    "created": (lambda session: session.created, None),
}


@pytest.mark.parametrize(("look", "expected"), READS.values(), ids=READS)
def test_null_reads(look: Callable[[Any], object], expected: object) -> None:
    """The null session reads like an empty session."""
    assert look(NullSession()) == expected


def test_null_has_no_key() -> None:
    """A missing key of the null session is a KeyError, as in a dict."""
    with pytest.raises(KeyError, match="basket"):
        NullSession()["basket"]


def _or_update(session: Any) -> None:
    session |= {"a": 1}


def _make_permanent(session: Any) -> None:
    session.permanent = True


def _make_transient(session: Any) -> None:
    session.permanent = False


MUTATORS = {
    "assign": lambda session: session.__setitem__("a", 1),
    "delete": lambda session: session.__delitem__("a"),
    "pop": lambda session: session.pop("a"),
    "pop with a default": lambda session: session.pop("a", None),
    "popitem": lambda session: session.popitem(),
    "clear": lambda session: session.clear(),
    "setdefault": lambda session: session.setdefault("a", 1),
    "update": lambda session: session.update(a=1),
    "update with nothing": lambda session: session.update(),
    "|=": _or_update,
    "permanent": _make_permanent,
    "not permanent": _make_transient,
    "renew": lambda session: session.renew(),
    "invalidate": lambda session: session.invalidate(),
}


@pytest.mark.parametrize("mutate", MUTATORS.values(), ids=MUTATORS)
def test_null_refuses(mutate: Callable[[Any], object]) -> None:
    """Every mutator of the null session says that SECRET_KEY is missing and how to make one."""
    with pytest.raises(SessionUnavailable, match=r"SECRET_KEY is not set; .*python -m handstamp secret"):
        mutate(NullSession())


def test_null_error_family() -> None:
    """What the null session raises is a SessionError and, as in Flask, a RuntimeError."""
    assert issubclass(SessionUnavailable, SessionError)
    assert issubclass(SessionUnavailable, RuntimeError)


@pytest.mark.parametrize(
    "key", ["secret_key", "Secret_Key", "APP_SECRET_KEY", "SECRET", "secret-key", "COOKIE_SECRET_KEY"]
)
def test_null_names_lookalike(key: str) -> None:
    """A key of the settings that was probably meant is named as it was written."""
    with pytest.raises(SessionUnavailable) as caught:
        NullSession({key: KEY}).clear()
    assert f"the settings have {key!r}" in str(caught.value)


def test_null_keeps_secrets() -> None:
    """The lookalike's value is not shown."""
    with pytest.raises(SessionUnavailable) as caught:
        NullSession({"secret_key": KEY}).clear()
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{}, Settings({}), {"SECRET_KEY": None}, {"SECRET_KEY_FALLBACKS": [KEY]}, {"DATABASE_URL": "x"}, {1: 2}],
    ids=repr,
)
def test_null_invents_no_lookalike(settings: Any) -> None:
    """Where no key looks like SECRET_KEY none is named, and the fallbacks are not it."""
    with pytest.raises(SessionUnavailable) as caught:
        NullSession(settings).clear()
    assert "did you mean" not in str(caught.value)


def test_null_repr() -> None:
    """The null session's repr says what it is."""
    assert repr(NullSession()) == "<NullSession: no SECRET_KEY>"
