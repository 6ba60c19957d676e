"""Settings: a settings dict, checked once, frozen.

One dict often configures the whole application, so keys that are none of ours pass through untouched; only one that
looks like a misspelt key of ours is an error. Every problem is found before any is reported.
"""

# No annotations from the future here: NamedTuple would compile each of its own when the package is imported.

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Self

from .checks import (
    check_bool,
    check_bool_or_none,
    check_cookie_lifetime,
    check_domain,
    check_interval,
    check_key,
    check_keys,
    check_lifetime_or_none,
    check_samesite,
    check_text,
    check_text_or_none,
    read_bool,
    read_interval,
    read_lines,
    read_seconds,
    read_text,
)
from .cookies import CookiePolicy, find_problems, is_host_only
from .exceptions import SettingsError
from .lifetimes import Lifetimes, Limits, default_refresh

#: difflib's ratio from which a foreign key is taken for a misspelt one of ours.
_LOOKALIKE = 0.93


# -- the table --------------------------------------------------------------------------------------------------------


class _Rule(NamedTuple):
    default: Any
    check: Callable[[Any], Any]
    read: Callable[[str], Any]


# fmt: off
_RULES = {
    "SECRET_KEY": _Rule(None, check_key, str),
    "SECRET_KEY_FALLBACKS": _Rule((), check_keys, read_lines),
    "SESSION_COOKIE_NAME": _Rule("session", check_text, str),
    "SESSION_COOKIE_DOMAIN": _Rule(None, check_domain, read_bool),
    "SERVER_NAME": _Rule(None, check_text_or_none, read_text),
    "SESSION_COOKIE_PATH": _Rule(None, check_text_or_none, read_text),
    "APPLICATION_ROOT": _Rule("/", check_text, str),
    "SESSION_COOKIE_HTTPONLY": _Rule(True, check_bool, read_bool),
    "SESSION_COOKIE_SECURE": _Rule(None, check_bool_or_none, read_bool),
    "SESSION_COOKIE_SAMESITE": _Rule("Lax", check_samesite, read_text),
    "SESSION_COOKIE_PARTITIONED": _Rule(False, check_bool, read_bool),
    "PERMANENT_SESSION_LIFETIME": _Rule(timedelta(days=31), check_cookie_lifetime, read_seconds),
    "SESSION_IDLE_LIFETIME": _Rule(None, check_lifetime_or_none, read_seconds),
    "SESSION_ABSOLUTE_LIFETIME": _Rule(None, check_lifetime_or_none, read_seconds),
    "SESSION_REFRESH_INTERVAL": _Rule(None, check_interval, read_interval),
}
# fmt: on

#: What stands for a key that is not given.
DEFAULTS: Mapping[str, Any] = {key: rule.default for key, rule in _RULES.items()}

# Where a value comes from that is not given.
_FALLBACKS = {"SESSION_COOKIE_DOMAIN": "SERVER_NAME", "SESSION_COOKIE_PATH": "APPLICATION_ROOT"}

_SECRETS = ("SECRET_KEY", "SECRET_KEY_FALLBACKS")


