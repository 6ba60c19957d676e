"""Session cookies out of nothing, and what is in those of a response.

Whatever is opened or saved here goes through the middleware itself, around an application that does nothing; so any
interface will do, and nothing is known here of how it keeps sessions.
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

#: Where requests go if nobody says so: as with WebTest and werkzeug.
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
    """Return ``name=value``, for a Cookie header, of a new session that holds data.

    :param url: where the request would go, for policies that look at it
    :raises SessionError: there is no cookie for such data: there are none, or one that cannot be kept
    """
    with visit(middleware, Request.blank(url).environ) as (session, finish):
        session.update(data)
        lines = find_lines(finish())
    if not lines:
        raise SessionError("no cookie was set: a session without data has none")
    return lines[-1].partition(";")[0]


def read_cookie(middleware: SessionMiddleware, response: AnyResponse, *, url: str = LOCALHOST) -> dict[str, Any] | None:
    """Return the data of the session cookie that a response sets; ``{}`` if it deletes it, ``None`` if it does neither.

    :param response: of webob, WebTest, werkzeug, Flask, requests, httpx or urllib, or pairs of header names and values
    :param url: where the request went, for policies that look at it
    :raises SessionError: the middleware would reject the cookie
    """
    request = Request.blank(url)
    name = middleware.session_interface.get_cookie_name(middleware.settings, request)
    values = [value for found, value in map(split_line, find_lines(find_headers(response))) if found == name]
    if not values or not values[-1]:
        return {} if values else None
    request.environ["HTTP_COOKIE"] = f"{name}={values[-1]}"
    with visit(middleware, request.environ) as (session, _):
        if session.new:
            raise SessionError(f"the response's cookie {name!r} does not open: another key, url or time made it")
        return dict(session)


# -- one visit to the middleware --------------------------------------------------------------------------------------

Visit: TypeAlias = tuple[Any, Callable[[], Headers]]


@contextmanager
def visit(middleware: SessionMiddleware, environ: WSGIEnvironment) -> Iterator[Visit]:
    """Open the session of a request; nothing is saved unless ``finish`` is called, which returns the headers."""
    headers: Headers = []

    def start_response(status: str, fields: Headers, exc_info: object = None) -> Callable[[bytes], object]:
        headers.extend(fields)
        return bytes

    idle = copy(middleware)  # with whatever a subclass adds
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
    return iter([b""])  # has no length, so the head waits for its chunk


# -- headers ----------------------------------------------------------------------------------------------------------


def find_headers(response: AnyResponse) -> Iterable[tuple[str, str]]:
    """Return the headers of a response, each as often as it came."""
    # What requests calls headers has joined those of one name; urllib3's below it have not.
    headers: Any = getattr(getattr(response, "raw", None) or response, "headers", None)
    if headers is None:
        return response  # type: ignore[return-value]  # the pairs themselves
    pairs: Iterable[tuple[str, str]] = getattr(headers, "multi_items", headers.items)()
    return pairs


def find_lines(headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return the Set-Cookie lines."""
    return [value for key, value in headers if key.lower() == "set-cookie"]


def split_line(line: str) -> tuple[str, str]:
    """Return name and value of a Set-Cookie line."""
    name, _, value = line.partition(";")[0].partition("=")
    return name, value
