"""Session data <-> JSON text, with exact types: what is read back equals what was written, type by type.

The types are those of the README's table. A value that has no exact form is an error when it is written, never a
different value when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._hidden import empty_frames
from ._json import encode, encode_sorted, scan
from ._payload_types import (
    ATOMS,
    has_str_keys,
    list_names,
    looks_tagged,
    object_from_plain,
    object_to_plain,
    to_plain,
)
from .exceptions import UnserializableValue

__all__ = ["dumps", "fingerprint", "loads"]

#: Levels of JSON, of which a tag is one: what is written can be read, however small the stack.
MAX_DEPTH = 100

# Characters that cannot be nested deeper than that: a level takes two.
_SHALLOW_CHARACTERS = 2 * MAX_DEPTH

_TILDE, _BACKSLASH = b"~\\"

_FAILURES = (TypeError, ValueError, RecursionError)


# -- writing ----------------------------------------------------------------------------------------------------------


def dumps(data: Mapping[str, Any]) -> str:
    """Write session data as one JSON object.

    :param data: str keys, and values of the types that a session can hold, at most 100 levels deep
    :raises UnserializableValue: names the path (``session['cart'][2]``) and the type of what has no exact form

    >>> dumps({"user": 7, "cart": ("pen", "ink")})
    '{"user":7,"cart":{"~tuple":["pen","ink"]}}'
    """
    try:
        return _dump(data, has_str_keys(data) and _is_json(data.values(), MAX_DEPTH - 1))
    except BaseException as error:
        empty_frames(error)
        del data
        raise


def dump_changed(data: Mapping[str, Any], changed: Iterable[str]) -> str:
    """Write session data of which only the changed keys need to be checked for exact types.

    That saves a tenth of the time of writing 2.5 KB.

    :param changed: keys, present or not; all other items were read from text that :func:`is_plain`, and are as they
        were read
    :raises UnserializableValue: as :func:`dumps` does
    """
    return _dump(data, _is_json([data[key] for key in changed if key in data], MAX_DEPTH - 1))


def _dump(data: Mapping[str, Any], is_json: bool) -> str:
    try:
        plain = data if is_json else object_to_plain(data)
        text = encode(plain)
        if not text.isascii():
            text.encode()  # rejects lone surrogates, which no UTF-8 text can hold
        if not is_json:
            _check_depth(text, plain)
        return text
    except _FAILURES:
        pass
    # Out here, because some of these errors hold the text, and a chain would lead an error tracker to it.
    raise _explain(data)


def fingerprint(value: Any) -> str:
    """Write one value so that equal values of equal types, and no others, give equal text.

    :raises UnserializableValue: as :func:`dumps` does

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    try:
        return _try_fingerprint(value)
    except BaseException as error:
        empty_frames(error)
        del value
        raise


def _try_fingerprint(value: Any) -> str:
    try:
        plain = to_plain(value)
        text = encode_sorted(plain)
        text.encode()  # rejects lone surrogates
        _check_depth(text, plain)
        return text
    except _FAILURES:
        pass
    raise _explain(value)  # out here, as in _dump


def _is_json(values: Iterable[Any], levels: int) -> bool:
    """Return whether values are JSON as they are, as most are: checking takes half the time of copying."""
    for value in values:
        kind = type(value)
        if kind in ATOMS:
            continue
        if not levels:
            return False  # too deep: the slow way counts the levels, and rejects it
        if kind is dict:
            if not has_str_keys(value) or looks_tagged(value):
                return False
            value = value.values()  # noqa: PLW2901  # from here on it goes the way of a list
        elif kind is not list:
            return False
        if not _is_json(value, levels - 1):
            return False
    return True


def _check_depth(text: str, plain: Any) -> None:
    if len(text) <= _SHALLOW_CHARACTERS or _is_surely_shallow(text):
        return
    level = [plain]
    for _ in range(MAX_DEPTH):
        items = [item for parent in level for item in (parent.values() if type(parent) is dict else parent)]
        level = [item for item in items if type(item) is dict or type(item) is list]
        if not level:
            return
    raise ValueError("nested too deeply")


def _is_surely_shallow(text: str) -> bool:
    # Brackets inside strings only make the counts larger.
    lists, dicts = text.count("["), text.count("{")
    if lists + dicts <= MAX_DEPTH:
        return True
    # A dict behind a comma is an item of a list: no more of those lie in each other than there are lists around them.
    return 2 * lists + dicts - text.count(",{") <= MAX_DEPTH


# -- reading ----------------------------------------------------------------------------------------------------------


def loads(text: str) -> dict[str, Any]:
    """Read what :func:`dumps` wrote.

    :param text: one JSON object without whitespace around it; of a repeated key the last value counts
    :raises ValueError: for what :func:`dumps` could not have written

    >>> loads('{"user":7,"cart":{"~tuple":["pen","ink"]}}')
    {'user': 7, 'cart': ('pen', 'ink')}
    """
    data: Any = None
    try:
        data, end = scan(text, 0)
        if end != len(text) or type(data) is not dict:
            raise ValueError("not one JSON object")
        if end > _SHALLOW_CHARACTERS:  # saves a call
            _check_depth(text, data)
        # Tags are rare, and so are escapes: dumps writes them for quotes and control characters alone.
        if "\\" in text:
            encode(data).encode()  # rejects lone surrogates
        elif "~" not in text:
            return data
        return object_from_plain(data)
    except (StopIteration, TypeError, ValueError, ArithmeticError, RecursionError):
        pass
    del text, data  # some of these errors hold the text, too
    raise ValueError("not a payload")


def is_plain(payload: bytes) -> bool:
    """Return whether an encoded payload holds nothing but JSON's own types; a tag may be spelt with an escape."""
    return _TILDE not in payload and _BACKSLASH not in payload  # as numbers, which takes a tenth of the time


# -- key by key -------------------------------------------------------------------------------------------------------


def dump_fields(data: Mapping[str, Any]) -> dict[str, str]:
    """Write session data as one JSON text for each value, under the JSON text of its key.

    :raises UnserializableValue: as :func:`dumps` does
    """
    return dict([_dump_field(key, value) for key, value in data.items()])


def _dump_field(key: str, value: Any) -> tuple[str, str]:
    text = dumps({key: value})
    end = 1 + len(encode(key))
    return text[1:end], text[end + 1 : -1]


def load_fields(fields: Mapping[str, str]) -> dict[str, Any]:
    """Read what :func:`dump_fields` wrote.

    :raises ValueError: for what it could not have written
    """
    return loads("{" + ",".join(f"{name}:{text}" for name, text in fields.items()) + "}")


# -- errors -----------------------------------------------------------------------------------------------------------


def _explain(value: Any) -> UnserializableValue:
    from ._unserializable import Search  # here, because most applications do without it

    found = next(Search(_is_writable, MAX_DEPTH).find("session", value), None)
    if found is None:
        return UnserializableValue(f"session is nested more than {MAX_DEPTH} levels deep; keep less of it")
    types = ", ".join(list_names())
    return UnserializableValue(
        f"{found.path} ({found.what}) has no exact form in a session; convert it to one of: {types}"
    )


def _is_writable(value: Any) -> bool:
    try:
        encode(to_plain(value)).encode()
    except (TypeError, ValueError):
        return False
    return True