class Settings(Mapping[str, Any]):
    """A settings dict, checked and converted; it cannot change any more, and its repr shows no key.

    Lifetimes are timedeltas of whole seconds, ``SECRET_KEY_FALLBACKS`` is a tuple; all else is as it was given.

    :param values: keys of the table in the README, and any others, which stay readable
    :raises SettingsError: lists every problem with its cure
    """

    __slots__ = (
        "_hash", "_values", "cookie_domain", "cookie_httponly", "cookie_name", "cookie_partitioned", "cookie_path",
        "cookie_samesite", "cookie_secure", "key_ring", "lifetimes",
    )  # fmt: skip

    _hash: int
    _values: dict[str, Any]
    #: The cookie, Domain and Path after their fallbacks to ``SERVER_NAME`` and ``APPLICATION_ROOT``.
    cookie_name: str
    cookie_domain: str | None
    cookie_path: str
    cookie_httponly: bool
    cookie_secure: bool | None
    cookie_samesite: str | None
    cookie_partitioned: bool
    #: The current key, which signs, then the fallbacks, which only open; without a ``SECRET_KEY`` none.
    key_ring: tuple[str | bytes, ...]
    #: The limits of permanent sessions, and of all others.
    lifetimes: Lifetimes

    def __init__(self, values: Mapping[str, Any]) -> None:
        checked, problems = _check_values(values)
        self._freeze(checked)
        # A key that is wrong by itself stands at its default here, of which there is nothing to say.
        wrong = {problem.partition(":")[0] for problem in problems}
        joint = (*_find_cookie_problems(self), *_find_interval_problems(self))
        problems += [problem for problem in joint if problem.partition(":")[0] not in wrong]
        if problems:
            raise SettingsError(*dict.fromkeys(problems))

    def _freeze(self, values: dict[str, Any]) -> None:
        derived = {
            "_values": values,
            "_hash": hash(tuple(values[key] for key in _RULES)),
            "key_ring": _resolve_keys(values),
            "lifetimes": _resolve_lifetimes(values),
            **{f"cookie_{name}": value for name, value in _resolve_cookie(values)._asdict().items()},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_strings(cls, values: Mapping[str, str], prefix: str = "") -> Self:
        """Read an ini file's section or an environment, with the same checks.

        Bools are true/false, yes/no, on/off or 1/0, times are whole seconds, several keys stand on a line each, and
        an empty text stands for ``None`` (but an empty ``SECRET_KEY`` is an error).

        :param values: keys in any case
        :param prefix: take only the keys that begin with it, and cut it off
        :raises SettingsError: as the class does
        """
        taken = {key[len(prefix) :]: text for key, text in values.items() if key.startswith(prefix)}
        return cls(dict(_read_string(key, text) for key, text in taken.items()))

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return self._hash

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings are frozen; make new ones to change {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Settings are frozen; make new ones to change {name!r}")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        # Keys that are not ours are left out: they may be secrets of somebody else.
        shown = {key: "..." if key in _SECRETS and self[key] else repr(self[key]) for key in _RULES}
        return f"Settings({', '.join(f'{key}={text}' for key, text in shown.items())})"


# -- checks of a whole dict -------------------------------------------------------------------------------------------


def _read_string(key: str, text: str) -> tuple[str, Any]:
    name = key.upper()
    if name in _RULES:
        return name, _RULES[name].read(text)
    # In text any case will do, for a misspelt key too.
    return (key, text) if find_lookalike(name, _RULES, _LOOKALIKE) is None else (name, text)


def _check_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    checked = dict(DEFAULTS)
    problems = []
    for key, value in values.items():
        try:
            checked[key] = _RULES[key].check(value) if key in _RULES else _pass_through(key, value)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    return checked, problems


def _pass_through(key: str, value: Any) -> Any:
    lookalike = find_lookalike(key, _RULES, _LOOKALIKE)
    if lookalike is not None:
        raise ValueError(f"unknown; did you mean {lookalike}?")
    return value


def find_lookalike(key: object, known: Iterable[str], ratio: float) -> str | None:
    """Return the one of the known keys that is most like another, if it is at least that much like it."""
    from difflib import get_close_matches  # here, since a dict that holds nothing foreign does without it

    return next(iter(get_close_matches(str(key), known, 1, ratio)), None)


def _find_cookie_problems(settings: Settings) -> Iterator[str]:
    for problem in find_problems(_resolve_cookie(settings)):
        key, _, text = problem.partition(":")
        # What the cookie's name demands is cured by the cookie's own key.
        is_fallback = settings[key] is None and "demands" not in text
        yield f"{_FALLBACKS.get(key, key) if is_fallback else key}:{text}"


def _find_interval_problems(settings: Settings) -> Iterator[str]:
    interval = settings["SESSION_REFRESH_INTERVAL"]
    if interval is None or interval is False:
        return
    refresh = _seconds(interval)
    permanent, other = settings.lifetimes
    for key, limit in (("SESSION_IDLE_LIFETIME", other.idle), ("PERMANENT_SESSION_LIFETIME", permanent.idle)):
        if refresh * 2 > limit:
            yield (
                f"SESSION_REFRESH_INTERVAL: {refresh} s is more than half of {key}, {limit} s,"
                " so that active visitors would be lost; use less"
            )


def _resolve_cookie(values: Mapping[str, Any]) -> CookiePolicy:
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
    if domain is None and values["SERVER_NAME"] and not is_host_only(values["SESSION_COOKIE_NAME"]):
        return _domain_of(values["SERVER_NAME"])
    return domain or None


def _domain_of(server_name: str) -> str | None:
    """Return the Domain for a host with or without a port; none for single labels and IP addresses."""
    host = re.sub(r":[0-9]*\Z", "", server_name)
    is_address = host.startswith("[") or ":" in host or re.fullmatch(r"[0-9.]+", host)
    return None if is_address or "." not in host.strip(".") else "." + host.lstrip(".")


def _resolve_keys(values: Mapping[str, Any]) -> tuple[str | bytes, ...]:
    key = values["SECRET_KEY"]
    return () if key is None else (key, *values["SECRET_KEY_FALLBACKS"])


def _resolve_lifetimes(values: Mapping[str, Any]) -> Lifetimes:
    permanent = values["PERMANENT_SESSION_LIFETIME"]
    other = values["SESSION_IDLE_LIFETIME"]
    return Lifetimes(_resolve_limits(values, permanent), _resolve_limits(values, permanent if other is None else other))


def _resolve_limits(values: Mapping[str, Any], lifetime: timedelta) -> Limits:
    idle, absolute = _seconds(lifetime), values["SESSION_ABSOLUTE_LIFETIME"]
    refresh = _resolve_refresh(values["SESSION_REFRESH_INTERVAL"], idle)
    return Limits(idle, None if absolute is None else _seconds(absolute), refresh)


def _resolve_refresh(interval: Any, idle: int) -> int | None:
    if interval is None:
        return default_refresh(idle)
    return None if interval is False else _seconds(interval)


def _seconds(value: timedelta) -> int:
    return int(value.total_seconds())
