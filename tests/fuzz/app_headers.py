"""Any header list of an application -> the response: exactly the promised fields are added, and the list is its own.

What is promised is written down here a second time, after RFC 9110 and RFC 9111 and not after the code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

from handstamp import SessionMiddleware
from tests.support.constants import DAY, KEY, OLD_KEY, START
from tests.support.cookie_kinds import stamp
from tests.support.wsgi import Headers, make_environ

from .site import SIGNED, call
from .target import Reader, Target, pack

_NAMES = ("Vary", "Cache-Control", "Set-Cookie", "vary", "CACHE-CONTROL", "set-cookie", "Content-Type", "X-Vary")
_CONTENT = (
    "Cookie",
    "cookie",
    "*",
    "Accept",
    "Accept-Encoding, COOKIE ,",
    " , ",
    "",
    "public, max-age=60",
    "private",
    "no-store",
    "S-MaxAge=10",
    "session=theirs; Path=/",
    " session=theirs",
    "other=1",
    "Cookies",
    "\tcookie\t",
    'private="X-Field", no-cache="Set-Cookie"',
    'max-age=60, x="private, ',
)


# -- what the application does with its session, and what that promises -----------------------------------------------


class _Case(NamedTuple):
    """What is done, with which cookie, and what the response owes to it."""

    act: Callable[[Any], object]
    cookie: str
    looks: bool = True
    sets: bool = False
    #: Whether that is a mere reissue, which waits where the application asks shared caches to store.
    waits: bool = False
    #: Whether there is a session.
    finds: bool = True


def _stamp(key: str, age: int) -> str:
    return "session=" + stamp({"a": 1}, at=START - age, created=START - age, key=key)


_FRESH, _AGED, _OLD = _stamp(KEY, 60), _stamp(KEY, 20 * DAY), _stamp(OLD_KEY, 60)

_CASES = (
    _Case(lambda session: None, "", looks=False),
    _Case(lambda session: None, _AGED, looks=False),
    _Case(lambda session: setattr(session, "modified", False), _AGED, looks=False),
    _Case(lambda session: session.get("a"), "", finds=False),
    _Case(lambda session: session.get("a"), _FRESH),
    _Case(lambda session: session.get("a"), "session=junk", finds=False),
    _Case(lambda session: session.update(a=1), _FRESH),
    _Case(lambda session: session.renew(), "", finds=False),
    _Case(lambda session: session.invalidate(), "", finds=False),
    _Case(bool, _AGED, sets=True, waits=True),
    _Case(bool, _OLD, sets=True, waits=True),
    _Case(lambda session: session.update(b=1), "", sets=True),
    _Case(lambda session: session.update(a=2), _FRESH, sets=True),
    _Case(lambda session: setattr(session, "permanent", True), _FRESH, sets=True),
    _Case(lambda session: session.renew(), _FRESH, sets=True),
    _Case(lambda session: session.clear(), _FRESH, sets=True),
    _Case(lambda session: session.invalidate(), _FRESH, sets=True),
)


# -- how it answers ---------------------------------------------------------------------------------------------------


def _at_once(start_response: StartResponse, first: Headers, second: Headers) -> Iterable[bytes]:
    start_response("200 OK", first)
    return [b"done"]


def _in_chunks(start_response: StartResponse, first: Headers, second: Headers) -> Iterable[bytes]:
    start_response("200 OK", first)
    return iter([b"do", b"ne"])


def _after_all(start_response: StartResponse, first: Headers, second: Headers) -> Iterable[bytes]:
    start_response("200 OK", second)
    _fail(start_response, first)
    return [b"done"]


def _too_late(start_response: StartResponse, first: Headers, second: Headers) -> Iterable[bytes]:
    start_response("200 OK", first)(b"")
    _fail(start_response, second)
    return [b"done"]


def _fail(start_response: StartResponse, headers: Headers) -> None:
    try:
        raise ValueError
    except ValueError:
        start_response("500 Internal Server Error", headers, sys.exc_info())


_SHAPES = (_at_once, _in_chunks, _after_all, _too_late)


class _Visit:
    """What one request does and answers: the application."""

    case: _Case
    shape: Callable[[StartResponse, Headers, Headers], Iterable[bytes]]
    heads: tuple[Headers, Headers]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.case.act(environ["session"])
        return self.shape(start_response, *self.heads)


# -- what is promised -------------------------------------------------------------------------------------------------


class _Fields:
    """A header list, sorted into what a session may touch and the rest; names are compared without case."""

    def __init__(self, headers: Headers) -> None:
        self.vary: Headers = []
        self.control: Headers = []
        self.cookies: Headers = []
        self.others: Headers = []
        mine = {"vary": self.vary, "cache-control": self.control, "set-cookie": self.cookies}
        for field in headers:
            mine.get(field[0].lower(), self.others).append(field)

    def members(self) -> list[str]:
        """Return the members of Vary, of all its lines (RFC 9110 5.6.1)."""
        parts = ",".join([value for _, value in self.vary]).lower().split(",")
        return [part for part in [part.strip(" \t") for part in parts] if part]

    def directives(self) -> list[str]:
        """Return the members of Cache-Control, of all its lines; none of a list in which a quote has no end."""
        parts, is_quoted, is_escaped = [""], False, False
        for char in ",".join([value for _, value in self.control]):
            if char == "," and not is_quoted:
                parts.append("")
                continue
            if char == '"' and not is_escaped:
                is_quoted = not is_quoted
            is_escaped = is_quoted and char == "\\" and not is_escaped
            parts[-1] += char
        return [] if is_quoted else [part for part in [part.strip(" \t") for part in parts] if part]

    @property
    def says_nothing(self) -> bool:
        """Whether there is not one directive, not even a malformed one."""
        return not "".join([value for _, value in self.control]).strip(" \t,")


def _name(directive: str) -> str:
    return directive.partition("=")[0].strip(" \t").lower()


def _is_private(fields: _Fields) -> bool:
    return any(directive.lower() in ("private", "no-store") for directive in fields.directives())


def _is_meant_for_all(headers: Headers) -> bool:
    fields = _Fields(headers)
    return not _is_private(fields) and any(_name(each) in ("public", "s-maxage") for each in fields.directives())


def _expect_control(case: _Case, own: _Fields, sets: bool) -> Headers:
    """Return what is promised of Cache-Control (RFC 9111 3 and 7.3)."""
    if sets and not _is_private(own):
        kept = [each for each in own.directives() if _name(each) not in ("public", "s-maxage", "private")]
        return [("Cache-Control", ", ".join([*kept, "private"]))]
    if case.finds and own.says_nothing:
        return [("Cache-Control", "private")]
    return own.control


def _check(case: _Case, own_headers: Headers, sent_headers: Headers, sets: bool) -> None:
    """Assert that a response is the application's own, and what is promised beyond."""
    if not case.looks:
        assert sent_headers == own_headers
        return
    own, sent = _Fields(own_headers), _Fields(sent_headers)
    assert sent.others == own.others
    members = own.members()
    if "*" in members or "cookie" in members:
        assert sent.vary == own.vary
    else:
        assert sent.members() == [*members, "cookie"]
    assert sent.control == _expect_control(case, own, sets)
    assert sent.cookies[: len(own.cookies)] == own.cookies
    ours = sent.cookies[len(own.cookies) :]
    assert [name for name, _ in ours] == ["Set-Cookie"] * sets
    assert all(value.startswith("session=") for _, value in ours)


