"""A settings dict is checked once, every problem is reported with its cure, and no key is ever shown."""

from __future__ import annotations

import configparser
import copy
import os
import pickle
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Sized
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp._lifetimes import Lifetimes, Limits
from handstamp._settings import Settings
from handstamp.exceptions import SettingsError

KEY = "sixteen bytes it is, and some more"
OTHER = "another key, from last year, too"
BINARY = b"\xff\x80 no text, a key \0"
DAY = 24 * 3600
HOST = {"SESSION_COOKIE_NAME": "__Host-id", "SESSION_COOKIE_SECURE": True}


def problems_of(values: Mapping[str, Any], make: Callable[[Any], Settings] = Settings) -> tuple[str, ...]:
    """Return the problems of a settings dict."""
    with pytest.raises(SettingsError) as caught:
        make(values)
    return caught.value.problems


def problem_of(values: Mapping[str, Any], make: Callable[[Any], Settings] = Settings) -> str:
    """Return the only problem of a settings dict."""
    (problem,) = problems_of(values, make)
    return problem


# -- the table --------------------------------------------------------------------------------------------------------

DEFAULTS = {
    "SECRET_KEY": None,
    "SECRET_KEY_FALLBACKS": (),
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_DOMAIN": None,
    "SERVER_NAME": None,
    "SESSION_COOKIE_PATH": None,
    "APPLICATION_ROOT": "/",
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SECURE": None,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_COOKIE_PARTITIONED": False,
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),
    "SESSION_IDLE_LIFETIME": None,
    "SESSION_ABSOLUTE_LIFETIME": None,
    "SESSION_REFRESH_INTERVAL": None,
    "SESSION_COOKIE_WARN_BYTES": 3500,
}


def test_defaults() -> None:
    """Without a word every key has its default, and there are no others."""
    settings = Settings({})
    assert {key: settings[key] for key in DEFAULTS} == DEFAULTS
    assert settings.list_foreign() == []


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("SECRET_KEY", None, None),
        ("SECRET_KEY", "16 bytes and fit", "16 bytes and fit"),
        ("SECRET_KEY", "äöüßèéêë", "äöüßèéêë"),
        ("SECRET_KEY", BINARY, BINARY),
        ("SECRET_KEY_FALLBACKS", None, ()),
        ("SECRET_KEY_FALLBACKS", [], ()),
        ("SECRET_KEY_FALLBACKS", [KEY, BINARY], (KEY, BINARY)),
        ("SECRET_KEY_FALLBACKS", (KEY,), (KEY,)),
        ("SESSION_COOKIE_NAME", "id", "id"),
        ("SESSION_COOKIE_DOMAIN", "example.com", "example.com"),
        ("SESSION_COOKIE_DOMAIN", False, False),
        ("SERVER_NAME", "example.com:8000", "example.com:8000"),
        ("SESSION_COOKIE_PATH", "/app", "/app"),
        ("APPLICATION_ROOT", "/app", "/app"),
        ("SESSION_COOKIE_HTTPONLY", False, False),
        ("SESSION_COOKIE_SECURE", True, True),
        ("SESSION_COOKIE_SECURE", False, False),
        ("SESSION_COOKIE_SAMESITE", None, None),
        ("SESSION_COOKIE_SAMESITE", "Strict", "Strict"),
        ("SESSION_COOKIE_SAMESITE", "lax", "Lax"),
        ("SESSION_COOKIE_SAMESITE", "STRICT", "Strict"),
        ("PERMANENT_SESSION_LIFETIME", timedelta(hours=1), timedelta(hours=1)),
        ("PERMANENT_SESSION_LIFETIME", 3600, timedelta(hours=1)),
        ("PERMANENT_SESSION_LIFETIME", 3600.9, timedelta(hours=1)),
        ("PERMANENT_SESSION_LIFETIME", timedelta(seconds=1, microseconds=9), timedelta(seconds=1)),
        ("PERMANENT_SESSION_LIFETIME", 1, timedelta(seconds=1)),
        ("PERMANENT_SESSION_LIFETIME", 400 * DAY, timedelta(days=400)),
        ("SESSION_IDLE_LIFETIME", 1, timedelta(seconds=1)),
        ("SESSION_IDLE_LIFETIME", timedelta(days=4000), timedelta(days=4000)),
        ("SESSION_ABSOLUTE_LIFETIME", 1, timedelta(seconds=1)),
        ("SESSION_ABSOLUTE_LIFETIME", timedelta(days=4000), timedelta(days=4000)),
        ("SESSION_REFRESH_INTERVAL", False, False),
        ("SESSION_REFRESH_INTERVAL", 0, timedelta(0)),
        ("SESSION_REFRESH_INTERVAL", timedelta(0), timedelta(0)),
        ("SESSION_REFRESH_INTERVAL", 60, timedelta(minutes=1)),
        ("SESSION_REFRESH_INTERVAL", 31 * DAY // 2, timedelta(days=15.5)),
        ("SESSION_COOKIE_WARN_BYTES", False, False),
        ("SESSION_COOKIE_WARN_BYTES", 1, 1),
        ("SESSION_COOKIE_WARN_BYTES", 4096, 4096),
    ],
)
def test_conversions(key: str, given: Any, kept: Any) -> None:
    """What is right is kept: times as timedeltas of whole seconds, the fallbacks as a tuple, all else as it was."""
    value = Settings({key: given})[key]
    assert (type(value), value) == (type(kept), kept)


@pytest.mark.parametrize(("key", "value"), [("SESSION_COOKIE_PARTITIONED", True), ("SESSION_COOKIE_SAMESITE", "None")])
def test_what_secure_allows(key: str, value: Any) -> None:
    """Partitioned and SameSite=None are right with Secure."""
    assert Settings({key: value, "SESSION_COOKIE_SECURE": True})[key] == value


