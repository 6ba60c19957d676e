"""The demo, without a browser: what it answers, what it refuses, and that its inspector tells the truth."""

import base64
import hashlib
import html
import importlib.util
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"
KEY = "a key for the tests, long enough"
HOSTILE = "<script>alert('&\"')</script>"
FORM = "application/x-www-form-urlencoded"


def load_demo() -> Any:
    spec = importlib.util.spec_from_file_location("handstamp_demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


demo = load_demo()


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    text: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        [value] = self.all(name)
        return value


class Visitor:
    """A visitor with a cookie jar, inside ``wsgiref.validate``."""

    def __init__(self, **settings: Any) -> None:
        self.middleware = demo.make_app({"SECRET_KEY": KEY, **settings})
        self.app = validator(self.middleware)
        self.jar: dict[str, str] = {}

    def request(self, method: str, path: str, body: bytes = b"", **environ: str) -> Reply:
        full: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", **environ}
        full |= {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body)}
        if self.jar:
            full["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        setup_testing_defaults(full)
        head: list[Any] = []

        def start_response(*args: Any) -> Any:
            head.extend(args)

        chunks = self.app(full, start_response)
        try:
            text = b"".join(chunks).decode()
        finally:
            chunks.close()  # type: ignore[attr-defined]  # the validator's have one
        reply = Reply(int(head[0].split()[0]), head[1], text)
        self.keep(reply.all("Set-Cookie"))
        return reply

    def keep(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                self.jar.pop(name, None)
                if morsel["max-age"] != "0":
                    self.jar[name] = morsel.value

    def get(self, path: str = "/") -> Reply:
        return self.request("GET", path)

    def send(self, path: str, fields: dict[str, str]) -> Reply:
        body = urlencode(fields).encode()
        return self.request("POST", path, body, CONTENT_TYPE=FORM, CONTENT_LENGTH=str(len(body)))

    def submit(self, path: str, **fields: str) -> Reply:
        """Send a form as the page's own would be sent, after a look at the page."""
        return self.send(path, {"csrf": token_in(self.get()), **fields})


def token_in(page: Reply) -> str:
    tokens: list[str] = re.findall(r'name="csrf" value="([^"]*)"', page.text)
    return tokens[0]


def payload_in(page: Reply) -> dict[str, Any]:
    [text] = re.findall(r"<pre>(.*?)</pre>", page.text, re.DOTALL)
    data: dict[str, Any] = json.loads(html.unescape(text))
    return data


def cookie_in(page: Reply) -> str:
    [markup] = re.findall(r'<p class="cookie">(.*?)</p>', page.text)
    return re.sub("<[^>]*>", "", markup)


def fact_in(page: Reply, name: str) -> str:
    [fact] = re.findall(f"<dt[^>]*>{name}</dt><dd>([^<]*)", page.text)
    return html.unescape(fact)


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


class TestCounter:
    def test_counts(self, visitor: Visitor) -> None:
        """Each look at the page is one visit more."""
        assert [payload_in(visitor.get())["visits"] for _ in range(3)] == [1, 2, 3]

    def test_each_visitor_has_its_own(self, visitor: Visitor) -> None:
        """A visitor without the cookie begins at one."""
        visitor.get()
        visitor.jar.clear()
        assert 'aria-label="Visit 1"' in visitor.get().text

    def test_head_has_no_body(self, visitor: Visitor) -> None:
        """HEAD answers as GET does, without the page."""
        reply = visitor.request("HEAD", "/")
        assert (reply.status, reply.text, len(reply.all("Set-Cookie"))) == (200, "", 1)


class TestSigningIn:
    def test_data_is_kept(self, visitor: Visitor) -> None:
        """Who signs in keeps the visits and the basket."""
        visitor.submit("/basket/add", item="tea")
        assert visitor.submit("/sign-in", name="Ada").status == 303
        data = payload_in(visitor.get())
        assert (data["user"], data["basket"], data["visits"]) == ("Ada", ["tea"], 3)

    def test_session_is_created_anew(self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        """Signing in renews the session: ``created`` begins again."""
        before = payload_in(visitor.get())["_created"]
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: time.time() + 50)
        assert payload_in(visitor.get())["_created"] == before
        visitor.submit("/sign-in", name="Ada")
        assert payload_in(visitor.get())["_created"] >= before + 50

    def test_token_of_the_forms_changes(self, visitor: Visitor) -> None:
        """A CSRF token from before signing in is worth nothing after."""
        token = token_in(visitor.get())
        visitor.submit("/sign-in", name="Ada")
        assert visitor.send("/sign-out", {"csrf": token}).status == 403

    @pytest.mark.parametrize("name", ["", "   ", "x" * 41])
    def test_no_name(self, visitor: Visitor, name: str) -> None:
        """A name that is missing, blank or too long is refused, and nobody is signed in."""
        assert visitor.submit("/sign-in", name=name).status == 400
        assert "user" not in payload_in(visitor.get())

    def test_remember_me(self, visitor: Visitor) -> None:
        """A session that is to be remembered has a cookie with an end."""
        reply = visitor.submit("/sign-in", name="Ada", remember="on")
        assert "Max-Age=2678400" in reply["Set-Cookie"]

    def test_remember_me_is_forgotten(self, visitor: Visitor) -> None:
        """Signing in again without the mark makes it a session of the browser again."""
        visitor.submit("/sign-in", name="Ada", remember="on")
        assert "Max-Age" not in visitor.submit("/sign-in", name="Ada")["Set-Cookie"]


class TestSigningOut:
    def test_cookie_is_deleted(self, visitor: Visitor) -> None:
        """Signing out deletes the cookie and shows a page that makes no new one."""
        visitor.submit("/sign-in", name="Ada")
        reply = visitor.submit("/sign-out")
        assert (reply.status, reply["Location"], visitor.jar) == (303, "/goodbye", {})
        assert visitor.get("/goodbye").all("Set-Cookie") == []

    def test_next_session_is_empty(self, visitor: Visitor) -> None:
        """Who comes back is a stranger with an empty basket."""
        visitor.submit("/basket/add", item="tea")
        visitor.submit("/sign-in", name="Ada")
        visitor.submit("/sign-out")
        assert payload_in(visitor.get()).keys() == {"visits", "csrf", "_created"}

    def test_goodbye_says_no_untruth(self, visitor: Visitor) -> None:
        """Whoever has a session is sent from the goodbye to the page."""
        visitor.get()
        reply = visitor.get("/goodbye")
        assert (reply.status, reply["Location"]) == (303, "/")


class TestBasket:
    def test_adds_and_removes(self, visitor: Visitor) -> None:
        """The list in the session is changed in place, and the changes last."""
        for item in ("tea", "milk", "tea"):
            visitor.submit("/basket/add", item=item)
        visitor.submit("/basket/remove", item="tea")
        assert payload_in(visitor.get())["basket"] == ["milk", "tea"]

    def test_nothing_to_remove(self, visitor: Visitor) -> None:
        """To remove what is not there is no error."""
        assert visitor.submit("/basket/remove", item="tea").status == 303
        assert visitor.submit("/basket/remove").status == 303

    @pytest.mark.parametrize(
        "letters",
        [range(1, 0x20), range(0x21, 0x7F), range(0x21, 0x500), range(0xAC00, 0xD7A3), range(0x10000, 0x11_0000)],
        ids=["control", "ascii", "european", "hangul", "astral"],
    )
    def test_never_outgrows_the_cookie(self, visitor: Visitor, letters: range) -> None:
        """A full basket is refused in time, whatever it is full of, and then there is room again."""
        chance = Random(7)
        items = ["_" + "".join(map(chr, chance.choices(letters, k=38))) + "_" for _ in range(60)]
        visitor.submit("/sign-in", name=items.pop(), remember="on")
        statuses = [visitor.submit("/basket/add", item=item).status for item in items]
        assert statuses == sorted(statuses)
        assert set(statuses) == {303, 409}
        for item in payload_in(visitor.get())["basket"][:2]:
            assert visitor.submit("/basket/remove", item=item).status == 303
        assert visitor.submit("/basket/add", item="tea").status == 303


class TestForms:
    @pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/basket/add", "/basket/remove"])
    @pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "guessed"}, {"csrf": "gue\N{SNOWMAN}"}])
    def test_foreign_form(self, visitor: Visitor, path: str, fields: dict[str, str]) -> None:
        """A form without the token of this session is refused, and changes nothing."""
        visitor.submit("/sign-in", name="Ada")
        before = payload_in(visitor.get())
        reply = visitor.send(path, {"name": "Eve", "item": "tea", **fields})
        assert (reply.status, reply.all("Set-Cookie")) == (403, [])
        assert payload_in(visitor.get()) == {**before, "visits": before["visits"] + 1}

    def test_no_session(self, visitor: Visitor) -> None:
        """Where no cookie comes, an empty token is no token."""
        assert visitor.send("/sign-in", {"name": "Ada", "csrf": ""}).status == 403
        assert visitor.jar == {}

    @pytest.mark.parametrize(
        ("body", "environ", "status"),
        [
            (b"x" * 2049, {"CONTENT_LENGTH": "2049"}, 413),
            (b"", {"CONTENT_LENGTH": "99999999999"}, 413),
            (b"", {"CONTENT_LENGTH": "-1"}, 413),
            (b"", {"CONTENT_LENGTH": "9" * 5000}, 400),
            (b"csrf=%ff", {"CONTENT_LENGTH": "8"}, 400),
            (b"csrf=\xff", {"CONTENT_LENGTH": "6"}, 400),
            (b"&".join([b"a=b"] * 11), {"CONTENT_LENGTH": "43"}, 400),
            (b"{}", {"CONTENT_LENGTH": "2", "CONTENT_TYPE": "application/json"}, 415),
            (b"", {"CONTENT_LENGTH": "0"}, 403),
        ],
    )
    def test_malformed(self, visitor: Visitor, body: bytes, environ: dict[str, str], status: int) -> None:
        """A body that is too long, or no form, is refused with a status that says so."""
        visitor.get()
        app = visitor.app if environ["CONTENT_LENGTH"] not in ("-1", "9" * 5000) else visitor.middleware
        visitor.app = app  # The validator takes no such lengths, but some servers pass them on.
        if app is visitor.middleware:
            visitor.app = closable(app)
        assert visitor.request("POST", "/sign-in", body, **{"CONTENT_TYPE": FORM, **environ}).status == status

    def test_no_length_and_no_type(self, visitor: Visitor) -> None:
        """A POST without any form is refused."""
        assert visitor.request("POST", "/sign-in").status == 415
        assert visitor.request("POST", "/sign-in", CONTENT_TYPE=f"{FORM}; charset=utf-8").status == 403

    @pytest.mark.parametrize("path", ["/favicon.ico", "/sign-in/", "//", "/\xff"])
    def test_no_such_page(self, visitor: Visitor, path: str) -> None:
        """An unknown address is 404 and leaves the session alone."""
        reply = visitor.get(path)
        assert (reply.status, reply.all("Set-Cookie"), reply.all("Vary")) == (404, [], [])

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [("POST", "/", "GET, HEAD"), ("DELETE", "/goodbye", "GET, HEAD"), ("GET", "/sign-out", "POST")],
    )
    def test_wrong_method(self, visitor: Visitor, method: str, path: str, allowed: str) -> None:
        """A method that an address does not have is 405, and the answer names those it has."""
        reply = visitor.request(method, path)
        assert (reply.status, reply["Allow"]) == (405, allowed)


