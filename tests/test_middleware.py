"""The exchange: the head is held back until the session is saved, and whatever else the application did stays.

Where a test looks at objects themselves, or breaks PEP 3333 on purpose, it stands without wsgiref.validate.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from webob import Request, Response

from handstamp import (
    CookieTooLarge,
    NullSession,
    SecureCookieSessionInterface,
    SessionCommitted,
    SessionError,
    SessionInterface,
    SessionMiddleware,
    SessionMixin,
    SessionUnavailable,
    Settings,
)
from tests.support.constants import KEY, SETTINGS
from tests.support.cookie_kinds import make_interface, stamp, unstamp
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wsgi import TEXT, Headers, make_environ, serve

Start = Any  # start_response, which the tests also misuse

pytestmark = pytest.mark.usefixtures("kind")


class Server:
    """A server that writes down what it is told, in order, and forgives much."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.status = ""
        self.headers: Headers = []
        self.body: Any = None

    def start_response(self, status: str, headers: Headers, *rest: Any) -> Callable[[bytes], object]:
        self.events.append(f"head {status}" + (" exc_info" if rest else ""))
        self.status, self.headers = status, headers
        return lambda data: self.events.append(f"write {data.decode()}")

    def call(self, app: WSGIApplication, environ: WSGIEnvironment | None = None) -> Server:
        """Call the application and send what it gives."""
        self.body = app(make_environ() if environ is None else environ, self.start_response)
        try:
            for chunk in self.body:
                self.events.append(f"chunk {chunk.decode()}")
        finally:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        return self

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Body:
    """A body that counts how often it is closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = iter(chunks)
        self.closed = 0
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self.chunks)
        self.taken += 1
        return chunk

    def close(self) -> None:
        self.closed += 1


class SizedBody(Body):
    """A body that knows its length."""

    def __len__(self) -> int:
        return 1


class FileBody(Body):
    """A body that the server may send by its file descriptor."""

    def fileno(self) -> int:
        return -1


class WrapperBody(Body):
    """A body of the server's own file wrapper."""


def wrap(app: WSGIApplication, **settings: Any) -> SessionMiddleware:
    return SessionMiddleware(app, SETTINGS | settings, session_interface=make_interface())


def returning(body: Any, headers: Headers = TEXT, change: bool = True) -> WSGIApplication:
    """Return an application that changes its session, or does not, and gives a body."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if change:
            environ["session"]["n"] = 1
        start_response("200 OK", headers)
        return body

    return app


def _saved(cookies: list[str]) -> dict[str, Any]:
    """Return the data in the one Set-Cookie line."""
    (line,) = cookies
    data = unstamp(line.partition(";")[0].removeprefix("session="))
    return {key: value for key, value in data.items() if key != "_created"}


class TooLarge(SecureCookieSessionInterface):
    """An interface that cannot save."""

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        raise CookieTooLarge("too large")


def wrap_failing(app: WSGIApplication) -> SessionMiddleware:
    return SessionMiddleware(app, SETTINGS, session_interface=make_interface(TooLarge))


# -- a body that is there ---------------------------------------------------------------------------------------------

THERE: dict[str, Callable[[], Any]] = {
    "list": lambda: [b"a", b"b"],
    "tuple": lambda: (b"a", b"b"),
    "empty list": list,
    "length": lambda: SizedBody(b"a", b"b"),
    "fileno": lambda: FileBody(b"a", b"b"),
    "file_wrapper": lambda: WrapperBody(b"a", b"b"),
}


@pytest.mark.parametrize("make", THERE.values(), ids=THERE)
def test_body_is_handed_through(make: Callable[[], Any]) -> None:
    """A body that is there is handed to the server as it is, untouched, after the head has gone."""
    server, body = Server(), make()
    given = wrap(returning(body))(make_environ(**{"wsgi.file_wrapper": WrapperBody}), server.start_response)
    assert given is body
    assert server.events == ["head 200 OK"]
    assert getattr(body, "taken", 0) == getattr(body, "closed", 0) == 0
    assert _saved(server.every("Set-Cookie")) == {"n": 1}


def test_file_wrapper_function() -> None:
    """Where the server's file wrapper is a function (on uWSGI) the body goes in chunks."""
    server = Server().call(
        wrap(returning(Body(b"a"))), make_environ(**{"wsgi.file_wrapper": lambda file, size=0: Body(b"")})
    )
    assert server.events == ["head 200 OK", "chunk a"]


def test_file_wrapper_of_another_server() -> None:
    """A body that is no instance of this server's file wrapper is one in chunks."""
    server, body = Server(), FileWrapper(BytesIO(b"abc"))
    given = wrap(returning(body))(make_environ(**{"wsgi.file_wrapper": WrapperBody}), server.start_response)
    assert given is not body
    assert server.events == []
    given.close()  # type: ignore[attr-defined]  # ours has one


def test_file_is_sent(tmp_path: Path) -> None:
    """A file in the server's wrapper is sent whole."""
    (tmp_path / "file").write_bytes(b"x" * 10000)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        environ["session"]["n"] = 1
        start_response("200 OK", TEXT)
        return environ["wsgi.file_wrapper"]((tmp_path / "file").open("rb"))

    answer = serve(wrap(app), make_environ(**{"wsgi.file_wrapper": FileWrapper}))
    assert (len(answer.body), _saved(answer.cookies)) == (10000, {"n": 1})