LIST_CURE = "must be a list of keys, not"
KEY_CURE = "make one with: python -m handstamp secret"
BOOL_CURE = "is not a bool; use True or False"
TEXT_CURE = "is not a str; write it as text"
TIME_CURE = "is not a time; use a timedelta or seconds"
WAIT_CURE = "is negative or not finite; use a timedelta or seconds, 0 or more"
TOO_LONG = "is more than ten years; use less"
AT_ONCE = "ends a session at once; use at least 1 second"

#: A key, a value that is wrong for it, and what is said of it.
WRONG: list[Any] = [
    ("SECRET_KEY", "", f"a key of 0 bytes is too short, use at least 16; {KEY_CURE}"),
    ("SECRET_KEY", "a" * 15, f"a key of 15 bytes is too short, use at least 16; {KEY_CURE}"),
    ("SECRET_KEY", b"a" * 15, f"a key of 15 bytes is too short, use at least 16; {KEY_CURE}"),
    ("SECRET_KEY", 12345678901234567890, f"a key must be str or bytes, not int; {KEY_CURE}"),
    ("SECRET_KEY", bytearray(b"a" * 16), f"a key must be str or bytes, not bytearray; {KEY_CURE}"),
    ("SECRET_KEY", [KEY], f"a key must be str or bytes, not list; {KEY_CURE}"),
    ("SECRET_KEY_FALLBACKS", KEY, f"{LIST_CURE} str; write [key]"),
    ("SECRET_KEY_FALLBACKS", KEY.encode(), f"{LIST_CURE} bytes; write [key]"),
    ("SECRET_KEY_FALLBACKS", {KEY}, f"{LIST_CURE} set; write [key]"),
    ("SECRET_KEY_FALLBACKS", {KEY: 1}, f"{LIST_CURE} dict; write [key]"),
    ("SECRET_KEY_FALLBACKS", [KEY, "short"], f"key 1: a key of 5 bytes is too short, use at least 16; {KEY_CURE}"),
    ("SECRET_KEY_FALLBACKS", [[KEY]], f"key 0: a key must be str or bytes, not list; {KEY_CURE}"),
    ("SECRET_KEY_FALLBACKS", [KEY, None], "key 1 is None; remove it from the list"),
    ("SESSION_COOKIE_NAME", None, f"None {TEXT_CURE}"),
    ("SESSION_COOKIE_NAME", b"id", f"b'id' {TEXT_CURE}"),
    ("SESSION_COOKIE_NAME", "", "'' is not a cookie name; use letters, digits, '-' and '_'"),
    ("SESSION_COOKIE_NAME", "a b", "'a b' is not a cookie name; use letters, digits, '-' and '_'"),
    ("SESSION_COOKIE_DOMAIN", True, f"True {TEXT_CURE}"),
    ("SESSION_COOKIE_DOMAIN", 1, f"1 {TEXT_CURE}"),
    ("SESSION_COOKIE_DOMAIN", "a b", "'a b' is not a host name; write it in ASCII, such as 'example.com'"),
    ("SERVER_NAME", b"a.example", f"b'a.example' {TEXT_CURE}"),
    ("SESSION_COOKIE_PATH", 1, f"1 {TEXT_CURE}"),
    ("SESSION_COOKIE_PATH", "app", "'app' is not a path; begin with '/', and use printable ASCII without ';' and ','"),
    ("APPLICATION_ROOT", None, f"None {TEXT_CURE}"),
    ("SESSION_COOKIE_HTTPONLY", "false", f"'false' {BOOL_CURE}"),
    ("SESSION_COOKIE_HTTPONLY", 1, f"1 {BOOL_CURE}"),
    ("SESSION_COOKIE_HTTPONLY", None, f"None {BOOL_CURE}"),
    ("SESSION_COOKIE_SECURE", "auto", f"'auto' {BOOL_CURE}"),
    ("SESSION_COOKIE_SECURE", 0, f"0 {BOOL_CURE}"),
    ("SESSION_COOKIE_SAMESITE", False, f"False {TEXT_CURE}"),
    ("SESSION_COOKIE_SAMESITE", "laxer", "'Laxer' is unknown; use one of 'Strict', 'Lax', 'None', or None"),
    ("SESSION_COOKIE_PARTITIONED", None, f"None {BOOL_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", None, f"None {TIME_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", "3600", f"'3600' {TIME_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", True, f"True {TIME_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", Decimal(1), f"Decimal('1') {TIME_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", 0, f"0 {AT_ONCE}"),
    ("PERMANENT_SESSION_LIFETIME", 0.9, f"0.9 {AT_ONCE}"),
    ("PERMANENT_SESSION_LIFETIME", -1, f"-1 {WAIT_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", timedelta(-1), f"datetime.timedelta(days=-1) {WAIT_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", float("nan"), f"nan {WAIT_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", float("inf"), f"inf {WAIT_CURE}"),
    ("PERMANENT_SESSION_LIFETIME", 400 * DAY + 1, "34560001 is more than the 400 days that browsers keep a cookie"),
    ("SESSION_IDLE_LIFETIME", "1", f"'1' {TIME_CURE}"),
    ("SESSION_IDLE_LIFETIME", 0, f"0 {AT_ONCE}"),
    ("SESSION_IDLE_LIFETIME", False, f"False {TIME_CURE}"),
    ("SESSION_IDLE_LIFETIME", 10**30, f"{10**30} {TOO_LONG}"),
    ("SESSION_ABSOLUTE_LIFETIME", "1", f"'1' {TIME_CURE}"),
    ("SESSION_ABSOLUTE_LIFETIME", -1, f"-1 {WAIT_CURE}"),
    ("SESSION_ABSOLUTE_LIFETIME", 0, f"0 {AT_ONCE}"),
    ("SESSION_ABSOLUTE_LIFETIME", 4000 * DAY + 1, f"345600001 {TOO_LONG}"),
    ("SESSION_ABSOLUTE_LIFETIME", timedelta.max, TOO_LONG),
    ("SESSION_REFRESH_INTERVAL", True, f"True {TIME_CURE}"),
    ("SESSION_REFRESH_INTERVAL", "60", f"'60' {TIME_CURE}"),
    ("SESSION_REFRESH_INTERVAL", -1, f"-1 {WAIT_CURE}"),
    ("SESSION_REFRESH_INTERVAL", float("inf"), f"inf {WAIT_CURE}"),
    ("SESSION_REFRESH_INTERVAL", 1e300, f"1e+300 {TOO_LONG}"),
    pytest.param("SESSION_REFRESH_INTERVAL", 10**5000, f"this int {TOO_LONG}", id="unprintable"),
    ("SESSION_COOKIE_WARN_BYTES", True, "True is not a number of bytes; use an int, or False for never"),
    ("SESSION_COOKIE_WARN_BYTES", None, "None is not a number of bytes; use an int, or False for never"),
    ("SESSION_COOKIE_WARN_BYTES", 3500.0, "3500.0 is not a number of bytes; use an int, or False for never"),
    ("SESSION_COOKIE_WARN_BYTES", 0, "0 is not within 1 and 4096, which no cookie exceeds; use False"),
    ("SESSION_COOKIE_WARN_BYTES", 4097, "4097 is not within 1 and 4096, which no cookie exceeds; use False"),
]


