"""Any settings dict -> Settings: nothing but a SettingsError comes out, and what is accepted serves a request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from handstamp import SessionMiddleware, Settings, SettingsError
from handstamp._settings import DEFAULTS
from tests.support.constants import KEY, OLD_KEY
from tests.support.wsgi import make_environ

from .site import SIGNED, call, find_cookies
from .target import Reader, Target, pack

_KEYS = tuple(DEFAULTS)

_WORDS = (
    KEY,
    OLD_KEY,
    "",
    "session",
    "__Host-s",
    "__Secure-s",
    "__host-http-s",
    "Lax",
    "strict",
    "None",
    "/",
    "/app",
    "example.com",
    ".example.com",
    "example.com:8000",
    "[::1]:80",
    "127.0.0.1",
    "true",
    "off",
    "0",
    "60",
    "999999999999",
    "a key, sixteen +\na second, sixteen",
)

# What a settings dict holds that nobody asks about; the last one is a misspelling.
_FOREIGN: tuple[Any, ...] = ("DEBUG", "SESSION_TYPE", 1, None, ("a",), "SECRET_KYE")

_NUMBERS = (0, 1, 30, 60, 61, 3600, 2678400, 34560000, 34560001, 345600001, -1, 10**12, 10**18, 10**400, 10**5000)
_FLOATS = (0.0, -0.0, 0.5, 1.9, 60.0, 1e9, 1e14, 1e300, float("inf"), float("-inf"), float("nan"), 5e-324)
_CLOCKS = (timedelta(), timedelta(hours=1), timedelta(days=400), timedelta.max, timedelta.min, timedelta(0, 1, 5))


def _text(reader: Reader) -> str:
    return reader.take().decode("utf-8", "surrogateescape")


def _values(reader: Reader) -> list[Any]:
    return [_value(reader) for _ in range(reader.byte() % 4)]


_VALUES: tuple[Callable[[Reader], Any], ...] = (
    lambda reader: reader.pick(_WORDS),
    lambda reader: reader.pick((None, True, False)),
    lambda reader: reader.pick(_NUMBERS),
    lambda reader: reader.pick(_FLOATS),
    lambda reader: reader.pick(_CLOCKS),
    lambda reader: reader.byte(),
    _text,
    Reader.take,
    _values,
    lambda reader: tuple(_values(reader)),
    lambda reader: set(),
    lambda reader: {},
    lambda reader: object(),
)


def _value(reader: Reader) -> Any:
    return reader.pick(_VALUES)(reader)


_FEW = 254
_MOST = 8


def _key(reader: Reader) -> Any:
    # To compare a foreign key with all of ours takes longer than all the rest, so there are few.
    choice = reader.byte()
    if choice < _FEW:
        return _KEYS[choice % len(_KEYS)]
    return reader.pick(_FOREIGN) if choice == _FEW else _text(reader)


def _read_dict(reader: Reader) -> Settings:
    values = {_key(reader): _value(reader) for _ in range(_MOST) if reader}
    return Settings(values)


def _read_strings(reader: Reader) -> Settings:
    prefix = reader.pick(("", "", "handstamp.", "x_"))
    values: dict[str, str] = {}
    while reader and len(values) < _MOST:
        key = str(_key(reader))
        spelled = reader.pick((key, key.lower(), prefix + key, prefix + key.lower()))
        values[spelled] = _text(reader) if reader.pick((True, False)) else reader.pick(_WORDS)
    return Settings.from_strings(values, prefix)


def read(data: bytes) -> Settings:
    """Make the settings that an input stands for."""
    reader = Reader(data)
    return reader.pick((_read_dict, _read_strings))(reader)


def _app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    if environ["handstamp.has_key"]:
        environ["session"]["a"] = 1
    start_response("200 OK", [])
    return [b"done"]


_ENVIRON = make_environ(**{"wsgi.url_scheme": "https"})


def run(data: bytes) -> None:
    """Make settings; if they are accepted, freeze them a second time and set a cookie with them."""
    try:
        settings = read(data)
    except SettingsError as error:
        assert error.problems
        assert str(error)
        return
    again = Settings(settings)
    assert again == settings
    assert hash(again) == hash(settings)
    assert repr(again) == repr(settings)
    has_key = settings["SECRET_KEY"] is not None
    middleware = SessionMiddleware(_app, settings, session_interface=SIGNED)
    (headers,) = call(middleware, {**_ENVIRON, "handstamp.has_key": has_key})
    lines = find_cookies(headers)
    assert len(lines) == has_key
    assert all(line.isascii() and line.isprintable() for line in lines)


def _index(key: str) -> int:
    return _KEYS.index(key)


def _word(word: str) -> bytes:
    return pack(0, _WORDS.index(word))


_GOOD_KEY = pack(0, _index("SECRET_KEY")) + _word(KEY)

TARGET = Target(
    run=run,
    seeds=(
        b"",
        _GOOD_KEY,
        _GOOD_KEY + pack(_index("SECRET_KEY_FALLBACKS"), 8, 2) + _word(OLD_KEY) + pack(7, b"0123456789abcdef"),
        _GOOD_KEY
        + pack(_index("SESSION_COOKIE_NAME"))
        + _word("__Host-s")
        + pack(_index("SESSION_COOKIE_SECURE"), 1, 1),
        _GOOD_KEY
        + pack(_index("SERVER_NAME"))
        + _word("example.com:8000")
        + pack(_index("APPLICATION_ROOT"), 6, b"/a b"),
        _GOOD_KEY
        + pack(_index("SESSION_COOKIE_SAMESITE"))
        + _word("None")
        + pack(_index("SESSION_COOKIE_SECURE"), 1, 1),
        _GOOD_KEY + pack(_index("PERMANENT_SESSION_LIFETIME"), 4, 1, _index("SESSION_REFRESH_INTERVAL"), 2, 3),
        _GOOD_KEY + pack(_index("SESSION_IDLE_LIFETIME"), 5, 60, _index("SESSION_ABSOLUTE_LIFETIME"), 3, 4),
        _GOOD_KEY + pack(_index("SESSION_COOKIE_DOMAIN"), 1, 2, _index("SESSION_COOKIE_HTTPONLY"), 1, 2),
        _GOOD_KEY + pack(_index("SESSION_COOKIE_PARTITIONED"), 1, 1, _FEW, 1, 0, 3),
        pack(0, 255, b"SESSION_COOKIE_HTTPOLNY", 1, 1),
        pack(1, 2, _index("SECRET_KEY"), 3, 1, 0, _index("SESSION_COOKIE_SECURE"), 3, 1, 17),
        pack(1, 0, _index("SECRET_KEY_FALLBACKS"), 0, 1, 22, _index("PERMANENT_SESSION_LIFETIME"), 0, 0, b"3600"),
    ),
    words=("SECRET_KEY", "SESSION_COOKIE_", "LIFETIME", *_WORDS),
    longest=256,
)
