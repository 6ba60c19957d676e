"""session_transaction: open the session of a test client, let the test change it, and give the client its cookie.

The client decides which cookies it sends and stores. This module asks it for its cookies as for a request, and gives it
new ones as with a response. It imports no client, but recognizes one by its attributes.
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
from ._cookies import LOCALHOST, find_lines, split_line, visit

# -- the clients ------------------------------------------------------------------------------------------------------


@runtime_checkable
class Jar(Protocol):
    """A jar of :mod:`http.cookiejar`, which many clients use."""

    def add_cookie_header(self, request: Any) -> None:
        """Add the matching cookies to a request."""
        ...

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Store the cookies that a response sets."""
        ...


class HasJar(Protocol):
    """WebTest's ``TestApp``."""

    @property
    def cookiejar(self) -> Any:
        """The jar."""
        ...


class HasCookies(Protocol):
    """``requests.Session``, ``httpx.Client``, and similar clients."""

    @property
    def cookies(self) -> Any:
        """The jar, or an object whose ``jar`` it is."""
        ...


@runtime_checkable
class Runner(Protocol):
    """The ``Client`` of werkzeug and of Flask."""

    application: Any

    def run_wsgi_app(self, environ: Any) -> Any:
        """Run the application with the client's cookies."""
        ...


Client: TypeAlias = Jar | HasJar | HasCookies | Runner


# -- the transaction --------------------------------------------------------------------------------------------------


@contextmanager
def session_transaction(client: Client, middleware: SessionMiddleware, *, url: str | None = None) -> Iterator[Any]:
    """Open the session of a client. When the block ends, save the session and give the client its cookie.

    If the block raises an error, nothing is saved.

    :param client: a WebTest ``TestApp``, a ``Client`` of werkzeug or Flask, a ``requests.Session``, an
        ``httpx.Client``, or a jar of :mod:`http.cookiejar`
    :param url: the URL of the test's requests; clients with a base URL do not need it
    :raises TypeError: the client is of another kind, or has no base URL and needs ``url``
    :raises SessionError: the client would not send the cookie to this URL

    >>> from http.cookiejar import CookieJar
    >>> def app(environ, start_response):
    ...     start_response("200 OK", [])
    ...     return [environ["session"].get("user", "nobody").encode()]
    >>> app = SessionMiddleware(app, {"SECRET_KEY": "the key of an example"})
    >>> jar = CookieJar()
    >>> with session_transaction(jar, app, url="http://localhost/") as session:
    ...     session["user"] = "ada"
    >>> with session_transaction(jar, app, url="http://localhost/") as session:
    ...     print(session["user"])
    ada
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
    """Return a request to a URL to which the client sends the cookie: the given one, or the cookie's Path."""
    request = Request.blank(url)
    path = middleware.session_interface.get_cookie_path(middleware.settings, request)
    return request if request.path.startswith(f"{path.rstrip('/')}/") else Request.blank(urljoin(url, path))


def _check(header: str, lines: Iterable[str], url: str) -> None:
    for name, value in map(split_line, lines):
        values = find_values(header, name)
        if value and value not in values:
            raise SessionError(
                f"the client would not send the cookie {name!r} to {url}; pass the URL of your test as url"
            )
        if values and not value:
            raise SessionError(
                f"the client has another cookie {name!r} for {url}, with another Domain or Path; delete it"
            )


# -- one exchange: a client gets Set-Cookie lines from a URL, and returns the Cookie header that it sends there -------

Exchange: TypeAlias = Callable[[str, Iterable[str]], str]


def _find_exchange(client: Client) -> Exchange:
    for jar in _find_jars(client):
        return partial(_exchange_with_jar, jar)
    if isinstance(client, Runner):
        return partial(_exchange_with_runner, client)
    raise TypeError(f"a {type(client).__name__} is not a supported client; pass its http.cookiejar.CookieJar")


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
    request = JarRequest(url)  # noqa: S310  # it is never sent
    jar.add_cookie_header(request)
    message = Message()
    for line in lines:
        message["Set-Cookie"] = line  # adds a header and replaces none
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
    raise TypeError(f"a {type(client).__name__} has no base URL; pass url='http://127.0.0.1:8000/', for example")
