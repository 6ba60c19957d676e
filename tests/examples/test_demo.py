"""The demo, without a browser: what it answers, what it refuses, and that its inspector tells the truth."""

import base64
import hashlib
import html
import importlib.util
import json
import re
import time
from collections.abc import Iterable
from random import Random
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from tests.support.paths import EXAMPLES
from tests.support.visitor import FORM, Visitor
from tests.support.wsgi import Answer

DEMO = EXAMPLES / "demo.py"
KEY = "a key for the tests, long enough"
HOSTILE = "<script>alert('&\"')</script>"


def load_demo() -> Any:
    spec = importlib.util.spec_from_file_location("handstamp_demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo = load_demo()


class Customer(Visitor):
    """A visitor of the demo, who sends its forms."""

    def __init__(self, **settings: Any) -> None:
        self.middleware = demo.make_app({"SECRET_KEY": KEY, **settings})
        super().__init__(self.middleware)

    @property
    def token(self) -> str:
        """The value of the one cookie."""
        (cookie,) = self.jar.values()
        return cookie.value

    def submit(self, path: str, **fields: str) -> Answer:
        """Send a form as the page's own would be sent, after a look at the page."""
        return self.post(path, {"csrf": token_in(self.get()), **fields})


def token_in(page: Answer) -> str:
    tokens: list[str] = re.findall(r'name="csrf" value="([^"]*)"', page.text)
    return tokens[0]


def payload_in(page: Answer) -> dict[str, Any]:
    [text] = re.findall(r"<pre>(.*?)</pre>", page.text, re.DOTALL)
    data: dict[str, Any] = json.loads(html.unescape(text))
    return data


def cookie_in(page: Answer) -> str:
    [markup] = re.findall(r'<p class="cookie">(.*?)</p>', page.text)
    return re.sub("<[^>]*>", "", markup)


def fact_in(page: Answer, name: str) -> str:
    [fact] = re.findall(f"<dt[^>]*>{name}</dt><dd>([^<]*)", page.text)
    return html.unescape(fact)


@pytest.fixture
def visitor() -> Customer:
    return Customer()


class TestCounter:
    def test_counts(self, visitor: Customer) -> None:
        """Each look at the page is one visit more."""
        assert [payload_in(visitor.get())["visits"] for _ in range(3)] == [1, 2, 3]

    def test_each_visitor_has_its_own(self, visitor: Customer) -> None:
        """A visitor without the cookie begins at one."""
        visitor.get()
        visitor.jar.clear()
        assert 'aria-label="Visit 1"' in visitor.get().text

    def test_head_has_no_body(self, visitor: Customer) -> None:
        """HEAD answers as GET does, without the page."""
        reply = visitor.get("/", REQUEST_METHOD="HEAD")
        assert (reply.code, reply.text, len(reply.every("Set-Cookie"))) == (200, "", 1)


class TestSigningIn:
    def test_data_is_kept(self, visitor: Customer) -> None:
        """Who signs in keeps the visits and the basket."""
        visitor.submit("/basket/add", item="tea")
        assert visitor.submit("/sign-in", name="Ada").code == 303
        data = payload_in(visitor.get())
        assert (data["user"], data["basket"], data["visits"]) == ("Ada", ["tea"], 3)

    def test_session_is_created_anew(self, visitor: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Signing in renews the session: ``created`` begins again."""
        before = payload_in(visitor.get())["_created"]
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: time.time() + 50)
        assert payload_in(visitor.get())["_created"] == before
        visitor.submit("/sign-in", name="Ada")
        assert payload_in(visitor.get())["_created"] >= before + 50

    def test_token_of_the_forms_changes(self, visitor: Customer) -> None:
        """A CSRF token from before signing in is worth nothing after."""
        token = token_in(visitor.get())
        visitor.submit("/sign-in", name="Ada")
        assert visitor.post("/sign-out", {"csrf": token}).code == 403

    @pytest.mark.parametrize("name", ["", "   ", "x" * 41])
    def test_no_name(self, visitor: Customer, name: str) -> None:
        """A name that is missing, blank or too long is refused, and nobody is signed in."""
        assert visitor.submit("/sign-in", name=name).code == 400
        assert "user" not in payload_in(visitor.get())

    def test_remember_me(self, visitor: Customer) -> None:
        """A session that is to be remembered has a cookie with an end."""
        reply = visitor.submit("/sign-in", name="Ada", remember="on")
        assert "Max-Age=2678400" in reply.one("Set-Cookie")

    def test_remember_me_is_forgotten(self, visitor: Customer) -> None:
        """Signing in again without the mark makes it a session of the browser again."""
        visitor.submit("/sign-in", name="Ada", remember="on")
        assert "Max-Age" not in visitor.submit("/sign-in", name="Ada").one("Set-Cookie")


class TestSigningOut:
    def test_cookie_is_deleted(self, visitor: Customer) -> None:
        """Signing out deletes the cookie and shows a page that makes no new one."""
        visitor.submit("/sign-in", name="Ada")
        reply = visitor.submit("/sign-out")
        assert (reply.code, reply.one("Location"), visitor.jar) == (303, "/goodbye", {})
        assert visitor.get("/goodbye").every("Set-Cookie") == []

    def test_next_session_is_empty(self, visitor: Customer) -> None:
        """Who comes back is a stranger with an empty basket."""
        visitor.submit("/basket/add", item="tea")
        visitor.submit("/sign-in", name="Ada")
        visitor.submit("/sign-out")
        assert payload_in(visitor.get()).keys() == {"visits", "csrf", "_created"}

    def test_goodbye_says_no_untruth(self, visitor: Customer) -> None:
        """Whoever has a session is sent from the goodbye to the page."""
        visitor.get()
        reply = visitor.get("/goodbye")
        assert (reply.code, reply.one("Location")) == (303, "/")


class TestBasket:
    def test_adds_and_removes(self, visitor: Customer) -> None:
        """The list in the session is changed in place, and the changes last."""
        for item in ("tea", "milk", "tea"):
            visitor.submit("/basket/add", item=item)
        visitor.submit("/basket/remove", item="tea")
        assert payload_in(visitor.get())["basket"] == ["milk", "tea"]

    def test_nothing_to_remove(self, visitor: Customer) -> None:
        """To remove what is not there is no error."""
        assert visitor.submit("/basket/remove", item="tea").code == 303
        assert visitor.submit("/basket/remove").code == 303

    @pytest.mark.parametrize(
        "letters",
        [range(1, 0x20), range(0x21, 0x7F), range(0x21, 0x500), range(0xAC00, 0xD7A3), range(0x10000, 0x11_0000)],
        ids=["control", "ascii", "european", "hangul", "astral"],
    )
    def test_never_outgrows_the_cookie(self, visitor: Customer, letters: range) -> None:
        """A full basket is refused in time, whatever it is full of, and then there is room again."""
        chance = Random(7)
        items = ["_" + "".join(map(chr, chance.choices(letters, k=38))) + "_" for _ in range(60)]
        visitor.submit("/sign-in", name=items.pop(), remember="on")
        statuses = [visitor.submit("/basket/add", item=item).code for item in items]
        assert statuses == sorted(statuses)
        assert set(statuses) == {303, 409}
        for item in payload_in(visitor.get())["basket"][:2]:
            assert visitor.submit("/basket/remove", item=item).code == 303
        assert visitor.submit("/basket/add", item="tea").code == 303


class TestForms:
    @pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/basket/add", "/basket/remove"])
    @pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "guessed"}, {"csrf": "gue\N{SNOWMAN}"}])
    def test_foreign_form(self, visitor: Customer, path: str, fields: dict[str, str]) -> None:
        """A form without the token of this session is refused, and changes nothing."""
        visitor.submit("/sign-in", name="Ada")
        before = payload_in(visitor.get())
        reply = visitor.post(path, {"name": "Eve", "item": "tea", **fields})
        assert (reply.code, reply.every("Set-Cookie")) == (403, [])
        assert payload_in(visitor.get()) == {**before, "visits": before["visits"] + 1}

    def test_no_session(self, visitor: Customer) -> None:
        """Where no cookie comes, an empty token is no token."""
        assert visitor.post("/sign-in", {"name": "Ada", "csrf": ""}).code == 403
        assert visitor.jar == {}

    @pytest.mark.parametrize(
        ("body", "length", "content_type", "status"),
        [
            (b"x" * 2049, "2049", FORM, 413),
            (b"", "99999999999", FORM, 413),
            (b"", "-1", FORM, 413),
            (b"", "9" * 5000, FORM, 400),
            (b"csrf=%ff", "8", FORM, 400),
            (b"csrf=\xff", "6", FORM, 400),
            (b"&".join([b"a=b"] * 11), "43", FORM, 400),
            (b"{}", "2", "application/json", 415),
            (b"", "0", FORM, 403),
        ],
    )
    def test_malformed(self, visitor: Customer, body: bytes, length: str, content_type: str, status: int) -> None:
        """A body that is too long, or no form, is refused with a status that says so."""
        visitor.get()
        visitor.app = with_length(visitor.app, length)
        assert visitor.post("/sign-in", body, CONTENT_TYPE=content_type).code == status

    def test_no_length_and_no_type(self, visitor: Customer) -> None:
        """A POST without any form is refused."""
        assert visitor.get("/sign-in", REQUEST_METHOD="POST").code == 415
        assert visitor.get("/sign-in", REQUEST_METHOD="POST", CONTENT_TYPE=f"{FORM}; charset=utf-8").code == 403

    @pytest.mark.parametrize("path", ["/favicon.ico", "/sign-in/", "//", "/\xff"])
    def test_no_such_page(self, visitor: Customer, path: str) -> None:
        """An unknown address is 404 and leaves the session alone."""
        reply = visitor.get(path)
        assert (reply.code, reply.every("Set-Cookie"), reply.every("Vary")) == (404, [], [])

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [("POST", "/", "GET, HEAD"), ("DELETE", "/goodbye", "GET, HEAD"), ("GET", "/sign-out", "POST")],
    )
    def test_wrong_method(self, visitor: Customer, method: str, path: str, allowed: str) -> None:
        """A method that an address does not have is 405, and the answer names those it has."""
        reply = visitor.get(path, REQUEST_METHOD=method)
        assert (reply.code, reply.one("Allow")) == (405, allowed)


def with_length(app: WSGIApplication, length: str) -> WSGIApplication:
    """Have an application find a length that the validator does not let through, but some servers do."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return app({**environ, "CONTENT_LENGTH": length}, start_response)

    return wrapped


class TestInspector:
    def test_shows_the_cookie_of_this_very_response(self, visitor: Customer) -> None:
        """The cookie on the page is the one that the browser holds once it shows the page."""
        for _ in range(2):
            assert cookie_in(visitor.get()) == f"session={visitor.token}"

    def test_shows_a_compressed_payload(self, visitor: Customer) -> None:
        """A payload that was compressed is decoded as well."""
        visitor.submit("/basket/add", item="x" * 40)
        visitor.submit("/basket/add", item="x" * 40)
        page = visitor.get()
        assert cookie_in(page).startswith("session=.")
        assert payload_in(page)["basket"] == ["x" * 40] * 2

    def test_size(self, visitor: Customer) -> None:
        """The size is that of the name and the value, and the bar's parts end where the cookie's do."""
        page = visitor.get()
        payload, stamp, seal = visitor.token.rsplit(".", 2)
        size = len("session" + visitor.token)
        assert f"<strong>{size}</strong> of 4096 bytes" in page.text
        ends = [int(width) for width in re.findall(r'<rect class="\w+" width="(\d+)"', page.text)]
        assert ends == [size, size - len(seal), size - len(seal) - len(stamp)]
        assert ends[-1] == len("session" + payload + "..")

    def test_times(self, visitor: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Created and signed are shown apart."""
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: 1_800_000_000)
        visitor.get()
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: 1_800_000_061)
        page = visitor.get()
        assert fact_in(page, "Created") == "15 Jan 2027, 08:00:00 UTC"
        assert fact_in(page, "Time") == "Signed 15 Jan 2027, 08:01:01 UTC"

    def test_end_of_a_permanent_session(self, visitor: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A permanent session ends at the Expires of its cookie."""
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: 1_800_000_000)
        visitor.submit("/sign-in", name="Ada", remember="on")
        assert fact_in(visitor.get(), "Expires") == "15 Feb 2027, 08:00:00 UTC, Max-Age 2678400"

    @pytest.mark.parametrize(("settings", "days"), [({}, "31"), ({"SESSION_IDLE_LIFETIME": 43200}, "0.5")])
    def test_end_of_another_session(self, settings: dict[str, Any], days: str) -> None:
        """Any other session ends with the browser, or at its idle limit."""
        page = Customer(**settings).get()
        assert fact_in(page, "Expires") == f"when the browser closes, or after {days} days idle"

    def test_attributes(self, visitor: Customer) -> None:
        """The attributes are those of the Set-Cookie line."""
        page = visitor.get()
        marks = re.findall("<li>([^<]*)</li>", page.text.partition('class="marks"')[2])
        assert marks == page.one("Set-Cookie").split("; ")[1:]


class TestSafety:
    def test_hostile_text_is_escaped(self, visitor: Customer) -> None:
        """Whatever a visitor writes is text on the page, in the forms and in the inspector."""
        visitor.submit("/basket/add", item=HOSTILE)
        visitor.submit("/sign-in", name=HOSTILE)
        page = visitor.get()
        assert "<script" not in page.text
        assert page.text.count(html.escape(HOSTILE)) == 4
        assert payload_in(page)["user"] == HOSTILE

    def test_template_in_a_name(self, visitor: Customer) -> None:
        """Braces in a name are braces."""
        visitor.submit("/sign-in", name="{token} {0}")
        assert "<bdi>{token} {0}</bdi>" in visitor.get().text

    @pytest.mark.parametrize("path", ["/", "/goodbye", "/nowhere", "/sign-in"])
    def test_headers(self, visitor: Customer, path: str) -> None:
        """Every answer forbids scripts, sniffing and framing, and stays out of caches."""
        reply = visitor.get(path)
        policy = reply.one("Content-Security-Policy")
        assert policy.startswith("default-src 'none'; ")
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.one("X-Content-Type-Options") == "nosniff"
        assert reply.one("Referrer-Policy") == "same-origin"
        assert reply.one("Cache-Control") == "no-store"

    def test_policy_allows_the_one_style(self, visitor: Customer) -> None:
        """The policy names the hash of the page's style, and there is no style besides."""
        page = visitor.get()
        [style] = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in page.one("Content-Security-Policy")
        assert " style=" not in page.text


class TestMain:
    @pytest.fixture
    def served(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """Catch what would be served."""
        calls: list[Any] = []
        monkeypatch.setattr(demo.waitress, "serve", lambda app, **options: calls.append((app, options)))
        monkeypatch.delenv("PORT", raising=False)
        monkeypatch.delenv("SECRET_KEY", raising=False)
        return calls

    def test_key_of_the_environment(
        self, served: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The key and the port come from the environment, and nothing is said of the key."""
        monkeypatch.setenv("SECRET_KEY", KEY)
        monkeypatch.setenv("PORT", "8042")
        demo.main()
        [(app, options)] = served
        assert (app.settings["SECRET_KEY"], options["host"], options["port"]) == (KEY, "127.0.0.1", 8042)
        assert capsys.readouterr() == ("", "")

    def test_key_made_at_start(self, served: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
        """Without a key one is made; it is said, but not shown."""
        demo.main()
        demo.main()
        [(first, options), (second, _)] = served
        said = capsys.readouterr().out
        assert options["port"] == 8000
        assert options["threads"] > 1
        assert first.settings["SECRET_KEY"] != second.settings["SECRET_KEY"]
        assert "SECRET_KEY" in said
        assert first.settings["SECRET_KEY"] not in said