# -- a body in chunks -------------------------------------------------------------------------------------------------


def generating(*chunks: bytes, start: str = "before") -> WSGIApplication:
    """Return an application whose body is a generator that changes the session before its first chunk."""

    def body(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        if start == "inside":
            start_response("200 OK", TEXT)
        environ["session"]["n"] = 1
        yield from chunks

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if start == "before":
            start_response("200 OK", TEXT)
        return body(environ, start_response)

    return app


@pytest.mark.parametrize("start", ["before", "inside"])
@pytest.mark.parametrize(
    "chunks",
    [(b"a", b"b"), (b"", b"a"), (b"", b"", b"a"), (b"",), ()],
    ids=["two", "empty first", "empty twice", "empty", "none"],
)
def test_generator(chunks: tuple[bytes, ...], start: str) -> None:
    """A change before the first chunk is saved, wherever start_response is called and however empty that chunk is."""
    answer = serve(wrap(generating(*chunks, start=start)), make_environ())
    assert (answer.body, _saved(answer.cookies)) == (b"".join(chunks), {"n": 1})


def test_application_is_generator() -> None:
    """An application that is itself a generator function may change its session before its first chunk."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        environ["session"]["n"] = 1
        start_response("200 OK", TEXT)
        environ["session"]["n"] += 1
        yield b"a"

    assert _saved(serve(wrap(app), make_environ()).cookies) == {"n": 2}


def test_change_after_start_response() -> None:
    """A change between start_response and the end of the call is saved."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", TEXT)
        environ["session"]["n"] = 1
        return [b"a"]

    assert _saved(serve(wrap(app), make_environ()).cookies) == {"n": 1}


def test_head_goes_with_first_chunk() -> None:
    """The head goes with the first chunk, be it empty, and not with the call."""
    server = Server()
    body = iter(wrap(generating(b"", b"a"))(make_environ(), server.start_response))
    before = list(server.events)
    assert next(body) == b""
    assert (before, server.events) == ([], ["head 200 OK"])


def test_never_reads_ahead() -> None:
    """A body in chunks is never read ahead."""
    body = Body(b"a", b"b", b"c")
    given = iter(wrap(returning(body))(make_environ(), Server().start_response))
    taken = [body.taken]
    for _ in range(3):
        next(given)
        taken.append(body.taken)
    assert taken == [0, 1, 2, 3]


GRANIAN = {"SERVER_SOFTWARE": "Granian"}


@pytest.mark.parametrize("chunks", [(b"a", b"b"), (b"", b"a"), ()], ids=["two", "empty first", "none"])
def test_head_goes_with_the_call(chunks: tuple[bytes, ...]) -> None:
    """Where a server reads the head as soon as the call returns, the head goes by then, with the changed session."""
    server = Server()
    body = Body(*chunks)
    given: Any = wrap(returning(body))(make_environ(**GRANIAN), server.start_response)
    assert (server.events, _saved(server.every("Set-Cookie"))) == (["head 200 OK"], {"n": 1})
    assert body.taken == len(chunks[:1])
    assert (list(given), body.closed) == (list(chunks), 0)
    given.close()
    assert (server.events, body.closed) == (["head 200 OK"], 1)


def test_call_fails_with_the_first_chunk() -> None:
    """There an error before the first chunk leaves the call, no head goes, and the body is closed."""
    server, body = Server(), Body()
    app = wrap_failing(returning(body))
    with pytest.raises(CookieTooLarge):
        app(make_environ(**GRANIAN), server.start_response)
    assert (server.events, body.closed) == ([], 1)


def test_exhausted_body_stays_so() -> None:
    """A body that has ended gives no more, and no second head."""
    server = Server()
    given = iter(wrap(returning(Body()))(make_environ(), server.start_response))
    assert (next(given, None), next(given, None)) == (None, None)
    assert server.events == ["head 200 OK"]


def test_iterable_without_close() -> None:
    """A body that has no close, and is no iterator, needs neither."""

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a", b"b"])

    answer = serve(wrap(returning(Chunks())), make_environ())
    assert (answer.body, _saved(answer.cookies)) == (b"ab", {"n": 1})


@pytest.mark.parametrize("make", [Body, SizedBody, FileBody, WrapperBody])
def test_close_passes_once(make: type[Body]) -> None:
    """Close passes to the body, once."""
    body = make(b"a", b"b")
    server = Server().call(wrap(returning(body)), make_environ(**{"wsgi.file_wrapper": WrapperBody}))
    assert server.events == ["head 200 OK", "chunk a", "chunk b"]
    assert body.closed == 1


def test_closed_twice() -> None:
    """A body in chunks that the server closes twice is closed once."""
    body = Body(b"a")
    server = Server().call(wrap(returning(body)))
    server.body.close()
    assert body.closed == 1


def test_closed_unread() -> None:
    """A body in chunks that the server closes unread (HEAD) is closed, and nothing is saved."""
    server, body = Server(), Body(b"a")
    given: Any = wrap(returning(body))(make_environ(), server.start_response)
    given.close()
    assert (server.events, body.closed, body.taken) == ([], 1, 0)


def test_change_while_closing() -> None:
    """A change while the body is closed comes too late and says so, even if the body was never read."""
    environ = make_environ()

    class Late(Body):
        def close(self) -> None:
            environ["session"]["n"] = 2

    given: Any = wrap(returning(Late(b"a")))(environ, Server().start_response)
    with pytest.raises(SessionCommitted):
        given.close()