# -- the target -------------------------------------------------------------------------------------------------------

_VISIT = _Visit()
_APP = SessionMiddleware(_VISIT, {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [OLD_KEY]}, session_interface=SIGNED)
_ENVIRON = make_environ()


def _text(reader: Reader) -> str:
    return reader.take().decode("latin-1")


def _content(reader: Reader) -> str:
    choice = reader.byte()
    return _text(reader) if choice >= 192 else _CONTENT[choice % len(_CONTENT)]


def _read_headers(reader: Reader) -> Headers:
    return [(reader.pick(_NAMES), _content(reader)) for _ in range(reader.byte() % 8)]


def run(data: bytes) -> None:
    """Answer with any headers after a use of the session; look at what is sent, and at what is left."""
    reader = Reader(data)
    case, shape = reader.pick(_CASES), reader.pick(_SHAPES)
    heads = (_read_headers(reader), _read_headers(reader) if shape in (_after_all, _too_late) else [])
    before = tuple(map(list, heads))
    _VISIT.case, _VISIT.shape, _VISIT.heads = case, shape, heads
    sets = case.sets and not (case.waits and _is_meant_for_all(before[0]))
    for own, sent in zip(before, call(_APP, {**_ENVIRON, "HTTP_COOKIE": case.cookie}), strict=False):
        _check(case, own, sent, sets)
    assert heads == before


_VARY, _CONTROL, _COOKIE, _OTHER = 0, 1, 2, 6
_FIELDS = (
    pack(0),
    pack(1, _VARY, _CONTENT.index("Accept")),
    pack(2, _VARY, _CONTENT.index("*"), _CONTROL, _CONTENT.index("public, max-age=60")),
    pack(3, _VARY, _CONTENT.index("Accept"), 3, 4, _OTHER, 200, b"text/plain"),
    pack(4, _COOKIE, 11, 5, 12, _CONTROL, _CONTENT.index("no-store"), _VARY, _CONTENT.index("")),
)

TARGET = Target(
    run=run,
    seeds=tuple(
        pack(case, case % len(_SHAPES)) + fields + second
        for case in range(len(_CASES))
        for fields, second in ((_FIELDS[case % len(_FIELDS)], _FIELDS[-1]), (_FIELDS[3], _FIELDS[2]))
    ),
    words=("Cookie", "cookie", "*", ", ", "private", "public", "no-store", "s-maxage=", "session=", "\t"),
    longest=192,
)
