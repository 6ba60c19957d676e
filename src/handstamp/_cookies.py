"""The two cookie headers (RFC 6265bis): the values in a Cookie header, and one line of Set-Cookie.

The section numbers in this package are those of draft-ietf-httpbis-rfc6265bis.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import gmtime

from .exceptions import SettingsError

#: Bytes of name and value together that every browser stores (section 5.6).
MAX_COOKIE_BYTES = 4096

#: Seconds, 400 days: browsers shorten a longer Max-Age (section 5.5).
MAX_AGE_SECONDS = 400 * 24 * 3600

# The cookie-octets of RFC 6265 4.1.1 stay, and every other byte becomes zero. A value may be long, and this is the
# fastest way to check it.
_OCTETS = bytes(byte if byte in range(33, 127) and byte not in b'",;\\' else 0 for byte in range(256))

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# -- reading ----------------------------------------------------------------------------------------------------------


def find_values(header: str, name: str) -> list[str]:
    """Return every value of a name in a Cookie header, in the order of the header.

    The time is linear in the length of the header, whatever the other cookies hold. The header is cut at each ``;``,
    inside quotes too, as browsers do when they store a cookie (section 5.6), and at each ``,``: browsers send cookies
    as several fields over HTTP/2 (RFC 9113 8.2.3), and most WSGI servers join these with commas, as RFC 9110 5.3 has it
    for other fields. The name is compared exactly. A value in double quotes loses them (RFC 6265 4.1.1).

    >>> find_values("session=a; theme=dark,session=b", "session")
    ['a', 'b']
    """
    if "," in header:
        header = header.replace(",", ";")
    prefix = name + "="
    values = []
    start = header.find(prefix)
    while start >= 0:
        end = header.find(";", start)
        if end < 0:
            end = len(header)
        if start == 0 or header.startswith("; ", start - 2) or _begins_pair(header, start):  # the first two: most pairs
            value = header[start + len(prefix) : end].strip(" \t")
            values.append(_unquote(value) if value[:1] == '"' else value)
        start = header.find(prefix, end)
    return values


def _begins_pair(header: str, start: int) -> bool:
    while start > 0 and header[start - 1] in " \t":
        start -= 1
    return start == 0 or header[start - 1] == ";"


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value.endswith('"') else value


def replace_cookies(header: str, lines: Iterable[str]) -> str:
    """Return the Cookie header that a browser sends after it was told to set or delete cookies.

    :param lines: values of Set-Cookie headers

    >>> replace_cookies("a=1; session=old", ["session=new; Path=/; HttpOnly"])
    'a=1; session=new'
    >>> replace_cookies("a=1; session=old", ["session=; Max-Age=0"])
    'a=1'
    """
    # Servers join several Cookie fields by commas. No token holds one, and only sessions read this header.
    pairs = [pair.strip(" \t") for pair in header.replace(",", ";").split(";")]
    for line in lines:
        name, _, value = line.partition(";")[0].partition("=")
        pairs = [pair for pair in pairs if pair and not pair.startswith(f"{name}=")]
        if value:
            pairs.append(f"{name}={value}")
    return "; ".join(pairs)


# -- writing ----------------------------------------------------------------------------------------------------------


def format_cookie(name: str, value: str, attributes: str, expires: int | None, now: int) -> str:
    """Return the value of one Set-Cookie header.

    :param value: printable ASCII without whitespace, quotes, ``,``, ``;`` and backslash, such as base64url and dots
    :param attributes: as :func:`._policy.format_attributes` returns them
    :param expires: seconds since 1970, at most 400 days from now; ``None``: the cookie ends with the browser session
    :param now: seconds since 1970
    :raises SettingsError: the value holds any other character, so that browsers would reject the cookie or cut it
    """
    if not value.isascii() or 0 in value.encode().translate(_OCTETS):
        # The message does not show the value, which may be an id or a token.
        raise SettingsError(
            f"the value of the cookie {name!r} holds a character that ends or breaks a cookie; use printable ASCII"
            " without whitespace, quotes, ',', ';' and backslash, such as base64url"
        )
    if expires is None:
        return f"{name}={value}{attributes}"
    age = max(0, min(expires - now, MAX_AGE_SECONDS))
    return f"{name}={value}; Expires={format_date(now + age)}; Max-Age={age}{attributes}"


def format_deletion(name: str, attributes: str) -> str:
    """Return the value of the Set-Cookie header that deletes a cookie.

    :param attributes: those that the cookie was set with; with others, browsers keep it

    >>> format_deletion("session", "; Path=/")
    'session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/'
    """
    return f"{name}=; Expires={format_date(0)}; Max-Age=0{attributes}"


def format_date(seconds: int) -> str:
    """Return seconds since 1970 as an IMF-fixdate (RFC 9110 5.6.7), in English whatever the locale."""
    year, month, day, hour, minute, second, weekday, *_ = gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
