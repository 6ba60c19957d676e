"""The search for what cannot be written in a session's data, and for the path to it: ``session['cart'][2]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

_CONTAINERS = frozenset({dict, list, tuple, set})

_DESCRIPTIONS = {
    float: "float {value}",
    Decimal: "Decimal {value}",
    str: "str with a lone surrogate",
    int: "int with too many digits",
    datetime: "datetime in a zone without an offset in whole seconds",
    time: "time in a zone without an offset in whole seconds",
}


class Unserializable(NamedTuple):
    """A value that cannot be written.

    :ivar path: how an application gets at it
    :ivar what: its type, and what is wrong with it if the type alone is not
    """

    path: str
    what: str


class Search(NamedTuple):
    """A search through nested data.

    :ivar is_writable: returns whether a value that holds no others can be written
    :ivar max_depth: the number of levels to search
    """

    is_writable: Callable[[Any], bool]
    max_depth: int

    def find(self, path: str, value: Any, parents: tuple[int, ...] = ()) -> Iterator[Unserializable]:
        """Yield everything that cannot be written, in the order of the data.

        :param path: how an application gets at the value
        :param parents: the ids of the containers around it, the outermost first
        """
        kind = type(value)
        if id(value) in parents:
            yield Unserializable(path, f"{kind.__name__} that contains itself")
        elif kind in _CONTAINERS:
            if len(parents) < self.max_depth:
                yield from self._find_inside(path, value, (*parents, id(value)))
        elif not self.is_writable(value):
            yield Unserializable(path, _DESCRIPTIONS.get(kind, "{kind}").format(kind=kind.__name__, value=value))

    def _find_inside(self, path: str, value: Any, parents: tuple[int, ...]) -> Iterator[Unserializable]:
        if type(value) is not dict:
            for index, item in enumerate(value):
                yield from self.find(f"{path}[{index}]", item, parents)
            return
        yield from self._find_keys(path, value)
        for key, item in value.items():
            yield from self.find(f"{path}[{key!r}]", item, parents)

    def _find_keys(self, path: str, value: dict[Any, Any]) -> Iterator[Unserializable]:
        for key in value:
            if type(key) is not str:
                yield Unserializable(path, f"dict with a key of type {type(key).__name__}")
            elif not self.is_writable(key):
                yield Unserializable(path, "dict with a key that is a str with a lone surrogate")
