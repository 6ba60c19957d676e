"""WSGI as a server does it: an environ, a call inside ``wsgiref.validate``, the answer, and a server on a port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from threading import Thread
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

Headers = list[tuple[str, str]]
TEXT: Headers = [("Content-Type", "text/plain")]


class Answer(NamedTuple):
    """What came back over the wire, and what the site's action returned."""

    status: str
    headers: Headers
    body: bytes
    result: Any = None

    def every(self, name: str) -> list[str]:
        """Return the values of every header of a name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        """Return the value of the one header of a name."""
        (value,) = self.every(name)
        return value

    @property
    def code(self) -> int:
        """The number in the status."""
        return int(self.status.partition(" ")[0])

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def page(self) -> str:
        """The text of a page that is there."""
        assert self.code == 200, self
        return self.text

    @property
    def varies(self) -> bool:
        """True if the answer depends on the cookie."""
        return "cookie" in ",".join(self.every("Vary")).lower()

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
