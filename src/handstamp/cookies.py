"""RFC 6265bis both ways: the values in a Cookie header, one Set-Cookie line, and the rules that hold for both.

The section numbers are those of draft-ietf-httpbis-rfc6265bis; the ``__Http-`` prefixes come from the draft
"Cookies: HTTP State Management Mechanism" (layered cookies).
"""

# No annotations from the future here: NamedTuple would compile each of its own when the package is imported.

from collections.abc import Iterator
from functools import lru_cache
from string import ascii_letters, digits
from time import gmtime
from typing import NamedTuple, TypeAlias

from .exceptions import SettingsError

#: Bytes of name and value together that every browser keeps (section 5.6).
MAX_COOKIE = 4096

#: Bytes of an attribute's value (section 5.6).
MAX_ATTRIBUTE = 1024

#: Seconds, 400 days: browsers cut a longer Max-Age (section 5.5).
MAX_AGE = 400 * 24 * 3600


class CookiePolicy(NamedTuple):
    """What a cookie is written with, beside its value."""

    name: str
    domain: str | None = None
    path: str = "/"
    httponly: bool = True
    secure: bool | None = False
    samesite: str | None = "Lax"
    partitioned: bool = False


#: The fields of a :class:`CookiePolicy` as a plain tuple, which is made in a fraction of the time.
PolicyFields: TypeAlias = tuple[str, str | None, str, bool, bool | None, str | None, bool]


# -- reading ----------------------------------------------------------------------------------------------------------


def find_values(header: str, name: str) -> list[str]:
    """Return every value that a Cookie header holds under a name, in its order.

    Linear in the header's length, and indifferent to whatever the other cookies hold: the header is cut at ``;``,
    quotes or not, as browsers do when they store (section 5.6). The name is compared exactly.
    """
    prefix = name + "="
    values = []
    start = header.find(prefix)
    while start >= 0:
        end = header.find(";", start)
        if end < 0:
            end = len(header)
        if start == 0 or _opens_pair(header, start):  # most headers begin with the pair: saves a call
            values.append(header[start + len(prefix) : end].strip(" \t"))
        start = header.find(prefix, end)
    return values


def _opens_pair(header: str, start: int) -> bool:
    while start > 0 and header[start - 1] in " \t":
        start -= 1
    return start == 0 or header[start - 1] == ";"


# -- the rules --------------------------------------------------------------------------------------------------------

# Sets of characters, since three patterns would be a tenth of the time of importing this package.
_HOST = frozenset(ascii_letters + digits + "-_.")
_TOKEN = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")
# RFC 6265 4.1.1 allows any printable ASCII but ";" in a path; "," is left out, since some joined headers with it.
_PATH = frozenset(map(chr, range(32, 127))) - {";", ","}
# The cookie-octets of RFC 6265 4.1.1 stay, all else becomes zero: a value may be long, and this takes the least time.
_OCTETS = bytes(byte if byte in range(33, 127) and byte not in b'",;\\' else 0 for byte in range(256))

_SAMESITE = ("Strict", "Lax", "None")


class _Demand(NamedTuple):
    secure: bool = True
    httponly: bool = False
    host_only: bool = False


#: Section 5.4 and layered cookies, "Cookie Name Prefixes"; browsers compare prefixes without case.
_PREFIXES = {
    "__secure-": _Demand(),
    "__host-": _Demand(host_only=True),
    "__http-": _Demand(httponly=True),
    "__host-http-": _Demand(httponly=True, host_only=True),
}


def is_host_only(name: str) -> bool:
    """Tell whether a name's prefix forbids a Domain."""
    return name.lower().startswith("__host-")


