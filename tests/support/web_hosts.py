"""A web of its own: sites and sibling hosts under .test, by http and by https, on real sockets.

A host that was opened is an application behind handstamp. Any other sets the cookie that its query spells out.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import unquote
from wsgiref.simple_server import WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

import trustme

from handstamp import SessionInterface, SessionMiddleware

from .constants import SETTINGS
from .wsgi import Headers, listening

HTML = ("Content-Type", "text/html; charset=utf-8")


# -- what the hosts answer --------------------------------------------------------------------------------------------


def sign_in(session: Any, name: str) -> None:
    session["name"] = name


def remember(session: Any, name: str) -> None:
    session["name"] = name
    session.permanent = True


def sign_out(session: Any, name: str) -> None:
    session.invalidate()


ACTIONS: dict[str, Callable[[Any, str], None]] = {"sign-in": sign_in, "remember": remember, "sign-out": sign_out}


def tell_name(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Do what the end of the path says, and tell whose session it is."""
    session = environ["session"]
    action = ACTIONS.get(environ["PATH_INFO"].rpartition("/")[2])
    if action:
        action(session, environ["QUERY_STRING"])
    start_response("200 OK", [HTML, *allow_origin(environ)])
    return [session.get("name", "nobody").encode()]


def allow_origin(environ: WSGIEnvironment) -> Headers:
    """Let scripts of every site read the answer, so that nothing but cookies keeps the sites apart."""
    if "HTTP_ORIGIN" not in environ:
        return []
    return [("Access-Control-Allow-Origin", environ["HTTP_ORIGIN"]), ("Access-Control-Allow-Credentials", "true")]


def set_by_hand(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Set the cookies that stand in the query, one a line, and tell of those that came."""
    lines = unquote(environ["QUERY_STRING"]).splitlines()
    start_response("200 OK", [HTML, *(("Set-Cookie", line) for line in lines)])
    return [environ.get("HTTP_COOKIE", "").encode()]


# -- the hosts --------------------------------------------------------------------------------------------------------


class Web:
    """Hands a request to its host."""

    def __init__(self) -> None:
        self.hosts: dict[str, WSGIApplication] = {}
        #: What the browser is started with, so that it finds all hosts here; the standard ports need not be named.
        self.flags: list[str] = []
        #: The only host by http that browsers trust.
        self.localhost = ""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ["HTTP_HOST"].partition(":")[0]
        return self.hosts.get(host, set_by_hand)(environ, start_response)

    def open(self, host: str, settings: Mapping[str, Any], interface: SessionInterface | None = None) -> None:
        """Put the application behind handstamp on a host."""
        wrapped = SessionMiddleware(tell_name, {**SETTINGS, **settings}, session_interface=interface)
        self.hosts[host] = validator(wrapped)


@contextmanager
def run_web() -> Iterator[Web]:
    """Serve a web from two threads."""
    web = Web()
    with listening(web, Server) as http, listening(web, Server, make_context()) as https:
        web.flags = [
            f"--host-resolver-rules=MAP *.test:80 127.0.0.1:{http}, MAP *.test:443 127.0.0.1:{https}",
            "--ignore-certificate-errors",
        ]
        web.localhost = f"http://localhost:{http}"
        yield web


def make_context() -> ssl.SSLContext:
    """Return what serves https with a certificate that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("*.test").configure_cert(context)
    return context


class Server(ThreadingMixIn, WSGIServer):
    """Serves each connection from a thread: browsers open some that they never use."""

    daemon_threads = True
