"""The page "Where am I signed in?", without a browser: whom it shows what, and whose sessions it ends."""

from __future__ import annotations

import html
import importlib.util
import re
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest

from handstamp.stores import MemoryStore, Record
from handstamp.testing import FrozenClock
from tests.support.constants import HOUR, KEY, START
from tests.support.missing_programs import need
from tests.support.paths import EXAMPLES
from tests.support.visitor import Visitor
from tests.support.wsgi import Answer

PROGRAM = EXAMPLES / "devices.py"
HOSTILE = "<script>alert('&\"')</script>"
FORM = "application/x-www-form-urlencoded"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ACTIONS = ["/sign-out", "/end", "/end-others"]


def load_program() -> Any:
    spec = importlib.util.spec_from_file_location("handstamp_devices", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


program = load_program()


class Store(MemoryStore):
    """Does something between a request's first look into its session and its end."""

    def __init__(self) -> None:
        super().__init__()
        self.created = 0
        self.meanwhile: Any = None

    def load(self, handle: str) -> Record | None:
        record = super().load(handle)
        if self.meanwhile:
            act, self.meanwhile = self.meanwhile, None
            act(handle)
        return record

    def create(self, handle: str, record: Record) -> bool:
        self.created += 1
        return super().create(handle, record)


class Device(Visitor):
    """A browser that sends the page's forms."""

    def __init__(self, app: Any, name: str = "", agent: str = AGENT) -> None:
        super().__init__(app)
        self.agent = agent
        if name:
            self.sign_in(name)

    def get(self, path: str = "/", **extra: Any) -> Answer:
        return super().get(path, **{"HTTP_USER_AGENT": self.agent, **extra})

    def token(self, path: str = "/") -> str:
        """Return the token that is hidden in the forms of a page."""
        return str(re.findall(r'name="csrf" value="([\w-]+)"', self.get(path).body.decode())[0])

    def act(self, path: str, **fields: str) -> Answer:
        """Send a form of the page as it is shown."""
        answer = self.post(path, {"csrf": self.token(), **fields})
        assert (answer.status, answer.every("Location")) == ("303 See Other", ["/"])
        return answer

    def sign_in(self, name: str) -> Answer:
        answer = self.post("/sign-in", {"csrf": self.token("/sign-in"), "name": name})
        assert answer.status == "303 See Other"
        return answer

    @property
    def user(self) -> str | None:
        """Who is signed in, as the page shows it."""
        found = re.search("sessions of <b><bdi>(.*)</bdi>", self.get().body.decode())
        return html.unescape(found[1]) if found else None

    @property
    def labels(self) -> list[str]:
        """The devices that the page lists."""
        found = re.findall('<th scope="row"><bdi>(.*?)</bdi>', self.get().body.decode())
        return [html.unescape(label) for label in found]

    @property
    def others(self) -> list[str]:
        """The handles in the page's buttons."""
        return re.findall('name="handle" value="(.*?)"', self.get().body.decode())


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def app(store: Store) -> Any:
    return program.make_app({"SECRET_KEY": KEY}, store)


# -- what the page shows ----------------------------------------------------------------------------------------------


def test_own_sessions_are_listed(app: Any) -> None:
    """The page lists the visitor's own sessions, this one first and marked, and nobody else's."""
    phone, desk, stranger = (
        Device(app, "Ada", "Safari/ (iPhone)"),
        Device(app, "Ada"),
        Device(app, "Bob", "Edg Windows"),
    )
    assert phone.labels == ["Safari on iPhone", "Firefox on Linux"]
    assert desk.labels == ["Firefox on Linux", "Safari on iPhone"]
    assert stranger.labels == ["Edge on Windows"]
    (row,) = re.findall("<tr class=.*?</tr>", phone.get().body.decode(), re.DOTALL)
    assert ("iPhone" in row, "this one" in row, "Sign out" in row) == (True, True, True)
    assert phone.get().body.count(b"this one") == 1


def test_one_session_needs_no_others(app: Any) -> None:
    """Who is signed in once finds no button that ends others."""
    device = Device(app, "Ada")
    assert b"/end" not in device.get().body
    Device(app, "Ada")
    assert b'action="/end-others"' in device.get().body


def test_anonymous_page_stores_nothing(app: Any, store: Store) -> None:
    """Whoever is not signed in and only looks costs no record and gets no cookie."""
    device = Device(app)
    assert b"You are not signed in." in device.get().body
    assert (device.jar, store.created) == ({}, 0)
    device.get("/sign-in")
    assert device.jar != {}
    assert store.created == 1


def test_hostile_texts_are_text(app: Any) -> None:
    """Neither a name nor a User-Agent becomes markup."""
    device = Device(app, HOSTILE, HOSTILE)
    Device(app, HOSTILE, f'"><img src=x>{HOSTILE}')
    page = device.get().body.decode()
    assert ("<script" in page, "<img" in page) == (False, False)
    assert device.user == HOSTILE
    assert device.labels == [HOSTILE, f'"><img src=x>{HOSTILE}']


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        ("", "A device that does not say"),
        (" \t\x7f", "A device that does not say"),
        ("curl/8.0", "curl/8.0"),
        ("A" * 5000, "A" * 60),
        ("caf\xe9\x00\x1b[31m", "caf\xe9[31m"),
    ],
)
def test_odd_agents(app: Any, agent: str, label: str) -> None:
    """Whatever a User-Agent is, its label is short and printable."""
    assert Device(app, "Ada", agent).labels == [label]