def find_problems(policy: CookiePolicy) -> Iterator[str]:
    """Yield a sentence for each rule that a policy breaks, beginning with the setting that is at fault."""
    name, domain, path, _, secure, samesite, partitioned = policy
    if not name or not _TOKEN.issuperset(name):
        yield f"SESSION_COOKIE_NAME: {name!r} is no token of RFC 6265; use letters, digits, '-' and '_'"
    if domain is not None and not _is_host(domain):
        yield f"SESSION_COOKIE_DOMAIN: {domain!r} is no host name; write it in ASCII, such as 'example.com'"
    if not (path.startswith("/") and _PATH.issuperset(path) and len(path) < MAX_ATTRIBUTE):
        yield f"SESSION_COOKIE_PATH: {path!r} is no path; begin with '/', then printable ASCII without ';' and ','"
    if samesite is not None and samesite not in _SAMESITE:
        yield f"SESSION_COOKIE_SAMESITE: {samesite!r} is unknown; use one of 'Strict', 'Lax', 'None', or None"
    if samesite == "None" and not secure:
        yield f"SESSION_COOKIE_SECURE: {secure}, but SameSite=None demands Secure; set it to True"
    if partitioned and not secure:
        yield f"SESSION_COOKIE_SECURE: {secure}, but Partitioned demands Secure; set it to True"
    for prefix, demand in _PREFIXES.items():
        if name.lower().startswith(prefix):
            yield from _find_prefix_problems(policy, demand)


def _is_host(domain: str) -> bool:
    labels = domain.removeprefix(".").split(".")
    return all(labels) and _HOST.issuperset(domain) and len(domain) < MAX_ATTRIBUTE


def _find_prefix_problems(policy: CookiePolicy, demand: _Demand) -> Iterator[str]:
    demands = f"but the name {policy.name!r} demands"
    if demand.secure and not policy.secure:
        yield f"SESSION_COOKIE_SECURE: {policy.secure}, {demands} Secure; set it to True"
    if demand.httponly and not policy.httponly:
        yield f"SESSION_COOKIE_HTTPONLY: {policy.httponly}, {demands} HttpOnly; set it to True"
    if demand.host_only and policy.domain is not None:
        yield f"SESSION_COOKIE_DOMAIN: {policy.domain!r}, {demands} none; set it to False"
    if demand.host_only and policy.path != "/":
        yield f"SESSION_COOKIE_PATH: {policy.path!r}, {demands} '/'; set it to '/'"


# -- writing ----------------------------------------------------------------------------------------------------------


def format_cookie(policy: PolicyFields, value: str, expires: int | None, now: int) -> str:
    """Write the value of one Set-Cookie header.

    :param value: printable ASCII without blanks, quotes, ``,``, ``;`` and backslash, such as base64url text and dots
    :param expires: seconds since 1970, cut to 400 days from now; ``None``: the cookie goes with the browser
    :param now: seconds since 1970
    :raises SettingsError: the value or the policy breaks a rule, so that browsers would refuse the cookie, or read
        more than one line of it
    """
    name = policy[0]
    if not value.isascii() or 0 in value.encode().translate(_OCTETS):
        # The value itself is not told: it may be an id, or a token.
        raise SettingsError(
            f"the value of the cookie {name!r} holds what ends or breaks a cookie; write it in printable ASCII"
            " without blanks, quotes, ',', ';' and backslash, such as base64url"
        )
    if expires is None:
        return f"{name}={value}{_format_attributes(policy)}"
    age = max(0, min(expires - now, MAX_AGE))
    return f"{name}={value}; Expires={http_date(now + age)}; Max-Age={age}{_format_attributes(policy)}"


def format_deletion(policy: PolicyFields) -> str:
    """Write the value of the Set-Cookie header that deletes a cookie: the same attributes, or browsers keep it.

    :raises SettingsError: as :func:`format_cookie` does
    """
    return f"{policy[0]}=; Expires={http_date(0)}; Max-Age=0{_format_attributes(policy)}"


# A policy has few different answers; the bound is for those that look at the request's host.
@lru_cache(maxsize=256)
def _format_attributes(fields: PolicyFields) -> str:
    policy = CookiePolicy(*fields)
    problems = list(dict.fromkeys(find_problems(policy)))
    if problems:
        raise SettingsError(*problems)
    domain = policy.domain and policy.domain.removeprefix(".")
    parts = (
        (domain, f"; Domain={domain}"),
        (True, f"; Path={policy.path}"),
        (policy.secure, "; Secure"),
        (policy.httponly, "; HttpOnly"),
        (policy.samesite, f"; SameSite={policy.samesite}"),
        (policy.partitioned, "; Partitioned"),
    )
    return "".join(text for wanted, text in parts if wanted)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: int) -> str:
    """Write seconds since 1970 as an IMF-fixdate (RFC 9110 5.6.7), in English whatever the locale."""
    year, month, day, hour, minute, second, weekday, *_ = gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
