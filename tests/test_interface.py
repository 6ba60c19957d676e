"""The interface is the cookie policy: each method answers for one attribute, on setting, deleting and reading."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from webob import Request, Response

from handstamp import (
    CookieTooLarge,
    NullSession,
    RejectReason,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMiddleware,
    SessionMixin,
    Settings,
    SettingsError,
)
from handstamp._token_based import TokenSessionInterface
from tests.support.constants import DAY, HOUR, KEY, MINUTE, SETTINGS, START
from tests.support.cookie_kinds import make_interface
from tests.support.site import Site
from tests.support.wsgi import TEXT, Answer, make_environ

pytestmark = pytest.mark.usefixtures("kind")


def _write(session: Any) -> None:
    session["n"] = 1


def _end(session: Any) -> None:
    session.invalidate()


def _override(method: str, answer: object) -> SecureCookieSessionInterface:
    """Return an interface of a subclass in which one method answers something else."""
    return make_interface(type("Overridden", (SecureCookieSessionInterface,), {method: lambda *_: answer}))


def _parts(answer: Answer) -> dict[str, str]:
    """Return the attributes of the one Set-Cookie line, and its name."""
    return {"name": answer.cookie.partition("=")[0], **answer.attributes}


def _differences(one: dict[str, str], other: dict[str, str]) -> dict[str, str | None]:
    return {key: other.get(key) for key in one | other if one.get(key) != other.get(key)}


# -- the policy -------------------------------------------------------------------------------------------------------

POLICY = [
    ("get_cookie_name", "other", {"name": "other"}),
    ("get_cookie_domain", "example.com", {"domain": "example.com"}),
    ("get_cookie_domain", ".example.com", {"domain": "example.com"}),
    ("get_cookie_path", "/shop", {"path": "/shop"}),
    ("get_cookie_httponly", False, {"httponly": None}),
    ("get_cookie_secure", False, {"secure": None}),
    ("get_cookie_samesite", "Strict", {"samesite": "Strict"}),
    ("get_cookie_samesite", "None", {"samesite": "None"}),
    ("get_cookie_samesite", None, {"samesite": None}),
    ("get_cookie_partitioned", True, {"partitioned": ""}),
]
each_policy = pytest.mark.parametrize(
    ("method", "answer", "expected"), POLICY, ids=[f"{method}-{answer}" for method, answer, _ in POLICY]
)


@each_policy
def test_policy_sets(method: str, answer: object, expected: dict[str, str | None]) -> None:
    """Overriding one policy method changes exactly that attribute of the cookie that is set."""
    stock = Site(scheme="https").visit(_write)
    other = Site(interface=_override(method, answer), scheme="https").visit(_write)
    assert _differences(_parts(stock), _parts(other)) == expected


@each_policy
def test_policy_deletes(method: str, answer: object, expected: dict[str, str | None]) -> None:
    """Overriding one policy method changes exactly that attribute of the line that deletes the cookie."""
    answers = []
    for interface in (None, _override(method, answer)):
        site = Site(interface=interface, scheme="https")
        token = site.visit(_write).cookie.partition(";")[0]
        answers.append(site.visit(_end, HTTP_COOKIE=token))
    assert _differences(_parts(answers[0]), _parts(answers[1])) == expected


@pytest.mark.parametrize("name", ["other", "n", "session2"])
def test_policy_reads_name(name: str) -> None:
    """The name that a policy gives is the name that is read."""
    site = Site(interface=_override("get_cookie_name", name))
    site.visit(_write)
    assert site.visit(dict).result == {"n": 1}


def test_expiration_time() -> None:
    """Overriding get_expiration_time changes exactly Expires and Max-Age."""
    end = datetime.fromtimestamp(START + HOUR, UTC)
    stock = Site().visit(_write)
    other = Site(interface=_override("get_expiration_time", end)).visit(_write)
    assert _differences(_parts(stock), _parts(other)) == {
        "expires": "Tue, 14 Nov 2023 23:13:20 GMT",
        "max-age": "3600",
    }


@pytest.mark.parametrize(("answer", "count"), [(True, 1), (False, 0)])
def test_should_set_cookie(answer: bool, count: int) -> None:
    """Overriding should_set_cookie decides whether the cookie is written."""
    site = Site()
    site.visit(_write)
    other = Site(interface=_override("should_set_cookie", answer))
    action = dict if answer else _write
    assert len(other.visit(action, HTTP_COOKIE=site.visitor.cookie_header()).cookies) == count


class PathOfScript(SecureCookieSessionInterface):
    """A policy that answers by the request."""

    def get_cookie_path(self, settings: Settings, request: Request) -> str:
        return request.script_name or "/"


def test_policy_by_request() -> None:
    """A policy method may answer differently for each request."""
    site = Site(interface=make_interface(PathOfScript))
    paths = [site.visit(_write, SCRIPT_NAME=name).attributes["path"] for name in ("/a", "/b", "")]
    assert paths == ["/a", "/b", "/"]


@pytest.mark.parametrize(
    ("method", "answer", "setting"),
    [
        ("get_cookie_path", "shop", "SESSION_COOKIE_PATH"),
        ("get_cookie_path", "/; Domain=evil.example", "SESSION_COOKIE_PATH"),
        ("get_cookie_domain", "a\r\nb", "SESSION_COOKIE_DOMAIN"),
        ("get_cookie_name", "a b", "SESSION_COOKIE_NAME"),
        ("get_cookie_samesite", "Maybe", "SESSION_COOKIE_SAMESITE"),
        ("get_cookie_partitioned", True, "SESSION_COOKIE_SECURE"),
    ],
)
def test_policy_breaks_rule(method: str, answer: object, setting: str) -> None:
    """A policy whose answer breaks a rule of cookies is an error, and no line is written."""
    with pytest.raises(SettingsError, match=setting):
        Site(interface=_override(method, answer)).visit(_write)


def test_shared_by_middlewares() -> None:
    """An interface may be shared: what it derives from a key it keeps for each settings."""
    interface = make_interface()
    one, two = Site(interface=interface), Site({"SECRET_KEY": "another key of enough bytes"}, interface=interface)
    one.visit(_write)
    two.visit(_write)
    cookie = one.visitor.cookie_header()
    assert (one.visit(dict).result, two.visit(dict).result) == ({"n": 1}, {"n": 1})
    assert two.visit(dict, HTTP_COOKIE=cookie).result == {}


# -- Secure -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "scheme", "is_secure"),
    [
        (None, "http", False),
        (None, "https", True),
        (True, "http", True),
        (True, "https", True),
        (False, "http", False),
        (False, "https", False),
    ],
)
def test_secure(setting: bool | None, scheme: str, is_secure: bool) -> None:
    """The cookie is Secure as set, else exactly if the request came by https."""
    answer = Site({"SESSION_COOKIE_SECURE": setting}, scheme=scheme).visit(_write)
    assert ("secure" in answer.attributes) is is_secure


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "handstamp" and record.levelno == logging.WARNING
    ]


def test_forwarded_proto(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy's https over the server's http is warned of once, with the cure, and does not make the cookie Secure."""
    site = Site()
    answers = [site.visit(lambda s: s.update(n=s.get("n", 0) + 1), HTTP_X_FORWARDED_PROTO="https") for _ in range(3)]
    assert all("secure" not in answer.attributes for answer in answers)
    (warning,) = _warnings(caplog)
    assert "X-Forwarded-Proto" in warning
    assert "SESSION_COOKIE_SECURE" in warning


