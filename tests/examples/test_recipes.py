"""The recipes: each does what the text says of it, as part of an application and as a program of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

import csrf_token
import flash_messages
import health_checks
import log_out_everywhere
import own_interface
import pytest
import remember_me
import tenants
import typed_session

from handstamp import SecureCookieSessionInterface, SessionInterface, SessionMiddleware
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import DAY, HOUR, KEY
from tests.support.example_programs import run_example
from tests.support.http_client import forward_to
from tests.support.paths import ROOT
from tests.support.visitor import Visitor
from tests.support.wsgi import Answer

RECIPES = sorted((ROOT / "examples" / "recipes").glob("*.py"))
TEXT = (ROOT / "examples" / "README.rst").read_text(encoding="utf-8").partition("\nRecipes\n-------\n")[2]


class Guest(Visitor):
    """A visitor of an application behind handstamp, whose clock stands still."""

    def __init__(self, app: WSGIApplication, interface: SessionInterface | None = None, **settings: Any) -> None:
        self.clock = FrozenClock()
        interface = on_clock(interface or SecureCookieSessionInterface(), self.clock)
        super().__init__(SessionMiddleware(app, {"SECRET_KEY": KEY, **settings}, session_interface=interface))


# -- flash messages ---------------------------------------------------------------------------------------------------


def test_flash_is_shown_once() -> None:
    """What one request says, the next page shows, and no page after it."""
    visitor = Guest(flash_messages.app)
    assert visitor.post().status.startswith("303")
    assert b'<p class="success">Your order is on its way.</p>' in visitor.get().body
    assert b"order" not in visitor.get().body


def test_flashes_keep_their_order() -> None:
    """Several messages are shown in the order in which they were said."""
    session: dict[str, Any] = {}
    flash_messages.flash(session, "one")
    flash_messages.flash(session, "two", "error")
    assert flash_messages.take_flashes(session) == [("info", "one"), ("error", "two")]
    assert flash_messages.take_flashes(session) == []


def test_no_flash_no_cookie() -> None:
    """A page without messages sets no cookie."""
    assert Guest(flash_messages.app).get().cookies == []


def test_flashes_do_not_pile_up() -> None:
    """However often a form is sent before the next page is seen, the cookie stays small, and the last ten are shown."""
    visitor = Guest(flash_messages.app)
    for _ in range(200):
        assert visitor.post().status.startswith("303")
    assert visitor.get().body.count(b"Your order") == 10


def test_flash_is_no_markup() -> None:
    """What a visitor brings into a message is shown as text."""
    visitor = Guest(flash_messages.app)
    with session_of(visitor, lambda session: flash_messages.flash(session, "<script>", '"><script>')):
        pass
    assert b"<script>" not in visitor.get().body


# -- a CSRF token -----------------------------------------------------------------------------------------------------


def token_in(answer: Answer) -> str:
    """Return the token that is hidden in a form."""
    (token,) = re.findall(rb'name="csrf" value="([\w-]+)"', answer.body)
    return str(token, "ascii")


def test_own_form_counts() -> None:
    """A form that was shown to this visitor counts, and so does a script's header; all pages show one token."""
    visitor = Guest(csrf_token.app)
    token = token_in(visitor.get())
    assert token_in(visitor.get()) == token
    assert visitor.post(fields={"csrf": token}).body == b"done"
    assert visitor.post(HTTP_X_CSRF_TOKEN=token).body == b"done"


FORGED: dict[str, Any] = {
    "nothing": (),
    "empty": {"csrf": ""},
    "made up": {"csrf": "A" * 22},
    "not ASCII": {"csrf": "é"},
    "no UTF-8": b"csrf=%ff%fe",
    "half": b"csrf",
}


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_forged_form(method: str, fields: Any) -> None:
    """A form without the token, or with another one, is refused, with a session and without."""
    visitor = Guest(csrf_token.app)
    assert visitor.post(fields=fields, REQUEST_METHOD=method).status.startswith("403")
    visitor.get()
    assert visitor.post(fields=fields, REQUEST_METHOD=method).status.startswith("403")


def test_token_in_the_url() -> None:
    """A token in the URL, which logs and the Referer header repeat, does not count."""
    visitor = Guest(csrf_token.app)
    token = token_in(visitor.get())
    assert visitor.post(QUERY_STRING=f"csrf={token}").status.startswith("403")


def test_token_of_another_session() -> None:
    """The token of another visitor is refused."""
    token = token_in(Guest(csrf_token.app).get())
    visitor = Guest(csrf_token.app)
    visitor.get()
    assert visitor.post(fields={"csrf": token}).status.startswith("403")


# -- remember me ------------------------------------------------------------------------------------------------------


