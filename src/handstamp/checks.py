"""What a value of the settings may be: one check for each kind, and one reader of text for each.

A check returns the value converted or raises ``ValueError("what is wrong; the cure")``. A reader returns what would
stand in a dict, for a check to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from .cookies import MAX_AGE

#: Bytes; a shorter key can be searched for (ASVS 11.2.3).
MIN_KEY = 16

#: The cure for a missing key.
NEW_KEY = "make one with: python -m handstamp secret"


# -- checks -----------------------------------------------------------------------------------------------------------


def check_key(value: Any) -> str | bytes | None:
    if value is None:
        return None
    if not isinstance(value, (str, bytes)):
        raise ValueError(f"a {type(value).__name__}, but a key is a str or bytes; {NEW_KEY}")
    size = len(_to_bytes(value))
    if size < MIN_KEY:
        raise ValueError(f"a key of {size} bytes, at least {MIN_KEY} are needed; {NEW_KEY}")
    return value


def _to_bytes(value: str | bytes) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:  # its message holds the key
        raise ValueError(f"text that UTF-8 cannot hold; {NEW_KEY}") from None


def _show(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # a foreign repr may fail in any way, and that of a long int does
        return f"this {type(value).__name__}"


def check_keys(value: Any) -> tuple[str | bytes, ...]:
    if value is None:
        return ()
    # A str is a sequence too: each of its characters would become a key that opens.
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"a {type(value).__name__}, but a list of keys is due; write [key]")
    return tuple(_check_each_key(value))


def _check_each_key(keys: list[Any] | tuple[Any, ...]) -> Iterator[str | bytes]:
    for index, value in enumerate(keys):
        try:
            key = check_key(value)
        except ValueError as error:
            raise ValueError(f"key {index} is {error}") from None
        if key is None:
            raise ValueError(f"key {index} is None; take it off the list")
        yield key


def check_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{_show(value)} is no bool; use True or False (Settings.from_strings reads text)")


def check_bool_or_none(value: Any) -> bool | None:
    return None if value is None else check_bool(value)


def check_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"{_show(value)} is no str; write it as text")


def check_text_or_none(value: Any) -> str | None:
    return None if value is None else check_text(value)


def check_domain(value: Any) -> str | bool | None:
    if value == "":
        raise ValueError("'' is no host name; use False for this host only, or None")
    return False if value is False else check_text_or_none(value)


def check_samesite(value: Any) -> str | None:
    return value.capitalize() if isinstance(value, str) else check_text_or_none(value)


def check_seconds(value: Any) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ValueError(f"{_show(value)} is no time; use a timedelta or seconds")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{_show(value)} is no time to wait; use a timedelta or seconds, 0 or more")
    if seconds > 10 * MAX_AGE:
        raise ValueError(f"{_show(value)} is more than ten years; use less")
    return int(seconds)


def check_lifetime(value: Any) -> timedelta:
    seconds = check_seconds(value)
    if seconds < 1:
        raise ValueError(f"{_show(value)} ends a session at once; use at least 1 second")
    return timedelta(seconds=seconds)


def check_lifetime_or_none(value: Any) -> timedelta | None:
    return None if value is None else check_lifetime(value)


def check_cookie_lifetime(value: Any) -> timedelta:
    lifetime = check_lifetime(value)
    if lifetime.total_seconds() > MAX_AGE:
        raise ValueError(f"{_show(value)} is more than the 400 days that browsers keep a cookie; use less")
    return lifetime


def check_interval(value: Any) -> timedelta | bool | None:
    if value is None or value is False:
        return value
    return timedelta(seconds=check_seconds(value))


# -- readers ----------------------------------------------------------------------------------------------------------

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_text(text: str) -> str | None:
    return text or None


def read_bool(text: str) -> bool | str | None:
    return _WORDS.get(text.lower(), text or None)


def read_seconds(text: str) -> float | str | None:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else text or None


def read_interval(text: str) -> float | bool | str | None:
    return False if text.lower() in ("false", "no", "off") else read_seconds(text)


def read_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
