"""Any Cookie header -> a session, through the middleware: nobody gets in without a key, and nothing comes out but data.

An input names a door (a middleware with its settings), what the application does with its session, and what the header
holds: either its text, or pairs cut at NUL, of which most are signed. So the parser behind the signature is reached,
with the current key, a fallback, and one that never belonged here; at some doors cookies are encrypted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

from handstamp import CookieTooLarge, SessionMiddleware
from handstamp._cookies import MAX_COOKIE_BYTES
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import DAY, KEY, OLD_KEY, START
from tests.support.cookie_kinds import KINDS
from tests.support.wsgi import Headers, make_environ

from .cookies import MAKERS, STYLES, Maker
from .site import STRANGE_KEY, call, find_cookies
from .target import Target, assert_same

Action = Callable[[Any], object]


# -- what the application does ----------------------------------------------------------------------------------------


def look(session: Any) -> None:
    """Look into every corner, change nothing."""
    for key in session:
        assert key in session
        session[key]
    assert len(session) == len(dict(session))
    assert session == session.copy()
    _ = (session.new, session.created, session.permanent, session.modified, repr(session))


def _append(session: Any) -> None:
    for value in session.values():
        if isinstance(value, list):
            value.append(1)


def _make_permanent(session: Any) -> None:
    session.permanent = not session.permanent


#: Some only read; the others begin at `_FIRST_WRITER`.
ACTIONS: tuple[Action, ...] = (
    look,
    bool,
    dict,
    lambda session: session.get("a"),
    lambda session: None,
    lambda session: session.__setitem__("a", 1),
    lambda session: session.pop("a", None),
    _append,
    _make_permanent,
    lambda session: session.renew(),
    lambda session: session.clear(),
    lambda session: session.invalidate(),
)
_FIRST_WRITER = 5


# -- the doors --------------------------------------------------------------------------------------------------------


class _Visit:
    """What one request does, and the session it met: the application of every door."""

    action: Action = bool
    session: Any = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        self.session = environ["session"]
        self.action(self.session)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]


class _Door(NamedTuple):
    """A middleware, its cookie's name, and what makes its cookies: by two keys that fit, by one that does not."""

    app: SessionMiddleware
    name: str
    makers: tuple[Maker, Maker, Maker]
    environ: WSGIEnvironment


def _make_door(scheme: str = "http", *, kind: str = "signed", **settings: Any) -> _Door:
    interface = on_clock(KINDS[kind]().interface(), FrozenClock(START))
    app = SessionMiddleware(_VISIT, {"SECRET_KEY": KEY, **settings}, session_interface=interface)
    name = app.settings["SESSION_COOKIE_NAME"]
    second = OLD_KEY if app.settings["SECRET_KEY_FALLBACKS"] else KEY
    first, fallback, stranger = (MAKERS[kind](key, name) for key in (KEY, second, STRANGE_KEY))
    return _Door(app, name, (first, fallback, stranger), make_environ(**{"wsgi.url_scheme": scheme}))


_VISIT = _Visit()

#: None where the extra is missing; ``nox -s fuzz`` and the tests bring it.
ENCRYPTED = () if find_spec("cryptography") is None else ("encrypted",)

DOORS = (
    _make_door(),
    _make_door(SECRET_KEY_FALLBACKS=[OLD_KEY, "a fallback that signs nothing here"]),
    _make_door("https", SESSION_COOKIE_NAME="__Host-s", SESSION_COOKIE_SECURE=True, SERVER_NAME="a.b"),
    _make_door(SESSION_IDLE_LIFETIME=60, SESSION_ABSOLUTE_LIFETIME=90, SERVER_NAME="a.b:80"),
    _make_door(SESSION_REFRESH_INTERVAL=0, PERMANENT_SESSION_LIFETIME=DAY),
    _make_door(SESSION_REFRESH_INTERVAL=False),
    *(
        _make_door(kind=kind, SECRET_KEY_FALLBACKS=fallbacks, SESSION_ABSOLUTE_LIFETIME=DAY)
        for kind in ENCRYPTED
        for fallbacks in ((), [OLD_KEY])
    ),
)


# -- the pairs --------------------------------------------------------------------------------------------------------

# What a pair is, by the low bits of its first byte: one of the styles of its door's kind, or text.
_TEXT = STYLES

_MOST_PAIRS = 4

# What \1 stands for in text: input stays short, and still there are values longer than a cookie may be.
_FILLER = b"A" * 4000

# Which key, by the next two bits. (No piece begins with NUL, which cuts: 0x18 is the first style by the first key.)
_KEYS = (0, 1, 2, 0)


def _make_pair(door: _Door, piece: bytes) -> bytes:
    style = piece[0] if piece else _TEXT
    if style & 7 == _TEXT:
        return piece[1:].replace(b"\1", _FILLER)
    return door.name.encode() + b"=" + door.makers[_KEYS[style >> 3 & 3]](style & 7, piece[1:])


def _may_open(piece: bytes) -> bool:
    return bool(piece) and piece[0] & 7 != _TEXT and _KEYS[piece[0] >> 3 & 3] < 2


# -- the target -------------------------------------------------------------------------------------------------------


