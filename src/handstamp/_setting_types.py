"""The types of settings: for each, how a value of a dict is converted, and how text is parsed.

A converter returns the value in the form that :class:`Settings` keeps, or raises ``ValueError("what is wrong; the
cure")``. A parser turns text into what would stand in a dict, for the converter to check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from ._cookies import MAX_AGE_SECONDS, MAX_COOKIE_BYTES

#: A shorter key can be found by trying (ASVS 11.2.3).
MIN_KEY_BYTES = 16

#: The cure for a missing or a bad key.
NEW_KEY = "make one with: python -m handstamp secret"

_MAX_SECONDS = 10 * MAX_AGE_SECONDS


class Rule(NamedTuple):
    """What one setting may be.

    :ivar default: what a missing setting is
    :ivar convert: the converter
    :ivar parse: the parser
    """

    default: Any
    convert: Callable[[Any], Any]
    parse: Callable[[str], Any]


# -- converters: keys -------------------------------------------------------------------------------------------------


def convert_key(value: Any) -> str | bytes | None:
    """A secret key: str or bytes, long enough; None: there is none."""
    if value is None:
        return None
    if not isinstance(value, (str, bytes)):
        raise ValueError(f"a key must be str or bytes, not {type(value).__name__}; {NEW_KEY}")
    size = len(_encode_key(value))
    if size < MIN_KEY_BYTES:
        raise ValueError(f"a key of {size} bytes is too short, use at least {MIN_KEY_BYTES}; {NEW_KEY}")
    return value


def convert_keys(value: Any) -> tuple[str | bytes, ...]:
    """A list of secret keys; None: an empty one."""
    if value is None:
        return ()
    # A str is a sequence too: each of its characters would become a key.
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list of keys, not {type(value).__name__}; write [key]")
    return tuple(_convert_each_key(value))


def _convert_each_key(keys: list[Any] | tuple[Any, ...]) -> Iterator[str | bytes]:
    for index, value in enumerate(keys):
        try:
            key = convert_key(value)
        except ValueError as error:
            raise ValueError(f"key {index}: {error}") from None
        if key is None:
            raise ValueError(f"key {index} is None; remove it from the list")
        yield key


def _encode_key(value: str | bytes) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:  # its message holds the key
        raise ValueError(f"a key with a lone surrogate; {NEW_KEY}") from None


# -- converters: bools and text ---------------------------------------------------------------------------------------


def convert_bool(value: Any) -> bool:
    """True or False; 1 and 0 are not bools."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"{_show(value)} is not a bool; use True or False (Settings.from_strings parses text)")


def convert_optional_bool(value: Any) -> bool | None:
    """A bool or None."""
    return None if value is None else convert_bool(value)


def convert_text(value: Any) -> str:
    """A str."""
    if isinstance(value, str):
        return value
    raise ValueError(f"{_show(value)} is not a str; write it as text")


def convert_optional_text(value: Any) -> str | None:
    """A str or None."""
    return None if value is None else convert_text(value)


def convert_domain(value: Any) -> str | bool | None:
    """A host name, or False for the request's own host, or None for the fallback."""
    if value == "":
        raise ValueError("'' is not a host name; use False for the request's own host only, or None")
    return False if value is False else convert_optional_text(value)


def convert_samesite(value: Any) -> str | None:
    """A value of SameSite in any case, or None."""
    return value.capitalize() if isinstance(value, str) else convert_optional_text(value)


# -- converters: sizes ------------------------------------------------------------------------------------------------


def convert_cookie_bytes(value: Any) -> int | bool:
    """Bytes of a cookie, or False for no limit."""
    if value is False:
        return False
    if type(value) is not int:
        raise ValueError(f"{_show(value)} is not a number of bytes; use an int, or False for never")
    if not 0 < value <= MAX_COOKIE_BYTES:
        raise ValueError(f"{_show(value)} is not within 1 and {MAX_COOKIE_BYTES}, which no cookie exceeds; use False")
    return value


# -- converters: times ------------------------------------------------------------------------------------------------


def convert_seconds(value: Any) -> int:
    """A timedelta or a number of seconds, in whole seconds."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ValueError(f"{_show(value)} is not a time; use a timedelta or seconds")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{_show(value)} is negative or not finite; use a timedelta or seconds, 0 or more")
    if seconds > _MAX_SECONDS:
        raise ValueError(f"{_show(value)} is more than ten years; use less")
    return int(seconds)


def convert_lifetime(value: Any) -> timedelta:
    """A time of at least one second."""
    seconds = convert_seconds(value)
    if seconds < 1:
        raise ValueError(f"{_show(value)} ends a session at once; use at least 1 second")
    return timedelta(seconds=seconds)


def convert_optional_lifetime(value: Any) -> timedelta | None:
    """A lifetime or None."""
    return None if value is None else convert_lifetime(value)


def convert_cookie_lifetime(value: Any) -> timedelta:
    """A lifetime that a browser keeps a cookie for."""
    lifetime = convert_lifetime(value)
    if lifetime.total_seconds() > MAX_AGE_SECONDS:
        raise ValueError(f"{_show(value)} is more than the 400 days that browsers keep a cookie; use less")
    return lifetime


def convert_interval(value: Any) -> timedelta | bool | None:
    """A time, or False for never, or None for the default."""
    if value is None or value is False:
        return value
    return timedelta(seconds=convert_seconds(value))


def _show(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # a foreign repr may fail in any way, and so does that of a long int
        return f"this {type(value).__name__}"


# -- parsers ----------------------------------------------------------------------------------------------------------

_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def parse_text(text: str) -> str | None:
    """Text; an empty one is None."""
    return text or None


def parse_bool(text: str) -> bool | str | None:
    """A word for a bool; other text stays, for the converter to reject."""
    return _BOOLS.get(text.lower(), text or None)


def parse_seconds(text: str) -> int | str | None:
    """Digits; other text stays, for the converter to reject."""
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else text or None


def parse_interval(text: str) -> int | bool | str | None:
    """Digits, or a word for never."""
    return False if text.lower() in ("false", "no", "off") else parse_seconds(text)


def parse_lines(text: str) -> list[str]:
    """Lines, without the empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]
