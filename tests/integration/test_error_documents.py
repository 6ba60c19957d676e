"""Error documents and retries around the middleware: a second call with the environ of the first, and one response.

The browser sees one response only. It must hold what all of the calls did to the session, and one cookie of ours.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import WSGIApplication

import pytest
from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionInterface, SessionMiddleware
from handstamp._earlier import EarlierCookies
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from tests.support import cookie_kinds
from tests.support.constants import SETTINGS
from tests.support.cookie_kinds import make_interface
from tests.support.missing_programs import need
from tests.support.visitor import Visitor
from tests.support.wsgi import TEXT, Answer, Headers, make_environ

# -- the site ---------------------------------------------------------------------------------------------------------


def retry(app: WSGIApplication) -> WSGIApplication:
    """Call the application again with the same environ, by webob, as long as it answers 503 or fails."""

    @wsgify
    def retrying(request: Request) -> Response:
        for _ in range(3):
            try:
                response = request.send(app)
            except ConnectionError:
                continue
            if response.status_code != 503:
                return response
        return response

    return retrying


class Shop:
    """An application whose calls do one thing after the other, wrapped, and visited with a browser."""

    def __init__(self, interface: SessionInterface[Any], around: Callable[[WSGIApplication], WSGIApplication]) -> None:
        self.calls: list[Callable[[Any], object]] = []
        self.results: list[object] = []
        self.headers: Headers = []
        self.is_streamed = False
        self.browser = Visitor(around(SessionMiddleware(self.app, SETTINGS, session_interface=interface)))

    @wsgify
    def app(self, request: Request) -> Response:
        """Do the next thing; all but the last ask for another call."""
        call = self.calls.pop(0)
        self.results.append(call(request.environ["session"]))
        response = Response(b"done", status=503 if self.calls else 200, headerlist=[*TEXT, *self.headers])
        if self.is_streamed:
            response.app_iter = (chunk for chunk in [b"do", b"ne"])
        return response

    def visit(self, *calls: Callable[[Any], object]) -> Answer:
        """Visit the site; return what the browser sees, and what each call returned."""
        self.calls, self.results = list(calls), []
        answer = self.browser.get()
        assert self.calls == []
        return answer._replace(result=self.results)


def show_error_documents(app: WSGIApplication) -> WSGIApplication:
    """Call the application again with the same environ, by paste, if it answers 503."""
    need("paste")
    from paste.errordocument import forward

    documented: WSGIApplication = forward(app, codes={503: "/error"})
    return documented


AROUND: dict[str, Callable[[WSGIApplication], WSGIApplication]] = {
    "paste": show_error_documents,
    "retry": retry,
}


@pytest.fixture(params=[*cookie_kinds.KINDS, "store"])
def interface(request: pytest.FixtureRequest) -> Iterator[SessionInterface[Any]]:
    """Give an interface of each kind of cookies, and one with a store."""
    if request.param == "store":
        yield ServerSideSessionInterface(MemoryStore())
        return
    with cookie_kinds.testing(request.param):
        yield make_interface()


@pytest.fixture(params=AROUND)
def shop(request: pytest.FixtureRequest, interface: SessionInterface[Any]) -> Shop:
    """Give a shop with error documents, and one with retries."""
    return Shop(interface, AROUND[request.param])


def put(**data: object) -> Callable[[Any], object]:
    return lambda session: session.update(data)


def look(session: Any) -> dict[str, Any]:
    return dict(session)


def leave(session: Any) -> None:
    pass


def sign_out(session: Any) -> None:
    session.invalidate()


def count(session: Any) -> int:
    session["visits"] = session.get("visits", 0) + 1
    return int(session["visits"])


# -- what the second call finds, and what the browser gets ------------------------------------------------------------


@pytest.mark.parametrize("page", [leave, look, count, sign_out], ids=["leave", "look", "count", "sign out"])
def test_sign_out_stays(page: Callable[[Any], object], shop: Shop) -> None:
    """A sign-out stays one, whatever the error document does, and the response has one cookie of ours."""
    shop.visit(put(user="Ada"))
    answer = shop.visit(sign_out, page)
    assert len(answer.cookies) == 1
    assert "user" not in shop.visit(look).result[0]


def test_streamed(shop: Shop) -> None:
    """It does so where the bodies come in chunks, as Flask's do, though paste looks for the status at once."""
    shop.is_streamed = True
    shop.visit(put(user="Ada"))
    answer = shop.visit(sign_out, count)
    assert (answer.body, len(answer.cookies)) == (b"done", 1)
    assert shop.visit(look).result == [{"visits": 1}]


def test_sees_what_was_written(shop: Shop) -> None:
    """The second call reads what the first one wrote, and the browser gets both."""
    answer = shop.visit(put(user="Ada"), lambda session: (session["user"], count(session)))
    assert answer.result == [None, ("Ada", 1)]
    assert len(answer.cookies) == 1
    assert shop.visit(look).result == [{"user": "Ada", "visits": 1}]


