"""Session data <-> JSON text, with exact types.

What JSON knows goes in as it is: None, bool, int, float, str, list, and dict with str keys. Every other type of the
table below becomes an object with one key, its tag: ``{"~tuple": [1, 2]}``. A dict that would look like a tag itself is
wrapped in ``~dict``. Types are taken exactly: a subclass (an enum, Markup) would come back as something else, so it is
refused, and so is everything that JSON cannot hold (RFC 8259: no NaN, no lone surrogates).

Reading is the mirror image, and as strict: a text that :func:`dumps` could not have meant is a ``ValueError``.
"""

# No annotations from the future here: NamedTuple would compile each of its own when the package is imported.

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from .exceptions import UnserializableValue

if TYPE_CHECKING:
    from decimal import Decimal

#: Values that can neither change nor hold others, in JSON under their own type.
ATOMS = frozenset({type(None), bool, int, float, str})

#: Values that can neither change nor hold others. (Those that are imported late join when the first is met.)
IMMUTABLE: set[type] = {*ATOMS, bytes, date, datetime, time, timedelta}

#: Levels of JSON, of which a tag is one.
MAX_DEPTH = 100
# Characters that cannot be nested deeper: a level takes two.
_SHALLOW = 2 * MAX_DEPTH

_STR_ONLY = frozenset({str})
_TILDE, _BACKSLASH = b"~\\"


class Tag(NamedTuple):
    """How one type is written as ``{name: plain}``, where plain is a str, a list or a dict, and read back."""

    name: str
    kind: type
    plain: type
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


# -- writing ----------------------------------------------------------------------------------------------------------


def dumps(data: Mapping[str, Any], suspects: Iterable[str] | None = None) -> str:
    """Write session data as one JSON object, without spaces.

    :param data: keys are str, values of the types of this module's table, nested at most :data:`MAX_DEPTH` deep
    :param suspects: keys whose values need to be looked at, since all else, keys too, is as it was read from text that
        :func:`is_plain`; ``None``: all
    :raises UnserializableValue: names the path (``session['cart'][2]``) and the type of what has no exact form
    """
    try:
        is_json = _is_json_object(data, suspects)
        plain = data if is_json else _dump_object(data)
        text = _write(_encode, plain)
        if not is_json:
            _check_depth(text, plain)
        return text
    except _FAILURES:
        pass
    # Out here, since some of these errors hold the text, and a chain would lead a reporter of errors to it.
    raise _explain(data)


def fingerprint(value: Any) -> str:
    """Write one value so that equal values of equal types, and no others, give equal text (dicts in any order).

    :raises UnserializableValue: as :func:`dumps` does
    """
    try:
        plain = _plain(value)
        text = _write(_encode_sorted, plain)
        _check_depth(text, plain)
        return text
    except _FAILURES:
        pass
    # Out here, as in dumps.
    raise _explain(value)


_FAILURES = (TypeError, ValueError, RecursionError)


def _write(encode: Callable[[Any], str], plain: Any) -> str:
    text = encode(plain)
    if not text.isascii():
        text.encode()  # refuses lone surrogates, which no UTF-8 text can hold
    return text


def _is_json_object(data: Mapping[str, Any], suspects: Iterable[str] | None) -> bool:
    """Tell whether data are JSON as they are, as most are: looking takes half the time of copying."""
    if suspects is not None:
        return _is_json([data[key] for key in suspects if key in data], MAX_DEPTH - 1)
    return _STR_ONLY.issuperset(map(type, data)) and _is_json(data.values(), MAX_DEPTH - 1)


def _is_json(values: Iterable[Any], levels: int) -> bool:
    for value in values:
        kind = type(value)
        if kind in ATOMS:
            continue
        if not levels:
            return False  # too deep: the slow way counts the levels, and refuses it
        if kind is dict:
            if not _STR_ONLY.issuperset(map(type, value)) or _looks_tagged(value):
                return False
            value = value.values()  # noqa: PLW2901  # from here on it goes the way of a list
        elif kind is not list:
            return False
        if not _is_json(value, levels - 1):
            return False
    return True


def is_immutable(value: Any) -> bool:
    """Tell whether a value can neither change nor hold others, be it of a type that is imported late."""
    kind = type(value)
    if kind not in _DUMPERS:
        _complete_table()
    return kind in IMMUTABLE


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind not in _DUMPERS:
        _complete_table()
    dump = _DUMPERS.get(kind)
    if dump is None:
        raise TypeError
    return dump(value)


def _dump_items(values: Iterable[Any]) -> list[Any]:
    return [value if type(value) in ATOMS else _plain(value) for value in values]


