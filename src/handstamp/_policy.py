"""CookiePolicy: the name and the attributes of a cookie, the settings behind them, and the rules that they obey.

An attribute is added here: its field, its setting, its rule and its text. Type checkers then name every other place.
The ``__Http-`` prefixes come from the draft "Cookies: HTTP State Management Mechanism" (layered cookies).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from string import ascii_letters, digits
from typing import Any, NamedTuple, TypedDict, TypeVar, cast

from ._field_docs import document_fields
from ._setting_types import (
    Rule,
    convert_bool,
    convert_domain,
    convert_optional_bool,
    convert_optional_text,
    convert_samesite,
    convert_text,
    parse_bool,
    parse_text,
)
from .exceptions import SettingsError

Function = TypeVar("Function", bound=Callable[..., str])


class CookiePolicy(NamedTuple):
    """The name and the attributes of a cookie.

    :ivar name: a token of RFC 6265, such as ``"session"``
    :ivar domain: ``None``: the cookie is for the host that set it, and for no other
    :ivar path: begins with ``/``
    :ivar httponly: whether scripts cannot read the cookie
    :ivar secure: whether the cookie is sent over https only
    :ivar samesite: ``"Strict"``, ``"Lax"``, ``"None"``; ``None``: the attribute is left out
    :ivar partitioned: whether the cookie is kept apart for each top-level site (CHIPS)

    >>> CookiePolicy("id", domain=None, path="/", httponly=True, secure=True, samesite="Lax", partitioned=False).name
    'id'
    """

    name: str
    domain: str | None
    path: str
    httponly: bool
    secure: bool | None
    samesite: str | None
    partitioned: bool


document_fields(CookiePolicy)


class CookieSettings(TypedDict, total=False):
    """The settings of a cookie's name and attributes."""

    SESSION_COOKIE_NAME: str
    SESSION_COOKIE_DOMAIN: str | bool | None
    SERVER_NAME: str | None
    SESSION_COOKIE_PATH: str | None
    APPLICATION_ROOT: str
    SESSION_COOKIE_HTTPONLY: bool
    SESSION_COOKIE_SECURE: bool | None
    SESSION_COOKIE_SAMESITE: str | None
    SESSION_COOKIE_PARTITIONED: bool


#: The rules of these settings.
COOKIE_RULES = {
    "SESSION_COOKIE_NAME": Rule("session", convert_text, str),
    "SESSION_COOKIE_DOMAIN": Rule(None, convert_domain, parse_bool),
    "SERVER_NAME": Rule(None, convert_optional_text, parse_text),
    "SESSION_COOKIE_PATH": Rule(None, convert_optional_text, parse_text),
    "APPLICATION_ROOT": Rule("/", convert_text, str),
    "SESSION_COOKIE_HTTPONLY": Rule(True, convert_bool, parse_bool),
    "SESSION_COOKIE_SECURE": Rule(None, convert_optional_bool, parse_bool),
    "SESSION_COOKIE_SAMESITE": Rule("Lax", convert_samesite, parse_text),
    "SESSION_COOKIE_PARTITIONED": Rule(False, convert_bool, parse_bool),
}


# -- settings -> policy -----------------------------------------------------------------------------------------------


def resolve_policy(values: Mapping[str, Any]) -> CookiePolicy:
    """Return the policy of converted settings, Domain and Path after their fallbacks."""
    return CookiePolicy(
        name=values["SESSION_COOKIE_NAME"],
        domain=_resolve_domain(values),
        path=values["SESSION_COOKIE_PATH"] or values["APPLICATION_ROOT"] or "/",
        httponly=values["SESSION_COOKIE_HTTPONLY"],
        secure=values["SESSION_COOKIE_SECURE"],
        samesite=values["SESSION_COOKIE_SAMESITE"],
        partitioned=values["SESSION_COOKIE_PARTITIONED"],
    )


def _resolve_domain(values: Mapping[str, Any]) -> str | None:
    domain = values["SESSION_COOKIE_DOMAIN"]
    if domain is None and values["SERVER_NAME"] and not _forbids_domain(values["SESSION_COOKIE_NAME"]):
        return _domain_of(values["SERVER_NAME"])
    return domain or None


def _domain_of(server_name: str) -> str | None:
    """Return the Domain for a host with or without a port; there is none for single labels and IP addresses."""
    host = re.sub(r":[0-9]*\Z", "", server_name)
    is_address = host.startswith("[") or ":" in host or re.fullmatch(r"[0-9.]+", host)
    return None if is_address or "." not in host.strip(".") else "." + host.lstrip(".")


# -- the rules --------------------------------------------------------------------------------------------------------

#: Bytes of an attribute's value (section 5.6).
MAX_ATTRIBUTE_BYTES = 1024

# Sets of characters: compiling three patterns would take a tenth of the time of importing the package.
_HOST = frozenset(ascii_letters + digits + "-_.")
_NAME = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")
# RFC 6265 4.1.1 allows any printable ASCII but ";" in a path. "," is left out because some join headers with it.
_PATH = frozenset(map(chr, range(32, 127))) - {";", ","}

_SAMESITE = ("Strict", "Lax", "None")


class Problem(NamedTuple):
    """A rule that a policy breaks.

    :ivar key: the setting that is wrong
    :ivar text: what is wrong; the cure
    :ivar inherited_from: the setting whose value it is if ``key`` itself is not set
    """

    key: str
    text: str
    inherited_from: str | None = None