@pytest.mark.parametrize(("key", "value", "said"), WRONG)
def test_wrong_values(key: str, value: Any, said: str) -> None:
    """What is wrong is an error that begins with the key, says what is wrong, and ends with the cure."""
    problem = problem_of({key: value})
    assert problem.startswith(f"{key}: ")
    assert said in problem


def test_every_key_is_checked() -> None:
    """The values above leave no key out."""
    assert {key for key, *_ in (getattr(row, "values", row) for row in WRONG)} == set(DEFAULTS)


@pytest.mark.parametrize("key", ["SECRET_KEY", "SECRET_KEY_FALLBACKS"])
def test_a_key_that_cannot_sign(key: str) -> None:
    """A key with lone surrogates, as os.environ gives them for bytes that are no UTF-8, is an error at once."""
    broken = "a key with a broken byte \udcff in it"
    assert problem_of({key: broken if key == "SECRET_KEY" else [broken]}).startswith(f"{key}: ")


@pytest.mark.parametrize(
    "key",
    ["PERMANENT_SESSION_LIFETIME", "SESSION_IDLE_LIFETIME", "SESSION_ABSOLUTE_LIFETIME", "SESSION_REFRESH_INTERVAL"],
)
@pytest.mark.parametrize("value", [1e300, 10**30, 10**5000], ids=["float", "int", "unprintable"])
def test_absurd_times(key: str, value: float) -> None:
    """A time that no calendar holds is an error like any other, with its cure."""
    problem = problem_of({key: value})
    assert problem.startswith(f"{key}: ")
    assert "use " in problem


# -- rules that join several keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"SESSION_COOKIE_SAMESITE": "none"}, "SESSION_COOKIE_SECURE: None, but SameSite=None demands Secure"),
        (
            {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": False},
            "SESSION_COOKIE_SECURE: False, but SameSite=None demands Secure; set it to True",
        ),
        ({"SESSION_COOKIE_PARTITIONED": True}, "SESSION_COOKIE_SECURE: None, but Partitioned demands Secure"),
        ({"SESSION_COOKIE_NAME": "__host-id"}, "SESSION_COOKIE_SECURE: None, but the name '__host-id' demands Secure"),
        ({"SESSION_COOKIE_NAME": "__Secure-id"}, "SESSION_COOKIE_SECURE: None, but the name '__Secure-id' demands"),
        (HOST | {"SESSION_COOKIE_DOMAIN": "a.example"}, "SESSION_COOKIE_DOMAIN: 'a.example', but the name"),
        (HOST | {"SESSION_COOKIE_PATH": "/app"}, "SESSION_COOKIE_PATH: '/app', but the name '__Host-id' demands '/'"),
        (HOST | {"APPLICATION_ROOT": "/app"}, "SESSION_COOKIE_PATH: '/app', but the name '__Host-id' demands '/'"),
        (
            {
                "SESSION_COOKIE_NAME": "__Http-id",
                "SESSION_COOKIE_SECURE": True,
                "SESSION_COOKIE_HTTPONLY": False,
            },
            "SESSION_COOKIE_HTTPONLY: False, but the name '__Http-id' demands HttpOnly; set it to True",
        ),
    ],
)
def test_rules_of_the_cookie(values: dict[str, Any], problem: str) -> None:
    """Keys that contradict each other are an error under the key that cures it."""
    assert problem_of(values).startswith(problem)