@pytest.mark.parametrize(
    ("settings", "scheme", "header"),
    [
        ({}, "http", "http"),
        ({}, "https", "https"),
        ({"SESSION_COOKIE_SECURE": True}, "http", "https"),
        ({"SESSION_COOKIE_SECURE": False}, "http", "https"),
    ],
)
def test_forwarded_proto_is_fine(
    settings: dict[str, Any], scheme: str, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where Secure is said, or nothing is amiss, nothing is warned of."""
    Site(settings, scheme=scheme).visit(_write, HTTP_X_FORWARDED_PROTO=header)
    assert _warnings(caplog) == []


# -- how long the browser keeps it ------------------------------------------------------------------------------------


def _write_permanent(session: Any) -> None:
    session.permanent = True


def test_not_permanent() -> None:
    """A session that is not permanent goes with the browser."""
    assert {"expires", "max-age"}.isdisjoint(Site().visit(_write).attributes)


@pytest.mark.parametrize(
    ("settings", "later", "age"),
    [
        ({}, 0, 31 * DAY),
        ({"PERMANENT_SESSION_LIFETIME": HOUR}, 0, HOUR),
        ({"PERMANENT_SESSION_LIFETIME": timedelta(days=400)}, 0, 400 * DAY),
        ({"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_ABSOLUTE_LIFETIME": 2 * HOUR}, 50 * MINUTE, HOUR),
        ({"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_ABSOLUTE_LIFETIME": 80 * MINUTE}, 50 * MINUTE, 30 * MINUTE),
        ({"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_ABSOLUTE_LIFETIME": MINUTE}, 0, MINUTE),
        ({"PERMANENT_SESSION_LIFETIME": HOUR, "SESSION_ABSOLUTE_LIFETIME": MINUTE}, MINUTE, 0),
    ],
)
def test_permanent(settings: dict[str, Any], later: int, age: int) -> None:
    """Max-Age and Expires of a permanent session agree, and do not pass its absolute end."""
    site = Site(settings)
    answer = site.visit(_write_permanent)
    if later:
        site.clock.tick(later)
        answer = site.visit(_write)
    assert int(answer.attributes["max-age"]) == age
    assert parsedate_to_datetime(answer.attributes["expires"]).timestamp() == site.clock() + age


# -- an interface of one's own ----------------------------------------------------------------------------------------


class Record(dict[str, Any], SessionMixin):
    """A session that knows its id."""

    id = ""


class Records(SessionInterface):
    """Keep sessions in a dict, and only their ids in cookies."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    def open_session(self, settings: Settings, request: Request) -> SessionMixin | None:
        found = request.cookies.get(self.get_cookie_name(settings, request), "")
        record = Record(self.records.get(found, {}))
        record.id = found if found in self.records else ""
        return record

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        if session:
            session.id = session.id or f"id{len(self.records)}"
            self.records[session.id] = dict(session)
            self.set_cookie(settings, session, response, session.id)
        elif session.id:
            del self.records[session.id]
            self.delete_cookie(settings, session, response)


def test_own_interface_keeps_data() -> None:
    """An interface of one's own keeps what it likes, and set_cookie writes its cookie with the whole policy."""
    site = Site({"SESSION_COOKIE_PATH": "/", "SESSION_COOKIE_SAMESITE": "Strict"}, interface=Records())
    answer = site.visit(_write)
    assert answer.cookie == "session=id0; Path=/; HttpOnly; SameSite=Strict"
    assert site.visit(dict).result == {"n": 1}


def test_own_interface_deletes() -> None:
    """An interface of one's own deletes its cookie with the whole policy."""
    site = Site(interface=Records())
    site.visit(_write)
    answer = site.visit(_end)
    assert answer.cookie == (
        "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
    )
    assert site.visitor.jar == {}


@pytest.mark.parametrize("action", [_write, _end], ids=["set", "delete"])
def test_own_interface_tells_caches(action: Callable[[Any], object]) -> None:
    """The cookie of an interface of one's own comes with Vary and Cache-Control."""
    site = Site(interface=Records())
    site.visit(_write)
    answer = site.visit(action)
    assert (answer.every("Vary"), answer.every("Cache-Control")) == (["Cookie"], ["private"])


@pytest.mark.parametrize("id", ["id\r\nX-Evil: 1", "id; Domain=example.com", "\N{SNOWMAN}"])
def test_own_interface_breaks_value(id: str) -> None:
    """A value of an interface of one's own that would add to the header is an error, which does not show it."""

    class Careless(Records):
        def save_session(self, settings: Settings, session: Any, response: Response) -> None:
            self.set_cookie(settings, session, response, id)

    with pytest.raises(SettingsError, match="the value of the cookie 'session'") as caught:
        Site(interface=Careless()).visit(_write)
    assert id not in str(caught.value)


def test_own_interface_permanent() -> None:
    """A permanent foreign session that does not know when it was created is kept for its idle limit."""
    answer = Site({"SESSION_ABSOLUTE_LIFETIME": HOUR}, interface=Records()).visit(_write_permanent)
    assert answer.attributes["max-age"] == str(HOUR)


def test_stays_abstract() -> None:
    """Opening and saving are what an interface of one's own must bring; the error says so by its name."""

    class Half(SessionInterface):
        pass

    request = Request(make_environ())
    with pytest.raises(NotImplementedError, match="Half needs an open_session method"):
        Half().open_session(Settings(SETTINGS), request)
    with pytest.raises(NotImplementedError, match="Half needs a save_session method"):
        Half().save_session(Settings(SETTINGS), Record(), Response())


def test_token_hooks_are_named() -> None:
    """An interface with tokens that lacks a part says which one."""

    class Quarter(TokenSessionInterface):
        purpose = "test.quarter"

    with pytest.raises(NotImplementedError, match="Quarter needs a make_codec method"):
        Quarter().get_codec(Settings(SETTINGS), "session")
    with pytest.raises(NotImplementedError, match="Quarter needs a load_payload method"):
        Quarter().load_payload(Settings(SETTINGS), b"{}", START, START)
    session = SecureCookieSession(Quarter(), Settings(SETTINGS), Request(make_environ()))
    with pytest.raises(NotImplementedError, match="Quarter needs a write_session method"):
        Quarter().save_session(Settings(SETTINGS), session, Response())


class Numbered(dict[str, Any], SessionMixin):
    """A session with an id, which never changes."""


class Forgetful(SessionInterface):
    """Keep sessions under an id, and forget that renew() demands another."""

    def open_session(self, settings: Settings, request: Request) -> Numbered:
        return Numbered()

    def save_session(self, settings: Settings, session: Numbered, response: Response) -> None:
        self.set_cookie(settings, session, response, "id-7")


@pytest.mark.parametrize("cookie", ["session=id-7", "a=b; session=x; session=id-7"])
def test_warns_of_an_id_that_stays(cookie: str, caplog: pytest.LogCaptureFixture) -> None:
    """An interface that renews a session under the cookie that it had is warned of once, without the cookie."""
    site = Site(interface=Forgetful())
    for _ in range(2):
        assert site.visit(lambda session: session.renew(), HTTP_COOKIE=cookie).token == "id-7"
    (warning,) = _warnings(caplog)
    assert "override renew() in the session's class, and take a new id there" in warning
    assert "id-7" not in warning


@pytest.mark.parametrize(
    ("action", "cookie"),
    [(dict, "session=id-7"), (lambda session: session.renew(), "session=id-8"), (lambda session: session.renew(), "")],
)
def test_no_warning_of_an_id(action: Any, cookie: str, caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody renews, or the cookie gets another value, there is nothing to say."""
    Site(interface=Forgetful()).visit(action, HTTP_COOKIE=cookie)
    assert _warnings(caplog) == []


def test_renewed_token_is_no_id(caplog: pytest.LogCaptureFixture) -> None:
    """A token of ours that comes out the same within one second, and opens nothing on a server, is not warned of."""
    site = Site()
    site.visit(_write)
    site.visit(lambda session: session.renew())
    assert _warnings(caplog) == []


# -- the null session -------------------------------------------------------------------------------------------------


def test_makes_null_session() -> None:
    """The null session is made of null_session_class, and knows the settings."""

    class Missing(NullSession):
        pass

    interface = SessionInterface()
    interface.null_session_class = Missing
    made = interface.make_null_session(Settings({"APP_SECRET_KEY": KEY}))
    assert type(made) is Missing
    with pytest.raises(RuntimeError, match="'APP_SECRET_KEY'"):
        made.clear()


@pytest.mark.parametrize(("obj", "expected"), [(NullSession(), True), (Record(), False), ({}, False), (None, False)])
def test_knows_null_session(obj: object, expected: bool) -> None:
    """A null session is told from any other object."""
    assert SessionInterface().is_null_session(obj) is expected


# -- hooks and clock --------------------------------------------------------------------------------------------------


def test_clock_asks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one clock asks ``time.time()`` at each call, so that tools that patch it work."""
    interface = SessionInterface()
    monkeypatch.setattr("time.time", iter([1.5, 2.5]).__next__)
    assert [interface.now(), interface.now()] == [1.5, 2.5]


def test_accepts_by_default() -> None:
    """By default no session is revoked."""
    assert SessionInterface().validate_session(Settings(SETTINGS), Record()) is True


@pytest.mark.parametrize("reason", RejectReason)
def test_logs_refusal(reason: RejectReason, caplog: pytest.LogCaptureFixture) -> None:
    """A refused cookie is logged to ``handstamp`` at INFO, with the reason."""
    caplog.set_level(logging.INFO, "handstamp")
    SessionInterface().cookie_rejected(Settings(SETTINGS), Request(make_environ()), reason)
    assert caplog.record_tuples == [("handstamp", logging.INFO, f"session cookie rejected: {reason.value}")]


# -- Vary and Cache-Control -------------------------------------------------------------------------------------------


def _nothing(session: Any) -> None:
    pass


VARY: list[tuple[str, Callable[[Any], object], bool, list[str], list[str], int]] = [
    ("untouched", _nothing, False, [], [], 0),
    ("asked for accessed", lambda s: s.accessed, False, [], [], 0),
    ("asked for modified", lambda s: s.modified, False, [], [], 0),
    ("repr", repr, False, [], [], 0),
    ("get", lambda s: s.get("n"), False, ["Cookie"], ["private"], 0),
    ("in", lambda s: "n" in s, False, ["Cookie"], ["private"], 0),
    ("len", len, False, ["Cookie"], ["private"], 0),
    ("bool", bool, False, ["Cookie"], ["private"], 0),
    ("list", list, False, ["Cookie"], ["private"], 0),
    ("==", lambda s: s == {}, False, ["Cookie"], ["private"], 0),
    ("new", lambda s: s.new, False, ["Cookie"], ["private"], 0),
    ("created", lambda s: s.created, False, ["Cookie"], ["private"], 0),
    ("permanent", lambda s: s.permanent, False, ["Cookie"], ["private"], 0),
    ("modified", lambda s: s.update(n=2), False, ["Cookie"], ["private"], 1),
    ("renewed", lambda s: s.renew(), False, ["Cookie"], ["private"], 1),
    ("refreshed", lambda s: s.get("n"), True, ["Cookie"], ["private"], 1),
    ("old but untouched", _nothing, True, [], [], 0),
    ("deleted", _end, False, ["Cookie"], ["private"], 1),
    ("cleared", lambda s: s.clear(), False, ["Cookie"], ["private"], 1),
    ("discarded", lambda s: setattr(s, "modified", False), False, [], [], 0),
    ("changed and discarded", lambda s: (s.clear(), setattr(s, "modified", False)), False, ["Cookie"], ["private"], 0),
    ("forced", lambda s: setattr(s, "modified", True), False, ["Cookie"], ["private"], 1),
]


@pytest.mark.parametrize(
    ("action", "is_old", "vary", "cache_control", "cookies"), [row[1:] for row in VARY], ids=[r[0] for r in VARY]
)
def test_tells_caches(
    action: Callable[[Any], object], is_old: bool, vary: list[str], cache_control: list[str], cookies: int
) -> None:
    """Vary is said exactly if the session was touched, and private if that found one or sets the cookie."""
    site = Site()
    site.visit(_write)
    site.clock.tick(2 * DAY if is_old else 0)
    answer = site.visit(action)
    assert (answer.every("Vary"), answer.every("Cache-Control")) == (vary, cache_control)
    assert len(answer.cookies) == cookies


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("Vary", "Accept")], ["Accept, Cookie"]),
        ([("vary", "accept, cookie")], ["accept, cookie"]),
        ([("Vary", "*")], ["*"]),
        ([("Vary", "Accept"), ("Vary", "Origin")], ["Accept", "Origin, Cookie"]),
        ([], ["Cookie"]),
    ],
    ids=str,
)
def test_merges_vary(said: list[tuple[str, str]], expected: list[str]) -> None:
    """Vary is merged with what the application says, never said twice, and ``*`` says it all."""
    assert Site(headers=TEXT + said).visit(_write).every("Vary") == expected


