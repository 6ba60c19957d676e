"""The session that a test client carries, with every client and every kind of session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.cookiejar import CookieJar
from typing import Any

import flask
import httpx
import pytest
import requests
import webob
import webtest
import werkzeug.test

from handstamp import (
    CookieTooLarge,
    SessionCommitted,
    SessionError,
    SessionInterface,
    SessionMiddleware,
    SessionMixin,
    SessionUnavailable,
)
from handstamp.testing import frozen, session_transaction
from tests.support import cookie_kinds
from tests.support.constants import DAY, SETTINGS, START
from tests.support.cookie_kinds import make_interface
from tests.support.wsgi import running


def count(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Count visits in the session; say the number, and who is there."""
    session = environ["session"]
    if environ["PATH_INFO"].endswith("/visit"):
        session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{session.get('user', 'nobody')} {session.get('visits', 0)}".encode()]


# -- what keeps the sessions ------------------------------------------------------------------------------------------


class Session(dict[str, Any], SessionMixin):
    """A foreign session; it knows the id of its record."""

    id: str | None = None


class StoreInterface(SessionInterface):
    """Keep sessions on the server, the record of an emptied one no longer."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.made = 0

    def open_session(self, settings: Any, request: webob.Request) -> Session:
        value = request.cookies.get(self.get_cookie_name(settings, request))
        session = Session(self.kept.get(str(value), {}))
        session.id = value if value in self.kept else None
        return session

    def save_session(self, settings: Any, session: Any, response: webob.Response) -> None:
        if session:
            self.made += 1
            session.id = session.id or f"id{self.made}"
            self.kept[session.id] = dict(session)
            self.set_cookie(settings, session, response, session.id)
        elif session.id is not None:
            del self.kept[session.id]
            self.delete_cookie(settings, session, response)


@pytest.fixture(params=[*cookie_kinds.KINDS, "store"])
def interface(request: pytest.FixtureRequest) -> Iterator[SessionInterface]:
    """Return an interface of each kind of cookies, and one of one's own."""
    if request.param == "store":
        yield StoreInterface()
        return
    with cookie_kinds.testing(request.param):
        yield make_interface()


def wrap(interface: SessionInterface, **settings: Any) -> SessionMiddleware:
    """Wrap the application."""
    return SessionMiddleware(count, SETTINGS | settings, session_interface=interface)


# -- the clients ------------------------------------------------------------------------------------------------------


class Client:
    """A client, and how it visits a page; clients without a network take any url."""

    def __init__(self, client: Any, get: Callable[[str], str], url: str = "", *, knows_url: bool = True) -> None:
        self.client = client
        self.get = get
        self.url = url
        self.extra = {} if knows_url else {"url": url}


def use_webtest(middleware: Any, stack: ExitStack) -> Client:
    client = webtest.TestApp(middleware)
    return Client(client, lambda path: str(client.get(path).text), "http://localhost")


def use_webtest_elsewhere(middleware: Any, stack: ExitStack) -> Client:
    client = webtest.TestApp(middleware, {"HTTP_HOST": "www.example.com:444", "wsgi.url_scheme": "https"})
    return Client(client, lambda path: str(client.get(path).text), "https://www.example.com:444")


def use_werkzeug(middleware: Any, stack: ExitStack) -> Client:
    client = werkzeug.test.Client(middleware)
    return Client(client, lambda path: client.get(path).text, "http://localhost")


def use_flask(middleware: Any, stack: ExitStack) -> Client:
    site = flask.Flask(__name__)
    site.wsgi_app = middleware  # type: ignore[method-assign]  # as Flask's manual says
    client = site.test_client()
    return Client(client, lambda path: client.get(path).text, "http://localhost")


def use_httpx(middleware: Any, stack: ExitStack) -> Client:
    transport = httpx.WSGITransport(middleware)
    client = stack.enter_context(httpx.Client(transport=transport, base_url="https://www.example.com"))
    return Client(client, lambda path: client.get(path).text, "https://www.example.com")


