"""The search for what cannot be written in a session's data, and for the path to it: ``session['cart'][2]``.

It knows what holds other values, and asks about all else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

#: A path and a description.
Culprit = tuple[str, str]


class Search(NamedTuple):
    """How to look.

    :ivar is_writable: tells of a value that holds no others whether it can be written
    :ivar max_depth: levels to look through
    """

    is_writable: Callable[[Any], bool]
    max_depth: int

    def find_culprits(self, path: str, value: Any, parents: tuple[int, ...] = ()) -> Iterator[Culprit]:
        """Yield everything that cannot be written, the first first.

        :param path: how an application gets at the value
        :param parents: the ids of what holds it, from the outermost on
        """
        kind = type(value)
        if id(value) in parents:
            yield path, f"{kind.__name__} that contains itself"
        elif kind in _CONTAINERS:
            if len(parents) < self.max_depth:
                yield from self._find_inside(path, value, (*parents, id(value)))
        elif not self.is_writable(value):
            yield path, _DESCRIPTIONS.get(kind, "{kind}").format(kind=kind.__name__, value=value)

    def _find_inside(self, path: str, value: Any, parents: tuple[int, ...]) -> Iterator[Culprit]:
        if type(value) is not dict:
            for index, item in enumerate(value):
                yield from self.find_culprits(f"{path}[{index}]", item, parents)
            return
        for key in value:
            if type(key) is not str:
                yield path, f"dict with a key of type {type(key).__name__}"
            elif not self.is_writable(key):
                yield path, "dict with a key that is a str with a lone surrogate"
        for key, item in value.items():
            yield from self.find_culprits(f"{path}[{key!r}]", item, parents)


_CONTAINERS = frozenset({dict, list, tuple, set})

_DESCRIPTIONS = {
    float: "float {value}",
    Decimal: "Decimal {value}",
    str: "str with a lone surrogate",
    int: "int with too many digits",
    datetime: "datetime in a zone without an offset in whole seconds",
    time: "time in a zone without an offset in whole seconds",
}
