"""Settings: a settings dict, checked once and frozen.

One dict often configures a whole application, so keys of others pass through untouched. Only a key that looks like a
misspelt key of ours is an error. Every problem is found before any is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn, Protocol, Self

from ._cookies import MAX_COOKIE_BYTES
from ._hidden import Hidden, discreet
from ._keys import convert_key, convert_keys
from ._lifetimes import Lifetimes, Limits, default_reissue_after
from ._policy import COOKIE_RULES, CookiePolicy, CookieSettings, Problem, find_problems, resolve_policy
from ._setting_types import (
    Rule,
    convert_cookie_bytes,
    convert_cookie_lifetime,
    convert_interval,
    convert_optional_lifetime,
    parse_interval,
    parse_lines,
    parse_seconds,
)
from .exceptions import SettingsError

#: How much a foreign key must be like one of ours (difflib's ratio) to be taken for a misspelling.
_LOOKALIKE_RATIO = 0.93


class SupportsGet(Protocol):
    """A mapping, as far as limits depend on it."""

    @property
    def get(self) -> Callable[[str], Any]:
        """Return the value of a key, or None."""
        ...


# -- the table --------------------------------------------------------------------------------------------------------


class SettingsDict(CookieSettings, total=False):
    """The keys of a settings dict, for editors and type checkers. All are optional, and other keys may stand beside.

    >>> settings: SettingsDict = {"SECRET_KEY": "the key of an example", "SESSION_COOKIE_SECURE": True}
    """

    SECRET_KEY: str | bytes | None
    #: Never a key that leaked: what was forged with it would be reissued with the current one.
    SECRET_KEY_FALLBACKS: list[str | bytes] | tuple[str | bytes, ...] | None
    PERMANENT_SESSION_LIFETIME: timedelta | float
    SESSION_IDLE_LIFETIME: timedelta | float | None
    SESSION_ABSOLUTE_LIFETIME: timedelta | float | None
    SESSION_REFRESH_INTERVAL: timedelta | float | bool | None
    SESSION_COOKIE_WARN_BYTES: int | bool


_RULES = {
    "SECRET_KEY": Rule(None, convert_key, str),
    "SECRET_KEY_FALLBACKS": Rule((), convert_keys, parse_lines),
    **COOKIE_RULES,
    "PERMANENT_SESSION_LIFETIME": Rule(timedelta(days=31), convert_cookie_lifetime, parse_seconds),
    "SESSION_IDLE_LIFETIME": Rule(None, convert_optional_lifetime, parse_seconds),
    "SESSION_ABSOLUTE_LIFETIME": Rule(None, convert_optional_lifetime, parse_seconds),
    "SESSION_REFRESH_INTERVAL": Rule(None, convert_interval, parse_interval),
    "SESSION_COOKIE_WARN_BYTES": Rule(3500, convert_cookie_bytes, parse_interval),
}

#: What a missing key is.
DEFAULTS: Mapping[str, Any] = {key: rule.default for key, rule in _RULES.items()}

_SECRETS = ("SECRET_KEY", "SECRET_KEY_FALLBACKS")


class Settings:
    """A settings dict, checked and converted. It is frozen, and shows no key.

    It answers ``settings[key]``, ``settings.get(key)`` and ``key in settings``, but it is no mapping: error trackers
    look into each mapping that they find, and ``{**mine, **settings}`` would put every default over what is mine.

    Lifetimes are timedeltas of whole seconds, and ``SECRET_KEY_FALLBACKS`` is a tuple. All other values are as given.

    :param values: keys of the table in the README, and any others, which stay readable; or ready settings
    :ivar cookie_policy: the cookie's name and attributes, Domain and Path after their fallbacks to ``SERVER_NAME`` and
        ``APPLICATION_ROOT``
    :ivar cookie_warn_bytes: the size of a cookie (name and value) up to which no warning is logged
    :ivar key_ring: the current key, which signs, then the fallbacks, which only verify, all of them hidden; empty
        without ``SECRET_KEY``.
        What a fallback verifies is reissued with the current key, so a leaked key must not be one.
    :ivar lifetimes: the limits of permanent sessions and of all others
    :raises SettingsError: lists every problem with its cure

    >>> settings = Settings({"SECRET_KEY": "the key of an example", "SESSION_COOKIE_SAMESITE": "strict"})
    >>> settings["SESSION_COOKIE_SAMESITE"]
    'Strict'
    """

    __slots__ = ("_hash", "_values", "cookie_policy", "cookie_warn_bytes", "key_ring", "lifetimes")

    _hash: int
    _values: Hidden[dict[str, Any]]
    cookie_policy: CookiePolicy
    cookie_warn_bytes: int
    key_ring: tuple[Hidden[str | bytes], ...]
    lifetimes: Lifetimes

    @discreet
    def __init__(self, values: Mapping[str, Any] | Settings) -> None:
        if isinstance(values, Settings):
            values = {key: values[key] for key in (*_RULES, *values.list_foreign())}
        converted, problems = _convert_values(values)
        self._freeze(converted)
        # A setting that failed its own check has its default value here; the problems of that default are skipped.
        wrong = {problem.key for problem in problems}
        joint = (*_find_cookie_problems(self), *_find_interval_problems(self))
        problems += [problem for problem in joint if problem.key not in wrong]
        if problems:
            raise SettingsError(*dict.fromkeys(f"{problem.key}: {problem.text}" for problem in problems))

    def _freeze(self, values: dict[str, Any]) -> None:
        derived = {
            "_values": Hidden(values),
            "_hash": hash(tuple(values[key] for key in _RULES)),
            "cookie_policy": resolve_policy(values),
            "cookie_warn_bytes": values["SESSION_COOKIE_WARN_BYTES"] or MAX_COOKIE_BYTES,
            "key_ring": _resolve_keys(values),
            "lifetimes": _resolve_lifetimes(values),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @classmethod
    @discreet
    def from_strings(cls, values: Mapping[str, str], prefix: str = "") -> Self:
        """Read a section of an ini file or an environment, with the same checks.

        Bools are true/false, yes/no, on/off or 1/0. Times are whole seconds. Several keys stand on a line each. An
        empty text is ``None``, except for ``SECRET_KEY``, where it is an error.

        :param values: keys in any case
        :param prefix: takes only the keys that begin with it, and removes it
        :raises SettingsError: lists every problem with its cure

        >>> environment = {"SHOP_SECRET_KEY": "the key of an example", "SHOP_SESSION_COOKIE_SECURE": "yes"}
        >>> Settings.from_strings(environment, prefix="SHOP_")["SESSION_COOKIE_SECURE"]
        True
        """
        taken = {key[len(prefix) :]: text for key, text in values.items() if key.startswith(prefix)}
        return cls(dict(_parse_string(key, text) for key, text in taken.items()))

    def limits_of(self, data: SupportsGet) -> Limits:
        """Return the limits of a session that holds this data.

        >>> Settings({"SESSION_IDLE_LIFETIME": 1800}).limits_of({}).idle
        1800
        """
        return self.lifetimes.permanent if data.get("_permanent") else self.lifetimes.other

    def list_foreign(self) -> list[str]:
        """Return the keys that are not in the table, without their values."""
        return [key for key in self._values.reveal() if key not in _RULES]

    def __getitem__(self, key: str) -> Any:
        return self._values.reveal()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        return self._values.reveal().get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._values.reveal()

    __iter__ = None  # else Python would try settings[0]

    def __eq__(self, other: object) -> bool:
        return self._values.reveal() == other._values.reveal() if isinstance(other, Settings) else NotImplemented

    def __hash__(self) -> int:
        return self._hash

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings are frozen; make new ones to change {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Settings are frozen; make new ones to change {name!r}")

    def __reduce__(self) -> NoReturn:
        raise TypeError("Settings hold keys, so they are not serialized; make them anew from your settings dict")

    # They are frozen, so a copy is the same. Error trackers copy what they find.

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        # The keys of others are left out: their values may be secrets too.
        shown = {key: "..." if key in _SECRETS and self[key] else repr(self[key]) for key in _RULES}
        return f"Settings({', '.join(f'{key}={text}' for key, text in shown.items())})"


# -- checks of a whole dict -------------------------------------------------------------------------------------------


def _parse_string(key: str, text: str) -> tuple[str, Any]:
    name = key.upper()
    if name in _RULES:
        return name, _RULES[name].parse(text)
    # Text may be in any case, and so may a misspelt key.
    return (key, text) if find_lookalike(name, _RULES, _LOOKALIKE_RATIO) is None else (name, text)


def _convert_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    converted = dict(DEFAULTS)
    problems = []
    for key, value in values.items():
        try:
            converted[key] = _RULES[key].convert(value) if key in _RULES else _pass_through(key, value)
        except ValueError as error:
            problems.append(Problem(key, str(error)))
    return converted, problems


def _pass_through(key: str, value: Any) -> Any:
    lookalike = find_lookalike(key, _RULES, _LOOKALIKE_RATIO)
    if lookalike is not None:
        raise ValueError(f"unknown; did you mean {lookalike}?")
    return value


def find_lookalike(key: object, known: Iterable[str], ratio: float) -> str | None:
    """Return the known key that is most like another one, if it is at least this much like it."""
    from difflib import get_close_matches  # here, because a dict without foreign keys does without it

    return next(iter(get_close_matches(str(key), known, 1, ratio)), None)


def _find_cookie_problems(settings: Settings) -> Iterator[Problem]:
    for problem in find_problems(settings.cookie_policy):
        source = problem.inherited_from if settings[problem.key] is None else None
        yield problem if source is None else problem._replace(key=source)


def _find_interval_problems(settings: Settings) -> Iterator[Problem]:
    interval = settings["SESSION_REFRESH_INTERVAL"]
    if interval is None or interval is False:
        return
    refresh = _to_seconds(interval)
    permanent, other = settings.lifetimes
    for key, limit in (("SESSION_IDLE_LIFETIME", other.idle), ("PERMANENT_SESSION_LIFETIME", permanent.idle)):
        if refresh * 2 > limit:
            text = f"{refresh} s is more than half of {key}, {limit} s, so active sessions would expire; use less"
            yield Problem("SESSION_REFRESH_INTERVAL", text)


# -- what is derived --------------------------------------------------------------------------------------------------


def _resolve_keys(values: Mapping[str, Any]) -> tuple[Hidden[str | bytes], ...]:
    key = values["SECRET_KEY"]
    return () if key is None else tuple(map(Hidden, (key, *values["SECRET_KEY_FALLBACKS"])))


def _resolve_lifetimes(values: Mapping[str, Any]) -> Lifetimes:
    permanent = values["PERMANENT_SESSION_LIFETIME"]
    other = values["SESSION_IDLE_LIFETIME"]
    return Lifetimes(_resolve_limits(values, permanent), _resolve_limits(values, permanent if other is None else other))


def _resolve_limits(values: Mapping[str, Any], lifetime: timedelta) -> Limits:
    idle, absolute = _to_seconds(lifetime), values["SESSION_ABSOLUTE_LIFETIME"]
    reissue_after = _resolve_reissue(values["SESSION_REFRESH_INTERVAL"], idle)
    return Limits(idle, None if absolute is None else _to_seconds(absolute), reissue_after)


def _resolve_reissue(interval: Any, idle: int) -> int | None:
    if interval is None:
        return default_reissue_after(idle)
    return None if interval is False else _to_seconds(interval)


def _to_seconds(value: timedelta) -> int:
    return int(value.total_seconds())