def test_a_prefix_that_is_kept() -> None:
    """A ``__Host-Http-`` name is right with all that it demands."""
    name = "__Host-Http-id"
    settings = Settings({"SESSION_COOKIE_NAME": name, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": False})
    assert settings["SESSION_COOKIE_NAME"] == name


@pytest.mark.parametrize(
    ("values", "key", "limit"),
    [
        ({"PERMANENT_SESSION_LIFETIME": 1000, "SESSION_IDLE_LIFETIME": 100}, "SESSION_IDLE_LIFETIME", 100),
        ({"PERMANENT_SESSION_LIFETIME": 100, "SESSION_IDLE_LIFETIME": 1000}, "PERMANENT_SESSION_LIFETIME", 100),
    ],
)
def test_a_refresh_that_comes_too_late(values: dict[str, Any], key: str, limit: int) -> None:
    """An interval of more than half of an idle limit would lose active visitors."""
    assert problem_of(values | {"SESSION_REFRESH_INTERVAL": 51}) == (
        f"SESSION_REFRESH_INTERVAL: 51 s is more than half of {key}, {limit} s,"
        " so active sessions would expire; use less"
    )


def test_a_refresh_that_loses_all_visitors() -> None:
    """Where it is too long for both idle limits, both are named."""
    problems = problems_of({"PERMANENT_SESSION_LIFETIME": 100, "SESSION_REFRESH_INTERVAL": 51})
    assert [problem.partition(" half of ")[2].partition(",")[0] for problem in problems] == [
        "SESSION_IDLE_LIFETIME",
        "PERMANENT_SESSION_LIFETIME",
    ]


@pytest.mark.parametrize("interval", [50, 0, False, None])
def test_a_refresh_in_time(interval: Any) -> None:
    """Half of an idle limit is in time, and so are none at all and the default."""
    values = {"PERMANENT_SESSION_LIFETIME": 100, "SESSION_REFRESH_INTERVAL": interval}
    assert Settings(values).lifetimes.permanent.idle == 100


# -- all problems at once ---------------------------------------------------------------------------------------------


def test_all_problems_of_single_values() -> None:
    """Every value that is wrong is reported, together."""
    problems = problems_of({"SECRET_KEY": "short", "SESSION_COOKIE_HTTPOLNY": True, "SESSION_COOKIE_SECURE": "yes"})
    assert [problem.partition(":")[0] for problem in problems] == [
        "SECRET_KEY",
        "SESSION_COOKIE_HTTPOLNY",
        "SESSION_COOKIE_SECURE",
    ]


def test_all_problems_of_joined_keys() -> None:
    """So is every rule that joins several keys."""
    problems = problems_of(
        {
            "SESSION_COOKIE_NAME": "a b",
            "SESSION_COOKIE_PATH": "app",
            "SESSION_COOKIE_SAMESITE": "None",
            "SESSION_REFRESH_INTERVAL": 30 * DAY,
        }
    )
    assert {problem.partition(":")[0] for problem in problems} == {
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_PATH",
        "SESSION_COOKIE_SECURE",
        "SESSION_REFRESH_INTERVAL",
    }


def test_all_problems_of_both_kinds() -> None:
    """A value that is wrong by itself does not hide a rule that others break."""
    problems = problems_of({"SECRET_KEY": "short", "SESSION_COOKIE_NAME": "a b", "SESSION_COOKIE_SAMESITE": "None"})
    assert {problem.partition(":")[0] for problem in problems} == {
        "SECRET_KEY",
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
    }


def test_no_problem_twice() -> None:
    """A problem that two rules find is reported once."""
    problem = "SESSION_COOKIE_SECURE: None, but the name '__Host-Http-id' demands Secure; set it to True"
    assert problems_of({"SESSION_COOKIE_NAME": "__Host-Http-id"}) == (problem,)


# -- keys that are none of ours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("SESSION_COOKIE_HTTPOLNY", "SESSION_COOKIE_HTTPONLY"),
        ("SESSION_COOKIE_SAME_SITE", "SESSION_COOKIE_SAMESITE"),
        ("SESSION_COOKIE_NAMES", "SESSION_COOKIE_NAME"),
        ("SESION_COOKIE_DOMAIN", "SESSION_COOKIE_DOMAIN"),
        ("SESSION_COOKE_PATH", "SESSION_COOKIE_PATH"),
        ("SECRET_KEYS", "SECRET_KEY"),
        ("SECRETKEY", "SECRET_KEY"),
        ("SECRET_KEY_FALLBACK", "SECRET_KEY_FALLBACKS"),
        ("PERMANENT_SESSION_LIFE_TIME", "PERMANENT_SESSION_LIFETIME"),
        ("SESSION_IDLE_LIFETIMES", "SESSION_IDLE_LIFETIME"),
        ("SESSION_REFRESH_INTERVALL", "SESSION_REFRESH_INTERVAL"),
        ("SERVERNAME", "SERVER_NAME"),
    ],
)
def test_lookalikes(key: str, meant: str) -> None:
    """A key that looks like one of ours is an error that names ours."""
    assert problem_of({key: None}) == f"{key}: unknown; did you mean {meant}?"


@pytest.mark.parametrize(
    "key",
    [
        "DEBUG",
        "SESSION_COOKIE_AGE",
        "SESSION_COOKIE_HTTP",
        "SECRET_KEY_2",
        "SERVER_NAME_2",
        "SESSION_TYPE",
        "SESSION_REFRESH_EACH_REQUEST",
        "SECRET",
        "SERVER",
        "COOKIE_NAME",
        "MAX_COOKIE_SIZE",
        "",
    ],
)
def test_foreign_keys(key: str) -> None:
    """Every other key passes through, its value untouched."""
    value = object()
    assert Settings({key: value})[key] is value


def test_keys_that_are_no_text() -> None:
    """Even one that is no text."""
    assert Settings({5: "five"})[5] == "five"  # type: ignore[dict-item, index]  # wrong on purpose