@pytest.mark.parametrize("said", ["no-store", "private, max-age=60", 'Private, no-cache="X-Field"'])
def test_leaves_cache_control(said: str, caplog: pytest.LogCaptureFixture) -> None:
    """What the application says about caching stays, if it keeps shared caches from storing the cookie."""
    assert Site(headers=[*TEXT, ("Cache-Control", said)]).visit(_write).every("Cache-Control") == [said]
    assert _warnings(caplog) == []


def _count(session: Any) -> None:
    session["n"] = session.get("n", 0) + 1


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("public", "private"),
        ("public, max-age=60", "max-age=60, private"),
        ("s-maxage=600", "private"),
        ("Max-Age=1, S-MaxAge=2", "Max-Age=1, private"),
        ("max-age=60", "max-age=60, private"),
        ("no-cache", "no-cache, private"),
    ],
)
def test_cookie_is_private(said: str, sent: str, caplog: pytest.LogCaptureFixture) -> None:
    """A response with our cookie is private, whatever the application says, and that is warned of once."""
    site = Site(headers=[*TEXT, ("Cache-Control", said)])
    assert [site.visit(_count).every("Cache-Control") for _ in range(3)] == [[sent]] * 3
    (warning,) = _warnings(caplog)
    assert f"'Cache-Control: {said}'" in warning
    assert f"it now says '{sent}'" in warning


