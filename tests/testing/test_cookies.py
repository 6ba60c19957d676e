"""Session cookies made for a test, and read from every kind of response."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

import flask
import httpx
import pytest
import requests
import webob
import webtest
import werkzeug.test

from handstamp import (
    SecureCookieSessionInterface,
    SessionError,
    SessionInterface,
    SessionMiddleware,
    SessionMixin,
    SessionUnavailable,
    UnserializableValue,
)
from handstamp.testing import make_cookie, read_cookie
from tests.support.constants import KEY, SETTINGS
from tests.support.cookie_kinds import make_interface
from tests.support.wsgi import make_environ, running, serve

pytestmark = pytest.mark.usefixtures("kind")

DATA = {"user": "ada", "cart": ["apple", ("pear", 2)]}


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Set DATA, or nothing, or end the session; say what was there."""
    session = environ["session"]
    before = sorted(session) if environ["PATH_INFO"] != "/nothing" else ["not read"]
    if environ["PATH_INFO"] == "/set":
        session.update(DATA)
    elif environ["PATH_INFO"] == "/end":
        session.invalidate()
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "theme=dark; Expires=Thu, 01 Jan 2099 00:00:00 GMT")]
    start_response("200 OK", headers)
    return [",".join(before).encode()]


def make(settings: dict[str, Any] | None = None, interface: SessionInterface | None = None) -> SessionMiddleware:
    """Wrap the application."""
    return SessionMiddleware(app, SETTINGS | (settings or {}), session_interface=interface or make_interface())


# -- make_cookie ------------------------------------------------------------------------------------------------------


def test_made_cookie_opens() -> None:
    """The application finds the data of a cookie that was made for it."""
    middleware = make()
    answer = serve(middleware, make_environ(HTTP_COOKIE=make_cookie(middleware, DATA)))
    assert answer.body == b"cart,user"


def test_made_cookie_is_read_back() -> None:
    """A made cookie holds the very data."""
    middleware = make()
    line = make_cookie(middleware, DATA)
    assert line.startswith("session=")
    assert ";" not in line
    assert read_cookie(middleware, [("Set-Cookie", line)]) == DATA


@pytest.mark.parametrize("name", ["stamp", "__Host-stamp"])
def test_made_cookie_is_named(name: str) -> None:
    """A made cookie has the name of the settings."""
    middleware = make({"SESSION_COOKIE_NAME": name, "SESSION_COOKIE_SECURE": True})
    line = make_cookie(middleware, DATA)
    assert line.partition("=")[0] == name
    assert read_cookie(middleware, [("Set-Cookie", line)]) == DATA


def test_made_for_a_url() -> None:
    """A policy that looks at the request sees the url."""

    class Tenant(SecureCookieSessionInterface):
        def get_cookie_name(self, settings: Any, request: webob.Request) -> str:
            return "session-" + request.host.partition(".")[0]

    middleware = make(interface=make_interface(Tenant))
    line = make_cookie(middleware, DATA, url="https://acme.example.com/")
    assert line.startswith("session-acme=")
    assert read_cookie(middleware, [("Set-Cookie", line)], url="https://acme.example.com/") == DATA
    assert read_cookie(middleware, [("Set-Cookie", line)], url="https://other.example.com/") is None


def test_no_data_no_cookie() -> None:
    """There is no cookie of a session without data."""
    with pytest.raises(SessionError, match="without data"):
        make_cookie(make(), {})


def test_data_that_cannot_be_kept() -> None:
    """What the application could not keep is refused here too."""
    with pytest.raises(UnserializableValue):
        make_cookie(make(), {"file": object()})


def test_without_a_key() -> None:
    """Without a key the null session says what is missing."""
    middleware = SessionMiddleware(app, {}, session_interface=make_interface())
    with pytest.raises(SessionUnavailable, match="SECRET_KEY"):
        make_cookie(middleware, DATA)


def test_application_is_left_alone() -> None:
    """Making and reading cookies calls no application, and leaves the middleware as it was."""

    def never(environ: Any, start_response: Any) -> Any:
        pytest.fail("the application was called")

    middleware = make()
    middleware.app = never
    read_cookie(middleware, [("Set-Cookie", make_cookie(middleware, DATA))])
    assert middleware.app is never


# -- read_cookie: responses -------------------------------------------------------------------------------------------


