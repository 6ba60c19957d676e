"""What the tests share: settings, a clock that stands still, a server, a browser, and a site to visit with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from ssl import SSLContext
from threading import Thread
from typing import Any, NamedTuple, TypeVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from kinds import KEY as KEY
from kinds import START as START
from kinds import Key, current, make_salt
from kinds import make_interface as make_interface
from kinds import stock_serializer as stock_serializer

from handstamp import SessionInterface, SessionMiddleware
from handstamp import payload as payload

OLD_KEY = "the key of last year, no secret"
SETTINGS = {"SECRET_KEY": KEY}

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600

Headers = list[tuple[str, str]]
Action = Callable[[Any], object]
TEXT: Headers = [("Content-Type", "text/plain")]

AnyInterface = TypeVar("AnyInterface", bound=SessionInterface)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, seconds: float = START) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def on_clock(interface: AnyInterface, clock: Clock) -> AnyInterface:
    """Give an interface its clock."""
    interface.now = clock  # type: ignore[method-assign]  # as users may do, too
    return interface


def exact(value: object) -> str:
    """Write a value so that its types show and its dicts keep their order; the order of a set shows nothing."""
    if isinstance(value, dict):
        parts = [f"{exact(key)}: {exact(item)}" for key, item in value.items()]
    elif isinstance(value, list | tuple):
        parts = [exact(item) for item in value]
    elif isinstance(value, set):
        parts = sorted(exact(item) for item in value)
    else:
        return repr(value)
    return f"{type(value).__name__}({', '.join(parts)})"


# -- tokens, made and opened without handstamp ------------------------------------------------------------------------


def sign(text: str, *, at: float = START, key: str = KEY, name: str = "session") -> str:
    """Make a token of the text of a payload."""
    return current().write(text, at, key, make_salt(name))


def stamp(data: Mapping[str, Any], *, at: float = START, created: int = START, key: str = KEY) -> str:
    """Make a token of the data of a session."""
    return sign(payload.dumps({**data, "_created": created}), at=at, key=key)


def unsign(token: str, *keys: Key, name: str = "session") -> str:
    """Return the text of a token's payload, opened with these keys."""
    return current().open(token, keys or (KEY,), make_salt(name))


def unstamp(token: str, *keys: Key) -> dict[str, Any]:
    """Return what a token holds, ``_created`` included, opened with these keys."""
    return payload.loads(unsign(token, *keys))


# -- a server ---------------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """What came back over the wire, and what the site's action returned."""

    status: str
    headers: Headers
    body: bytes
    result: Any = None

    def every(self, name: str) -> list[str]:
        """Return the values of every header of a name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def cookies(self) -> list[str]:
        """The Set-Cookie lines."""
        return self.every("Set-Cookie")

    @property
    def cookie(self) -> str:
        """The one Set-Cookie line."""
        (line,) = self.cookies
        return line

    @property
    def token(self) -> str:
        """The value in the one Set-Cookie line."""
        return self.cookie.partition(";")[0].partition("=")[2]

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of the one Set-Cookie line, their names in lower case."""
        pairs = [part.strip().partition("=") for part in self.cookie.split(";")[1:]]
        return {name.lower(): value for name, _, value in pairs}


def make_environ(**extra: Any) -> WSGIEnvironment:
    """Return a complete environ."""
    environ: WSGIEnvironment = {"QUERY_STRING": ""}
    setup_testing_defaults(environ)
    return environ | extra


def serve(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Call an application as a server does, inside wsgiref.validate."""
    head: list[tuple[str, Headers]] = []
    chunks: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        if exc_info is not None and chunks:
            raise exc_info[1].with_traceback(exc_info[2])
        head[:] = [(status, headers)]
        return chunks.append

    body: Any = validator(app)(environ, start_response)
    try:
        chunks.extend(body)
    finally:
        body.close()
    ((status, headers),) = head
    return Answer(status, headers, b"".join(chunks))


class QuietHandler(WSGIRequestHandler):
    """Write no log."""

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def listening(
    app: WSGIApplication, server_class: type[WSGIServer] = WSGIServer, context: SSLContext | None = None
) -> Iterator[int]:
    """Serve an application from a thread, by https where there is a context; yield the free port that was found."""
    with make_server("127.0.0.1", 0, app, server_class, QuietHandler) as server:
        if context:
            # The handshake comes with the first read, on the connection's own thread.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.base_environ["HTTPS"] = "on"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(app: WSGIApplication) -> Iterator[str]:
    """Serve an application by http; yield its url, without a slash at its end."""
    with listening(app) as port:
        yield f"http://127.0.0.1:{port}"


# -- a browser --------------------------------------------------------------------------------------------------------


class Crumb(NamedTuple):
    """A cookie in the jar."""

    value: str
    secure: bool
    persistent: bool


class Browser:
    """Keep cookies as browsers do, by name, domain and path, and send back those that fit."""

    def __init__(self, app: WSGIApplication, *, scheme: str = "http", host: str = "www.example.com") -> None:
        self.app = app
        self.scheme = scheme
        self.host = host
        self.jar: dict[tuple[str, str, str], Crumb] = {}

    def get(self, path: str = "/", **extra: Any) -> Answer:
        """Visit a page."""
        environ = make_environ(PATH_INFO=path, HTTP_HOST=self.host, **{"wsgi.url_scheme": self.scheme})
        environ |= {"HTTP_COOKIE": header} if (header := self.cookie_header(path)) else {}
        answer = serve(self.app, environ | extra)
        for line in answer.cookies:
            self.store(line)
        return answer

    def cookie_header(self, path: str = "/") -> str:
        """Return what is sent to a path, the longest Path first."""
        fitting = [
            (at, f"{name}={crumb.value}")
            for (name, _, at), crumb in self.jar.items()
            if f"{path}/".startswith(f"{at.rstrip('/')}/") and (self.scheme == "https" or not crumb.secure)
        ]
        return "; ".join(pair for _, pair in sorted(fitting, key=lambda found: len(found[0]), reverse=True))

    def store(self, line: str) -> None:
        """Keep a cookie, or drop one."""
        pair, *rest = [part.strip() for part in line.split(";")]
        name, _, value = pair.partition("=")
        found = {key.lower(): text for key, _, text in (part.partition("=") for part in rest)}
        where = (name, found.get("domain", self.host), found.get("path", "/"))
        if int(found.get("max-age", 1)) > 0:
            self.jar[where] = Crumb(value, "secure" in found, "max-age" in found)
        else:
            self.jar.pop(where, None)

    def close(self) -> None:
        """Forget what goes with the browser."""
        self.jar = {where: crumb for where, crumb in self.jar.items() if crumb.persistent}


class Site:
    """A wrapped application that does what each visit asks of it, on a clock of its own."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        interface: SessionInterface | None = None,
        *,
        clock: Clock | None = None,
        scheme: str = "http",
        headers: Iterable[tuple[str, str]] = TEXT,
    ) -> None:
        self.clock = clock or Clock()
        self.interface = on_clock(interface or make_interface(), self.clock)
        self.middleware = SessionMiddleware(
            self.app, {**SETTINGS, **(settings or {})}, session_interface=self.interface
        )
        self.browser = Browser(self.middleware, scheme=scheme)
        self.headers = list(headers)
        self.action: Action = bool
        self._result: object = None

    def app(self, environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        self._result = self.action(environ["session"])
        start_response("200 OK", self.headers)
        return [b"done"]

    def visit(self, action: Action, **extra: Any) -> Answer:
        """Have the application do something with its session."""
        self.action = action
        answer = self.browser.get(**extra)
        return answer._replace(result=self._result)