class _Prefix(NamedTuple):
    """What a name's prefix demands."""

    secure: bool = True
    httponly: bool = False
    host_only: bool = False


#: Section 5.4, and layered cookies, "Cookie Name Prefixes". Browsers compare prefixes without regard to case.
_PREFIXES = {
    "__secure-": _Prefix(),
    "__host-": _Prefix(host_only=True),
    "__http-": _Prefix(httponly=True),
    "__host-http-": _Prefix(httponly=True, host_only=True),
}


def find_problems(policy: CookiePolicy) -> Iterator[Problem]:
    """Yield each rule that a policy breaks."""
    name, domain, path, _, secure, samesite, partitioned = policy
    if not name or not _NAME.issuperset(name):
        yield Problem("SESSION_COOKIE_NAME", f"{name!r} is not a cookie name; use letters, digits, '-' and '_'")
    if domain is not None and not _is_host(domain):
        text = f"{domain!r} is not a host name; write it in ASCII, such as 'example.com'"
        yield Problem("SESSION_COOKIE_DOMAIN", text, "SERVER_NAME")
    if not (path.startswith("/") and _PATH.issuperset(path) and len(path) < MAX_ATTRIBUTE_BYTES):
        text = f"{path!r} is not a path; begin with '/', and use printable ASCII without ';' and ','"
        yield Problem("SESSION_COOKIE_PATH", text, "APPLICATION_ROOT")
    if samesite is not None and samesite not in _SAMESITE:
        text = f"{samesite!r} is unknown; use one of 'Strict', 'Lax', 'None', or None"
        yield Problem("SESSION_COOKIE_SAMESITE", text)
    if samesite == "None" and not secure:
        yield Problem("SESSION_COOKIE_SECURE", f"{secure}, but SameSite=None demands Secure; set it to True")
    if partitioned and not secure:
        yield Problem("SESSION_COOKIE_SECURE", f"{secure}, but Partitioned demands Secure; set it to True")
    yield from _find_prefix_problems(policy)


def _find_prefix_problems(policy: CookiePolicy) -> Iterator[Problem]:
    for prefix, demands in _PREFIXES.items():
        if policy.name.lower().startswith(prefix):
            yield from _find_unmet_demands(policy, demands)


def _find_unmet_demands(policy: CookiePolicy, demands: _Prefix) -> Iterator[Problem]:
    # What the name demands is cured by the cookie's own setting, wherever the value comes from.
    because = f"but the name {policy.name!r} demands"
    if demands.secure and not policy.secure:
        yield Problem("SESSION_COOKIE_SECURE", f"{policy.secure}, {because} Secure; set it to True")
    if demands.httponly and not policy.httponly:
        yield Problem("SESSION_COOKIE_HTTPONLY", f"{policy.httponly}, {because} HttpOnly; set it to True")
    if demands.host_only and policy.domain is not None:
        yield Problem("SESSION_COOKIE_DOMAIN", f"{policy.domain!r}, {because} none; set it to False")
    if demands.host_only and policy.path != "/":
        yield Problem("SESSION_COOKIE_PATH", f"{policy.path!r}, {because} '/'; set it to '/'")


def _forbids_domain(name: str) -> bool:
    return any(demands.host_only and name.lower().startswith(prefix) for prefix, demands in _PREFIXES.items())


def _is_host(domain: str) -> bool:
    labels = domain.removeprefix(".").split(".")
    return all(labels) and _HOST.issuperset(domain) and len(domain) < MAX_ATTRIBUTE_BYTES


# -- policy -> text ---------------------------------------------------------------------------------------------------


def _cached(function: Function) -> Function:
    # lru_cache hides the parameters from type checkers. A policy has few different answers; the bound is for policies
    # that depend on the request's host.
    return cast("Function", lru_cache(maxsize=256)(function))


# The fields come one by one, because making a policy for each cookie would take a twentieth of a request.
@_cached
def format_attributes(  # noqa: PLR0913  # as many as a cookie has attributes
    *,
    name: str,
    domain: str | None,
    path: str,
    httponly: bool,
    secure: bool | None,
    samesite: str | None,
    partitioned: bool,
) -> str:
    """Return the attributes of a Set-Cookie line, each with its ``; `` in front.

    The parameters are the fields of a :class:`CookiePolicy`.

    :raises SettingsError: the policy breaks a rule, so that browsers would reject the cookie

    >>> policy = CookiePolicy("id", domain=None, path="/", httponly=True, secure=True, samesite=None, partitioned=False)
    >>> format_attributes(**policy._asdict())
    '; Path=/; Secure; HttpOnly'
    """
    policy = CookiePolicy(
        name=name,
        domain=domain,
        path=path,
        httponly=httponly,
        secure=secure,
        samesite=samesite,
        partitioned=partitioned,
    )
    problems = [f"{problem.key}: {problem.text}" for problem in find_problems(policy)]
    if problems:
        raise SettingsError(*dict.fromkeys(problems))
    parts = (
        (domain, f"; Domain={domain and domain.removeprefix('.')}"),
        (True, f"; Path={path}"),
        (secure, "; Secure"),
        (httponly, "; HttpOnly"),
        (samesite, f"; SameSite={samesite}"),
        (partitioned, "; Partitioned"),
    )
    return "".join(text for wanted, text in parts if wanted)