def test_cookie_is_kept_from_cdns(caplog: pytest.LogCaptureFixture) -> None:
    """A field that lets CDNs store the response with our cookie is taken out, and that is warned of once."""
    site = Site(headers=[*TEXT, ("CDN-Cache-Control", "max-age=60"), ("Cache-Control", "private")])
    answers = [site.visit(_count) for _ in range(2)]
    assert [answer.every("CDN-Cache-Control") for answer in answers] == [[], []]
    assert [answer.every("Cache-Control") for answer in answers] == [["private"]] * 2
    assert len(_warnings(caplog)) == 1


def test_warns_once_whatever_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """An application that says something else each time is warned of once all the same, and nothing is kept of it."""
    site = Site()
    for age in range(20):
        site.headers = [*TEXT, ("Cache-Control", f"public, max-age={age}")]
        assert site.visit(_count).every("Cache-Control") == [f"max-age={age}, private"]
    assert len(_warnings(caplog)) == 1


class OwnCaching(SecureCookieSessionInterface):
    """An interface that has its own answer, and tells what it was asked."""

    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str | None, bool]] = []

    def get_cache_control(
        self, settings: Settings, request: Request, session: Any, cache_control: str | None, *, sets_cookie: bool
    ) -> str | None:
        self.asked.append((cache_control, sets_cookie))
        return self.answer