def test_nobody_frames_the_page(app: Any) -> None:
    """The page allows no script, no frame around it and no cache."""
    answer = Device(app, "Ada").get()
    (policy,) = answer.every("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "no-store" in answer.every("Cache-Control")[0]
    assert b"<script" not in answer.body


# -- what the buttons do ----------------------------------------------------------------------------------------------


def test_end_one(app: Any) -> None:
    """A button ends the one session that it names, at once."""
    here, there, third = Device(app, "Ada"), Device(app, "Ada", "curl"), Device(app, "Ada", "wget")
    (handle,) = set(here.others) & set(third.others)
    here.act("/end", handle=handle)
    assert (here.user, there.user, third.user) == ("Ada", None, "Ada")


def test_end_all_others(app: Any) -> None:
    """One button ends all sessions of the visitor but this one, and nobody else's."""
    here, *others = [Device(app, "Ada") for _ in range(3)]
    stranger = Device(app, "Bob")
    here.act("/end-others")
    assert [device.user for device in (here, *others, stranger)] == ["Ada", None, None, "Bob"]


def test_last_seen(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list says to a minute when another session was last seen."""
    clock = FrozenClock(START)
    monkeypatch.setattr(program.ServerSideSessionInterface, "now", clock)
    here, there = Device(app, "Ada"), Device(app, "Ada")
    for _ in range(2):
        clock.tick(HOUR)
        there.get()
        signed_in, *_, seen = re.findall('<time datetime="(.*?)">', here.get().body.decode())
        assert datetime.fromisoformat(seen).timestamp() == clock() // 60 * 60
        assert datetime.fromisoformat(signed_in) < datetime.fromisoformat(seen)


def test_end_all_others_ends_copies(app: Any) -> None:
    """A copy of this very cookie is an other, too."""
    here, thief = Device(app, "Ada"), Device(app)
    thief.jar = dict(here.jar)
    assert thief.user == "Ada"
    here.act("/end-others")
    assert [here.user, thief.user] == ["Ada", None]


def test_signed_in_stays(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ending others does not change when this one signed in."""
    clock = FrozenClock(START)
    monkeypatch.setattr(program.ServerSideSessionInterface, "now", clock)
    here = Device(app, "Ada")
    clock.tick(HOUR)
    Device(app, "Ada")
    before, *_ = re.findall("<time.*?</time>", here.get().body.decode())
    here.act("/end-others")
    assert re.findall("<time.*?</time>", here.get().body.decode()) == [before]


def test_sign_out(app: Any) -> None:
    """Signing out ends this session, also for a copy of its cookie, and deletes the cookie."""
    here, there, copy = Device(app, "Ada"), Device(app, "Ada"), Device(app)
    copy.jar = dict(here.jar)
    here.act("/sign-out")
    assert here.jar == {}
    assert (here.user, copy.user, there.user) == (None, None, "Ada")


def test_own_handle(app: Any) -> None:
    """A form that names this very session signs it out."""
    here, there = Device(app, "Ada"), Device(app, "Ada")
    (handle,) = there.others
    here.act("/end", handle=handle)
    assert (here.user, here.jar, there.user) == (None, {}, "Ada")


def test_foreign_handle(app: Any) -> None:
    """A handle of somebody else's session, though it is right, ends nothing."""
    ada, bob, phone = Device(app, "Ada"), Device(app, "Bob"), Device(app, "Bob")
    for handle in (*bob.others, *phone.others, "", "made up", "é"):
        ada.act("/end", handle=handle)
    assert (ada.user, bob.user, phone.user) == ("Ada", "Bob", "Bob")


# -- forms of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("token", [None, "", "A" * 22, "é"])
def test_forged_form(app: Any, path: str, token: str | None) -> None:
    """A form without this session's token does nothing."""
    here, there = Device(app, "Ada"), Device(app, "Ada")
    fields = {"handle": here.others[0]} | ({} if token is None else {"csrf": token})
    assert here.post(path, fields).status == "403 Forbidden"
    assert (here.user, there.user) == ("Ada", "Ada")


@pytest.mark.parametrize("path", ACTIONS)
def test_token_of_another(app: Any, path: str) -> None:
    """The token of another session does not count, not even that of the same user, and no link acts."""
    here, there = Device(app, "Ada"), Device(app, "Ada")
    fields = {"handle": here.others[0], "csrf": there.token()}
    assert here.post(path, fields).status == "403 Forbidden"
    answer = here.get(path, QUERY_STRING=urlencode({"csrf": here.token(), "handle": here.others[0]}))
    assert (answer.status, answer.every("Allow")) == ("405 Method Not Allowed", ["POST"])
    assert (here.user, there.user) == ("Ada", "Ada")


def test_nobody_is_signed_in_by_another_site(app: Any) -> None:
    """Signing in needs the token of a session that the form was shown to."""
    device, attacker = Device(app), Device(app)
    token = attacker.token("/sign-in")
    for fields in ({"name": "Eve"}, {"name": "Eve", "csrf": token}):
        assert device.post("/sign-in", fields).status == "403 Forbidden"
    assert device.user is None


def test_planted_session(app: Any) -> None:
    """Whoever planted the session in which somebody signs in is not signed in, and knows no token of it."""
    attacker, victim = Device(app), Device(app)
    token = attacker.token("/sign-in")
    victim.jar = dict(attacker.jar)
    victim.sign_in("Ada")
    assert victim.jar != attacker.jar
    assert (victim.user, attacker.user) == ("Ada", None)
    assert victim.token() != token
    assert victim.post("/sign-out", {"csrf": token}).status == "403 Forbidden"


def test_two_people_share_no_session(app: Any) -> None:
    """Who is signed in cannot sign in as another, in whose list the session would then stand."""
    device = Device(app, "Ada")
    assert device.get("/sign-in").every("Location") == ["/"]
    device.post("/sign-in", {"name": "Bob", "csrf": device.token()})
    assert device.user == "Ada"


@pytest.mark.parametrize("name", ["", "   ", "A" * 41, "a\0b", "a\u202eb"])
def test_bad_names(app: Any, name: str) -> None:
    """A name that is none, too long or not printable is refused in words."""
    device = Device(app)
    answer = device.post("/sign-in", {"csrf": device.token("/sign-in"), "name": name})
    assert answer.status == "400 Bad Request"
    assert b"A name has 1 to 40 characters." in answer.body
    assert device.user is None


@pytest.mark.parametrize(
    ("body", "extra", "status"),
    [
        (b"csrf=%ff", {}, "400 Bad Request"),
        (b"csrf=\xff", {}, "400 Bad Request"),
        (b"a=1&" * 20, {}, "400 Bad Request"),
        (b"a" * 2049, {}, f"413 {HTTPStatus(413).phrase}"),
        (b"{}", {"CONTENT_TYPE": "application/json"}, "415 Unsupported Media Type"),
    ],
)
def test_odd_forms(app: Any, body: bytes, extra: dict[str, str], status: str) -> None:
    """What is no form, or too long, is refused, and never an error of the server."""
    answer = Device(app, "Ada").post("/end", body, **extra)
    assert answer.status == status


def test_addresses(app: Any) -> None:
    """Other addresses and methods are refused in words; HEAD answers as GET does, without a body."""
    device = Device(app, "Ada")
    assert device.get("/nothing").status == "404 Not Found"
    assert device.get("/", REQUEST_METHOD="PUT").every("Allow") == ["GET, HEAD"]
    assert device.get("/sign-in", REQUEST_METHOD="PUT").every("Allow") == ["GET, HEAD, POST"]
    head = device.get("/", REQUEST_METHOD="HEAD")
    assert (head.status, head.body) == ("200 OK", b"")


# -- sessions that end ------------------------------------------------------------------------------------------------


def test_next_click_of_an_ended_session(app: Any) -> None:
    """Who was signed out from afar is told so at the next click, whatever it is."""
    here = Device(app, "Ada")
    for path in ACTIONS:
        there = Device(app, "Ada")
        token = there.token()
        here.act("/end", handle=here.others[0])
        answer = there.post(path, {"csrf": token, "handle": "any"})
        assert (answer.status, answer.every("Location")) == ("303 See Other", ["/"])
        assert b"the session was ended, perhaps from another device" in there.get().body


def test_session_ended_meanwhile(app: Any, store: Store) -> None:
    """If a session is ended while a request writes to it, the answer is a redirect that leaves the cookie alone."""
    device = Device(app, "Ada")
    token = device.token()
    store.meanwhile = store.delete
    answer = device.post("/end-others", {"csrf": token})
    assert (answer.status, answer.every("Location"), answer.cookies) == ("303 See Other", ["/"], [])
    assert answer.body == b""
    assert device.user is None


def test_sign_in_ended_meanwhile(app: Any, store: Store) -> None:
    """If the session goes while somebody signs in, nobody is signed in, and a second try works."""
    device = Device(app)
    token = device.token("/sign-in")
    store.meanwhile = store.delete
    assert device.post("/sign-in", {"csrf": token, "name": "Ada"}).every("Location") == ["/"]
    assert device.user is None
    device.sign_in("Ada")
    assert device.user == "Ada"


def test_store_is_chosen_by_the_environment() -> None:
    """Without an address sessions are kept in memory, with one in Redis."""
    assert type(program.make_store(None)) is MemoryStore
    assert type(program.make_store("")) is MemoryStore
    need("redis")
    assert type(program.make_store("redis://127.0.0.1:1/0")).__name__ == "RedisStore"