def _dump_object(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if not _STR_ONLY.issuperset(map(type, data)):
        raise TypeError
    return {key: value if type(value) in ATOMS else _plain(value) for key, value in data.items()}


def _dump_dict(data: dict[str, Any]) -> Mapping[str, Any]:
    plain = _dump_object(data)
    return {"~dict": plain} if _looks_tagged(plain) else plain


def _looks_tagged(data: Mapping[str, Any]) -> bool:
    return len(data) == 1 and next(iter(data)).startswith("~")


def _dump_clock(value: datetime | time) -> str:
    # A zone without an offset (a time of day in a ZoneInfo) would be read back as no zone at all, and an offset of
    # parts of a second as another one.
    offset = value.utcoffset()
    if value.tzinfo is not None and (offset is None or offset.microseconds):
        raise ValueError
    return value.isoformat()


def _dump_decimal(value: "Decimal") -> str:
    if not value.is_finite():
        raise ValueError
    return str(value)


def _dump_set(values: set[Any]) -> list[Any]:
    # The order of a set differs from process to process, its sorted JSON text does not.
    return sorted(_dump_items(values), key=_encode_sorted)


def _check_depth(text: str, plain: Any) -> None:
    """Refuse JSON that is nested more than :data:`MAX_DEPTH` deep: what is written can be read, whatever the stack."""
    if len(text) <= _SHALLOW or _is_surely_shallow(text):
        return
    level = [plain]
    for _ in range(MAX_DEPTH):
        items = [item for parent in level for item in (parent.values() if type(parent) is dict else parent)]
        level = [item for item in items if type(item) is dict or type(item) is list]
        if not level:
            return
    raise ValueError("nested too deeply")


def _is_surely_shallow(text: str) -> bool:
    # Brackets inside of strings make both bounds larger, never smaller.
    lists, dicts = text.count("["), text.count("{")
    if lists + dicts <= MAX_DEPTH:
        return True
    # A dict behind a comma is one of a list's: of those no more lie in each other than there are lists around them.
    return 2 * lists + dicts - text.count(",{") <= MAX_DEPTH


# -- reading ----------------------------------------------------------------------------------------------------------


def loads(text: str) -> dict[str, Any]:
    """Read what :func:`dumps` wrote.

    :param text: one JSON object, without spaces around it; of a key that stands in it twice the last value counts
    :raises ValueError: for what :func:`dumps` could not have meant
    """
    try:
        data, end = _scan(text, 0)
        if end != len(text) or type(data) is not dict:
            raise ValueError("not one JSON object")
        if end > _SHALLOW:  # saves a call
            _check_depth(text, data)
        # Tags are rare, and so are escapes: dumps writes none but those of quotes and control characters.
        if "\\" in text:
            _encode(data).encode()  # refuses lone surrogates
        elif "~" not in text:
            return data
        return _load_values(data)
    except (StopIteration, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError("not a payload") from error


def is_plain(content: bytes) -> bool:
    """Tell whether an encoded payload holds nothing but JSON's own types; a tag may be spelt with an escape."""
    return _TILDE not in content and _BACKSLASH not in content  # as numbers, which takes a tenth of the time


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
    if name not in _TAG_OF_NAME:
        _complete_table()
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


# -- in parts ---------------------------------------------------------------------------------------------------------


def dump_fields(data: Mapping[str, Any]) -> dict[str, str]:
    """Write session data as a JSON text for each value, under the JSON text of its key.

    :raises UnserializableValue: as :func:`dumps` does
    """
    return dict([_dump_field(key, value) for key, value in data.items()])


def _dump_field(key: str, value: Any) -> tuple[str, str]:
    text = dumps({key: value})
    end = 1 + len(_encode(key))
    return text[1:end], text[end + 1 : -1]


def load_fields(fields: Mapping[str, str]) -> dict[str, Any]:
    """Read what :func:`dump_fields` wrote.

    :raises ValueError: for what it could not have meant
    """
    return loads("{" + ",".join(f"{name}:{text}" for name, text in fields.items()) + "}")


# -- the table and the coders -----------------------------------------------------------------------------------------

_TAG_OF_NAME: dict[str, Tag] = {}
_DUMPERS: dict[type, Callable[[Any], Any]] = {}


def _add_tags(*tags: Tag) -> None:
    _TAG_OF_NAME.update({tag.name: tag for tag in tags})
    _DUMPERS.update({tag.kind: _dumper(tag) for tag in tags})


def _dumper(tag: Tag) -> Callable[[Any], Any]:
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
def _complete_table() -> None:
    """Make the table whole: these two, which few sessions hold, take a quarter of the time of importing the package."""
    from decimal import Decimal
    from uuid import UUID

    _add_tags(Tag("~decimal", Decimal, str, _dump_decimal, Decimal), Tag("~uuid", UUID, str, str, UUID))
    IMMUTABLE.update((Decimal, UUID))


#: Of these each JSON text is the only spelling.
_CONTAINERS = frozenset({dict, tuple})

_COMPACT = {"ensure_ascii": False, "allow_nan": False, "check_circular": False, "separators": (",", ":")}


def _make_encode(*, sort_keys: bool) -> Callable[[Any], str]:
    encoder = json.JSONEncoder(**_COMPACT, sort_keys=sort_keys)  # type: ignore[arg-type]
    if c_make_encoder is None:  # not on CPython
        return encoder.encode
    # json makes it anew for each text, which costs more than writing a small one.
    iterate = c_make_encoder(None, encoder.default, encode_basestring, None, ":", ",", sort_keys, False, False)
    return lambda value: "".join(iterate(value, 0))


_encode = _make_encode(sort_keys=False)
_encode_sorted = _make_encode(sort_keys=True)
_scan = json.JSONDecoder(parse_float=_load_float, parse_constant=_refuse_constant).scan_once  # type: ignore[attr-defined]


# -- what was wrong, found only once something was --------------------------------------------------------------------


def _explain(value: Any) -> UnserializableValue:
    from .culprits import Search  # here, since most applications do without it

    found = next(Search(_is_writable, MAX_DEPTH).find_culprits("session", value), None)
    if found is None:
        return UnserializableValue(f"session is nested too deeply, more than {MAX_DEPTH} levels; keep less of it")
    _complete_table()
    known = ", ".join(sorted(kind.__name__ for kind in _DUMPERS.keys() | ATOMS))
    return UnserializableValue(f"{found[0]} ({found[1]}) has no exact form in a session; convert it to one of: {known}")


def _is_writable(value: Any) -> bool:
    try:
        _encode(_plain(value)).encode()
    except (TypeError, ValueError):
        return False
    return True
