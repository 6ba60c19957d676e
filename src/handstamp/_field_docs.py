"""document_fields: give the fields of a NamedTuple the docstrings that its class docstring has for them.

Without it, ``help()`` says "Alias for field number 0".
"""

from __future__ import annotations

from typing import Any


def document_fields(kind: type[tuple[Any, ...]]) -> None:
    """Copy each ``:ivar name: text`` of a NamedTuple's docstring to the field of that name.

    The ``:ivar`` lines end with a blank line, or with the docstring.

    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     '''A point.
    ...
    ...     :ivar x: pixels from the left
    ...     '''
    ...     x: int
    >>> document_fields(Point)
    >>> Point.x.__doc__
    'pixels from the left'
    """
    for part in (kind.__doc__ or "").split(":ivar ")[1:]:
        name, _, text = part.partition(": ")
        getattr(kind, name).__doc__ = " ".join(text.partition("\n\n")[0].split())