def ask_webob(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    return webob.Request.blank(path, headers=cookie).get_response(middleware)


def ask_webtest(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    return webtest.TestApp(middleware).get(path, headers=cookie)


def ask_werkzeug(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    return werkzeug.test.Client(middleware, use_cookies=False).get(path, headers=cookie)


def ask_flask(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    site = flask.Flask(__name__)
    site.wsgi_app = middleware  # type: ignore[method-assign]  # as Flask's manual says
    return site.test_client(use_cookies=False).get(path, headers=cookie)


def ask_httpx(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    with httpx.Client(transport=httpx.WSGITransport(middleware), base_url="http://www.example.com") as client:
        return client.get(path, headers=cookie)


def ask_requests(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    with running(middleware) as url:
        return requests.get(url + path, headers=cookie, timeout=30)


def ask_urllib(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    with running(middleware) as url, urllib.request.urlopen(urllib.request.Request(url + path, headers=cookie)) as got:
        return got


def ask_nobody(middleware: Any, path: str, cookie: dict[str, str]) -> Any:
    extra = {"HTTP_COOKIE": cookie["Cookie"]} if cookie else {}
    return serve(middleware, make_environ(PATH_INFO=path, **extra)).headers


ASK = [
    ask_webob, ask_webtest, ask_werkzeug, ask_flask, ask_httpx, ask_requests, ask_urllib, ask_nobody,
]  # fmt: skip
Ask = Callable[[Any, str, dict[str, str]], Any]


@pytest.mark.parametrize("ask", ASK)
def test_response_that_sets(ask: Ask) -> None:
    """The data of the cookie that a response sets are read, beside other cookies."""
    middleware = make()
    assert read_cookie(middleware, ask(middleware, "/set", {})) == DATA


@pytest.mark.parametrize("ask", ASK)
def test_response_that_deletes(ask: Ask) -> None:
    """A response that deletes the cookie leaves no data."""
    middleware = make()
    assert read_cookie(middleware, ask(middleware, "/end", {"Cookie": make_cookie(middleware, DATA)})) == {}


@pytest.mark.parametrize("ask", ASK)
def test_response_that_does_neither(ask: Ask) -> None:
    """A response without our cookie is told from one that deletes it."""
    middleware = make()
    assert read_cookie(middleware, ask(middleware, "/nothing", {})) is None


def test_response_made_by_hand() -> None:
    """A response that came over no wire has its headers all the same."""
    middleware = make()
    response = requests.Response()
    response.headers["Set-Cookie"] = make_cookie(middleware, DATA)
    assert read_cookie(middleware, response) == DATA


def test_cookie_that_does_not_open() -> None:
    """A cookie that this middleware would refuse is an error, not an empty session."""
    line = make_cookie(make({"SECRET_KEY": KEY[::-1]}), DATA)
    with pytest.raises(SessionError, match="rejects the response's cookie 'session'") as caught:
        read_cookie(make(), [("Set-Cookie", line)])
    assert line.partition("=")[2] not in str(caught.value)


# -- interfaces of one's own ------------------------------------------------------------------------------------------


class Session(dict[str, Any], SessionMixin):
    """A foreign session."""


class CountingInterface(SessionInterface):
    """Keep sessions in a dict, and count what is saved."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.saved = 0

    def open_session(self, settings: Any, request: webob.Request) -> Session:
        return Session(self.kept.get(request.cookies.get("session", ""), {}))

    def save_session(self, settings: Any, session: Any, response: webob.Response) -> None:
        self.saved += 1
        value = f"id{self.saved}"
        self.kept[value] = dict(session)
        self.set_cookie(settings, session, response, value)


def test_foreign_interface() -> None:
    """An interface that keeps sessions on the server is asked to open and save them; reading saves nothing."""
    interface = CountingInterface()
    middleware = make(interface=interface)
    line = make_cookie(middleware, DATA)
    assert (line, interface.kept) == ("session=id1", {"id1": DATA})
    assert read_cookie(middleware, [("Set-Cookie", line)]) == DATA
    assert interface.saved == 1


def test_subclass_of_the_middleware() -> None:
    """What a subclass of the middleware adds is there too, whatever key it keeps the session under."""

    class Own(SessionMiddleware):
        def __call__(self, environ: Any, start_response: Any) -> Any:
            environ["wsgi.url_scheme"] = "https"
            return super().__call__(environ, start_response)

    middleware = Own(app, SETTINGS, session_interface=make_interface(), environ_key="club.session")
    line = make_cookie(middleware, DATA)
    assert read_cookie(middleware, [("Set-Cookie", line)]) == DATA