def test_flask_configuration_is_accepted_whole() -> None:
    """Flask's own defaults are accepted, each key readable, the foreign ones as they were."""
    settings = Settings(flask.Flask.default_config)
    assert len(flask.Flask.default_config) > 20
    for key, value in flask.Flask.default_config.items():
        assert settings[key] == (value if key != "SECRET_KEY_FALLBACKS" else ())


def test_flask_configuration_of_an_application() -> None:
    """So is the live configuration of a Flask application."""
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=[OTHER], SESSION_COOKIE_SAMESITE="Strict")
    settings = Settings(app.config)
    assert settings["SECRET_KEY_FALLBACKS"] == (OTHER,)
    assert settings["SESSION_COOKIE_SAMESITE"] == "Strict"


# -- Domain, Path and limits, after their fallbacks -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ({}, None),
        ({"SESSION_COOKIE_DOMAIN": "example.com"}, "example.com"),
        ({"SESSION_COOKIE_DOMAIN": ".example.com"}, ".example.com"),
        ({"SESSION_COOKIE_DOMAIN": "example.com", "SERVER_NAME": "other.example"}, "example.com"),
        ({"SESSION_COOKIE_DOMAIN": False, "SERVER_NAME": "example.com"}, None),
        ({"SERVER_NAME": "example.com"}, ".example.com"),
        ({"SERVER_NAME": ".example.com"}, ".example.com"),
        ({"SERVER_NAME": "www.example.com:8000"}, ".www.example.com"),
        ({"SERVER_NAME": "example.com:"}, ".example.com"),
        ({"SERVER_NAME": ""}, None),
        ({"SERVER_NAME": "localhost"}, None),
        ({"SERVER_NAME": "localhost:8000"}, None),
        ({"SERVER_NAME": "localhost."}, None),
        ({"SERVER_NAME": ".localhost"}, None),
        ({"SERVER_NAME": "127.0.0.1"}, None),
        ({"SERVER_NAME": "127.0.0.1:8000"}, None),
        ({"SERVER_NAME": "[::1]"}, None),
        ({"SERVER_NAME": "[::1]:8000"}, None),
        ({"SERVER_NAME": "::1"}, None),
        ({"SERVER_NAME": "fe80::1.2.3.4"}, None),
        (HOST | {"SERVER_NAME": "example.com"}, None),
        (HOST | {"SESSION_COOKIE_NAME": "__HOST-http-id", "SERVER_NAME": "example.com"}, None),
        (HOST | {"SESSION_COOKIE_NAME": "__Secure-id", "SERVER_NAME": "example.com"}, ".example.com"),
    ],
)
def test_domain(values: dict[str, Any], domain: str | None) -> None:
    """The Domain is what was said, else the server's name; single labels, addresses and ``__Host-`` names give none."""
    assert Settings(values).cookie_policy.domain == domain


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "/"),
        ({"SESSION_COOKIE_PATH": "/app"}, "/app"),
        ({"APPLICATION_ROOT": "/root"}, "/root"),
        ({"SESSION_COOKIE_PATH": "/app", "APPLICATION_ROOT": "/root"}, "/app"),
        ({"SESSION_COOKIE_PATH": "/", "APPLICATION_ROOT": "/root"}, "/"),
        ({"SESSION_COOKIE_PATH": "", "APPLICATION_ROOT": ""}, "/"),
    ],
)
def test_path(values: dict[str, Any], path: str) -> None:
    """The Path is what was said, else the application's root, else the whole site."""
    assert Settings(values).cookie_policy.path == path


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"SERVER_NAME": "exämple.com"}, "SERVER_NAME"),
        ({"SERVER_NAME": "example.com/app"}, "SERVER_NAME"),
        ({"APPLICATION_ROOT": "app"}, "APPLICATION_ROOT"),
        ({"APPLICATION_ROOT": "/a;b"}, "APPLICATION_ROOT"),
    ],
)
def test_the_fault_of_a_fallback(values: dict[str, Any], fault: str) -> None:
    """What is wrong with a fallback is said of the key that was given."""
    assert problem_of(values).startswith(f"{fault}: ")


MONTH = Limits(31 * DAY, None, DAY)


@pytest.mark.parametrize(
    ("values", "lifetimes"),
    [
        ({}, Lifetimes(MONTH, MONTH)),
        ({"PERMANENT_SESSION_LIFETIME": 100}, Lifetimes(Limits(100, None, 10), Limits(100, None, 10))),
        ({"SESSION_IDLE_LIFETIME": 100}, Lifetimes(MONTH, Limits(100, None, 10))),
        ({"SESSION_ABSOLUTE_LIFETIME": 100}, Lifetimes(Limits(31 * DAY, 100, DAY), Limits(31 * DAY, 100, DAY))),
        ({"SESSION_REFRESH_INTERVAL": 50}, Lifetimes(Limits(31 * DAY, None, 50), Limits(31 * DAY, None, 50))),
        ({"SESSION_REFRESH_INTERVAL": False}, Lifetimes(Limits(31 * DAY, None, None), Limits(31 * DAY, None, None))),
    ],
)
def test_lifetimes(values: dict[str, Any], lifetimes: Lifetimes) -> None:
    """The limits are whole seconds; those of other sessions are the permanent ones' unless one is given."""
    assert Settings(values).lifetimes == lifetimes


@pytest.mark.parametrize(("interval", "due"), [(False, False), (0, True)])
def test_never_is_not_always(interval: Any, due: bool) -> None:
    """An interval of ``False`` is never, one of 0 is always."""
    assert Settings({"SESSION_REFRESH_INTERVAL": interval}).limits_of({}).needs_reissue(1000, 1000) is due


