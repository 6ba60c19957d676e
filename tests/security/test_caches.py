"""The whole truth about caches: whatever is done to a session, and whatever the application says of caching itself.

What may be stored is judged by RFC 9111, written down here a second time, and not by the code that is tested.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.request import parse_http_list
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from handstamp import SessionInterface, SessionMiddleware
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from handstamp.testing import FrozenClock, make_cookie
from tests.support import cookie_kinds
from tests.support.clock import on_clock
from tests.support.constants import DAY, KEY, OLD_KEY, START
from tests.support.cookie_kinds import make_interface, stamp
from tests.support.site import Site
from tests.support.wsgi import TEXT, Headers, make_environ

# -- what is done to a session ----------------------------------------------------------------------------------------


class Deed(NamedTuple):
    """What a visit does to a session, and what must come of it."""

    action: Callable[[Any], object]
    varies: bool = True
    is_written: bool = False
    is_reissued: bool = False
    #: Whether a store keeps what is written under the same token.
    keeps_token: bool = False
    age: int = 0
    key: str = KEY


def _nothing(session: Any) -> None:
    pass


READS: dict[str, Callable[[Any], object]] = {
    "get": lambda s: s.get("user"),
    "[]": lambda s: s["user"],
    "in": lambda s: "user" in s,
    "len": len,
    "bool": bool,
    "iteration": list,
    "==": lambda s: s == {},
    "new": lambda s: s.new,
    "created": lambda s: s.created,
    "permanent": lambda s: s.permanent,
}

DEEDS = {
    "untouched": Deed(_nothing, varies=False),
    "untouched, old": Deed(_nothing, varies=False, age=2 * DAY),
    "untouched, old key": Deed(_nothing, varies=False, key=OLD_KEY),
    **{f"read by {way}": Deed(read) for way, read in READS.items()},
    "modified": Deed(lambda s: s.update(user="Eve"), is_written=True, keeps_token=True),
    "modified, old": Deed(lambda s: s.update(user="Eve"), is_written=True, age=2 * DAY),
    "refreshed": Deed(lambda s: s.get("user"), is_reissued=True, age=2 * DAY),
    "deleted": Deed(lambda s: s.clear(), is_written=True),
    "invalidated": Deed(lambda s: s.invalidate(), is_written=True),
    "renewed": Deed(lambda s: s.renew(), is_written=True),
    "old key": Deed(lambda s: s.get("user"), is_reissued=True, key=OLD_KEY),
}


# -- what the application says ----------------------------------------------------------------------------------------

#: What the application says of Vary, and what goes out if the session was touched.
VARY: dict[str, tuple[list[str], list[str]]] = {
    "no Vary": ([], ["Cookie"]),
    "Vary: Accept": (["Accept"], ["Accept, Cookie"]),
    "Vary: Cookie": (["Cookie"], ["Cookie"]),
    "Vary: *": (["*"], ["*"]),
    "several lines": (["Accept", "Origin, cookie", "DNT"], ["Accept", "Origin, cookie", "DNT"]),
    "several lines without": (["Accept", "Origin"], ["Accept", "Origin, Cookie"]),
}

#: What the application says of caching.
SAID: list[Headers] = [
    [],
    *(
        [("Cache-Control", value)]
        for value in (
            "private, max-age=60",
            "no-store",
            "No-Cache",
            "max-age=60",
            "s-maxage=60, max-age=10",
            "Public , Max-Age=60",
            'no-cache="Set-Cookie", max-age=60',
            'private="X-Field", public',
            "max-age=1, stale-while-revalidate=600",
            "private, s-maxage=0",
            'max-age=60, x="private, no-store"',
            'max-age=60, x="',
            "max-age=60; public",
            " , ",
        )
    ),
    [("Cache-Control", "max-age=60"), ("cache-control", "public")],
    [("Cache-Control", "public"), ("Cache-Control", "private")],
    [("CDN-Cache-Control", "max-age=60")],
    [("CDN-Cache-Control", "no-store")],
    [("Cache-Control", "private"), ("CDN-Cache-Control", "max-age=60")],
    [("Surrogate-Control", 'max-age=60, content="ESI/1.0"')],
    [("Expires", "Fri, 31 Dec 2099 23:59:59 GMT")],
]


class Page:
    """An application that does one thing to its session, and answers in one way."""

    action: Callable[[Any], object]
    answer: Callable[[StartResponse, Headers], Iterable[bytes]]
    headers: Headers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with suppress(ConnectionError):
            self.action(environ["session"])
        return self.answer(start_response, list(self.headers))


def _at_once(status: str, content: Headers = TEXT) -> Callable[[StartResponse, Headers], Iterable[bytes]]:
    def answer(start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
        start_response(status, [*content, *headers])
        return []

    return answer


def _in_chunks(start_response: StartResponse, headers: Headers) -> Iterator[bytes]:
    start_response("200 OK", [*TEXT, *headers])
    yield b"a"
    yield b"b"


def _fail(start_response: StartResponse, headers: Headers) -> None:
    try:
        raise ValueError
    except ValueError:
        start_response("404 Not Found", headers, sys.exc_info())


def _replaced(start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT, ("Cache-Control", "public")])
    _fail(start_response, [*TEXT, *headers])
    return [b"a"]


def _too_late(start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT, *headers])(b"a")
    _fail(start_response, [*TEXT, *headers])
    return [b"b"]


#: How the application answers, and the request's method.
ANSWERS: list[tuple[Callable[[StartResponse, Headers], Iterable[bytes]], str]] = [
    (_at_once("200 OK"), "GET"),
    (_at_once("200 OK"), "HEAD"),
    (_at_once("204 No Content", []), "GET"),
    (_at_once("304 Not Modified", []), "GET"),
    (_at_once("404 Not Found"), "GET"),
    (_at_once("302 Found", [*TEXT, ("Location", "/")]), "GET"),
    (_at_once("308 Permanent Redirect", [*TEXT, ("Location", "/")]), "GET"),
    (_in_chunks, "GET"),
    (_replaced, "GET"),
    (_too_late, "GET"),
]


# -- what may be stored -----------------------------------------------------------------------------------------------

#: Stored by a guess where nothing is said (RFC 9110 15.1). What a 304 says counts for the stored 200 (RFC 9111 4.3.4).
GUESSED = {"200", "203", "204", "206", "300", "301", "304", "308", "404", "405", "410", "414", "501"}

#: The field that a cache obeys in the place of Cache-Control, if it stands there (RFC 9213).
TARGETS = ["", "cdn-cache-control", "surrogate-control"]


def read_directives(headers: Headers, name: str) -> dict[str, str]:
    """Return the directives of a field, of all its lines, with their arguments."""
    lines = ", ".join(value for key, value in headers if key.lower() == name)
    pairs = (directive.partition("=") for directive in parse_http_list(lines) if directive.strip())
    return {name.strip().lower(): argument.strip() for name, _, argument in pairs}


def obey(headers: Headers, target: str) -> dict[str, str]:
    """Return the directives that a cache obeys."""
    return read_directives(headers, target) or read_directives(headers, "cache-control")


def is_stored(status: str, headers: Headers, target: str) -> bool:
    """Return whether a shared cache may store a response (RFC 9111 3)."""
    said = obey(headers, target)
    if "no-store" in said or said.get("private") == "":
        return False
    is_fresh = any(name.lower() == "expires" for name, _ in headers)
    return is_fresh or not {"public", "max-age", "s-maxage"}.isdisjoint(said) or status[:3] in GUESSED


def is_meant_for_all(headers: Headers) -> bool:
    """Return whether the application asks shared caches to store a response."""
    asked = (read_directives(headers, name) for name in ("cache-control", *filter(None, TARGETS)))
    own, *targeted = [{} if "no-store" in said or said.get("private") == "" else said for said in asked]
    return any(targeted) or "public" in own or "s-maxage" in own


def find_changed(headers: Headers) -> set[tuple[str, str]]:
    """Return the directives of Cache-Control but those that say who may store."""
    said = read_directives(headers, "cache-control").items()
    return {(name, argument) for name, argument in said if name not in ("public", "s-maxage", "private")}


# -- the table --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[*cookie_kinds.KINDS, "store"])
def interface(request: pytest.FixtureRequest) -> Iterator[SessionInterface[Any]]:
    """Give an interface of each kind of cookies, and one with a store."""
    if request.param == "store":
        yield ServerSideSessionInterface(MemoryStore())
        return
    with cookie_kinds.testing(request.param):
        yield make_interface()


def visit_all(
    interface: SessionInterface[Any], deed: Deed, data: dict[str, Any] | None = None
) -> Iterator[tuple[Headers, str, Headers]]:
    """Visit the page in each way; yield what the application says, and the status and headers of each head."""
    clock, page = FrozenClock(START), Page()
    on_clock(interface, clock)
    before = SessionMiddleware(page, {"SECRET_KEY": deed.key}, session_interface=interface)
    fallbacks = [OLD_KEY] if deed.key == OLD_KEY else []
    middleware = SessionMiddleware(
        page, {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": fallbacks}, session_interface=interface
    )
    page.action = deed.action
    for page.headers in SAID:
        for page.answer, method in ANSWERS:
            clock.tick(START - clock())
            cookie = {} if data is None else {"HTTP_COOKIE": make_cookie(before, data)}
            clock.tick(deed.age)
            for status, headers in call(middleware, make_environ(REQUEST_METHOD=method, **cookie)):
                yield page.headers, status, headers


def call(app: Any, environ: WSGIEnvironment) -> list[tuple[str, Headers]]:
    """Call an application as a server does that can still replace a head that it was given."""
    heads: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        heads.append((status, headers))
        return bytes

    body: Any = validator(app)(environ, start_response)
    try:
        list(body)
    finally:
        body.close()
    return heads


def without_content(headers: Headers) -> Headers:
    return [field for field in headers if field not in (*TEXT, ("Location", "/"))]


def count_cookies(headers: Headers) -> int:
    return sum(name == "Set-Cookie" for name, _ in headers)


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_table(deed: Deed, interface: SessionInterface[Any]) -> None:
    """Whatever is said, what sets a cookie is stored by no shared cache, and what reads a session only if asked for."""
    is_written = deed.is_written and not (deed.keeps_token and isinstance(interface, ServerSideSessionInterface))
    for said, status, headers in visit_all(interface, deed, {"user": "Ada"}):
        case = f"{said} {status} {headers}"
        sets_cookie = is_written or (deed.is_reissued and not is_meant_for_all(said))
        assert count_cookies(headers) == sets_cookie, case
        assert [value for name, value in headers if name == "Vary"] == ["Cookie"] * deed.varies, case
        if not deed.varies:
            assert without_content(headers) == said, case
            continue
        for target in TARGETS:
            own = obey(said, target)
            if sets_cookie or not own:
                assert not is_stored(status, headers, target), case
            else:
                assert obey(headers, target) == own, case
        if not is_malformed(said):
            assert find_changed(headers) == find_changed(said), case


def is_malformed(headers: Headers) -> bool:
    """Return whether a quote has no end."""
    return any(value.count('"') % 2 for _, value in headers)


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("cookie", ["", "session=junk", "other=1"])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_without_a_session(read: Callable[[Any], object], cookie: str) -> None:
    """A page that looks for a session and finds none says Vary, and stays as cacheable as the application made it."""
    page = Page()

    def look(session: Any) -> None:
        with suppress(KeyError):
            read(session)

    page.action = look
    middleware = SessionMiddleware(page, {"SECRET_KEY": KEY}, session_interface=make_interface())
    environ = {"HTTP_COOKIE": cookie} if cookie else {}
    for page.headers in SAID:
        for page.answer, method in ANSWERS:
            for _, headers in call(middleware, make_environ(REQUEST_METHOD=method, **environ)):
                assert without_content(headers) == [*page.headers, ("Vary", "Cookie")]


def _is_away(settings: Any, session: Any) -> bool:
    raise ConnectionError("the user table is away")


def test_failed_access(interface: SessionInterface[Any]) -> None:
    """A page that caught the error of an access is stored by nobody, whatever it says of itself."""
    interface.validate_session = _is_away  # type: ignore[method-assign]  # as users may do, too
    for said, status, headers in visit_all(interface, Deed(lambda s: s.get("user")), {"user": "Ada"}):
        assert read_directives(headers, "cache-control") == {"no-store": ""}, f"{said} {status} {headers}"
        assert [value for name, value in headers if name == "Vary"] == ["Cookie"]
        assert count_cookies(headers) == 0


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize(("vary", "vary_touched"), VARY.values(), ids=VARY)
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_vary(deed: Deed, vary: list[str], vary_touched: list[str]) -> None:
    """Vary names Cookie exactly if the session was touched, merged with what the application says of it."""
    said = [*TEXT, *(("Vary", value) for value in vary)]
    site = Site({"SECRET_KEY_FALLBACKS": [OLD_KEY]}, headers=said)
    site.clock.tick(deed.age)
    answer = site.visit(deed.action, HTTP_COOKIE=f"session={stamp({'user': 'Ada'}, key=deed.key)}")
    assert answer.every("Vary") == (vary_touched if deed.varies else vary)