@pytest.mark.parametrize("page", [leave, look], ids=["leave", "look"])
def test_is_kept(page: Callable[[Any], object], shop: Shop) -> None:
    """What the first call wrote reaches the browser, even if the second leaves the session alone."""
    shop.headers = [("Cache-Control", "max-age=60")]
    answer = shop.visit(put(user="Ada"), page)
    assert len(answer.cookies) == 1
    assert (answer.every("Vary"), answer.every("Cache-Control")) == (["Cookie"], ["max-age=60, private"])
    shop.headers = []
    assert shop.visit(look).result == [{"user": "Ada"}]


def test_nothing_is_added(shop: Shop) -> None:
    """Where no call touched the session, the response is the application's own."""
    shop.visit(put(user="Ada"))
    answer = shop.visit(leave, leave)
    assert (answer.cookies, answer.every("Vary"), answer.every("Cache-Control")) == ([], [], [])


def test_three_calls(interface: SessionInterface[Any]) -> None:
    """In a chain of three calls each begins with what the ones before it left."""
    shop = Shop(interface, retry)
    answer = shop.visit(put(user="Ada"), sign_out, count)
    assert len(answer.cookies) == 1
    assert shop.visit(look).result == [{"visits": 1}]
    assert shop.visit(count, leave, look).result == [2, None, {"visits": 2}]
    assert shop.visit(look).result == [{"visits": 2}]


def test_renewed_and_signed_in(shop: Shop) -> None:
    """A sign-in of the first call, with a renewed session, is what the second one and the browser have."""
    shop.visit(put(cart=1))

    def sign_in(session: Any) -> None:
        session.renew()
        session["user"] = "Ada"

    answer = shop.visit(sign_in, look)
    assert (answer.result[1], len(answer.cookies)) == ({"cart": 1, "user": "Ada"}, 1)
    assert shop.visit(look).result == [{"cart": 1, "user": "Ada"}]


def test_own_cookies_stay(shop: Shop) -> None:
    """The application's own cookies are its business: the outer middleware decides about them."""
    shop.headers = [("Set-Cookie", "own=1")]
    answer = shop.visit(count, count)
    assert [line.partition("=")[0] for line in answer.cookies if not line.startswith("own=")] == ["session"]
    assert "own=1" in answer.cookies


def test_exception_leaves_nothing(interface: SessionInterface[Any]) -> None:
    """A call that failed leaves nothing: the next one begins with what the browser sent."""
    shop = Shop(interface, retry)
    shop.visit(put(user="Ada"))

    def fail(session: Any) -> None:
        session.invalidate()
        session["user"] = "Eve"
        raise ConnectionError

    answer = shop.visit(fail, look)
    assert (answer.result, answer.cookies) == ([{"user": "Ada"}], [])


def test_two_middlewares(interface: SessionInterface[Any]) -> None:
    """Two middlewares with names of their own have one cookie each, whichever call changed which session."""
    calls: list[dict[str, Callable[[Any], object]]] = []

    @wsgify
    def app(request: Request) -> Response:
        for key, call in calls.pop(0).items():
            call(request.environ[key])
        data = {key: dict(request.environ[key]) for key in ("a", "b")}
        return Response(json.dumps(data), status=503 if calls else 200)

    settings = [{**SETTINGS, "SESSION_COOKIE_NAME": name} for name in ("a", "b")]
    inner = SessionMiddleware(app, settings[1], session_interface=interface, environ_key="b")
    outer = SessionMiddleware(inner, settings[0], session_interface=interface, environ_key="a")
    browser = Visitor(retry(outer))

    def visit(*deeds: dict[str, Callable[[Any], object]]) -> tuple[list[str], object]:
        calls[:] = deeds
        answer = browser.get()
        return sorted(line.partition("=")[0] for line in answer.cookies), json.loads(answer.body)

    assert visit({"a": count}, {"b": count}) == (["a", "b"], {"a": {"visits": 1}, "b": {"visits": 1}})
    assert visit({"a": count, "b": count}, {"a": count, "b": count})[1] == {"a": {"visits": 3}, "b": {"visits": 3}}
    assert visit({"a": sign_out}, {"b": sign_out}) == (["a", "b"], {"a": {}, "b": {}})
    assert visit({"a": count}, {"a": count})[0] == ["a"]
    assert visit({"a": sign_out, "b": count}, {"a": sign_out}, {"a": count}) == (
        ["a", "b"],
        {"a": {"visits": 1}, "b": {"visits": 1}},
    )
    assert visit({}) == ([], {"a": {"visits": 1}, "b": {"visits": 1}})


# -- what stands in the environ ---------------------------------------------------------------------------------------


def test_no_token_in_the_environ() -> None:
    """What is remembered in the environ shows no token in its repr, and cannot be serialized."""
    earlier = EarlierCookies([("Set-Cookie", "session=secret; Path=/")], [])
    assert repr(earlier) == "<EarlierCookies>"
    with pytest.raises(TypeError, match="EarlierCookies cannot be serialized"):
        pickle.dumps(earlier)


def test_environ_of_the_application() -> None:
    """The application's environ keeps the Cookie header that the browser sent."""
    seen: list[str] = []

    @wsgify
    def app(request: Request) -> Response:
        count(request.environ["session"])
        seen.append(request.environ["HTTP_COOKIE"])
        return Response("done")

    middleware, environ = SessionMiddleware(app, SETTINGS), make_environ(HTTP_COOKIE="a=1")
    for _ in range(2):
        Request(environ).send(middleware)
    assert seen == ["a=1"] * 2