@pytest.mark.parametrize("answer", [None, "public, max-age=60", "private"])
@pytest.mark.parametrize("said", [[], [("Cache-Control", "max-age=1"), ("cache-control", "public")]], ids=["no", "yes"])
def test_own_cache_control(said: list[tuple[str, str]], answer: str | None) -> None:
    """An interface of one's own may overrule what caches are told, with our cookie and without."""
    interface = OwnCaching(answer)
    site = Site(interface=interface, headers=TEXT + said)
    answers = [site.visit(action).every("Cache-Control") for action in (_write, dict)]
    assert answers == [[] if answer is None else [answer]] * 2
    own = "max-age=1, public" if said else None
    assert interface.asked == [(own, True), (own, False)]


def test_public_without_cookie(caplog: pytest.LogCaptureFixture) -> None:
    """A public response that only reads the session is no reason for a warning."""
    Site(headers=[*TEXT, ("Cache-Control", "public")]).visit(dict)
    assert _warnings(caplog) == []


def test_own_cookie_of_our_name(caplog: pytest.LogCaptureFixture) -> None:
    """A Set-Cookie of our name that the application made stays, before ours, and is warned of once."""
    site = Site(headers=[*TEXT, ("Set-Cookie", "session=mine; Path=/x")])
    answers = [site.visit(lambda s: s.update(n=s.get("n", 0) + 1)) for _ in range(3)]
    assert all(answer.cookies[0] == "session=mine; Path=/x" and len(answer.cookies) == 2 for answer in answers)
    (warning,) = _warnings(caplog)
    assert "a cookie of its own with the session cookie's name" in warning