# -- write() ----------------------------------------------------------------------------------------------------------


def _writing(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
    write = start_response("200 OK", TEXT)
    environ["session"]["n"] = 1
    write(b"a")
    write(b"b")
    return [b"c"]


def test_write() -> None:
    """Write saves and sends the head first, once."""
    server = Server().call(wrap(_writing))
    assert server.events == ["head 200 OK", "write a", "write b", "chunk c"]
    assert _saved(server.every("Set-Cookie")) == {"n": 1}


def test_write_validates() -> None:
    """An application that writes and then gives a body sends both, in their order."""
    assert serve(wrap(_writing), make_environ()).body == b"abc"


def test_write_then_generator() -> None:
    """A body in chunks after a write sends no second head and is handed through."""
    body = Body(b"c")

    def app(environ: WSGIEnvironment, start_response: Start) -> Any:
        start_response("200 OK", TEXT)(b"a")
        return body

    server = Server().call(wrap(app))
    assert server.events == ["head 200 OK", "write a", "chunk c"]
    assert server.body is body


def test_write_inside_generator() -> None:
    """A write inside a body in chunks, before its first chunk, sends the head then."""

    def app(environ: WSGIEnvironment, start_response: Start) -> Iterator[bytes]:
        write = start_response("200 OK", TEXT)
        environ["session"]["n"] = 1
        write(b"a")
        yield b"b"

    server = Server().call(wrap(app))
    assert server.events == ["head 200 OK", "write a", "chunk b"]


def test_write_that_fails() -> None:
    """If saving fails at a write the error reaches the application, and nothing was sent."""
    server = Server()
    app = wrap_failing(_writing)
    with pytest.raises(CookieTooLarge):
        server.call(app)
    assert server.events == []


def test_error_page_after_a_failed_save() -> None:
    """A page that answers a failed save goes out without the session, and no cache may store it."""

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        environ["session"]["basket"] = os.urandom(5000)
        try:
            start_response("200 OK", list(TEXT))(b"")
        except CookieTooLarge:
            start_response("500 Sorry", [*TEXT, ("Cache-Control", "max-age=60")], sys.exc_info())
        return [b"sorry"]

    server = Server().call(SessionMiddleware(app, SETTINGS))
    assert server.events == ["head 500 Sorry exc_info", "chunk sorry"]
    assert server.headers == [*TEXT, ("Vary", "Cookie"), ("Cache-Control", "no-store")]


# -- start_response ---------------------------------------------------------------------------------------------------


def _exc_info() -> Any:
    try:
        raise ValueError("of the application")
    except ValueError:
        return sys.exc_info()


def test_held_head_is_replaced() -> None:
    """A second start_response with exc_info replaces a held head, and what is said goes to the server with it."""

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        environ["session"]["n"] = 1
        start_response("200 OK", [*TEXT, ("X-First", "1")])
        try:
            raise ValueError("of the application")
        except ValueError:
            start_response("500 Oops", TEXT, sys.exc_info())
        return [b"a"]

    server = Server().call(wrap(app))
    assert server.events == ["head 500 Oops exc_info", "chunk a"]
    assert server.every("X-First") == []
    assert _saved(server.every("Set-Cookie")) == {"n": 1}


def test_exc_info_only_if_given() -> None:
    """Without exc_info the server's start_response is called with two arguments, with it with three."""
    calls: list[int] = []

    def start_response(*args: Any) -> Callable[[bytes], object]:
        calls.append(len(args))
        return bytes

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        exc_info = _exc_info() if environ["PATH_INFO"] == "/error" else None
        start_response("200 OK", TEXT, *([exc_info] if exc_info else []))
        return []

    for path in ("/", "/error"):
        wrap(app)(make_environ(PATH_INFO=path), start_response)
    assert calls == [2, 3]


def _failing_late(environ: WSGIEnvironment, start_response: Start) -> Iterator[bytes]:
    environ["session"]["n"] = 1
    start_response("200 OK", TEXT)
    yield b"a"
    try:
        raise ValueError("of the application")
    except ValueError:
        start_response("500 Oops", [*TEXT, ("Vary", "Accept")], sys.exc_info())
    yield b"b"


def test_error_after_head_is_raised() -> None:
    """A start_response with exc_info after the head has gone re-raises, as PEP 3333 says."""
    with pytest.raises(ValueError, match="of the application"):
        serve(wrap(_failing_late), make_environ())


@pytest.mark.parametrize(
    ("said", "cache_control"), [([], ["private"]), ([("Cache-Control", "no-store")], ["no-store"])], ids=str
)
def test_error_after_head_repeats(said: Headers, cache_control: list[str]) -> None:
    """To a server that can still take it, the second head goes with the same Set-Cookie, Vary and Cache-Control."""
    heads: list[Headers] = []

    def app(environ: WSGIEnvironment, start_response: Start) -> Iterator[bytes]:
        environ["session"]["n"] = 1
        start_response("200 OK", [*TEXT, ("Set-Cookie", "own=1"), *said])
        yield b"a"
        start_response("500 Oops", [*TEXT, ("Vary", "Accept"), *said], _exc_info())
        yield b"b"

    class Patient(Server):
        def start_response(self, status: str, headers: Headers, *rest: Any) -> Callable[[bytes], object]:
            heads.append(headers)
            return super().start_response(status, headers, *rest)

    server = Patient().call(wrap(app))
    assert server.events == ["head 200 OK", "chunk a", "head 500 Oops exc_info", "chunk b"]
    ours = [value for name, value in heads[0] if name == "Set-Cookie" and value != "own=1"]
    assert server.every("Set-Cookie") == ours
    assert server.every("Vary") == ["Accept, Cookie"]
    assert server.every("Cache-Control") == cache_control


@pytest.mark.parametrize(("look", "vary"), [(bool, ["Cookie"]), (id, [])], ids=["read", "untouched"])
def test_error_after_head_without_cookie(look: Callable[[Any], object], vary: list[str]) -> None:
    """The second head says Vary exactly if the first did, and nothing of caching where no cookie was set."""

    def app(environ: WSGIEnvironment, start_response: Start) -> Iterator[bytes]:
        look(environ["session"])
        start_response("200 OK", TEXT)
        yield b"a"
        start_response("500 Oops", TEXT, _exc_info())
        yield b"b"

    server = Server().call(wrap(app))
    assert (server.every("Vary"), server.every("Cache-Control"), server.every("Set-Cookie")) == (vary, [], [])


class Foreign(dict[str, Any], SessionMixin):
    """A session that tracks nothing."""


class ByHeader(SessionInterface):
    """An interface whose sessions have nothing to do with cookies."""

    def open_session(self, settings: Settings, request: Request) -> SessionMixin | None:
        return Foreign()

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        response.headers["X-Session"] = str(len(session))


def test_error_after_head_of_foreign_session() -> None:
    """Where an interface of one's own did not say Vary in the first head, the second does not say it either."""

    def app(environ: WSGIEnvironment, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        start_response("500 Oops", TEXT, _exc_info())
        yield b"b"

    server = Server().call(SessionMiddleware(app, SETTINGS, session_interface=ByHeader()))
    assert server.every("Vary") == []


def test_write_after_replaced_head() -> None:
    """What start_response gives after the head has gone is the server's write."""

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        start_response("200 OK", TEXT)(b"a")
        start_response("500 Oops", TEXT, _exc_info())(b"b")
        return []

    assert Server().call(wrap(app)).events == ["head 200 OK", "write a", "head 500 Oops exc_info", "write b"]


def test_second_start_response() -> None:
    """A second start_response without exc_info is an AssertionError, and nothing is sent."""

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return []

    server = Server()
    with pytest.raises(AssertionError, match="a second time without exc_info"):
        server.call(wrap(app))
    assert server.events == []


def test_second_start_response_after_head() -> None:
    """A second start_response without exc_info is an AssertionError after the head too."""

    def app(environ: WSGIEnvironment, start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        start_response("200 OK", TEXT)

    with pytest.raises(AssertionError, match="a second time without exc_info"):
        Server().call(wrap(app))


@pytest.mark.parametrize("status", ["2OO OK", "200", "200 ", "200 O\xe9", "999 What", "200 OK\t"])
def test_status_goes_as_given(status: str) -> None:
    """The status line goes to the server as given, even one that webob would refuse or mend."""

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        environ["session"]["n"] = 1
        start_response(status, TEXT)
        return []

    assert Server().call(wrap(app)).status == status


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_no_content(status: str) -> None:
    """A response without content gets no Content-Type and no Content-Length from saving a session."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["session"]["n"] = 1
        start_response(status, [])
        return []

    assert [name for name, _ in serve(wrap(app), make_environ()).headers] == ["Set-Cookie", "Vary", "Cache-Control"]


# -- headers ----------------------------------------------------------------------------------------------------------


def test_header_constant() -> None:
    """The application's header list is never changed: it may be a constant that the next visitor is given too."""
    constant = [("Content-Type", "text/plain"), ("Vary", "Accept")]
    app = wrap(returning([b"a"], constant))
    answers = [Server().call(app).every("Set-Cookie") for _ in range(2)]
    assert [len(cookies) for cookies in answers] == [1, 1]
    assert constant == [("Content-Type", "text/plain"), ("Vary", "Accept")]


def test_one_cookie_of_ours() -> None:
    """However often the session changes, there is one Set-Cookie of ours, after those of the application."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        for number in range(3):
            environ["session"]["n"] = number
            environ["session"].renew()
        start_response("200 OK", [*TEXT, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        environ["session"]["n"] = 3
        return [b"a"]

    cookies = serve(wrap(app), make_environ()).cookies
    assert cookies[:2] == ["a=1", "b=2"]
    assert _saved(cookies[2:]) == {"n": 3}


def test_untouched() -> None:
    """An untouched session leaves everything untouched: the server gets the application's own list and body."""
    server, headers, body = Server(), list(TEXT), [b"a"]
    server.call(wrap(returning(body, headers, change=False)))
    assert server.headers is headers
    assert server.body is body


def test_untouched_in_chunks() -> None:
    """An untouched session leaves the header list of a body in chunks as it is."""
    server, headers = Server(), list(TEXT)
    server.call(wrap(returning(Body(b"a"), headers, change=False)))
    assert server.headers is headers


class Telling(SecureCookieSessionInterface):
    """An interface that tells what it was asked."""

    def __init__(self) -> None:
        self.opened: list[tuple[Settings, Request]] = []
        self.saved: list[tuple[Settings, Any, Response]] = []

    def open_session(self, settings: Settings, request: Request) -> Any:
        self.opened.append((settings, request))
        return super().open_session(settings, request)

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        self.saved.append((settings, session, response))


@pytest.mark.parametrize(
    ("touch", "count"),
    [
        (lambda s: None, 0),
        (lambda s: s.get("n"), 1),
        (lambda s: s.update(n=1), 1),
        (lambda s: setattr(s, "modified", True), 1),
        (lambda s: setattr(s, "modified", False), 0),
    ],
    ids=["untouched", "accessed", "modified", "forced", "discarded"],
)
def test_saves_what_was_touched(touch: Callable[[Any], object], count: int) -> None:
    """Save_session is called exactly if the session was accessed or modified, and once."""
    interface = make_interface(Telling)
    Site(interface=interface).visit(touch)
    assert (len(interface.opened), len(interface.saved)) == (1, count)


def test_what_the_interface_gets() -> None:
    """Open_session gets a request of the environ, save_session a response to it with a copy of the headers."""
    interface, environ = make_interface(Telling), make_environ()
    middleware = SessionMiddleware(returning([b"a"]), SETTINGS, session_interface=interface)
    Server().call(middleware, environ)
    ((settings, request),) = interface.opened
    ((_, session, response),) = interface.saved
    assert settings is middleware.settings
    assert request.environ is environ
    assert session is environ["session"]
    assert response.request is request
    assert response.headerlist == TEXT
    assert response.headerlist is not TEXT
    assert response.status == "200 OK"


def test_headers_of_the_response_go() -> None:
    """What save_session writes to its response's headers goes to the server."""
    server = Server().call(SessionMiddleware(returning([b"a"]), SETTINGS, session_interface=ByHeader()))
    assert server.headers == [*TEXT, ("X-Session", "1")]


def test_replaced_header_list_goes() -> None:
    """A header list that save_session puts in the place of the response's own goes to the server."""

    class Replacing(ByHeader):
        def save_session(self, settings: Settings, session: Any, response: Response) -> None:
            response.headerlist = [("Content-Type", "text/html")]

    server = Server().call(SessionMiddleware(returning([b"a"]), SETTINGS, session_interface=Replacing()))
    assert server.headers == [("Content-Type", "text/html")]


# -- what fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Body, SizedBody, FileBody], ids=["chunks", "length", "fileno"])
def test_save_fails(make: type[Body]) -> None:
    """If saving fails no head goes, the body is closed once, and the error reaches the server."""
    server, body = Server(), make(b"a")
    with pytest.raises(CookieTooLarge, match="too large"):
        server.call(wrap_failing(returning(body)))
    assert (server.events, body.closed) == ([], 1)


def test_save_fails_with_list() -> None:
    """If saving fails with a body that cannot be closed, the error reaches the server all the same."""
    server = Server()
    with pytest.raises(CookieTooLarge, match="too large"):
        server.call(wrap_failing(returning([b"a"])))
    assert server.events == []


@pytest.mark.parametrize("make", [list, Body], ids=["list", "body"])
def test_save_fails_is_committed(make: Callable[[], Any]) -> None:
    """After saving has failed a change raises, for nothing will save it."""
    environ = make_environ()
    with pytest.raises(CookieTooLarge):
        Server().call(wrap_failing(returning(make())), environ)
    with pytest.raises(SessionCommitted):
        environ["session"]["n"] = 2


def test_application_fails() -> None:
    """An exception out of the application is not swallowed, and nothing is saved."""
    interface = make_interface(Telling)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["session"]["n"] = 1
        start_response("200 OK", TEXT)
        raise ValueError("of the application")

    server = Server()
    with pytest.raises(ValueError, match="of the application"):
        server.call(SessionMiddleware(app, SETTINGS, session_interface=interface))
    assert (server.events, interface.saved) == ([], [])


def test_generator_fails_before_first_chunk() -> None:
    """An exception out of a body before its first chunk is not swallowed, and nothing is saved."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        environ["session"]["n"] = 1
        start_response("200 OK", TEXT)
        raise ValueError("of the application")
        yield b""

    server = Server()
    with pytest.raises(ValueError, match="of the application"):
        server.call(wrap(app))
    assert server.events == []


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "500 Internal Server Error", "503 Busy"])
def test_any_status_is_saved(status: str) -> None:
    """A response of any status is saved, 5xx too."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["session"]["n"] = 1
        start_response(status, TEXT)
        return [b"a"]

    answer = serve(wrap(app), make_environ())
    assert (answer.status, _saved(answer.cookies)) == (status, {"n": 1})


def test_location_stays_relative() -> None:
    """A relative Location stays as the application wrote it."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["session"]["n"] = 1
        start_response("302 Found", [*TEXT, ("Location", "/next")])
        return []

    assert serve(wrap(app), make_environ()).every("Location") == ["/next"]


LATE: dict[str, Callable[[Any], object]] = {
    "change": lambda s: s.update(n=2),
    "renew": lambda s: s.renew(),
    "invalidate": lambda s: s.invalidate(),
    "first look": lambda s: s.get("n"),
    "modified": lambda s: setattr(s, "modified", True),
}


@pytest.mark.parametrize("touch", LATE.values(), ids=LATE)
def test_late_in_chunks(touch: Callable[[Any], object]) -> None:
    """A change or first look after the first chunk raises where it stands."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        touch(environ["session"])
        yield b"b"

    with pytest.raises(SessionCommitted):
        serve(wrap(app), make_environ())


@pytest.mark.parametrize("touch", LATE.values(), ids=LATE)
def test_late_after_write(touch: Callable[[Any], object]) -> None:
    """A change or first look after a write raises where it stands."""

    def app(environ: WSGIEnvironment, start_response: Start) -> list[bytes]:
        start_response("200 OK", TEXT)(b"a")
        touch(environ["session"])
        return []

    with pytest.raises(SessionCommitted):
        serve(wrap(app), make_environ())


@pytest.mark.parametrize("touch", LATE.values(), ids=LATE)
@pytest.mark.parametrize("change", [True, False], ids=["saved", "untouched"])
def test_late_after_list(touch: Callable[[Any], object], change: bool) -> None:
    """A change after the head of a body that was there raises, and so does a first look."""
    environ = make_environ()
    Server().call(wrap(returning([b"a"], change=change)), environ)
    if change and touch is LATE["first look"]:
        assert touch(environ["session"]) == 1
        return
    with pytest.raises(SessionCommitted):
        touch(environ["session"])


def test_second_look_in_chunks() -> None:
    """What was looked into before the head may be looked into after it."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for _ in range(2):
            yield str(environ["session"]["n"]).encode()

    assert serve(wrap(app), make_environ(HTTP_COOKIE=f"session={stamp({'n': 7}, at=time.time())}")).body == b"77"


# -- nested -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [SETTINGS, {}], ids=["sessions", "null sessions"])
def test_nested_on_one_key(settings: dict[str, Any]) -> None:
    """A middleware inside another on the same environ_key is a clear error that names the key and both cures."""
    inner = SessionMiddleware(returning([b"a"]), settings)
    cure = "remove one, or give one another environ_key and another SESSION_COOKIE_NAME"
    with pytest.raises(SessionError, match=rf"environ\['session'\] holds an open session: .*{cure}$"):
        Server().call(SessionMiddleware(inner, settings))


@pytest.mark.parametrize("settings", [SETTINGS, {}], ids=["sessions", "null sessions"])
def test_nested_on_one_cookie_name(settings: dict[str, Any]) -> None:
    """Two middlewares with different keys and one cookie name are an error at the first request, with the cure."""
    inner = SessionMiddleware(returning([b"a"]), settings, environ_key="office")
    server = Server()
    with pytest.raises(SessionError, match=r"both call their cookie 'session', .*; remove one, or give one another"):
        server.call(SessionMiddleware(inner, settings))
    assert server.events == []


def test_nested_around_another() -> None:
    """Of three middlewares, the innermost is compared with the outermost too."""
    inner = SessionMiddleware(returning([b"a"]), SETTINGS, environ_key="c")
    middle = SessionMiddleware(inner, {**SETTINGS, "SESSION_COOKIE_NAME": "b"}, environ_key="b")
    with pytest.raises(SessionError, match="both call their cookie 'session'"):
        Server().call(SessionMiddleware(middle, SETTINGS, environ_key="a"))


def test_nested_in_chunks() -> None:
    """A middleware inside another one's body in chunks is an error too, while that exchange is open."""
    inner = wrap(returning([b"a"]))

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        yield from inner(environ, start_response)

    with pytest.raises(SessionError, match="holds an open session: two SessionMiddleware"):
        Server().call(wrap(app))


def test_nested_on_two_keys() -> None:
    """Two middlewares with different keys and cookie names keep two sessions."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        for number, key in enumerate(("outer", "inner"), 1):
            environ[key]["n"] = environ[key].get("n", 0) + number
        start_response("200 OK", TEXT)
        return [f"{environ['outer']['n']} {environ['inner']['n']}".encode()]

    inner = SessionMiddleware(app, {**SETTINGS, "SESSION_COOKIE_NAME": "b"}, environ_key="inner")
    browser = Visitor(SessionMiddleware(inner, {**SETTINGS, "SESSION_COOKIE_NAME": "a"}, environ_key="outer"))
    answers = [browser.get() for _ in range(2)]
    assert [answer.body for answer in answers] == [b"1 2", b"2 4"]
    assert [line[:2] for line in answers[0].cookies] == ["b=", "a="]
    assert answers[0].every("Vary") == ["Cookie"]


@pytest.mark.parametrize("make", [lambda: [b"a"], lambda: Body(b"a")], ids=["list", "chunks"])
def test_retry(make: Callable[[], Any]) -> None:
    """A second call with the same environ works once the first exchange is over, and begins with what that left."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        environ["session"]["n"] = environ["session"].get("n", 0) + 1
        start_response("200 OK", TEXT)
        return make()

    wrapped, environ = wrap(app), make_environ()
    saved = [_saved(Server().call(wrapped, environ).every("Set-Cookie")) for _ in range(3)]
    assert saved == [{"n": 1}, {"n": 2}, {"n": 3}]


def _boom(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise ValueError("of the application")


def _boom_late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", TEXT)
    raise ValueError("of the application")
    yield b""


@pytest.mark.parametrize("failing", [_boom, _boom_late], ids=["call", "body"])
def test_retry_after_exception(failing: WSGIApplication) -> None:
    """A second call with the same environ works after an exception too."""
    environ = make_environ()
    with pytest.raises(ValueError, match="of the application"):
        Server().call(wrap(failing), environ)
    assert _saved(Server().call(wrap(returning([b"a"])), environ).every("Set-Cookie")) == {"n": 1}


def test_retry_after_save_failed() -> None:
    """An error document called with the same environ works after saving has failed."""
    environ = make_environ()
    with pytest.raises(CookieTooLarge):
        Server().call(wrap_failing(returning([b"a"])), environ)
    assert _saved(Server().call(wrap(returning([b"b"])), environ).every("Set-Cookie")) == {"n": 1}


def test_retry_after_open_failed() -> None:
    """A second call with the same environ works after opening a session has failed."""

    class Failing(SecureCookieSessionInterface):
        def open_session(self, settings: Settings, request: Request) -> Any:
            raise ConnectionError

    environ = make_environ()
    with pytest.raises(ConnectionError):
        Server().call(SessionMiddleware(_boom, SETTINGS, session_interface=make_interface(Failing)), environ)
    assert Server().call(wrap(returning([b"a"])), environ).events == ["head 200 OK", "chunk a"]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_foreign_object_under_key(caplog: pytest.LogCaptureFixture) -> None:
    """What another middleware keeps under the key is replaced, and warned of once, with the cure and without data."""
    app = wrap(returning([b"a"]))
    for _ in range(3):
        environ = make_environ()
        environ["session"] = {"n": "a secret"}
        assert _saved(Server().call(app, environ).every("Set-Cookie")) == {"n": 1}
    (warning,) = _warnings(caplog)
    assert warning.startswith("environ['session'] holds a dict of another middleware")
    assert warning.endswith("give SessionMiddleware another environ_key")
    assert "secret" not in warning


def test_foreign_object_between(caplog: pytest.LogCaptureFixture) -> None:
    """It is warned of too where it stands between two middlewares of ours."""
    inner = wrap(returning([b"a"]))

    def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["session"] = {"n": 5}
        return inner(environ, start_response)

    settings = {**SETTINGS, "SESSION_COOKIE_NAME": "a"}
    Server().call(SessionMiddleware(between, settings, environ_key="outer"))
    assert len(_warnings(caplog)) == 1


def test_retry_is_no_foreign_object(caplog: pytest.LogCaptureFixture) -> None:
    """Our own session of an earlier call with the same environ is not warned of."""
    app, environ = wrap(returning([b"a"])), make_environ()
    for _ in range(2):
        Server().call(app, environ)
    assert _warnings(caplog) == []


# -- the middleware ---------------------------------------------------------------------------------------------------


def test_attributes() -> None:
    """What it was made of are attributes of the middleware."""
    app, interface = returning([]), make_interface()
    middleware = SessionMiddleware(app, SETTINGS, session_interface=interface, environ_key="door.stamp")
    assert middleware.app is app
    assert middleware.session_interface is interface
    assert middleware.environ_key == "door.stamp"
    assert type(middleware.settings) is Settings
    assert middleware.settings["SECRET_KEY"] == KEY


def test_default_interface() -> None:
    """By default sessions are kept in signed cookies, each middleware with an interface of its own."""
    interfaces = [SessionMiddleware(returning([])).session_interface for _ in range(2)]
    assert [type(interface) for interface in interfaces] == [SecureCookieSessionInterface] * 2
    assert interfaces[0] is not interfaces[1]


def test_ready_settings() -> None:
    """Ready settings are taken as they are."""
    settings = Settings(SETTINGS)
    assert SessionMiddleware(returning([]), settings).settings is settings


def test_interface_assigned_later() -> None:
    """The interface may be assigned later, as in Flask."""
    middleware = wrap(returning([b"a"]))
    middleware.session_interface = ByHeader()
    assert Server().call(middleware).every("X-Session") == ["1"]


def test_environ_key() -> None:
    """The session is found under the environ_key, and under no other."""
    environ = make_environ()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["door.stamp"]["n"] = 1
        start_response("200 OK", TEXT)
        return []

    Server().call(SessionMiddleware(app, SETTINGS, environ_key="door.stamp"), environ)
    assert "session" not in environ


def test_null_session(caplog: pytest.LogCaptureFixture) -> None:
    """Without settings there are null sessions: they read fine, a write raises, and the log says so once."""
    caplog.set_level(logging.INFO, "handstamp")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", TEXT)
        return [repr(environ["session"].get("n")).encode()]

    middleware = SessionMiddleware(app)
    for _ in range(2):
        answer = serve(middleware, make_environ(HTTP_COOKIE="session=x"))
    assert (answer.body, answer.headers) == (b"None", TEXT)
    (record,) = caplog.records
    assert (record.levelno, "python -m handstamp secret" in record.getMessage()) == (logging.WARNING, True)
    with pytest.raises(SessionUnavailable):
        Server().call(SessionMiddleware(returning([])))


def test_null_session_of_interface() -> None:
    """Where open_session gives None, the interface's null session stands in, and is not saved."""

    class Nothing(NullSession):
        accessed = True
        modified = True

    class Closed(Telling):
        null_session_class = Nothing

        def open_session(self, settings: Settings, request: Request) -> Any:
            return None

    interface, environ = make_interface(Closed), make_environ()
    Server().call(SessionMiddleware(returning([b"a"], change=False), SETTINGS, session_interface=interface), environ)
    assert type(environ["session"]) is Nothing
    assert interface.saved == []


@pytest.mark.parametrize("app", [returning([b"a"], change=False), _writing, generating(b"", b"a")])
def test_validates_on_both_sides(app: WSGIApplication) -> None:
    """Both sides of the middleware keep to PEP 3333, as wsgiref.validate reads it."""

    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # The validator's application finds the session under the key that has a dot.
        return app({**environ, "session": environ["handstamp.session"]}, start_response)

    checked: Any = validator(inner)
    browser = Visitor(SessionMiddleware(checked, SETTINGS, environ_key="handstamp.session"))
    assert [browser.get().status for _ in range(2)] == ["200 OK"] * 2


def test_threads() -> None:
    """Many threads share one middleware, and each browser counts its own visits."""
    barrier = Barrier(8)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        session = environ["session"]
        session["n"] = session.get("n", 0) + 1
        yield str(session["n"]).encode()

    middleware = wrap(app)

    def visit(number: int) -> list[bytes]:
        browser = Visitor(middleware)
        barrier.wait()
        return [browser.get().body for _ in range(20 + number)]

    with ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(visit, range(8)))
    assert bodies == [[str(n + 1).encode() for n in range(20 + number)] for number in range(8)]


# -- no garbage -------------------------------------------------------------------------------------------------------


def _raising(environ: WSGIEnvironment, start_response: Start) -> Iterable[bytes]:
    environ["session"]["n"] = 1
    start_response("200 OK", TEXT)
    raise ValueError("of the application")


def _raising_with_exc_info(environ: WSGIEnvironment, start_response: Start) -> Iterable[bytes]:
    environ["session"]["n"] = 1
    try:
        raise ValueError("of the application")
    except ValueError:
        start_response("500 Oops", TEXT, sys.exc_info())
    raise ValueError("of the application")


def _replacing(environ: WSGIEnvironment, start_response: Start) -> Iterable[bytes]:
    environ["session"]["n"] = 1
    start_response("200 OK", TEXT)
    try:
        raise ValueError("of the application")
    except ValueError:
        start_response("500 Oops", TEXT, sys.exc_info())
    return [b"a"]


def _replacing_in_chunks(environ: WSGIEnvironment, start_response: Start) -> Iterable[bytes]:
    _replacing(environ, start_response)
    return Body(b"a")


def _too_large(environ: WSGIEnvironment, start_response: Start) -> Iterable[bytes]:
    environ["session"]["noise"] = random.Random(7).randbytes(4000).hex()
    start_response("200 OK", TEXT)
    return [b"a"]


def _replacing_too_large(environ: WSGIEnvironment, start_response: Start) -> Iterable[bytes]:
    _replacing(environ, start_response)
    return _too_large(environ, lambda status, headers: None)


GARBAGE: dict[str, WSGIApplication] = {
    "list": returning([b"a"]),
    "untouched": returning([b"a"], change=False),
    "body in chunks": lambda *args: returning(Body(b"a"))(*args),  # noqa: PLW0108  # a new body for each call
    "generator": generating(b"a", b"b"),
    "write": _writing,
    "exception": _raising,
    "exception in the body": _boom_late,
    "too large": _too_large,
    "replaced head": _replacing,
    "replaced head of a body in chunks": _replacing_in_chunks,
    "replaced head, then an exception": _raising_with_exc_info,
    "replaced head, then too large": _replacing_too_large,
    "error after the head": _failing_late,
}


def _run(app: WSGIApplication, token: str, is_read: bool = True, sent: Iterable[str] = ()) -> None:
    """Run one request to its end, as a server does that logs exceptions and goes on.

    :param sent: the heads that the server has sent before
    """
    heads = list(sent)

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        try:
            if exc_info and heads:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None
        heads.append(status)
        return len

    environ = make_environ(HTTP_COOKIE=f"session={token}")
    body: Any = None
    try:
        body = app(environ, start_response)
        for _ in body if is_read else ():
            pass
    except ValueError:
        pass
    finally:
        if hasattr(body, "close"):
            body.close()


def _find_garbage(app: WSGIApplication, **how: Any) -> list[type]:
    """Return the types of what a request leaves to the garbage collector, as far as they are ours or webob's."""
    middleware, token = wrap(app), stamp({"n": 1}, at=time.time())
    _run(middleware, token, **how)  # what is made once, is made now
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        _run(middleware, token, **how)
        gc.collect()
        return [type(thing) for thing in gc.garbage if type(thing).__module__.startswith(("handstamp", "webob"))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "closed unread"])
@pytest.mark.parametrize("app", GARBAGE.values(), ids=GARBAGE)
def test_leaves_no_garbage(app: WSGIApplication, is_read: bool) -> None:
    """No request leaves garbage: session, request and exchange form no reference circle."""
    assert _find_garbage(app, is_read=is_read) == []


def test_leaves_no_garbage_when_refused() -> None:
    """A replaced head that the server answers by raising leaves no garbage either."""
    assert _find_garbage(_replacing, sent=["200 OK"]) == []


def test_finds_garbage() -> None:
    """The way garbage is looked for finds it where an application makes it."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        environ["circle"] = [environ]
        start_response("200 OK", TEXT)
        return [b"a"]

    assert _find_garbage(app) != []