@pytest.mark.parametrize(
    ("values", "ring"),
    [
        ({}, ()),
        ({"SECRET_KEY": KEY}, (KEY,)),
        ({"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [BINARY, OTHER]}, (KEY, BINARY, OTHER)),
        ({"SECRET_KEY_FALLBACKS": [KEY]}, ()),
    ],
)
def test_key_ring(values: dict[str, Any], ring: tuple[str | bytes, ...]) -> None:
    """The current key comes first, then the fallbacks as they were given, which are worth nothing alone."""
    assert tuple(key.reveal() for key in Settings(values).key_ring) == ring


# -- frozen, and no mapping -------------------------------------------------------------------------------------------


def test_answers() -> None:
    """Settings answer for our keys and for foreign ones: by brackets, by get, and by in."""
    settings = Settings({"OTHER": 1, "SESSION_COOKIE_NAME": "id"})
    assert (settings["OTHER"], settings.get("OTHER"), "OTHER" in settings) == (1, 1, True)
    assert (settings["SERVER_NAME"], settings.get("SERVER_NAME", 5), "SERVER_NAME" in settings) == (None, None, True)
    assert (settings.get("MISSING"), settings.get("MISSING", 5), "MISSING" in settings) == (None, 5, False)
    with pytest.raises(KeyError):
        settings["MISSING"]


@pytest.mark.parametrize(
    "walk",
    [
        iter,
        list,
        dict,
        len,
        reversed,
        lambda settings: {**settings},
        lambda settings: dict(**settings),
        lambda settings: {} | settings,
        {}.update,
        lambda settings: [*settings],
        lambda settings: next(zip(settings, strict=True)),
        pickle.dumps,
    ],
)
def test_no_mapping(walk: Callable[[Any], object]) -> None:
    """They cannot be walked, unpacked, merged or pickled."""
    with pytest.raises(TypeError):
        walk(Settings({"SECRET_KEY": KEY}))


@pytest.mark.parametrize("kind", [Mapping, Iterable, Collection, Sequence, Sized])
def test_no_container(kind: Any) -> None:
    """They are of no abstract class that a walk could look for."""
    assert not isinstance(Settings({}), kind)


def test_equal_to_settings_alone() -> None:
    """They equal no dict of the same values."""
    assert Settings({}) != DEFAULTS


def test_foreign_keys_are_listed() -> None:
    """The names of foreign keys can be listed, without their values."""
    assert Settings({"OTHER": 1, "SECRET_KEY": KEY, "another": 2}).list_foreign() == ["OTHER", "another"]


def test_frozen() -> None:
    """Settings cannot be changed by key, by attribute or by deletion, and have room for nothing new."""
    settings: Any = Settings({})
    with pytest.raises(TypeError):
        settings["SECRET_KEY"] = KEY
    with pytest.raises(TypeError):
        del settings["SECRET_KEY"]
    with pytest.raises(AttributeError, match="frozen; make new ones to change 'cookie_path'"):
        settings.cookie_path = "/"
    with pytest.raises(AttributeError, match="frozen; make new ones to change 'lifetimes'"):
        del settings.lifetimes
    with pytest.raises(AttributeError, match="frozen"):
        settings.new = 1
    assert {key: settings[key] for key in DEFAULTS} == DEFAULTS


def test_the_dict_behind_may_change() -> None:
    """What happens to the dict afterwards, or to a list in it, is no concern of the settings."""
    fallbacks = [OTHER]
    values = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": fallbacks}
    settings = Settings(values)
    values["SECRET_KEY"] = OTHER
    fallbacks.append(KEY)
    assert (settings["SECRET_KEY"], settings["SECRET_KEY_FALLBACKS"]) == (KEY, (OTHER,))


def test_the_dict_is_left_alone() -> None:
    """Checking changes nothing in the dict that was given."""
    values = MappingProxyType({"SESSION_COOKIE_SAMESITE": "lax", "OTHER": 1})
    assert Settings(values)["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert dict(values) == {"SESSION_COOKIE_SAMESITE": "lax", "OTHER": 1}


def test_hash() -> None:
    """Equal settings have equal hashes and are one key of a dict, foreign values that have no hash notwithstanding."""
    one, two = (Settings({"SECRET_KEY": KEY, "OTHER": [1], "PERMANENT_SESSION_LIFETIME": 60}) for _ in range(2))
    assert one is not two
    assert {one: 1, two: 2} == {one: 2}


@pytest.mark.parametrize("key", [{"SECRET_KEY": OTHER}, {"SESSION_REFRESH_INTERVAL": False}, {"OTHER": 1}])
def test_different_settings(key: dict[str, Any]) -> None:
    """Settings that differ in any key are different keys of a dict."""
    assert len({Settings({"SECRET_KEY": KEY, "SESSION_REFRESH_INTERVAL": 0}), Settings({"SECRET_KEY": KEY} | key)}) == 2


good_keys = st.binary(min_size=1).map(BINARY.__add__)
good_values = st.fixed_dictionaries(
    {},
    optional={
        "SECRET_KEY": st.none() | st.just(KEY) | good_keys,
        "SECRET_KEY_FALLBACKS": st.none() | st.lists(good_keys, max_size=3),
        "SESSION_COOKIE_NAME": st.sampled_from(["session", "id"]),
        "SESSION_COOKIE_DOMAIN": st.sampled_from([None, False, "example.com"]),
        "SERVER_NAME": st.sampled_from([None, "localhost", "example.com:80"]),
        "SESSION_COOKIE_PATH": st.sampled_from([None, "/app"]),
        "SESSION_COOKIE_SECURE": st.none() | st.booleans(),
        "SESSION_COOKIE_SAMESITE": st.sampled_from([None, "lax", "STRICT"]),
        "PERMANENT_SESSION_LIFETIME": st.integers(1000, 10_000) | st.timedeltas(timedelta(1), timedelta(400)),
        "SESSION_IDLE_LIFETIME": st.none() | st.floats(1000, 10_000),
        "SESSION_REFRESH_INTERVAL": st.sampled_from([None, False, 0, 60, timedelta(minutes=1)]),
        "OTHER": st.text(),
    },
)


@given(good_values)
def test_settings_of_settings(values: dict[str, Any]) -> None:
    """What was checked once passes again, unchanged."""
    settings = Settings(values)
    assert Settings(settings) == settings
    assert hash(Settings(settings)) == hash(settings)


# -- nothing shows a key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>1}".format, "%s".__mod__])
def test_repr_hides_keys(show: Callable[[Settings], str]) -> None:
    """However settings are shown: our values are, but no key, and no foreign value, which may be a secret too."""
    values = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [OTHER], "DATABASE_URL": "postgres://user:secret@db"}
    shown = show(Settings(values))
    assert shown.startswith("Settings(SECRET_KEY=..., SECRET_KEY_FALLBACKS=..., SESSION_COOKIE_NAME='session', ")
    assert not any(hidden in shown for hidden in (KEY, OTHER, "postgres", "DATABASE_URL"))


def test_repr_says_that_there_is_no_key() -> None:
    """That there is no key is no secret."""
    assert repr(Settings({})).startswith("Settings(SECRET_KEY=None, SECRET_KEY_FALLBACKS=(), ")


SECRET = "hunter2hunter"


@pytest.mark.parametrize(
    "values",
    [
        {"SECRET_KEY": SECRET},
        {"SECRET_KEY": SECRET.encode()},
        {"SECRET_KEY": [SECRET]},
        {"SECRET_KEY": {"key": SECRET}},
        {"SECRET_KEY": bytearray(SECRET.encode())},
        {"SECRET_KEY_FALLBACKS": SECRET},
        {"SECRET_KEY_FALLBACKS": {SECRET}},
        {"SECRET_KEY_FALLBACKS": [KEY, SECRET]},
        {"SECRET_KEY_FALLBACKS": [[SECRET]]},
        {"SECRET_KEYS": SECRET},
        {"SECRET_KEY": KEY + SECRET, "SESSION_COOKIE_NAME": "a b"},
        {"PASSWORD": SECRET, "SESSION_COOKIE_NAME": "a b"},
    ],
)
def test_no_message_shows_a_secret(values: dict[str, Any]) -> None:
    """No error shows a secret, not even in what it was raised from."""
    with pytest.raises(SettingsError) as caught:
        Settings(values)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


# -- from text --------------------------------------------------------------------------------------------------------


def read(values: Mapping[str, str]) -> Settings:
    """Return the settings of texts."""
    return Settings.from_strings(values)


#: A key, a text, and what it stands for.
TEXTS: list[Any] = [
    ("SECRET_KEY", KEY, KEY),
    ("SECRET_KEY", f" {KEY} ", f" {KEY} "),
    ("SECRET_KEY_FALLBACKS", "", ()),
    ("SECRET_KEY_FALLBACKS", KEY, (KEY,)),
    ("SECRET_KEY_FALLBACKS", f"\n  {KEY}  \n\n{OTHER}\n", (KEY, OTHER)),
    ("SESSION_COOKIE_NAME", "id", "id"),
    ("SESSION_COOKIE_DOMAIN", "", None),
    ("SESSION_COOKIE_DOMAIN", "example.com", "example.com"),
    *(("SESSION_COOKIE_DOMAIN", text, False) for text in ("false", "False", "no", "off", "OFF")),
    ("SERVER_NAME", "", None),
    ("SERVER_NAME", "example.com:80", "example.com:80"),
    ("SESSION_COOKIE_PATH", "", None),
    ("SESSION_COOKIE_PATH", "/app", "/app"),
    ("APPLICATION_ROOT", "/app", "/app"),
    *(("SESSION_COOKIE_HTTPONLY", text, True) for text in ("true", "True", "TRUE", "yes", "on", "1")),
    *(("SESSION_COOKIE_HTTPONLY", text, False) for text in ("false", "False", "FALSE", "no", "off", "0")),
    ("SESSION_COOKIE_SECURE", "", None),
    ("SESSION_COOKIE_SECURE", "on", True),
    ("SESSION_COOKIE_SECURE", "off", False),
    ("SESSION_COOKIE_SAMESITE", "", None),
    ("SESSION_COOKIE_SAMESITE", "strict", "Strict"),
    ("SESSION_COOKIE_PARTITIONED", "no", False),
    ("PERMANENT_SESSION_LIFETIME", "3600", timedelta(hours=1)),
    ("SESSION_IDLE_LIFETIME", "", None),
    ("SESSION_IDLE_LIFETIME", "3600", timedelta(hours=1)),
    ("SESSION_ABSOLUTE_LIFETIME", "", None),
    ("SESSION_ABSOLUTE_LIFETIME", "3600", timedelta(hours=1)),
    ("SESSION_REFRESH_INTERVAL", "", None),
    ("SESSION_REFRESH_INTERVAL", "60", timedelta(minutes=1)),
    ("SESSION_REFRESH_INTERVAL", "0", timedelta(0)),
    *(("SESSION_REFRESH_INTERVAL", text, False) for text in ("false", "No", "off")),
    ("SESSION_COOKIE_WARN_BYTES", "3000", 3000),
    *(("SESSION_COOKIE_WARN_BYTES", text, False) for text in ("false", "No", "off")),
]


@pytest.mark.parametrize(("key", "text", "value"), TEXTS)
def test_texts(key: str, text: str, value: Any) -> None:
    """Every key can be read from text."""
    settings = Settings.from_strings({key: text})
    assert (type(settings[key]), settings[key]) == (type(value), value)


def test_texts_of_every_key() -> None:
    """The texts above leave no key out."""
    assert {key for key, *_ in TEXTS} == set(DEFAULTS)


def test_texts_that_need_secure() -> None:
    """SameSite=None and Partitioned are read too."""
    texts = {
        "SESSION_COOKIE_SAMESITE": "none",
        "SESSION_COOKIE_PARTITIONED": "yes",
        "SESSION_COOKIE_SECURE": "yes",
    }
    settings = Settings.from_strings(texts)
    assert settings["SESSION_COOKIE_SAMESITE"] == "None"
    assert settings["SESSION_COOKIE_PARTITIONED"] is True


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY_FALLBACKS", "short"),
        ("SESSION_COOKIE_NAME", ""),
        ("SESSION_COOKIE_DOMAIN", "true"),
        ("SESSION_COOKIE_HTTPONLY", ""),
        ("SESSION_COOKIE_HTTPONLY", "maybe"),
        ("SESSION_COOKIE_HTTPONLY", "2"),
        ("SESSION_COOKIE_SECURE", "auto"),
        ("SESSION_COOKIE_SAMESITE", "loose"),
        ("PERMANENT_SESSION_LIFETIME", ""),
        ("PERMANENT_SESSION_LIFETIME", "31 days"),
        ("PERMANENT_SESSION_LIFETIME", "-1"),
        ("PERMANENT_SESSION_LIFETIME", "1.5"),
        ("PERMANENT_SESSION_LIFETIME", "1e3"),
        ("PERMANENT_SESSION_LIFETIME", "1_000"),
        ("PERMANENT_SESSION_LIFETIME", "١٢"),
        ("PERMANENT_SESSION_LIFETIME", "0"),
        ("PERMANENT_SESSION_LIFETIME", "9" * 12),
        ("PERMANENT_SESSION_LIFETIME", "9" * 5000),
        ("SESSION_IDLE_LIFETIME", "false"),
        ("SESSION_REFRESH_INTERVAL", "true"),
        ("SESSION_REFRESH_INTERVAL", "9" * 12),
    ],
)
def test_wrong_texts(key: str, text: str) -> None:
    """The checks are those of the dict: what is wrong is an error under its key."""
    problems = problems_of({key: text}, read)
    assert {problem.partition(":")[0] for problem in problems} == {key}