def fill_in(visitor: Visitor, path: str, **fields: str) -> Answer:
    """Open a page and send its form, as a visitor does."""
    return visitor.post(path, {"csrf": token_in(visitor.get()), **fields})


def sign_in(*boxes: str) -> Guest:
    """Sign a visitor in."""
    visitor = Guest(remember_me.app, None, **remember_me.LIMITS)
    fill_in(visitor, "/", user="Ada <3", **dict.fromkeys(boxes, "on"))
    assert visitor.get().body == b"Hello, Ada &lt;3."
    return visitor


def is_signed_in(visitor: Guest) -> bool:
    """Tell whether the site knows the visitor."""
    return visitor.get().body.startswith(b"Hello")


def test_remembered() -> None:
    """Who ticked the box is known after the browser was closed, and after four weeks."""
    visitor = sign_in("remember")
    visitor.close()
    assert is_signed_in(visitor)
    visitor.clock.tick(28 * DAY)
    assert is_signed_in(visitor)
    visitor.clock.tick(31 * DAY)
    assert not is_signed_in(visitor)


def test_not_remembered() -> None:
    """Who did not is known for an hour of absence, and until the browser closes."""
    visitor = sign_in()
    visitor.clock.tick(HOUR - 10)
    assert is_signed_in(visitor)
    visitor.clock.tick(HOUR + 10)
    assert not is_signed_in(visitor)
    visitor = sign_in()
    visitor.close()
    assert not is_signed_in(visitor)


def test_password_once_in_a_quarter() -> None:
    """However often somebody comes, after a quarter the password is due."""
    visitor = sign_in("remember")
    for _ in range(89):
        visitor.clock.tick(DAY)
        assert is_signed_in(visitor)
    visitor.clock.tick(DAY + 10)
    assert not is_signed_in(visitor)


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED)
def test_another_site_signs_nobody_in(fields: Any) -> None:
    """A form on another site signs nobody in as somebody else, whatever was there before."""
    for visitor in (Guest(remember_me.app, None, **remember_me.LIMITS), sign_in()):
        before = visitor.get().body
        forged = fields if isinstance(fields, bytes) else {**dict(fields), "user": "mallory", "remember": "on"}
        assert visitor.post(fields=forged).status.startswith("403")
        assert visitor.get().body[:12] == before[:12]


def test_signing_in_begins_a_new_session() -> None:
    """Nothing of a planted session is left after signing in, its CSRF token included, and its cookie stays outside."""
    visitor = Guest(remember_me.app, None, **remember_me.LIMITS)
    token = token_in(visitor.get())
    with session_of(visitor, lambda session: session.update(planted=1)):
        planted = dict(visitor.jar)
    assert visitor.post(fields={"csrf": token, "user": "ada"}).body == b"Hello, ada."
    found: dict[str, Any] = {}
    with session_of(visitor, found.update):
        assert found == {"user": "ada"}
    visitor.jar = planted
    assert not is_signed_in(visitor)


# -- log out everywhere -----------------------------------------------------------------------------------------------


@pytest.fixture
def everywhere() -> Iterator[Guest]:
    """Open the site, with nobody logged out yet."""
    log_out_everywhere.valid_after.clear()
    yield Guest(log_out_everywhere.app, log_out_everywhere.RevocableInterface())
    log_out_everywhere.valid_after.clear()


def other_device(visitor: Guest) -> Visitor:
    """Take another browser to the same site."""
    return Visitor(visitor.app)


def user_of(visitor: Visitor) -> str:
    """Return whom the site knows."""
    (user,) = re.findall(rb"<p>(.*)</p>", visitor.get().body)
    return str(user, "ascii")


def test_all_devices_are_logged_out(everywhere: Guest) -> None:
    """One device logs out all devices of its user, and nobody else."""
    phone, stranger = other_device(everywhere), other_device(everywhere)
    for browser, user in ((everywhere, "ada"), (phone, "ada"), (stranger, "bob")):
        fill_in(browser, "/sign-in", user=user)
        assert user_of(browser) == user
    assert b"<p>nobody</p>" in fill_in(everywhere, "/out").body
    assert [user_of(browser) for browser in (everywhere, phone, stranger)] == ["nobody", "nobody", "bob"]


def test_present_session_and_its_copies(everywhere: Guest) -> None:
    """A copy of the very session that logged out is dead too, even one of this second, or of a clock that is ahead."""
    everywhere.clock.tick(30)
    fill_in(everywhere, "/sign-in", user="ada")
    copy = dict(everywhere.jar)
    fill_in(everywhere, "/out")
    everywhere.jar = copy
    assert user_of(everywhere) == "nobody"