def closable(app: Any) -> Any:
    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = app(environ, start_response)
        yield from body
        body.close()

    return wrapped


class TestInspector:
    def test_shows_the_cookie_of_this_very_response(self, visitor: Visitor) -> None:
        """The cookie on the page is the one that the browser holds once it shows the page."""
        for _ in range(2):
            assert cookie_in(visitor.get()) == f"session={visitor.jar['session']}"

    def test_shows_a_compressed_payload(self, visitor: Visitor) -> None:
        """A payload that was compressed is decoded as well."""
        visitor.submit("/basket/add", item="x" * 40)
        visitor.submit("/basket/add", item="x" * 40)
        page = visitor.get()
        assert cookie_in(page).startswith("session=.")
        assert payload_in(page)["basket"] == ["x" * 40] * 2

    def test_size(self, visitor: Visitor) -> None:
        """The size is that of the name and the value, and the bar's parts end where the cookie's do."""
        page = visitor.get()
        payload, stamp, seal = visitor.jar["session"].rsplit(".", 2)
        size = len("session" + visitor.jar["session"])
        assert f"<strong>{size}</strong> of 4096 bytes" in page.text
        ends = [int(width) for width in re.findall(r'<rect class="\w+" width="(\d+)"', page.text)]
        assert ends == [size, size - len(seal), size - len(seal) - len(stamp)]
        assert ends[-1] == len("session" + payload + "..")

    def test_times(self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        """Created and signed are shown apart."""
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: 1_800_000_000)
        visitor.get()
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: 1_800_000_061)
        page = visitor.get()
        assert fact_in(page, "Created") == "15 Jan 2027, 08:00:00 UTC"
        assert fact_in(page, "Time") == "Signed 15 Jan 2027, 08:01:01 UTC"

    def test_end_of_a_permanent_session(self, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
        """A permanent session ends at the Expires of its cookie."""
        monkeypatch.setattr(visitor.middleware.session_interface, "now", lambda: 1_800_000_000)
        visitor.submit("/sign-in", name="Ada", remember="on")
        assert fact_in(visitor.get(), "Expires") == "15 Feb 2027, 08:00:00 UTC, Max-Age 2678400"

    @pytest.mark.parametrize(("settings", "days"), [({}, "31"), ({"SESSION_IDLE_LIFETIME": 43200}, "0.5")])
    def test_end_of_another_session(self, settings: dict[str, Any], days: str) -> None:
        """Any other session ends with the browser, or at its idle limit."""
        page = Visitor(**settings).get()
        assert fact_in(page, "Expires") == f"when the browser closes, or after {days} days idle"

    def test_attributes(self, visitor: Visitor) -> None:
        """The attributes are those of the Set-Cookie line."""
        page = visitor.get()
        marks = re.findall("<li>([^<]*)</li>", page.text.partition('class="marks"')[2])
        assert marks == page["Set-Cookie"].split("; ")[1:]


class TestSafety:
    def test_hostile_text_is_escaped(self, visitor: Visitor) -> None:
        """Whatever a visitor writes is text on the page, in the forms and in the inspector."""
        visitor.submit("/basket/add", item=HOSTILE)
        visitor.submit("/sign-in", name=HOSTILE)
        page = visitor.get()
        assert "<script" not in page.text
        assert page.text.count(html.escape(HOSTILE)) == 4
        assert payload_in(page)["user"] == HOSTILE

    def test_template_in_a_name(self, visitor: Visitor) -> None:
        """Braces in a name are braces."""
        visitor.submit("/sign-in", name="{token} {0}")
        assert "<bdi>{token} {0}</bdi>" in visitor.get().text

    @pytest.mark.parametrize("path", ["/", "/goodbye", "/nowhere", "/sign-in"])
    def test_headers(self, visitor: Visitor, path: str) -> None:
        """Every answer forbids scripts, sniffing and framing, and stays out of caches."""
        reply = visitor.get(path)
        policy = reply["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply["X-Content-Type-Options"] == "nosniff"
        assert reply["Referrer-Policy"] == "same-origin"
        assert reply["Cache-Control"] == "no-store"

    def test_policy_allows_the_one_style(self, visitor: Visitor) -> None:
        """The policy names the hash of the page's style, and there is no style besides."""
        page = visitor.get()
        [style] = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in page["Content-Security-Policy"]
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
