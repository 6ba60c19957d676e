"""The search names the first value that cannot be written, and how an application gets at it."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from handstamp._unserializable import Search

#: Everything but text that begins with "bad" and complex numbers can be written.
SEARCH = Search(lambda value: type(value) is not complex and not str(value).startswith("bad"), 3)


def find(value: Any) -> list[tuple[str, str]]:
    """Return all that the search finds."""
    return list(SEARCH.find("session", value))


@pytest.mark.parametrize("value", [{}, {"a": 1}, {"a": [1, (2, {3})]}, 1, "good"])
def test_nothing_to_find(value: Any) -> None:
    """Where all can be written nothing is found."""
    assert find(value) == []


def test_all_in_their_order() -> None:
    """Everything that cannot be written is found, in the order of the data."""
    data = {"a": 1j, "b": ["good", "bad", (1, 2j)]}
    assert find(data) == [
        ("session['a']", "complex"),
        ("session['b'][1]", "str with a lone surrogate"),
        ("session['b'][2][1]", "complex"),
    ]


def test_keys_come_first() -> None:
    """A dict's keys are looked at before its values, since without them no path leads on."""
    assert find({"a": 1j, 2: 3, "bad": 4}) == [
        ("session", "dict with a key of type int"),
        ("session", "dict with a key that is a str with a lone surrogate"),
        ("session['a']", "complex"),
    ]


def test_cycle_ends() -> None:
    """What contains itself is found where it does, and the search goes on behind it."""
    loop: list[Any] = []
    loop += [loop, 1j]
    assert find({"a": loop}) == [("session['a'][0]", "list that contains itself"), ("session['a'][1]", "complex")]


def test_cycle_through_dicts_ends() -> None:
    """A dict that contains itself is found where it does, however many lie between."""
    loop: dict[str, Any] = {}
    loop["a"] = {"b": loop}
    assert find(loop) == [("session['a']['b']", "dict that contains itself")]


@pytest.mark.parametrize("value", [float("inf"), Decimal("sNaN")], ids=repr)
def test_number_is_named(value: float | Decimal) -> None:
    """Of a number that cannot be written the description says which it is."""
    search = Search(lambda value: False, 3)
    assert list(search.find("session", [value])) == [("session[0]", f"{type(value).__name__} {value}")]


def test_depth_is_bounded() -> None:
    """Deeper than its bound the search does not look."""
    assert find([[[1j]]]) == [("session[0][0][0]", "complex")]
    assert find([[[[1j]]]]) == []


def test_no_exception_of_a_value() -> None:
    """A value is asked for nothing but its type, unless its type is known."""

    class Hostile:
        def __repr__(self) -> str:
            raise OSError

        __str__ = __eq__ = __hash__ = __format__ = __repr__  # type: ignore[assignment]  # none is ever called

    search = Search(lambda value: False, 3)
    assert list(search.find("session", [Hostile()])) == [("session[0]", "Hostile")]


def test_is_not_imported_before_it_is_needed() -> None:
    """An application whose data can all be written never pays for the search."""
    script = """
import sys, handstamp.payload as payload
payload.dumps({"a": (1, b"x")})
print("handstamp._unserializable" in sys.modules)
try:
    payload.dumps({"a": object()})
except TypeError:
    print("handstamp._unserializable" in sys.modules)
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["False", "True"]
