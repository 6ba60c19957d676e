"""make_cookie and read_cookie: make session cookies, and read those of a response.

Both run the middleware itself around an application that does nothing. So they work with any interface, however it
keeps its sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any, Protocol, TypeAlias
from wsgiref.types import StartResponse, WSGIEnvironment

from webob import Request

from .._caching import Headers
from .._middleware import SessionMiddleware
from ..exceptions import SessionError

#: The default URL of requests, which is also that of WebTest and werkzeug.
LOCALHOST = "http://localhost/"


class HasHeaders(Protocol):
    """A response of webob, WebTest, werkzeug, Flask, requests, httpx or urllib."""

    @property
    def headers(self) -> Any:
        """Header names and values."""
        ...


AnyResponse: TypeAlias = HasHeaders | Iterable[tuple[str, str]]


# -- public -----------------------------------------------------------------------------------------------------------


def make_cookie(middleware: SessionMiddleware, data: Mapping[str, Any], *, url: str = LOCALHOST) -> str:
    """Return ``name=value`` of a new session with this data, for a Cookie header.

    :param url: the URL of the request, for policies that depend on it
    :raises SessionError: the data are empty, or the session cannot be saved

    >>> from webob import Response
    >>> app = SessionMiddleware(Response("hello"), {"SECRET_KEY": "the key of an example"})
    >>> make_cookie(app, {"user": 7}).partition("=")[0]
    'session'
    """
    with visit(middleware, Request.blank(url).environ) as (session, finish):
        session.update(data)
        lines = find_lines(finish())
    if not lines:
        raise SessionError("no cookie was set, because a session without data has none; pass some data")
    return lines[-1].partition(";")[0]


def read_cookie(middleware: SessionMiddleware, response: AnyResponse, *, url: str = LOCALHOST) -> dict[str, Any] | None:
    """Return the data of the session cookie that a response sets.

    If the response deletes the cookie, return ``{}``. If it does neither, return ``None``.

    :param response: a response of webob, WebTest, werkzeug, Flask, requests, httpx or urllib, or pairs of header names
        and values
    :param url: the URL of the request, for policies that depend on it
    :raises SessionError: the middleware would reject the cookie

    >>> from webob import Response
    >>> app = SessionMiddleware(Response("hello"), {"SECRET_KEY": "the key of an example"})
    >>> read_cookie(app, [("Set-Cookie", make_cookie(app, {"user": 7}))])
    {'user': 7}
    """
    request = Request.blank(url)
    name = middleware.session_interface.get_cookie_name(middleware.settings, request)
    values = [value for found, value in map(split_line, find_lines(find_headers(response))) if found == name]
    if not values or not values[-1]:
        return {} if values else None
    request.environ["HTTP_COOKIE"] = f"{name}={values[-1]}"
    with visit(middleware, request.environ) as (session, _):
        if session.new:
            raise SessionError(
                f"the middleware rejects the response's cookie {name!r}; check that its key, URL and time are the same"
            )
        return dict(session)


# -- one visit to the middleware --------------------------------------------------------------------------------------

Visit: TypeAlias = tuple[Any, Callable[[], Headers]]


@contextmanager
def visit(middleware: SessionMiddleware, environ: WSGIEnvironment) -> Iterator[Visit]:
    """Open the session of a request. ``finish`` saves it and returns the headers. Otherwise nothing is saved."""
    headers: Headers = []

    def start_response(status: str, fields: Headers, exc_info: object = None) -> Callable[[bytes], object]:
        headers.extend(fields)
        return bytes

    idle = copy(middleware)  # a copy has everything that a subclass adds
    idle.app = _do_nothing
    body: Any = idle(environ, start_response)

    def finish() -> Headers:
        list(body)
        return headers

    try:
        yield environ[middleware.environ_key], finish
    finally:
        body.close()


def _do_nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return iter([b""])  # it has no length, so the headers wait for its first chunk


# -- headers ----------------------------------------------------------------------------------------------------------


def find_headers(response: AnyResponse) -> Iterable[tuple[str, str]]:
    """Return the headers of a response, repeated ones separately."""
    # requests joins repeated headers. The urllib3 response below it does not.
    headers: Any = getattr(getattr(response, "raw", None) or response, "headers", None)
    if headers is None:
        return response  # type: ignore[return-value]  # the pairs themselves
    pairs: Iterable[tuple[str, str]] = getattr(headers, "multi_items", headers.items)()
    return pairs


def find_lines(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return the Set-Cookie lines."""
    return [value for key, value in headers if key.lower() == "set-cookie"]


def split_line(line: str) -> tuple[str, str]:
    """Return the name and the value of a Set-Cookie line."""
    name, _, value = line.partition(";")[0].partition("=")
    return name, value