def test_keys_of_texts_in_any_case() -> None:
    """An ini file's lower-case keys are ours."""
    parser = configparser.ConfigParser()
    parser.read_string(f"[session]\nsecret_key = {KEY}\nSession_Cookie_Secure = yes\nother = 1\n")
    settings = Settings.from_strings(parser["session"])
    assert (settings["SECRET_KEY"], settings["SESSION_COOKIE_SECURE"], settings["other"]) == (KEY, True, "1")


@pytest.mark.parametrize("key", ["SESSION_COOKIE_HTTPOLNY", "session_cookie_httpolny", "Session_Cookie_HttpOlny"])
def test_lookalikes_in_any_case(key: str) -> None:
    """A misspelt key is an error, in any case, as every key may be."""
    assert problem_of({key: "no"}, read) == f"{key.upper()}: unknown; did you mean SESSION_COOKIE_HTTPONLY?"


def test_prefix() -> None:
    """With a prefix only the keys that begin with it are taken, without it."""
    environ = {"CLUB_SECRET_KEY": KEY, "SECRET_KEY": OTHER, "CLUB_MOTTO": "stamp", "MYCLUB_A": "1", "PATH": "/bin"}
    settings = Settings.from_strings(environ, "CLUB_")
    assert settings["SECRET_KEY"] == KEY
    assert settings.list_foreign() == ["MOTTO"]


