"""Real shared caches in front: they keep what they may, and hand no visitor what was made for another.

They keep as much as RFC 9111 lets them, so what keeps the visitors apart is what handstamp says, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from handstamp import SessionMiddleware
from tests.live.caches import CACHES
from tests.support.constants import SETTINGS
from tests.support.http_client import forward_to
from tests.support.missing_programs import skip_or_fail
from tests.support.visitor import Visitor
from tests.support.wsgi import listening

MINUTE = ("Cache-Control", "max-age=60")
PUBLIC = ("Cache-Control", "public, max-age=60")


# -- the site ---------------------------------------------------------------------------------------------------------


class App:
    """A few pages, and a count of the calls that reach each."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.calls[path] += 1
        page, *fields = PAGES[path]
        text = page(environ["session"], environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Type", "text/plain"), *fields])
        return [text.encode()]


def sign_in(session: Any, name: str) -> str:
    session["name"] = name
    return f"welcome {name}"


def sign_out(session: Any, query: str) -> str:
    session.invalidate()
    return "goodbye"


def count(session: Any, query: str) -> str:
    session["visits"] = session.get("visits", 0) + 1
    return f"{session.get('name', 'nobody')} {session['visits']}"


PAGES: dict[str, tuple[Any, ...]] = {
    "/sign-in": (sign_in,),
    "/sign-out": (sign_out,),
    "/count": (count,),
    "/count-a-minute": (count, MINUTE),
    "/count-public": (count, PUBLIC),
    "/account": (lambda session, query: session.get("name", "nobody"), PUBLIC),
    "/account-unsaid": (lambda session, query: session.get("name", "nobody"),),
    "/account-a-minute": (lambda session, query: session.get("name", "nobody"), MINUTE),
    "/account-by-language": (
        lambda session, query: session.get("name", "nobody"),
        PUBLIC,
        ("Vary", "Accept-Language"),
    ),
    "/static": (lambda session, query: "for everybody", PUBLIC),
}


# -- the visitors -----------------------------------------------------------------------------------------------------


class Client(Visitor):
    """A visitor with a name, who comes through the cache."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(forward_to(port), host="localhost")
        self.name = name
        self.port = port
        self.cached = ""

    def read(self, path: str) -> str:
        """Return a page's text."""
        place, _, query = path.partition("?")
        answer = self.get(place, QUERY_STRING=query)
        self.cached = answer.one("X-Cache").partition(" ")[0]  # Apache goes on
        return answer.page

    def sign_in(self) -> None:
        """Begin a session under the visitor's name."""
        assert self.read(f"/sign-in?{self.name}") == f"welcome {self.name}"


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture(params=CACHES)
def visit(request: pytest.FixtureRequest, app: App) -> Iterator[Callable[[str], Client]]:
    """Give a visitor of a name, who comes through the cache."""
    is_here, run = CACHES[request.param]
    if not is_here:
        skip_or_fail(request.param)
    with listening(validator(SessionMiddleware(app, SETTINGS))) as app_port, run(app_port) as port:
        yield lambda name: Client(port, name)


@pytest.fixture
def alice(visit: Callable[[str], Client]) -> Client:
    return visit("alice")


@pytest.fixture
def bob(visit: Callable[[str], Client]) -> Client:
    return visit("bob")


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_untouched_session_is_cached(app: App, alice: Client, bob: Client) -> None:
    """A page that leaves the session alone is made once, for visitors with a session and without."""
    first = alice.read("/static")
    alice.sign_in()
    bob.sign_in()
    assert {first, alice.read("/static"), bob.read("/static")} == {"for everybody"}
    assert app.calls["/static"] == 1
    assert bob.cached == "HIT"


def test_read_session_is_cached_for_its_visitor(app: App, alice: Client) -> None:
    """A page that reads the session and says public is kept for the visitor whose session it read."""
    alice.sign_in()
    assert [alice.read("/account") for _ in range(3)] == ["alice"] * 3
    assert app.calls["/account"] == 1
    assert alice.cached == "HIT"


@pytest.mark.parametrize("path", ["/account", "/account-a-minute", "/account-unsaid"])
def test_read_session_is_cached_for_strangers(path: str, app: App, alice: Client, bob: Client) -> None:
    """A page that looks for a session is kept for all who have none, and for them alone."""
    assert [alice.read(path), bob.read(path)] == ["nobody"] * 2
    assert (app.calls[path], bob.cached) == (1, "HIT")
    alice.sign_in()
    assert [alice.read(path), bob.read(path)] == ["alice", "nobody"]


# -- what is not ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/account", "/account-a-minute", "/account-unsaid", "/account-by-language"])
def test_read_session_is_not_handed_to_another(path: str, app: App, alice: Client, bob: Client) -> None:
    """A page that reads the session is not handed to another: said public, unsaid, or with a Vary of its own."""
    alice.sign_in()
    bob.sign_in()
    assert [visitor.read(path) for visitor in (alice, bob, alice, bob)] == ["alice", "bob"] * 2
    assert app.calls[path] == (4 if path == "/account-unsaid" else 2)
    assert visit_as_stranger(alice, path) == "nobody"


def visit_as_stranger(visitor: Client, path: str) -> str:
    """Get a page without a cookie."""
    return Client(visitor.port, "stranger").read(path)


@pytest.mark.parametrize("path", ["/count", "/count-a-minute", "/count-public"])
def test_set_cookie_is_not_kept(path: str, app: App, alice: Client, bob: Client) -> None:
    """A page that begins a session is made for each, whatever it says, though neither brings a cookie."""
    assert [alice.read(path), bob.read(path)] == ["nobody 1"] * 2
    assert (app.calls[path], bob.cached) == (2, "MISS")
    alice.sign_in()
    assert [alice.read(path), bob.read(path)] == ["alice 2", "nobody 2"]


def test_deletion_is_not_kept(app: App, alice: Client, bob: Client) -> None:
    """A page that deletes the cookie is made at each visit, and leaves the others signed in."""
    for visitor in (alice, bob):
        visitor.sign_in()
        visitor.read("/account")
    jar = dict(alice.jar)
    assert alice.read("/sign-out") == "goodbye"
    assert alice.jar == {}
    alice.jar = jar
    alice.read("/sign-out")
    assert app.calls["/sign-out"] == 2
    assert [alice.read("/account"), bob.read("/account")] == ["nobody", "bob"]


def test_visitors_are_kept_apart(alice: Client, bob: Client) -> None:
    """Two visitors who write and read by turns see their own sessions, and at each visit as it then is."""
    for visitor in (alice, bob):
        visitor.sign_in()
    for visits in range(1, 6):
        for visitor in (alice, bob):
            assert visitor.read("/count") == f"{visitor.name} {visits}"
            assert visitor.read("/account") == visitor.name
            assert visitor.read("/static") == "for everybody"