def test_signing_in_again(everywhere: Guest) -> None:
    """After that the user can sign in again."""
    fill_in(everywhere, "/sign-in", user="ada")
    fill_in(everywhere, "/out")
    everywhere.clock.tick(2)
    fill_in(everywhere, "/sign-in", user="ada")
    assert user_of(everywhere) == "ada"


def test_time_beside_the_user(everywhere: Guest) -> None:
    """What is kept is a time, now or a second after the session began."""
    fill_in(everywhere, "/sign-in", user="ada")
    before = datetime.now(UTC)
    fill_in(everywhere, "/out")
    assert log_out_everywhere.valid_after["ada"] >= before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_another_site_logs_nobody_out(everywhere: Guest, method: str) -> None:
    """A link, a picture or a form on another site ends no session, and signs nobody in."""
    fill_in(everywhere, "/sign-in", user="ada")
    for path in ("/out", "/sign-in"):
        answer = everywhere.post(path, {"user": "mallory"}, REQUEST_METHOD=method, QUERY_STRING="user=mallory")
        assert answer.status.startswith("200" if method in ("GET", "HEAD", "OPTIONS") else "403")
    assert user_of(everywhere) == "ada"
    assert log_out_everywhere.valid_after == {}


def test_user_is_no_markup(everywhere: Guest) -> None:
    """Whatever name somebody signs in with, it is text."""
    fill_in(everywhere, "/sign-in", user="<script>")
    assert b"<script>" not in everywhere.get().body


# -- a session per tenant ---------------------------------------------------------------------------------------------


def test_tenants_count_apart() -> None:
    """Each tenant has sessions of its own, under names of their own."""
    visitor = Guest(tenants.app, tenants.TenantInterface())
    for host, expected in (("acme.localhost:8000", b"acme: visit 1"), ("GLOBEX.localhost", b"globex: visit 1")):
        answer = visitor.get(HTTP_HOST=host)
        assert answer.body == expected
        assert answer.cookie.startswith(f"session-{expected.partition(b':')[0].decode()}=")
    assert visitor.get(HTTP_HOST="acme.localhost").body == b"acme: visit 2"


def test_cookie_of_another_tenant() -> None:
    """One tenant's cookie does not open at another's, even under the other's name."""
    visitor = Guest(tenants.app, tenants.TenantInterface())
    token = visitor.get(HTTP_HOST="acme.localhost").token
    other = Guest(tenants.app, tenants.TenantInterface())
    cookie = f"session-acme={token}; session-globex={token}; session={token}"
    assert other.get(HTTP_HOST="globex.localhost", HTTP_COOKIE=cookie).body == b"globex: visit 1"
    assert other.get(HTTP_HOST="acme.localhost", HTTP_COOKIE=cookie).body == b"acme: visit 2"


@pytest.mark.parametrize("host", ["evil.example", "", "a b;c", "[::1]", "\xff", "acme.localhost.evil.example"])
def test_unknown_host(host: str) -> None:
    """A host that nobody knows gets no session."""
    answer = Guest(tenants.app, tenants.TenantInterface()).get(HTTP_HOST=host)
    assert answer.status.startswith("404")
    assert answer.cookies == []


# -- health checks ----------------------------------------------------------------------------------------------------


def test_health_check_has_no_session() -> None:
    """A health check is answered without a session, whatever cookie it carries, and all else with one."""
    visitor = Guest(health_checks.app)
    visitor.app = health_checks.answer_first({"/healthz": health_checks.healthy}, visitor.app)
    assert visitor.get().body == b"visit 1"
    answer = visitor.get("/healthz")
    assert (answer.body, answer.cookies, answer.every("Vary")) == (b"ok", [], [])
    assert visitor.get("/healthz/").body == b"visit 2"


# -- a typed session --------------------------------------------------------------------------------------------------


def test_typed_session() -> None:
    """What the view changes is there at the next visit."""
    visitor = Guest(typed_session.app)
    assert visitor.get(QUERY_STRING="item=tea&item=jam").body == b"visit 1, 2 in the basket"
    assert visitor.get(QUERY_STRING="item=honey").body == b"visit 2, 3 in the basket"
    assert visitor.get().body == b"visit 3, 3 in the basket"