def test_own_cookies_of_other_names(caplog: pytest.LogCaptureFixture) -> None:
    """Other cookies of the application stay, in their order, and are no reason for a warning."""
    lines = ["sessions=1", "Session=2", "a=session=3"]
    answer = Site(headers=[*TEXT, *(("Set-Cookie", line) for line in lines)]).visit(_write)
    assert answer.cookies[:-1] == lines
    assert _warnings(caplog) == []


# -- size -------------------------------------------------------------------------------------------------------------


def _set(value: str, name: str = "session", session: Any = None) -> Response:
    """Set a cookie as an interface of one's own does."""
    response = Response(headerlist=list(TEXT), app_iter=())
    response.request = Request(make_environ())
    settings = Settings({**SETTINGS, "SESSION_COOKIE_NAME": name, "SESSION_COOKIE_SECURE": True})
    SessionInterface().set_cookie(settings, Record() if session is None else session, response, value)
    return response


@pytest.mark.parametrize("name", ["s", "session", "__Http-session"])
def test_biggest_cookie(name: str) -> None:
    """A cookie of exactly 4096 bytes of name and value is written."""
    value = "x" * (4096 - len(name))
    assert _set(value, name).headers["Set-Cookie"].startswith(f"{name}={value};")


@pytest.mark.parametrize("name", ["s", "session", "__Http-session"])
def test_cookie_too_large(name: str) -> None:
    """A cookie of 4097 bytes is an error that tells both figures."""
    with pytest.raises(CookieTooLarge, match=r"4097 bytes of cookie, 4096 are allowed"):
        _set("x" * (4097 - len(name)), name)


