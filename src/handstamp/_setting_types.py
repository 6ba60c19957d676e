"""The types of settings: for each, how a value of a dict is converted, and how text is parsed.

A converter returns the value in the form that :class:`Settings` keeps, or raises ``ValueError("what is wrong; the
cure")``. A parser turns text into what would stand in a dict, for the converter to check.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from ._cookies import MAX_AGE_SECONDS, MAX_COOKIE_BYTES

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
