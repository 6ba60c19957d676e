"""Python values <-> the types that JSON knows, by a table.

A type that JSON does not know becomes an object with one key, its tag: ``{"~tuple": [1, 2]}``. A dict that looks like
a tag itself is wrapped in ``~dict``. Types are compared exactly: a subclass (an enum, Markup) would come back as
something else, so it is rejected.

Reading is the mirror image, and as strict: each value has one spelling.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ._json import encode, encode_sorted

if TYPE_CHECKING:
    from decimal import Decimal

#: Types that JSON knows, and that neither change nor hold other values.
ATOMS = frozenset({type(None), bool, int, float, str})

#: Types that neither change nor hold other values. Those that are imported late are added by :func:`_add_late_tags`.
IMMUTABLE: set[type] = {*ATOMS, bytes, date, datetime, time, timedelta}

_STR_ONLY = frozenset({str})


class Tag(NamedTuple):
    """How one type is written as ``{name: plain}``, and read back.

    :ivar name: the tag
    :ivar kind: the Python type
    :ivar plain: the type of what stands under the tag: str, list or dict
    :ivar dump: turns a value into that type
    :ivar load: turns it back
    """

    name: str
    kind: type
    plain: type
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


# -- writing ----------------------------------------------------------------------------------------------------------


def to_plain(value: Any) -> Any:
    """Return a value in the types that JSON knows.

    :raises TypeError: there is no tag for its type, or for the type of something inside it
    :raises ValueError: its type has a tag, but this value has no exact form
    """
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind not in _DUMPERS:
        _add_late_tags()
    dump = _DUMPERS.get(kind)
    if dump is None:
        raise TypeError
    return dump(value)


def object_to_plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping in the types that JSON knows, not wrapped even if it looks like a tag.

    :raises TypeError: a key is not a str; also as :func:`to_plain` does
    :raises ValueError: as :func:`to_plain` does
    """
    if not has_str_keys(data):
        raise TypeError
    return {key: value if type(value) in ATOMS else to_plain(value) for key, value in data.items()}


def has_str_keys(data: Mapping[Any, Any]) -> bool:
    """Return whether every key is a str, and no subclass of it."""
    return _STR_ONLY.issuperset(map(type, data))


def looks_tagged(data: Mapping[str, Any]) -> bool:
    """Return whether a dict would be taken for a tagged value."""
    return len(data) == 1 and next(iter(data)).startswith("~")


def is_immutable(value: Any) -> bool:
    """Return whether a value can neither change nor hold other values."""
    kind = type(value)
    if kind not in _DUMPERS:
        _add_late_tags()
    return kind in IMMUTABLE


def list_names() -> list[str]:
    """Return the names of all types that a session can hold."""
    _add_late_tags()
    return sorted(kind.__name__ for kind in _DUMPERS.keys() | ATOMS)


def _dump_items(values: Iterable[Any]) -> list[Any]:
    return [value if type(value) in ATOMS else to_plain(value) for value in values]


def _dump_dict(data: dict[str, Any]) -> dict[str, Any]:
    plain = object_to_plain(data)
    return {"~dict": plain} if looks_tagged(plain) else plain


def _dump_clock(value: datetime | time) -> str:
    # A zone without an offset (a time of day in a ZoneInfo) would come back without a zone, and an offset with
    # microseconds would come back as another offset.
    offset = value.utcoffset()
    if value.tzinfo is not None and (offset is None or offset.microseconds):
        raise ValueError
    return value.isoformat()


def _dump_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError
    return str(value)


def _dump_set(values: set[Any]) -> list[Any]:
    # The order of a set differs from process to process; its sorted JSON text does not.
    return sorted(_dump_items(values), key=encode_sorted)


# -- reading ----------------------------------------------------------------------------------------------------------


def from_plain(value: Any) -> Any:
    """Return the value that :func:`to_plain` was given.

    :raises ValueError: for what :func:`to_plain` would not have returned; TypeError and ArithmeticError likewise
    """
    if type(value) is list:
        return _load_items(value)
    if type(value) is not dict:
        return value
    return _load_tagged(value) if looks_tagged(value) else object_from_plain(value)


def object_from_plain(data: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping that :func:`object_to_plain` was given; raises as :func:`from_plain` does."""
    return {key: from_plain(value) for key, value in data.items()}


def _load_items(plain: list[Any]) -> list[Any]:
    return [from_plain(item) for item in plain]


def _load_tagged(data: dict[str, Any]) -> Any:
    ((name, plain),) = data.items()
    if name not in _TAGS:
        _add_late_tags()
    tag = _TAGS.get(name)
    if tag is None or type(plain) is not tag.plain:
        raise ValueError("an unknown tag, or a known one around the wrong type")
    value = tag.load(plain)
    if tag.kind not in _ONE_SPELLING and encode(tag.dump(value)) != encode(plain):
        raise ValueError("another spelling of a tagged value")
    return value


def _load_wrapped(plain: dict[str, Any]) -> dict[str, Any]:
    if not looks_tagged(plain):
        raise ValueError("a dict that needs no wrapping")
    return object_from_plain(plain)


# -- the table --------------------------------------------------------------------------------------------------------

_TAGS: dict[str, Tag] = {}
_DUMPERS: dict[type, Callable[[Any], Any]] = {}

#: Types of which every JSON text is the only spelling.
_ONE_SPELLING = frozenset({dict, tuple})


def _add_tags(*tags: Tag) -> None:
    _TAGS.update({tag.name: tag for tag in tags})
    _DUMPERS.update({tag.kind: _make_dumper(tag) for tag in tags})


def _make_dumper(tag: Tag) -> Callable[[Any], Any]:
    return lambda value: {tag.name: tag.dump(value)}


# fmt: off
_add_tags(
    Tag("~dict", dict, dict, lambda value: value, _load_wrapped),
    Tag("~tuple", tuple, list, _dump_items, lambda plain: tuple(_load_items(plain))),
    Tag("~set", set, list, _dump_set, lambda plain: set(_load_items(plain))),
    Tag("~bytes", bytes, str, lambda value: b64encode(value).decode(), lambda plain: b64decode(plain, validate=True)),
    Tag("~datetime", datetime, str, _dump_clock, datetime.fromisoformat),
    Tag("~date", date, str, date.isoformat, date.fromisoformat),
    Tag("~time", time, str, _dump_clock, time.fromisoformat),
    Tag("~timedelta", timedelta, list, lambda v: [v.days, v.seconds, v.microseconds], lambda plain: timedelta(*plain)),
)
# fmt: on
_DUMPERS |= {list: _dump_items, dict: _dump_dict}


@cache
def _add_late_tags() -> None:
    """Add the types that few sessions hold: importing them takes a quarter of the time of importing the package."""
    from decimal import Decimal
    from uuid import UUID

    _add_tags(Tag("~decimal", Decimal, str, _dump_decimal, Decimal), Tag("~uuid", UUID, str, str, UUID))
    IMMUTABLE.update((Decimal, UUID))