def test_too_large_names_biggest() -> None:
    """The error names the biggest keys, the biggest first, and none of their data."""
    session = Record(small=1, huge="h" * 3000, medium=["m" * 500], tiny=None, large="l" * 900)
    with pytest.raises(CookieTooLarge) as caught:
        _set("x" * 4097, session=session)
    message = str(caught.value)
    assert "the biggest keys: 'huge' (about 3002), 'large' (about 902), 'medium' (about 504);" in message
    assert "hhh" not in message


# -- at the start -----------------------------------------------------------------------------------------------------


def _start(interface: SessionInterface | None = None, **settings: Any) -> None:
    SessionMiddleware(lambda *_: [], {"SECRET_KEY": KEY, **settings}, session_interface=interface)


@pytest.mark.parametrize("name", ["shop.example.com", ".shop.example.com", "shop.example.com:8000"])
def test_warns_of_server_name(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """SERVER_NAME widens the cookie to every subdomain: said once, when the middleware is made, with both cures."""
    site = Site({"SERVER_NAME": name})
    for _ in range(2):
        answer = site.visit(lambda s: s.update(n=s.get("n", 0) + 1), HTTP_HOST="shop.example.com")
        assert answer.attributes["domain"] == "shop.example.com"
    (warning,) = _warnings(caplog)
    assert warning.startswith(
        "SERVER_NAME gives the session cookie Domain=shop.example.com, so every subdomain gets it"
    )
    assert "set SESSION_COOKIE_DOMAIN to False for the request's own host only, or to 'shop.example.com'" in warning


@pytest.mark.parametrize(
    "settings",
    [
        {"SERVER_NAME": None},
        {"SESSION_COOKIE_DOMAIN": False},
        {"SESSION_COOKIE_DOMAIN": "shop.example.com"},
        {"SERVER_NAME": "localhost:8000"},
        {"SERVER_NAME": "127.0.0.1"},
        {"SESSION_COOKIE_NAME": "__Host-id", "SESSION_COOKIE_SECURE": True},
    ],
)
def test_no_warning_of_server_name(settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Each cure works, and where SERVER_NAME widens nothing there is nothing to say."""
    _start(**{"SERVER_NAME": "shop.example.com", **settings})
    assert _warnings(caplog) == []


def test_no_warning_of_another_domain(caplog: pytest.LogCaptureFixture) -> None:
    """Where a subclass answers for the Domain, SERVER_NAME has no part in it."""
    _start(_override("get_cookie_domain", None), SERVER_NAME="shop.example.com")
    assert _warnings(caplog) == []


def test_interface_checks_settings() -> None:
    """An interface may reject settings that it cannot keep, before the first request."""

    class Short(SecureCookieSessionInterface):
        def check_settings(self, settings: Settings) -> None:
            if settings["SESSION_ABSOLUTE_LIFETIME"] is None:
                raise SettingsError("SESSION_ABSOLUTE_LIFETIME: is not set; set it")

    _start(make_interface(Short), SESSION_ABSOLUTE_LIFETIME=HOUR)
    with pytest.raises(SettingsError, match="is not set; set it"):
        _start(make_interface(Short))
