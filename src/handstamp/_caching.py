"""What caches are told about a response that depends on a session (RFC 9110 12.5.5, RFC 9111 5.2 and 7.3).

A response that sets the session's cookie must not be stored by a cache that serves several users. ``max-age=60`` alone
would let it (RFC 9111 3): the next visitor would get the cookie.

Functions that begin with a verb of writing (add, replace, remove) change a list of header fields in place.
"""

from __future__ import annotations

import re
from collections.abc import Collection

Headers = list[tuple[str, str]]

_BLANKS = " \t"  # and no other whitespace: RFC 9110 5.6.3

# A list of directives, whose quoted arguments may hold commas (RFC 9111 5.2, RFC 9110 5.6.4).
_DIRECTIVE = r'(?s:[^,"]|"(?:[^"\\]|\\.)*")*'

_SHARED = ("public", "s-maxage")
_UNSHARED = ("private", "no-store")

#: Endings of the names of fields that count in the place of Cache-Control: for CDNs (RFC 9213), for Akamai, for
#: LiteSpeed and for nginx.
_TARGETED = ("cdn-cache-control", "surrogate-control", "edge-control", "x-litespeed-cache-control", "x-accel-expires")


def field_names(headers: Headers) -> list[str]:
    """Return the names of the fields in lower case. Most headers have none of ours, so one search is enough."""
    return [name.lower() for name, _ in headers]


# -- Vary -------------------------------------------------------------------------------------------------------------


def add_vary(headers: Headers, names: Collection[str]) -> None:
    """Add ``Cookie`` to ``Vary``, unless it or ``*`` stands there.

    :param names: what :func:`field_names` returned for these headers
    """
    if "vary" not in names:
        headers.append(("Vary", "Cookie"))
    elif not says_vary(headers):
        last = max(index for index, (name, _) in enumerate(headers) if name.lower() == "vary")
        name, value = headers[last]
        headers[last] = (name, f"{value}, Cookie" if value.strip(_BLANKS) else "Cookie")


def says_vary(headers: Headers) -> bool:
    """Return whether ``Vary`` holds ``Cookie`` or ``*``."""
    return any(name.lower() == "vary" and _varies(value) for name, value in headers)


def _varies(value: str) -> bool:
    return any(part.strip(_BLANKS).lower() in ("*", "cookie") for part in value.split(","))


# -- Cache-Control ----------------------------------------------------------------------------------------------------


def find_cache_control(headers: Headers) -> str | None:
    """Return the ``Cache-Control`` of a response, its lines joined as one list; ``None`` if it says nothing."""
    value = ", ".join([value for name, value in headers if name.lower() == "cache-control"])
    return value if value.strip(_BLANKS + ",") else None


def write_cache_control(headers: Headers, names: Collection[str], value: str | None) -> None:
    """Write ``Cache-Control`` as one line, or as none, in the place of what is there.

    :param names: what :func:`field_names` returned for these headers
    """
    if "cache-control" in names:
        headers[:] = [field for field in headers if field[0].lower() != "cache-control"]
    if value is not None:
        headers.append(("Cache-Control", value))


def forbids_sharing(cache_control: str) -> bool:
    """Return whether no shared cache may store a response: the list holds ``private`` or ``no-store``.

    Only without an argument: ``private="X-Field"`` is about that field alone.

    >>> forbids_sharing("max-age=60, private"), forbids_sharing("max-age=60")
    (True, False)
    """
    return any(directive.lower() in _UNSHARED for directive in _split(cache_control))


def allows_sharing(headers: Headers, names: Collection[str]) -> bool:
    """Return whether the application lets shared caches store a response, in so many words.

    :param names: what :func:`field_names` returned for these headers
    """
    if _find_targeted(headers):
        return True
    cache_control = find_cache_control(headers) if "cache-control" in names else None
    if cache_control is None or forbids_sharing(cache_control):
        return False
    return any(_name(directive) in _SHARED for directive in _split(cache_control))


def add_private(cache_control: str) -> str:
    """Return a list of directives with ``private``, and without those that let shared caches store.

    >>> add_private("public, max-age=60")
    'max-age=60, private'
    """
    kept = [directive for directive in _split(cache_control) if _name(directive) not in (*_SHARED, "private")]
    return ", ".join([*kept, "private"])


def remove_targeted(headers: Headers, names: Collection[str]) -> bool:
    """Remove the fields that let CDNs store what ``Cache-Control`` forbids, and return whether there were any.

    :param names: what :func:`field_names` returned for these headers
    """
    if not _are_targeted(names):
        return False
    targeted = _find_targeted(headers)
    headers[:] = [field for field in headers if field not in targeted]
    return bool(targeted)


def _are_targeted(names: Collection[str]) -> bool:
    return any([name.endswith(_TARGETED) for name in names])  # noqa: C419  # a generator takes twice as long


def _find_targeted(headers: Headers) -> Headers:
    return [field for field in headers if field[0].lower().endswith(_TARGETED) and not forbids_sharing(field[1])]


def _split(cache_control: str) -> list[str]:
    """Return the directives of a list, or none of a malformed one: nobody knows what caches make of that."""
    if '"' not in cache_control:
        parts = (part.strip(_BLANKS) for part in cache_control.split(","))
        return [part for part in parts if part]
    if not re.fullmatch(f"{_DIRECTIVE}(?:,{_DIRECTIVE})*", cache_control):
        return []
    parts = (part.strip(_BLANKS) for part in re.findall(_DIRECTIVE, cache_control))
    return [part for part in parts if part]


def _name(directive: str) -> str:
    return directive.partition("=")[0].strip(_BLANKS).lower()