def use_requests(middleware: Any, stack: ExitStack) -> Client:
    client = stack.enter_context(requests.Session())
    url = stack.enter_context(running(middleware))
    return Client(client, lambda path: client.get(url + path, timeout=30).text, url, knows_url=False)


def use_jar(middleware: Any, stack: ExitStack) -> Client:
    jar = CookieJar()
    client = webtest.TestApp(middleware, cookiejar=jar)
    return Client(jar, lambda path: str(client.get(path).text), "http://localhost", knows_url=False)


USE = [use_webtest, use_webtest_elsewhere, use_werkzeug, use_flask, use_httpx, use_requests, use_jar]
Make = Callable[..., Client]


@pytest.fixture(params=USE)
def make_visitor(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Return what makes each client in turn."""
    with ExitStack() as stack:
        yield lambda middleware: request.param(middleware, stack)


@pytest.fixture
def middleware(interface: SessionInterface) -> SessionMiddleware:
    """The application with plain settings."""
    return wrap(interface)


@pytest.fixture
def visitor(middleware: SessionMiddleware, make_visitor: Make) -> Client:
    """Each client in turn, with no cookie yet."""
    return make_visitor(middleware)


# -- every client, every kind of session ------------------------------------------------------------------------------


def test_session_is_begun(visitor: Client, middleware: SessionMiddleware) -> None:
    """What a test writes, the application finds at the client's next visit."""
    with session_transaction(visitor.client, middleware, **visitor.extra) as session:
        session["user"] = "ada"
    assert visitor.get("/") == "ada 0"


def test_session_goes_back_and_forth(visitor: Client, middleware: SessionMiddleware) -> None:
    """What the application writes, a test finds and may change."""
    assert visitor.get("/visit") == "nobody 1"
    with session_transaction(visitor.client, middleware, **visitor.extra) as session:
        assert dict(session) == {"visits": 1}
        session["visits"] = 41
    assert visitor.get("/visit") == "nobody 42"


def test_nested_change(visitor: Client, middleware: SessionMiddleware) -> None:
    """A change inside of a value is kept."""
    for _ in range(2):
        with session_transaction(visitor.client, middleware, **visitor.extra) as session:
            session.setdefault("cart", []).append("apple")
    with session_transaction(visitor.client, middleware, **visitor.extra) as session:
        assert session["cart"] == ["apple", "apple"]


@pytest.mark.parametrize("end", ["clear", "invalidate"])
def test_session_is_ended(visitor: Client, middleware: SessionMiddleware, end: str) -> None:
    """An emptied session takes its cookie with it."""
    visitor.get("/visit")
    with session_transaction(visitor.client, middleware, **visitor.extra) as session:
        getattr(session, end)()
    assert visitor.get("/") == "nobody 0"


def test_permanent(visitor: Client, middleware: SessionMiddleware) -> None:
    """A session that outlives the browser is kept as well."""
    with session_transaction(visitor.client, middleware, **visitor.extra) as session:
        session.permanent = True
    with session_transaction(visitor.client, middleware, **visitor.extra) as session:
        assert session.permanent


def test_error_in_the_block(visitor: Client, middleware: SessionMiddleware) -> None:
    """If the block fails, nothing is saved, and the error is seen."""
    visitor.get("/visit")
    with (
        pytest.raises(ZeroDivisionError),
        session_transaction(visitor.client, middleware, **visitor.extra) as session,
    ):
        session["visits"] = 1 // 0
    with (
        pytest.raises(KeyError),
        session_transaction(visitor.client, middleware, **visitor.extra) as session,
    ):
        session["visits"] = session["late"] = session["missing"]
    assert visitor.get("/visit") == "nobody 2"


@pytest.mark.usefixtures("kind")
def test_late_change() -> None:
    """After the block, however it ended, a change is refused: it would be lost."""
    middleware = wrap(make_interface())
    client = webtest.TestApp(middleware)
    with pytest.raises(ZeroDivisionError), session_transaction(client, middleware) as failed:
        failed["visits"] = 1 // 0
    with session_transaction(client, middleware) as saved:
        assert "visits" not in saved
    for session in failed, saved:
        with pytest.raises(SessionCommitted):
            session["visits"] = 1


def test_below_a_path(interface: SessionInterface, make_visitor: Make) -> None:
    """A cookie with a Path is found and sent below it, and nowhere else."""
    middleware = wrap(interface, SESSION_COOKIE_PATH="/club%20house")
    visitor = make_visitor(middleware)
    for visits in (1, 2):
        with session_transaction(visitor.client, middleware, **visitor.extra) as session:
            session["visits"] = session.get("visits", 0) + 1
        assert visitor.get("/club%20house/") == f"nobody {visits}"
    assert visitor.get("/club") == "nobody 0"


def test_frozen_clock(visitor: Client, middleware: SessionMiddleware) -> None:
    """Client, application and test live by one clock; that of the jar is another."""
    with frozen(middleware, START) as clock:
        with session_transaction(visitor.client, middleware, **visitor.extra) as session:
            session["user"] = "ada"
        clock.tick(31 * DAY)
        assert visitor.get("/") == "ada 0"


def test_url_of_a_page(visitor: Client, middleware: SessionMiddleware) -> None:
    """The url may be that of any page there."""
    with session_transaction(visitor.client, middleware, url=f"{visitor.url}/some/page?a=1") as session:
        session["user"] = "ada"
    assert visitor.get("/") == "ada 0"


# -- hosts ------------------------------------------------------------------------------------------------------------

MANY_HOSTS: list[Any] = [webtest.TestApp, werkzeug.test.Client, lambda app: CookieJar(), lambda app: requests.Session()]


@pytest.fixture(params=MANY_HOSTS, ids=["webtest", "werkzeug", "jar", "requests"])
def make_client(request: pytest.FixtureRequest) -> Any:
    """Return what makes clients that go to many hosts."""
    return request.param


def test_host_only(make_client: Any, interface: SessionInterface) -> None:
    """Without a Domain the cookie stays at its host."""
    middleware = wrap(interface)
    client = make_client(middleware)
    with session_transaction(client, middleware, url="http://www.example.com/") as session:
        session["user"] = "ada"
    with session_transaction(client, middleware, url="http://api.example.com/") as session:
        assert dict(session) == {}
    with session_transaction(client, middleware, url="http://www.example.com/") as session:
        assert dict(session) == {"user": "ada"}


def test_domain(make_client: Any, interface: SessionInterface) -> None:
    """With a Domain the hosts below it share the session, and its end."""
    middleware = wrap(interface, SESSION_COOKIE_DOMAIN="example.com")
    client = make_client(middleware)
    with session_transaction(client, middleware, url="http://www.example.com/") as session:
        session["user"] = "ada"
    with session_transaction(client, middleware, url="http://api.example.com/") as session:
        assert dict(session) == {"user": "ada"}
        session.clear()
    with session_transaction(client, middleware, url="http://www.example.com/") as session:
        assert dict(session) == {}


def test_domain_that_does_not_fit(make_client: Any, interface: SessionInterface) -> None:
    """A cookie that the client would not send is an error, so that no test goes on without its session."""
    middleware = wrap(interface, SESSION_COOKIE_DOMAIN="example.com")
    client = make_client(middleware)
    with (
        pytest.raises(SessionError, match="would not send the cookie 'session' to http://other"),
        session_transaction(client, middleware, url="http://other.example.org/") as session,
    ):
        session["user"] = "ada"


def test_secure_cookie_over_http(middleware: SessionMiddleware) -> None:
    """Where a client keeps a Secure cookie from http, that is told too."""
    middleware = wrap(middleware.session_interface, SESSION_COOKIE_SECURE=True)
    client = webtest.TestApp(middleware)
    with (
        pytest.raises(SessionError, match="pass the URL"),
        session_transaction(client, middleware) as session,
    ):
        session["user"] = "ada"


def test_cookie_that_is_not_deleted(middleware: SessionMiddleware) -> None:
    """A cookie of another Path that outlives the session's end is told of."""
    client = werkzeug.test.Client(middleware)
    with session_transaction(client, middleware) as session:
        session["user"] = "ada"
    kept = client.get_cookie("session")
    assert kept is not None
    client.set_cookie("session", kept.value, path="/deep")
    with (
        pytest.raises(SessionError, match="another cookie 'session'"),
        session_transaction(client, middleware, url="http://localhost/deep/") as session,
    ):
        session.clear()


# -- what is left alone -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kind")
def test_no_change_no_cookie() -> None:
    """Looking at a session that is not there makes none."""
    middleware = wrap(make_interface())
    client = webtest.TestApp(middleware)
    with session_transaction(client, middleware) as session:
        assert session.new
    assert client.cookies == {}


@pytest.mark.usefixtures("kind")
def test_other_cookies() -> None:
    """Other cookies of the client stay."""
    middleware = wrap(make_interface())
    client = webtest.TestApp(middleware)
    client.set_cookie("theme", "7")
    with session_transaction(client, middleware) as session:
        session["user"] = "ada"
    assert sorted(client.cookies) == ["session", "theme"]
    with session_transaction(client, middleware) as session:
        session.clear()
    assert list(client.cookies) == ["theme"]


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("name", ["app", "session_interface", "settings"])
def test_middleware_stays_as_it_was(name: str) -> None:
    """Neither the middleware nor the client is another one afterwards."""
    middleware = wrap(make_interface())
    client = werkzeug.test.Client(middleware)
    before = getattr(middleware, name)
    with session_transaction(client, middleware) as session:
        session["user"] = "ada"
    assert getattr(middleware, name) is before
    assert client.application is middleware


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kind")
def test_session_that_cannot_be_saved() -> None:
    """What the application could not save, a test cannot either."""
    middleware = wrap(make_interface())
    client = webtest.TestApp(middleware)
    with pytest.raises(CookieTooLarge), session_transaction(client, middleware) as session:
        session["page"] = "".join(map(chr, range(32, 5000)))
    assert client.cookies == {}


def test_without_a_key() -> None:
    """Without a key the null session says what is missing."""
    middleware = SessionMiddleware(count, {})
    with (
        pytest.raises(SessionUnavailable, match="SECRET_KEY"),
        session_transaction(webtest.TestApp(middleware), middleware) as session,
    ):
        session["user"] = "ada"


@pytest.mark.parametrize("make", [requests.Session, httpx.Client, CookieJar])
def test_client_that_knows_no_url(make: Callable[[], Any]) -> None:
    """A client that goes anywhere must be told where the test goes."""
    middleware = SessionMiddleware(count, SETTINGS)
    with pytest.raises(TypeError, match="pass url="), session_transaction(make(), middleware):
        pass


@pytest.mark.parametrize("client", [object(), count, {"cookies": {}}])
def test_no_client(client: Any) -> None:
    """What is no client is told from one."""
    middleware = SessionMiddleware(count, SETTINGS)
    with (
        pytest.raises(TypeError, match="not a supported client"),
        session_transaction(client, middleware, url="http://a/"),
    ):
        pass


def test_client_without_cookies() -> None:
    """A client that keeps no cookies cannot carry a session."""
    middleware = SessionMiddleware(count, SETTINGS)
    client = werkzeug.test.Client(middleware, use_cookies=False)
    with pytest.raises(SessionError, match="would not send"), session_transaction(client, middleware) as session:
        session["user"] = "ada"