def test_prefix_of_an_ini_file() -> None:
    """A prefix may be any text."""
    settings = Settings.from_strings({"session.cookie.session_cookie_name": "id"}, "session.cookie.")
    assert settings["SESSION_COOKIE_NAME"] == "id"


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment itself can be read."""
    monkeypatch.setenv("HANDSTAMP_TEST_SECRET_KEY", KEY)
    assert Settings.from_strings(os.environ, "HANDSTAMP_TEST_")["SECRET_KEY"] == KEY


def test_whole_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even whole, with whatever else stands there."""
    monkeypatch.setenv("SECRET_KEY", KEY)
    settings = Settings.from_strings(os.environ)
    assert settings["SECRET_KEY"] == KEY
    assert settings["PATH"] == os.environ["PATH"]


def test_all_problems_of_texts() -> None:
    """The problems of texts are reported together too."""
    problems = problems_of({"secret_key": "hunter2", "session_cookie_secure": "auto"}, read)
    assert [problem.partition(":")[0] for problem in problems] == ["SECRET_KEY", "SESSION_COOKIE_SECURE"]
    assert "hunter2" not in "".join(problems)


def test_texts_of_a_subclass() -> None:
    """A subclass reads texts into itself."""

    class Own(Settings):
        __slots__ = ()

    assert type(Own.from_strings({})) is Own


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same(duplicate: Callable[[Settings], Settings]) -> None:
    """What is frozen need not be copied."""
    settings = Settings({"SECRET_KEY": KEY})
    assert duplicate(settings) is settings


def test_empty_domain() -> None:
    """An empty domain could mean two things, so it is an error that names both."""
    assert problem_of({"SESSION_COOKIE_DOMAIN": ""}) == (
        "SESSION_COOKIE_DOMAIN: '' is not a host name; use False for the request's own host only, or None"
    )