@contextmanager
def session_of(visitor: Guest, action: Any) -> Iterator[Answer]:
    """Have the visitor's application do something with its session."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        action(environ["session"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b""]

    middleware: Any = visitor.app
    inner, middleware.app = middleware.app, app
    try:
        yield visitor.get()
    finally:
        middleware.app = inner


def look(session: Any) -> None:
    with typed_session.visitor_of(session) as visitor:
        assert isinstance(visitor.basket, list)


def fail(session: Any) -> None:
    with suppress(LookupError), typed_session.visitor_of(session) as visitor:
        visitor.visits = 100
        raise LookupError


def add(session: Any) -> None:
    with typed_session.visitor_of(session) as visitor:
        visitor.basket.append("tea")


def test_a_look_writes_nothing() -> None:
    """A view that changes nothing sets no cookie, neither at the first visit nor later."""
    visitor = Guest(typed_session.app)
    with session_of(visitor, look) as answer:
        assert answer.cookies == []
    visitor.get()
    with session_of(visitor, look) as answer:
        assert answer.cookies == []


def test_an_error_writes_nothing() -> None:
    """After an error in the block nothing is written back."""
    visitor = Guest(typed_session.app)
    with session_of(visitor, fail) as answer:
        assert answer.cookies == []


def test_nested_change_in_a_view() -> None:
    """A list that was empty, and one that was there, keep what is appended."""
    visitor = Guest(typed_session.app)
    for _ in range(2):
        with session_of(visitor, add) as answer:
            assert answer.cookies
    assert visitor.get().body == b"visit 1, 2 in the basket"


def test_other_keys_stay() -> None:
    """Keys of others, and fields that went back to their default, are kept right."""
    session: dict[str, Any] = {"user": 7, "visits": 3, "basket": ["tea"]}
    with typed_session.visitor_of(session) as visitor:
        visitor.visits = 0
        visitor.basket = []
    assert session == {"user": 7, "visits": 0, "basket": []}


# -- an interface of one's own ----------------------------------------------------------------------------------------


@pytest.fixture
def own() -> Iterator[Guest]:
    """Visit the site that keeps its sessions itself, before anybody else has."""
    own_interface.kept.clear()
    yield Guest(own_interface.app, own_interface.MemoryInterface())
    own_interface.kept.clear()


def test_own_interface_keeps_sessions_apart(own: Guest) -> None:
    """Each visitor has a count of their own, and what an interface sets is private."""
    answer = own.get()
    assert (answer.body, answer.every("Cache-Control"), answer.every("Vary")) == (b"visit 1", ["private"], ["Cookie"])
    assert own.get().body == b"visit 2"
    assert other_device(own).get().body == b"visit 1"


def test_own_interface_makes_its_ids(own: Guest) -> None:
    """An id that the interface did not make is not taken over."""
    answer = own.get(HTTP_COOKIE="session=made-up")
    assert (answer.body, answer.token == "made-up") == (b"visit 1", False)


def test_own_interface_deletes(own: Guest) -> None:
    """After signing out the cookie is gone, and a copy of it opens nothing."""
    own.get()
    copy = dict(own.jar)
    with session_of(own, lambda session: session.invalidate()) as answer:
        assert answer.attributes["max-age"] == "0"
    own.jar = copy
    assert own.get().body == b"visit 1"


def sign_in_at_own(session: Any) -> None:
    """Sign somebody in as the manual says."""
    session.renew()
    session["user"] = "ada"


def test_own_interface_takes_a_new_id(own: Guest) -> None:
    """A cookie that was planted is worth nothing after the sign-in: the visitor has another, and the data."""
    planted = own.get().token
    thief = dict(own.jar)
    with session_of(own, sign_in_at_own) as answer:
        assert answer.token != planted
    assert list(own_interface.kept.values()) == [{"visits": 1, "user": "ada"}]
    assert own.get().body == b"visit 2"
    own.jar = thief
    assert own.get().body == b"visit 1"


def test_own_interface_begins_anew_after_the_end(own: Guest) -> None:
    """What is written after a sign-out, in the same request, is a session of another id."""
    before = own.get().token
    with session_of(own, lambda session: (session.invalidate(), session.update(cart=1))) as answer:
        assert answer.token != before
    assert list(own_interface.kept.values()) == [{"cart": 1}]


# -- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_says_what_it_does_not_do(path: Path) -> None:
    """The head of each recipe says what it does not do, so that nobody copies it for more."""
    head = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert re.search(r"^What it does not do: \w.+[.]$", head, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_short(path: Path) -> None:
    """A recipe has at most 60 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_every_recipe_is_told() -> None:
    """The text tells of each recipe, and of no other."""
    assert re.findall(r"<recipes/(\w+)\.py>", TEXT) != []
    assert set(re.findall(r"<recipes/(\w+)\.py>", TEXT)) == {path.stem for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_runs(path: Path) -> None:
    """A recipe runs as the text says."""
    host = "acme.localhost" if path.stem == "tenants" else "127.0.0.1"
    with run_example(f"recipes/{path.name}") as port:
        assert Visitor(forward_to(port), host=host).get().code == 200
