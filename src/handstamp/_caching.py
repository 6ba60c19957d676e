"""What caches are told about a response that depends on a session (RFC 9110 12.5.5, RFC 9111 5.2 and 7.3).

Functions that begin with ``add`` or ``forbid`` change a list of header fields in place.
"""

from __future__ import annotations

from collections.abc import Collection

Headers = list[tuple[str, str]]

_BLANKS = " \t"  # and no other whitespace: RFC 9110 5.6.3


def field_names(headers: Headers) -> list[str]:
    """Return the names of the fields in lower case. Most headers have none of ours, so one search is enough."""
    return [name.lower() for name, _ in headers]


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


def add_private(headers: Headers, names: Collection[str]) -> str | None:
    """Add ``Cache-Control: private`` unless there is a Cache-Control already.

    :param names: what :func:`field_names` returned for these headers
    :returns: the Cache-Control that lets shared caches store the response, if there is one
    """
    if "cache-control" not in names:
        headers.append(("Cache-Control", "private"))
        return None
    values = (value for name, value in headers if name.lower() == "cache-control")
    return next(filter(_is_shared, values), None)


def forbid_storing(headers: Headers) -> None:
    """Replace any Cache-Control by ``no-store``."""
    headers[:] = [field for field in headers if field[0].lower() != "cache-control"]
    headers.append(("Cache-Control", "no-store"))


def _varies(value: str) -> bool:
    return not {"*", "cookie"}.isdisjoint(_split(value))


def _is_shared(value: str) -> bool:
    return any(directive == "public" or directive.startswith("s-maxage") for directive in _split(value))


def _split(value: str) -> list[str]:
    return [part.strip(_BLANKS).lower() for part in value.split(",")]