def visit(data: bytes) -> tuple[Any, Headers]:
    """Make the request that an input stands for; return the session that the application met, and the response."""
    door, action, pieces = _read(data)
    return _visit(door, action, b"; ".join(_make_pair(door, piece) for piece in pieces).decode("latin-1"))


def _read(data: bytes) -> tuple[_Door, Action, list[bytes]]:
    shape, choice = data[:2].ljust(2, b"\0")
    # Many pairs are slow and show nothing that a few do not.
    pieces = data[2:].split(b"\0")[:_MOST_PAIRS] if shape < 128 else [bytes([_TEXT]) + data[2:]]
    return DOORS[shape % 128 % len(DOORS)], ACTIONS[choice % len(ACTIONS)], pieces


def _visit(door: _Door, action: Action, header: str) -> tuple[Any, Headers]:
    _VISIT.action = action
    (headers,) = call(door.app, {**door.environ, "HTTP_COOKIE": header})
    return _VISIT.session, headers


def run(data: bytes) -> None:
    """Visit; then, if a cookie was set, come back with it and find what was left."""
    door, action, pieces = _read(data)
    try:
        session, headers = visit(data)
    except CookieTooLarge:
        assert ACTIONS.index(action) >= _FIRST_WRITER
        return
    if action in (look, bool, dict) and not any(map(_may_open, pieces)):
        assert session.new
        assert not session
    lines = find_cookies(headers)
    if lines:
        _come_back(door, session, *lines)


def _come_back(door: _Door, session: Any, line: str) -> None:
    assert line.isascii()
    assert line.isprintable()
    pair = line.partition(";")[0]
    assert pair.startswith(door.name + "=")
    assert len(pair) <= MAX_COOKIE_BYTES
    left = session.copy()
    found, _ = _visit(door, dict, pair)
    assert_same(found.copy(), left)
    assert found.new is not bool(left)


_PACKED = zlib.compress(b'{"a":"' + b"0" * 3_000 + b'"}', 9)


_DATA = b'{"a":[1,{"~tuple":[2]}],"_permanent":true,"_created":1699999000}'

SEEDS = (
    b"",
    b"\x80\0session=a.b.c",
    b'\x80\0a=b; session=; session=.; session=..;  session=x.y.z;session="x.y.z"; =session=x; ses sion=x',
    b"\x80\0$Version=1; session=\xff\xfe; \tsession = x; Session=x; session=\1" + b"A" * 92,
    b"\x82\0__Host-s=e30.ZVPxAA.x; __host-s=e30",
    b"\x00\x00\x07a=b\0\x18{}\0\x07c=d",
    b"\x00\x00\x18" + _DATA,
    b"\x00\x05\x18" + _DATA,
    b"\x01\x00\x08" + _DATA,
    b"\x01\x07\x08" + _DATA,
    b"\x01\x05\x10" + _DATA,
    b"\x02\x08\x01[1,2,3]",
    b"\x03\x00\x06\x08" + _DATA,
    b"\x03\x00\x06\x01" + _DATA,
    b"\x03\x00\x06\x13" + _DATA,
    b"\x03\x00\x18" + _DATA,
    b"\x04\x03\x02" + _DATA + _DATA[:-1],
    b"\x04\x02\x02" + b'{"a":"' + b"b" * 400 + b'"}',
    b'\x05\x0b\x01{"~datetime":"2023-11-14T22:13:20+00:00"}',
    b'\x00\x09\x01"\\ud800"',
    b'\x00\x0a\x01{"~set":[1,2]}',
    b"\x00\x06\x03" + zlib.compress(_DATA).replace(b"\0", b"\1"),
    b"\x00\x00\x03" + _PACKED,
    b"\x00\x00\x04e31.e30.",
    b"\x00\x00\x05__________8",
    b"\x00\x00\x05AAAAAAAAAAA",
    b'\x00\x00\x18[]\0\x18{"_created":-1}\0\x18{"_created":true}\0\x18{"a":1}',
    b"\x00\x00\x01" + b"[" * 300 + b"]" * 300,
    b"\x86\0session=" + b"A" * 123 + b"; session=\1A" + b"A" * 100,
    b"\x06\x00\x18" + _DATA,
    b"\x06\x05\x18" + _DATA,
    b"\x06\x07\x01[1,2,3]",
    b'\x06\x0b\x02{"a":1}\x80\0\x02{"a":1}',
    b"\x06\x00\x03" + _DATA + b"\0\x04" + b"{}" * 36,
    b"\x06\x00\x05" + b"\xff" * 7,
    b"\x06\x00\x06",
    b"\x06\x00\x06\x01" + _DATA + b"\0\x06\x13" + _DATA,
    b'\x06\x00\x18{"_created":1699000000}',
    b"\x07\x00\x08" + _DATA,
    b"\x07\x01\x10" + _DATA + b"\0\x08{}\0\x06\x09{}",
    b"\x07\x09\x0e\x09" + _DATA,
)

TARGET = Target(
    run=run,
    seeds=SEEDS,
    words=(
        "session=",
        "__Host-s=",
        "; ",
        "_created",
        "_permanent",
        '"a":',
        '{"~tuple":[',
        '{"~set":[',
        '{"~bytes":"',
        '{"~datetime":"2023-11-14T22:13:20"}',
        "\\ud800",
        "ZVPxAA",
        "e30",
    ),
    longest=768,
)
