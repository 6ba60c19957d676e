"""The session that a test client carries: open it, let the test change it, and put its cookie back.

Where, how long and to whom a cookie is sent is the client's business: it is asked for its cookies as for a request, and
given new ones as by a response. No client is imported here; they are known by what they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from email.message import Message
from functools import partial
from io import BytesIO
from operator import attrgetter
from typing import Any, Protocol, TypeAlias, runtime_checkable
from unittest.mock import patch
from urllib.parse import urljoin
from urllib.request import Request as JarRequest
from urllib.response import addinfourl
from wsgiref.types import StartResponse, WSGIEnvironment

from webob import Request

from .._caching import Headers
from .._cookies import find_values
from .._middleware import SessionMiddleware
from ..exceptions import SessionError
from .cookies import LOCALHOST, find_lines, split_line, visit

# -- the clients ------------------------------------------------------------------------------------------------------


@runtime_checkable
class Jar(Protocol):
    """The jar of :mod:`http.cookiejar`, which many clients share."""

    def add_cookie_header(self, request: Any) -> None:
        """Add the cookies that fit to a request."""
        ...

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep the cookies that a response sets."""
        ...


class HasJar(Protocol):
    """WebTest's ``TestApp``."""

    @property
    def cookiejar(self) -> Any:
        """The jar."""
        ...


class HasCookies(Protocol):
    """``requests.Session``, ``httpx.Client``, and those made after them."""

    @property
    def cookies(self) -> Any:
        """The jar, or what has it as its ``jar``."""
        ...


@runtime_checkable
class Runner(Protocol):
    """The ``Client`` of werkzeug and of Flask."""

    application: Any

    def run_wsgi_app(self, environ: Any) -> Any:
        """Run the application, with the client's cookies."""
        ...


Client: TypeAlias = Jar | HasJar | HasCookies | Runner


# -- the transaction --------------------------------------------------------------------------------------------------


@contextmanager
def session_transaction(client: Client, middleware: SessionMiddleware, *, url: str | None = None) -> Iterator[Any]:
    """Open the session of a client; when the block ends it is saved, unless by an error, and the client has its cookie.

    :param client: a WebTest ``TestApp``, a ``Client`` of werkzeug or Flask, a ``requests.Session``, an
        ``httpx.Client``, or a jar of :mod:`http.cookiejar`
    :param url: where the requests of the test go; a client that knows that need not be told
    :raises TypeError: no such client, or one that does not know where its requests go
    :raises SessionError: the client would not send the cookie there
    """
    exchange = _find_exchange(client)
    request = _aim(middleware, url or _find_url(client))
    request.environ["HTTP_COOKIE"] = exchange(request.url, [])
    with visit(middleware, request.environ) as (session, finish):
        yield session
        lines = find_lines(finish())
    exchange(request.url, lines)
    _check(exchange(request.url, []), lines, request.url)


def _aim(middleware: SessionMiddleware, url: str) -> Request:
    """Return a request to the url, or below it to the cookie's Path, so that the client sends what it has."""
    request = Request.blank(url)
    path = middleware.session_interface.get_cookie_path(middleware.settings, request)
    return request if request.path.startswith(f"{path.rstrip('/')}/") else Request.blank(urljoin(url, path))


def _check(header: str, lines: Iterable[str], url: str) -> None:
    for name, value in map(split_line, lines):
        values = find_values(header, name)
        if value and value not in values:
            raise SessionError(f"the client would not send the cookie {name!r} to {url}; say url='the one you test'")
        if values and not value:
            raise SessionError(f"the client has another cookie {name!r} for {url}, of another Domain or Path; drop it")


# -- one exchange: a client takes Set-Cookie lines from a url, and returns the Cookie header that it sent there -------

Exchange: TypeAlias = Callable[[str, Iterable[str]], str]


def _find_exchange(client: Client) -> Exchange:
    for jar in _find_jars(client):
        return partial(_exchange_with_jar, jar)
    if isinstance(client, Runner):
        return partial(_exchange_with_runner, client)
    raise TypeError(f"a {type(client).__name__} is no client that is known here; pass its http.cookiejar.CookieJar")


def _find_jars(client: Client) -> Iterator[Jar]:
    if isinstance(client, Jar):
        yield client
    for path in ("cookiejar", "cookies", "cookies.jar"):
        try:
            jar = attrgetter(path)(client)
        except AttributeError:
            continue
        if isinstance(jar, Jar):
            yield jar


def _exchange_with_jar(jar: Jar, url: str, lines: Iterable[str]) -> str:
    request = JarRequest(url)  # noqa: S310  # goes nowhere
    jar.add_cookie_header(request)
    message = Message()
    for line in lines:
        message["Set-Cookie"] = line  # adds to those that are there
    with addinfourl(BytesIO(), message, url) as response:
        jar.extract_cookies(response, request)
    return request.get_header("Cookie", "")


def _exchange_with_runner(client: Runner, url: str, lines: Iterable[str]) -> str:
    sent = []
    headers: Headers = [("Set-Cookie", line) for line in lines]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent.append(environ.get("HTTP_COOKIE", ""))
        start_response("200 OK", headers)
        return [b""]

    with patch.object(client, "application", app):
        client.run_wsgi_app(Request.blank(url).environ)
    return str(sent[0])


def _find_url(client: Any) -> str:
    base = str(getattr(client, "base_url", ""))  # httpx
    if base:
        return base
    if hasattr(client, "extra_environ"):  # WebTest
        return str(Request.blank("/", environ=client.extra_environ).url)
    if isinstance(client, Runner):
        return LOCALHOST
    raise TypeError(f"a {type(client).__name__} does not know where its requests go; say url='http://127.0.0.1:8000/'")
