"""Session data <-> JSON text, with exact types.

What JSON knows goes in as it is: None, bool, int, float, str, list, and dict with str keys. Every other type of the
table below becomes an object with one key, its tag: ``{"~tuple": [1, 2]}``. A dict that would look like a tag itself is
wrapped in ``~dict``. Types are taken exactly: a subclass (an enum, Markup) would come back as something else, so it is
refused, and so is everything that JSON cannot hold (RFC 8259: no NaN, no lone surrogates).

Reading is the mirror image, and as strict: a text that :func:`dumps` could not have meant is a ``ValueError``.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

from .exceptions import UnserializableValue

#: Values that can neither change nor hold others, in JSON under their own type.
ATOMS = frozenset({type(None), bool, int, float, str})

_STR_ONLY = frozenset({str})


class Tag(NamedTuple):
    """How one type is written as ``{name: plain}``, where plain is a str, a list or a dict, and read back."""

    name: str
    kind: type
    plain: type
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


# -- writing ----------------------------------------------------------------------------------------------------------


def dumps(data: Mapping[str, Any]) -> str:
    """Write session data as one JSON object, without spaces.

    :param data: keys are str, values of the types of this module's table, nested as deep as Python allows
    :raises UnserializableValue: names the path (``session['cart'][2]``) and the type of what has no exact form
    """
    return _checked(_encode, _dump_object, data)


def fingerprint(value: Any) -> str:
    """Write one value so that equal values of equal types, and no others, give equal text (dicts in any order).

    :raises UnserializableValue: as :func:`dumps` does
    """
    return _checked(_encode_sorted, _plain, value)


def _checked(encode: Callable[[Any], str], dump: Callable[[Any], Any], value: Any) -> str:
    try:
        text = encode(dump(value))
        if not text.isascii():
            text.encode()  # refuses lone surrogates, which no UTF-8 text can hold
    except (TypeError, ValueError, RecursionError) as error:
        raise _explain(value) from error
    return text


def _plain(value: Any) -> Any:
    if type(value) in ATOMS:
        return value
    dump = _DUMPERS.get(type(value))
    if dump is None:
        raise TypeError
    return dump(value)


def _dump_items(values: Iterable[Any]) -> list[Any]:
    return [value if type(value) in ATOMS else _plain(value) for value in values]


def _dump_list(values: list[Any]) -> list[Any]:
    return values if ATOMS.issuperset(map(type, values)) else _dump_items(values)


def _dump_object(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if not _STR_ONLY.issuperset(map(type, data)):
        raise TypeError
    if ATOMS.issuperset(map(type, data.values())):
        return data
    return {key: value if type(value) in ATOMS else _plain(value) for key, value in data.items()}


def _dump_dict(data: dict[str, Any]) -> Mapping[str, Any]:
    plain = _dump_object(data)
    return {"~dict": plain} if _looks_tagged(plain) else plain


def _looks_tagged(data: Mapping[str, Any]) -> bool:
    return len(data) == 1 and next(iter(data)).startswith("~")


def _dump_clock(value: datetime | time) -> str:
    # A zone without an offset (a time of day in a ZoneInfo) would be read back as no zone at all.
    if value.tzinfo is not None and value.utcoffset() is None:
        raise ValueError
    return value.isoformat()


def _dump_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError
    return str(value)


def _dump_set(values: set[Any]) -> list[Any]:
    # The order of a set differs from process to process, its sorted JSON text does not.
    return sorted(_dump_items(values), key=_encode_sorted)


# -- reading ----------------------------------------------------------------------------------------------------------


def loads(text: str) -> dict[str, Any]:
    """Read what :func:`dumps` wrote.

    :param text: one JSON object, without spaces around it
    :raises ValueError: for every other text
    """
    try:
        data, end = _decode(text)
        if end != len(text) or type(data) is not dict:
            raise ValueError("not one JSON object")
        # Escapes are rare (dumps writes none but those of control characters), and so are tags.
        if "\\u" in text:
            _encode(data).encode()  # refuses lone surrogates
        if "~" in text or "\\u007" in text:
            return _load_values(data)
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError("not a payload") from error
    return data


def _unplain(value: Any) -> Any:
    if type(value) is list:
        return [_unplain(item) for item in value]
    if type(value) is not dict:
        return value
    return _load_tagged(value) if _looks_tagged(value) else _load_values(value)


def _load_values(data: dict[str, Any]) -> dict[str, Any]:
    return {key: _unplain(value) for key, value in data.items()}


def _load_tagged(data: dict[str, Any]) -> Any:
    ((name, plain),) = data.items()
    tag = _TAG_OF_NAME.get(name)
    if tag is None or type(plain) is not tag.plain:
        raise ValueError("an unknown tag, or a known one around the wrong type")
    value = tag.load(plain)
    # One spelling for each value: what is read is what would be written.
    if tag.kind not in _CONTAINERS and _encode(tag.dump(value)) != _encode(plain):
        raise ValueError("not the spelling of a tagged value")
    return value


def _load_items(plain: list[Any]) -> list[Any]:
    return [_unplain(item) for item in plain]


def _load_wrapped(plain: dict[str, Any]) -> dict[str, Any]:
    if not _looks_tagged(plain):
        raise ValueError("a dict that needs no wrapping")
    return _load_values(plain)


def _load_float(text: str) -> float:
    value = float(text)
    if not isfinite(value):  # "1e999" is JSON, but no float
        raise ValueError("out of range")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# -- the table and the coders, made once ------------------------------------------------------------------------------

# fmt: off
_TAGS = (
    Tag("~dict", dict, dict, lambda value: value, _load_wrapped),
    Tag("~tuple", tuple, list, _dump_items, lambda plain: tuple(_load_items(plain))),
    Tag("~set", set, list, _dump_set, lambda plain: set(_load_items(plain))),
    Tag("~bytes", bytes, str, lambda value: b64encode(value).decode(), lambda plain: b64decode(plain, validate=True)),
    Tag("~datetime", datetime, str, _dump_clock, datetime.fromisoformat),
    Tag("~date", date, str, date.isoformat, date.fromisoformat),
    Tag("~time", time, str, _dump_clock, time.fromisoformat),
    Tag("~timedelta", timedelta, list, lambda v: [v.days, v.seconds, v.microseconds], lambda plain: timedelta(*plain)),
    Tag("~decimal", Decimal, str, _dump_decimal, Decimal),
    Tag("~uuid", UUID, str, str, UUID),
)
# fmt: on

#: Of these each JSON text is the only spelling.
_CONTAINERS = frozenset({dict, tuple})


def _dumper(tag: Tag) -> Callable[[Any], Any]:
    return lambda value: {tag.name: tag.dump(value)}


_TAG_OF_NAME = {tag.name: tag for tag in _TAGS}
_DUMPERS: dict[type, Callable[[Any], Any]] = {tag.kind: _dumper(tag) for tag in _TAGS}
_DUMPERS |= {list: _dump_list, dict: _dump_dict}

_COMPACT = {"ensure_ascii": False, "allow_nan": False, "check_circular": False, "separators": (",", ":")}
_encode = json.JSONEncoder(**_COMPACT).encode  # type: ignore[arg-type]
_encode_sorted = json.JSONEncoder(**_COMPACT, sort_keys=True).encode  # type: ignore[arg-type]
_decode = json.JSONDecoder(parse_float=_load_float, parse_constant=_refuse_constant).raw_decode


# -- what was wrong, found only once something was --------------------------------------------------------------------


def _explain(value: Any) -> UnserializableValue:
    try:
        path, culprit = next(_culprits("session", value, ()))
    except (StopIteration, RecursionError):
        return UnserializableValue("session is nested too deeply for JSON; keep less of it in the session")
    known = ", ".join(sorted(kind.__name__ for kind in ATOMS | set(_DUMPERS)))
    return UnserializableValue(
        f"{path} ({_describe(culprit)}) has no exact form in a session; convert it to one of: {known}"
    )


def _culprits(path: str, value: Any, parents: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of everything that cannot be written, the first first."""
    if type(value) in (dict, list, tuple, set) and id(value) not in parents:
        for step, item in _steps(value):
            yield from _culprits(path + step, item, (*parents, id(value)))
    elif not _is_writable(value):
        yield path, value


def _steps(value: Any) -> Iterable[tuple[str, Any]]:
    if type(value) is not dict:
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    strange_keys = [(f" has the key {key!r}:", key) for key in value if type(key) is not str or not _is_writable(key)]
    return strange_keys or [(f"[{key!r}]", item) for key, item in value.items()]


def _is_writable(value: Any) -> bool:
    try:
        _encode(_plain(value)).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _describe(value: Any) -> str:
    return _DESCRIPTIONS.get(type(value), "{kind}").format(kind=type(value).__name__, value=value)


_DESCRIPTIONS = {
    float: "float {value}",
    Decimal: "Decimal {value}",
    str: "str with a lone surrogate",
    int: "int with too many digits",
    datetime: "datetime in a zone without an offset",
    time: "time in a zone without an offset",
    dict: "dict that contains itself",
    list: "list that contains itself",
}
