"""Moving in: the real old library makes the cookie, handstamp reads it once and goes on."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import random
import re
import textwrap
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID
from wsgiref.types import WSGIEnvironment

import docutils.core
import flask
import pytest
import webob.cookies
from beside_beaker import move_from_beaker
from docutils import nodes
from from_beaker import BeakerOnce
from from_django import DjangoOnce
from from_flask import FlaskOnce
from from_pyramid import PyramidOnce
from from_secure_cookie import SecureCookieOnce
from markupsafe import Markup
from read_once import name_cookie
from shared_with_flask import SharedWithFlask

from handstamp import (
    CookieTooLarge,
    RejectReason,
    SecureCookieSessionInterface,
    SessionMiddleware,
    SettingsError,
    payload,
)
from handstamp._settings import DEFAULTS
from handstamp.encrypted import EncryptedCookieSessionInterface
from handstamp.testing import FrozenClock
from tests.support.constants import DAY, KEY
from tests.support.cookie_kinds import unsign
from tests.support.old_libraries import (
    OLD_KEY,
    OLDS,
    Old,
    beaker_app,
    beaker_forge,
    beaker_line,
    django_line,
    flask_line,
    pyramid_forge,
    pyramid_line,
    secure_cookie_line,
)
from tests.support.paths import EXAMPLES
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wsgi import TEXT, Answer

# The old libraries' own warnings are not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

README = (EXAMPLES / "README.rst").read_text(encoding="utf-8")
MOVING_IN = README.partition("\nMoving in\n---------\n")[2].partition("\nRecipes\n-------\n")[0]

DATA: dict[str, Any] = {"user": 7, "basket": ["tea", {"jam": 2}], "name": "Zoë"}


def _now() -> int:
    return int(time.time())


@pytest.fixture(params=OLDS.values(), ids=list(OLDS))
def old(request: pytest.FixtureRequest) -> Old:
    """Run a test for each old library."""
    library: Old = request.param
    return library


def move(interface: SecureCookieSessionInterface, *lines: str, **settings: Any) -> Site:
    """Open our site to a visitor who carries old cookies."""
    site = Site({"SESSION_COOKIE_NAME": "stamp", **settings}, interface, clock=FrozenClock(time.time()))
    for line in lines:
        site.visitor.store(line)
    return site


def carry(site: Site, value: str) -> Answer:
    """Visit with one value of the old cookie's name, and see what the session holds."""
    interface: Any = site.interface
    return site.visit(dict, HTTP_COOKIE=f"{interface.old_cookie.name}={value}")


def value_of(line: str) -> str:
    """Return the value in a Set-Cookie line."""
    return line.partition(";")[0].partition("=")[2]


def names_in(jar: Mapping[tuple[str, str, str], Any]) -> set[str]:
    """Return the names of the cookies in a browser's jar."""
    return {name for name, _, _ in jar}


# -- reading once -----------------------------------------------------------------------------------------------------


def without_marks(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session's data without the mark of permanence."""
    return {key: value for key, value in session.items() if key != "_permanent"}


def test_nobody_is_logged_out(old: Old) -> None:
    """A session that the old library made is there at the first visit."""
    site = move(old.once(OLD_KEY), old.line(DATA))
    assert without_marks(site.visit(dict).result) == DATA
    assert not site.visit(lambda session: session.new).result


def test_issued_in_ours_and_old_deleted(old: Old) -> None:
    """A look is enough: ours is set, the old one is deleted, and from then on ours alone is sent, unchanged."""
    site = move(old.once(OLD_KEY), old.line(DATA))
    assert len(site.visit(lambda session: session.get("user")).cookies) == 2
    assert names_in(site.visitor.jar) == {"stamp"}
    again = site.visit(dict)
    assert without_marks(again.result) == DATA
    assert again.cookies == []


def test_too_large_for_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Where ours has no room a look sets and deletes nothing, so that nobody is logged out; a write is an error."""
    noise = random.Random(7).randbytes(2618).hex()
    site = move(FlaskOnce(OLD_KEY), flask_line({"noise": noise}))
    for _ in range(2):
        answer = site.visit(dict)
        assert (answer.result, answer.cookies) == ({"noise": noise}, [])
    assert caplog.text.count("too large") == 1
    with pytest.raises(CookieTooLarge):
        site.visit(lambda session: session.update(user=7))


def test_untouched_stays_old(old: Old) -> None:
    """A visit that does not look into the session neither reads the old cookie nor answers with one."""
    site = move(old.once(OLD_KEY), old.line(DATA))
    assert site.visit(lambda session: None).cookies == []
    assert "stamp" not in names_in(site.visitor.jar)


def test_nested_change_at_first_visit(old: Old) -> None:
    """The first visit may change what the old cookie held."""
    site = move(old.once(OLD_KEY), old.line(DATA))
    site.visit(lambda session: session["basket"].append("honey"))
    assert site.visit(lambda session: session["basket"]).result == ["tea", {"jam": 2}, "honey"]


def test_same_name(old: Old) -> None:
    """Under the old name, ours takes the old cookie's place: one cookie is set, and none is deleted."""
    interface = old.once(OLD_KEY)
    site = move(interface, old.line(DATA), SESSION_COOKIE_NAME=interface.old_cookie.name)
    answer = site.visit(dict)
    assert without_marks(answer.result) == DATA
    assert "Max-Age=0" not in answer.cookie
    assert unstamp_any(site, answer.token)["user"] == 7
    assert site.visit(dict).cookies == []


def unstamp_any(site: Site, token: str) -> dict[str, Any]:
    """Open a token of ours under the name that the site gives it."""
    return payload.loads(unsign(token, KEY, name=site.middleware.settings["SESSION_COOKIE_NAME"]))


def test_same_name_other_domain(old: Old) -> None:
    """Under the old name at another Domain, the old cookie is deleted there, lest it come back after signing out."""
    name = old.once.old_cookie.name
    interface = old.once(OLD_KEY, old_cookie=name_cookie(name)._replace(domain=".example.com"))
    site = move(interface, old.line(DATA) + "; Domain=example.com", SESSION_COOKIE_NAME=name)
    assert without_marks(site.visit(dict).result) == DATA
    site.visit(lambda session: session.invalidate())
    assert site.visit(dict).result == {}


def test_renamed_and_moved(old: Old) -> None:
    """An old cookie of another name and path is read, and deleted where it was set."""
    line = old.line(DATA)
    policy = name_cookie("legacy")._replace(path="/shop")
    site = move(old.once(OLD_KEY, old_cookie=policy), f"legacy={value_of(line)}; Path=/shop")
    assert without_marks(site.visit(dict, path="/shop").result) == DATA
    assert names_in(site.visitor.jar) == {"stamp"}


def test_who_has_no_old_cookie(old: Old) -> None:
    """A visitor without an old cookie is served as ever: one cookie is set, and none is deleted."""
    site = move(old.once(OLD_KEY))
    assert site.visit(dict).cookies == []
    assert site.visit(lambda session: session.update(user=8)).cookie.startswith("stamp=")
    assert site.visit(dict).result == {"user": 8}


def test_fallback_keys(old: Old) -> None:
    """Each of several old keys opens."""
    site = move(old.once("another key, newer", OLD_KEY), old.line(DATA))
    assert without_marks(site.visit(dict).result) == DATA


def test_ours_wins(old: Old) -> None:
    """Where there is a good cookie of ours, the old one is not looked at."""
    site = move(old.once(OLD_KEY))
    site.visit(lambda session: session.update(user=8))
    site.visitor.store(old.line(DATA))
    assert without_marks(site.visit(dict).result) == {"user": 8}


def test_encrypted(old: Old) -> None:
    """An old session may go on in an encrypted cookie."""
    encrypted = EncryptedCookieSessionInterface
    own = {"purpose": encrypted.purpose, "make_codec": encrypted.make_codec}
    moving: Any = type("Moving", (old.once,), own)
    site = move(moving(OLD_KEY), old.line(DATA))
    assert without_marks(site.visit(dict).result) == DATA
    assert "." not in next(crumb.value for (name, _, _), crumb in site.visitor.jar.items() if name == "stamp")
    assert without_marks(site.visit(dict).result) == DATA


def test_empty_key() -> None:
    """No old key, or an empty one, is an error at the start."""
    for keys in ((), ("",), (OLD_KEY, "")):
        with pytest.raises(ValueError, match="old key"):
            FlaskOnce(*keys)


def test_policy_is_checked() -> None:
    """An old cookie that could not be deleted is an error at the start."""
    with pytest.raises(SettingsError, match="__Host-id"):
        FlaskOnce(OLD_KEY, old_cookie=name_cookie("__Host-id"))


# -- signing out, and limits ------------------------------------------------------------------------------------------


def end(session: Any) -> None:
    session.invalidate()


def end_and_go_on(session: Any) -> None:
    session.invalidate()
    session["notice"] = "You are signed out."


@pytest.mark.parametrize("keep_old", [False, True])
@pytest.mark.parametrize("action", [end, end_and_go_on])
def test_signed_out_stays_out(old: Old, keep_old: bool, action: Callable[[Any], None]) -> None:
    """Who signs out, at the first visit or later, is not brought back by the old cookie."""
    for visits in (0, 1):
        site = move(old.once(OLD_KEY, keep_old=keep_old), old.line(DATA))
        for _ in range(visits):
            assert site.visit(lambda session: session["user"]).result == 7
        site.visit(action)
        assert old.once.old_cookie.name not in names_in(site.visitor.jar)
        site.visit(lambda session: session.clear())
        assert site.visit(dict).result == {}
        assert site.visitor.jar == {}


def test_keep_old(old: Old) -> None:
    """With ``keep_old`` the old cookie stays for those who still read it."""
    line = old.line(DATA)
    site = move(old.once(OLD_KEY, keep_old=True), line)
    site.visit(dict)
    assert value_of(line) in site.visitor.cookie_header()
    assert "stamp=" in site.visitor.cookie_header()


@pytest.mark.parametrize("name", [name for name, old in OLDS.items() if old.dated])
def test_idle_limit(name: str) -> None:
    """The idle limit is counted from the time that the old cookie says."""
    old = OLDS[name]
    limits = {"SESSION_IDLE_LIFETIME": 1200, "PERMANENT_SESSION_LIFETIME": 1200}
    for wait, expected in ((1190, DATA), (1210, {})):
        site = move(old.once(OLD_KEY), old.line(DATA), **limits)
        site.clock.tick(wait)
        assert without_marks(site.visit(dict).result) == expected


def test_from_the_future(old: Old) -> None:
    """An old cookie from a time that is yet to come is refused, unless it says no time."""
    site = move(old.once(OLD_KEY), old.line(DATA))
    site.clock.tick(-1000)
    assert without_marks(site.visit(dict).result) == ({} if old.dated else DATA)


@pytest.mark.parametrize("name", ["beaker", "pyramid"])
def test_created_is_kept(name: str) -> None:
    """A library that says when a session began is believed: the absolute limit goes on from there."""
    old = OLDS[name]
    began, now = _now() - 5000, _now()
    held = '{"_accessed_time":%d.5,"_creation_time":%d.5,"user":7}' if name == "beaker" else '[%d.5,%d.5,{"user":7}]'
    value = old.forge(held % (now, began))
    assert carry(move(old.once(OLD_KEY)), value).result == {"user": 7}
    site = move(old.once(OLD_KEY))
    cookie = f"{old.once.old_cookie.name}={value}"
    created = site.visit(lambda session: session.created, HTTP_COOKIE=cookie).result
    assert created == datetime.fromtimestamp(began, UTC)
    assert carry(move(old.once(OLD_KEY), SESSION_ABSOLUTE_LIFETIME=4000), value).result == {}


def test_validate_session(old: Old) -> None:
    """``validate_session`` is asked about an old session too, and one that it refuses leaves nothing behind."""
    refused: list[RejectReason] = []

    class Strict(old.once):  # type: ignore[name-defined,misc]  # known at run time only
        def validate_session(self, settings: Any, session: Any) -> bool:
            return bool(session.get("user") != 7)

        def cookie_rejected(self, settings: Any, request: Any, reason: RejectReason) -> None:
            refused.append(reason)

    site = move(Strict(OLD_KEY), old.line(DATA))
    assert site.visit(lambda session: (dict(session), session.new)).result == ({}, True)
    assert refused == [RejectReason.REVOKED]


def test_the_newest_wins() -> None:
    """Of several old cookies the good one that was issued last wins, wherever it stands."""
    newer, older = _now(), _now() - 100
    values = [pyramid_forge(f'[{at},{at},{{"at":{at}}}]') for at in (older, newer)]
    for order in (values, values[::-1]):
        cookie = "; ".join(f"session={value}" for value in ["junk", *order])
        assert move(PyramidOnce(OLD_KEY)).visit(dict, HTTP_COOKIE=cookie).result == {"at": newer}


# -- hostile cookies --------------------------------------------------------------------------------------------------


def test_every_character_changed(old: Old) -> None:
    """An old cookie with any character changed is an empty session."""
    value = value_of(old.line({"user": 7}))
    site = move(old.once(OLD_KEY))
    assert without_marks(carry(site, value).result) == {"user": 7}
    for index in range(len(value) - 1):  # the last one may hold bits that nothing reads
        other = "B" if value[index] != "B" else "C"
        assert carry(site, value[:index] + other + value[index + 1 :]).result == {}


def test_every_truncation(old: Old) -> None:
    """An old cookie that was cut is an empty session."""
    value = value_of(old.line({"user": 7})).rstrip("=")
    site = move(old.once(OLD_KEY))
    assert [carry(site, value[:size]).result for size in range(len(value))] == [{}] * len(value)


@pytest.mark.parametrize(
    "value", ["", '"', "?", ".", "..", ":", "::", "=", "a?b=c", "A" * 200, "A" * 5000, "\xff", "%"]
)
def test_junk(old: Old, value: str) -> None:
    """Junk under the old name is an empty session, and whatever is written then takes its place."""
    site = move(old.once(OLD_KEY))
    assert carry(site, value).result == {}


def test_repeated(old: Old) -> None:
    """An old cookie that a header repeats is read once, and of many different ones eight are."""
    value = value_of(old.line(DATA))
    name = old.once.old_cookie.name
    site = move(old.once(OLD_KEY))
    interface: Any = site.interface
    with mock.patch.object(interface, "read_old", wraps=interface.read_old) as read:
        site.visit(dict, HTTP_COOKIE="; ".join([f"{name}={value}"] * 500))
        assert read.call_count == 1
        values = [value_of(old.line({"n": number})) for number in range(12)]
        read.reset_mock()
        site.visit(dict, HTTP_COOKIE="; ".join(f"{name}={value}" for value in values))
        assert read.call_count == 8


def test_another_key(old: Old) -> None:
    """An old cookie of another key is an empty session, and the reason is told."""
    site = move(old.once("the key of somebody else"), old.line(DATA))
    with mock.patch.object(site.interface, "cookie_rejected") as rejected:
        assert site.visit(dict).result == {}
    assert [call.args[-1] for call in rejected.call_args_list] == [RejectReason.BAD_SIGNATURE]


JUNK = {
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "no JSON": "{",
    "NaN": '{"x":NaN}',
    "infinity": '{"x":1e999}',
    "a lone surrogate": '{"x":"\\ud800"}',
    "too deep": '{"x":' + "[" * 150 + "]" * 150 + "}",
    "very deep": '{"x":' + "[" * 3000,
    "a bomb of blanks": '{"x":1}' + " " * 2_000_000,
    "a bomb": '{"x":"' + "x" * 2_000_000 + '"}',
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("framed", [False, True])
def test_signed_junk(old: Old, junk: str, framed: bool) -> None:
    """Junk that the old key really signed is an empty session, or at worst one that can be written: never an error."""
    text = old.frame.replace("NOW", str(_now())).replace("DATA", junk) if framed else junk
    site = move(old.once(OLD_KEY))
    found = without_marks(carry(site, old.forge(text)).result)
    assert found in ({}, {"key": []}, {"key": 1}, {"key": None})
    assert carry(site, old.forge(text)).status == "200 OK"


@pytest.mark.parametrize("times", ["NaN,1", "1,NaN", "1e999,1", "-1e9,1", '"x",1', "null,1", "9e99,1", "NOW,[]"])
def test_signed_times(times: str) -> None:
    """Times that are none make an empty session."""
    renewed, created = times.replace("NOW", str(_now())).split(",")
    beaker = f'{{"_accessed_time":{renewed},"_creation_time":{created},"user":7}}'
    assert carry(move(BeakerOnce(OLD_KEY)), beaker_forge(beaker)).result == {}
    assert carry(move(PyramidOnce(OLD_KEY)), pyramid_forge(f'[{renewed},{created},{{"user":7}}]')).result == {}


@pytest.mark.parametrize(("created", "expected"), [("-5", 0), ("9e15", None)])
def test_impossible_beginnings(created: str, expected: int | None) -> None:
    """A beginning before 1970, or after the cookie was issued, is moved to where there is one; the session goes on."""
    now = _now()
    site = move(PyramidOnce(OLD_KEY))
    seen = site.visit(
        lambda s: s.created.timestamp(), HTTP_COOKIE=f"session={pyramid_forge(f'[{now},{created},{{}}]')}"
    ).result
    assert seen == (now if expected is None else expected)


def test_reserved_keys(old: Old) -> None:
    """A key that handstamp keeps for itself is not taken over from the old session."""
    site = move(old.once(OLD_KEY), old.line({"user": 7, "_created": "yesterday"}))
    assert without_marks(site.visit(dict).result) == {"user": 7}
    assert without_marks(site.visit(dict).result) == {"user": 7}


tripped: list[int] = []


def trip() -> str:
    """Be called by nothing that reads data only."""
    tripped.append(1)
    return "tripped"


class Trap:
    """What runs code when its pickle is read."""

    def __reduce__(self) -> tuple[Callable[[], str], tuple[()]]:
        return trip, ()


class Pickling:
    """The serializer that was Pyramid's before 2.0."""

    loads = staticmethod(pickle.loads)
    dumps = staticmethod(pickle.dumps)


def pickled_by_secure_cookie() -> str:
    """Have secure-cookie pickle, as it did before 0.1."""
    from tests.benchmarks.peers import import_secure_cookie

    class Cookie(import_secure_cookie().SecureCookie):  # type: ignore[misc]  # known at run time only
        serialization_method = pickle

    return f"session={Cookie({'trap': Trap()}, OLD_KEY).serialize().decode()}"


PICKLED = {
    "beaker": lambda: beaker_line({"trap": Trap()}, data_serializer="pickle"),
    "pyramid": lambda: pyramid_line({"trap": Trap()}, serializer=Pickling()),
    "secure-cookie": pickled_by_secure_cookie,
}


@pytest.mark.parametrize("name", PICKLED)
def test_no_pickle_is_read(name: str) -> None:
    """A pickle that the old key signed is an empty session, and what it would run is not run."""
    line = PICKLED[name]()
    tripped.clear()
    assert carry(move(OLDS[name].once(OLD_KEY)), value_of(line)).result == {}
    assert tripped == []
    pickle.loads(pickle.dumps(Trap()))
    assert tripped == [1]


# -- Flask ------------------------------------------------------------------------------------------------------------

TYPES: dict[str, Any] = {
    "tuple": (1, [2]),
    "bytes": b"\0\xff",
    "uuid": UUID(int=7),
    "at": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    "dict": {" t": [1]},
    "nested": {"empty": {}, "items": [(1,), {"x": b"y"}]},
}


def test_flask_types() -> None:
    """Every type that Flask tags comes back, and Markup as the text that it is."""
    site = move(FlaskOnce(OLD_KEY), flask_line({**TYPES, "markup": Markup("<b>")}))
    found = site.visit(dict).result
    assert found == {**TYPES, "markup": "<b>"}
    assert type(found["markup"]) is str
    assert site.visit(dict).result == found


@pytest.mark.parametrize("permanent", [False, True])
def test_flask_permanent(permanent: bool) -> None:
    """A Flask session that outlived the browser still does, and no other."""
    site = move(FlaskOnce(OLD_KEY), flask_line({"user": 7, "_permanent": permanent}))
    assert site.visit(lambda session: session.permanent).result is permanent
    site.visitor.close()
    assert bool(site.visitor.jar) is permanent


def flask_visits() -> flask.Flask:
    """Make a Flask application that counts visits."""
    app = flask.Flask("visits")
    app.config.update(SECRET_KEY=KEY, SESSION_COOKIE_NAME="shared")

    @app.get("/")
    def count() -> str:
        flask.session["visits"] = flask.session.get("visits", 0) + 1
        return str(flask.session["visits"])

    @app.get("/out")
    def out() -> str:
        flask.session.clear()
        return "out"

    return app


def count(environ: WSGIEnvironment, start_response: Any) -> list[bytes]:
    """Count visits, as the README's first program does."""
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session["visits"]).encode()]


def show(environ: WSGIEnvironment, start_response: Any) -> list[bytes]:
    """Answer with the session's user, and let ``/out`` end the session."""
    session = environ["session"]
    if environ["PATH_INFO"] == "/out":
        session.invalidate()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session.get("user")).encode()]


def blocks() -> list[str]:
    """Return the Python blocks of the section, in their order."""
    found = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", MOVING_IN, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def block_with(words: str) -> str:
    """Return the one block that holds these words."""
    (block,) = [block for block in blocks() if words in block]
    return block


def test_shared_with_flask() -> None:
    """One cookie goes back and forth between a Flask application and ours, under Flask's own configuration."""
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    flask_app = flask_visits()
    names: dict[str, Any] = {"app": count, "flask_app": flask_app}
    exec(block_with("SharedWithFlask"), names)
    browser = Visitor(DispatcherMiddleware(flask_app, {"/ours": names["app"]}))
    answers = [browser.get(path) for path in ("/", "/ours", "/ours", "/", "/ours")]
    assert [answer.body for answer in answers] == [b"1", b"2", b"3", b"4", b"5"]
    assert names_in(browser.jar) == {"shared"}
    browser.get("/out")
    assert browser.get("/ours").body == b"1"


def test_shared_types() -> None:
    """Both sides see the same types."""
    line = flask_line({**TYPES, "markup": Markup("<b>")}, KEY)
    site = move(SharedWithFlask(), line, SESSION_COOKIE_NAME="session")
    assert site.visit(dict).result == {**TYPES, "markup": Markup("<b>")}


def test_created_of_a_shared_session() -> None:
    """A session that was shared with Flask before keeps its beginning when Flask goes."""
    began = _now() - 5000
    site = move(FlaskOnce(KEY), flask_line({"user": 7, "_created": began}, KEY))
    assert site.visit(lambda session: session.created).result == datetime.fromtimestamp(began, UTC)


# -- Beaker -----------------------------------------------------------------------------------------------------------


class DatedBrowser(Visitor):
    """A browser that looks at Expires, by which alone Beaker deletes."""

    def store(self, line: str) -> None:
        """Keep a cookie, or drop one."""
        super().store(line)
        expires = re.search(r"expires=([^;]+)", line, re.IGNORECASE)
        if expires is not None and parsedate_to_datetime(expires[1]).timestamp() < time.time():
            name = line.strip().partition("=")[0]
            self.jar = {where: crumb for where, crumb in self.jar.items() if where[0] != name}


def remember(environ: WSGIEnvironment, start_response: Any) -> list[bytes]:
    """Sign somebody in with Beaker."""
    environ["beaker.session"].update(user=7, cart=["tea"], junk=Pickling)
    environ["beaker.session"].save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""]


@pytest.fixture
def old_config(tmp_path: Path) -> dict[str, Any]:
    """Settings of Beaker that keep sessions in files, pickled."""
    return {"session.type": "file", "session.data_dir": str(tmp_path), "session.key": "sid"}


CONFIGS: dict[str, dict[str, Any]] = {
    "file": {"session.type": "file"},
    "dbm": {"session.type": "dbm"},
    "memory": {"session.type": "memory"},
    "signed id": {"session.type": "file", "session.secret": "a secret for ids"},
    "pickled cookie": {"session.type": "cookie", "session.validate_key": OLD_KEY},
    "encrypted cookie": {
        "session.type": "cookie",
        "session.validate_key": OLD_KEY,
        "session.encrypt_key": "another key, for encrypting",
        "session.data_serializer": "json",
    },
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_beside_beaker(config: dict[str, Any], tmp_path: Path) -> None:
    """Sessions that only Beaker can read are moved at the first visit, and Beaker's cookie goes."""
    from beaker.middleware import SessionMiddleware as Beaker

    names: dict[str, Any] = {"app": show, "old_config": {**config, "session.data_dir": str(tmp_path)}}
    names |= {"SessionMiddleware": SessionMiddleware, "settings": {"SECRET_KEY": KEY}}
    before = Beaker(remember, names["old_config"])
    if config.get("session.encrypt_key") or config["session.type"] == "cookie":
        before = Beaker(remember_plain, names["old_config"])
    exec(block_with("move_from_beaker"), names)
    browser = DatedBrowser(before)
    browser.get()
    assert names_in(browser.jar) == {"beaker.session.id"}
    copy = dict(browser.jar)
    browser.app = names["app"]
    assert browser.get().body == b"7"
    assert names_in(browser.jar) == {"session"}
    assert [browser.get().body, browser.get().body] == [b"7", b"7"]
    browser.get("/out")
    if config["session.type"] != "cookie":  # a copy of a cookie is good as long as its key is
        browser.jar = copy
        assert browser.get().body == b"None"


def remember_plain(environ: WSGIEnvironment, start_response: Any) -> list[bytes]:
    """Sign somebody in with Beaker, with data that JSON can hold."""
    environ["beaker.session"].update(user=7, cart=["tea"])
    environ["beaker.session"].save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""]


@pytest.mark.parametrize("value", ["", "made-up", "0" * 32, "'", "../../etc/passwd", "A" * 500])
def test_beside_beaker_hostile(value: str, tmp_path: Path) -> None:
    """An id that Beaker did not make is an empty session."""
    app = move_from_beaker(show, ["user"])
    wrapped = SessionMiddleware(
        beaker_app(app, type="file", data_dir=str(tmp_path), validate_key=None), {"SECRET_KEY": KEY}
    )
    assert Visitor(wrapped).get(HTTP_COOKIE=f"beaker.session.id={value}").body == b"None"


def test_beside_beaker_untouched(tmp_path: Path) -> None:
    """Who carries no cookie of Beaker's is not looked at."""

    def say_nothing(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", list(TEXT))
        return [b""]

    app = move_from_beaker(say_nothing, ["user"])
    wrapped = SessionMiddleware(beaker_app(app, type="file", data_dir=str(tmp_path)), {"SECRET_KEY": KEY})
    assert Visitor(wrapped).get().headers == TEXT


# -- Pyramid, Django, secure-cookie -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a key in Latin-1: é, long enough", "ключ, достаточно длинный"])
def test_pyramid_keys(key: str) -> None:
    """A key beyond ASCII is written as Pyramid writes it."""
    assert move(PyramidOnce(key), pyramid_line({"user": 7}, key)).visit(dict).result == {"user": 7}


def test_pyramid_made_to_write_json() -> None:
    """The serializer that the text gives to an older Pyramid writes what is read here."""
    (name,) = re.findall(r"``serializer=webob\.cookies\.(\w+)\(\)``", MOVING_IN)
    line = pyramid_line({"user": 7}, serializer=getattr(webob.cookies, name)())
    assert move(PyramidOnce(OLD_KEY), line).visit(dict).result == {"user": 7}


def test_pyramid_options() -> None:
    """A salt and a hash other than Pyramid's own are class attributes."""

    class Once(PyramidOnce):
        old_salt = "shop."
        old_hashalg = "sha256"

    line = pyramid_line({"user": 7}, salt="shop.", hashalg="sha256")
    assert move(Once(OLD_KEY), line).visit(dict).result == {"user": 7}
    assert move(PyramidOnce(OLD_KEY), line).visit(dict).result == {}


def test_pyramid_permanent() -> None:
    """With ``permanent=True`` the session outlives the browser, as those with a ``max_age`` did."""
    site = move(PyramidOnce(OLD_KEY, permanent=True), pyramid_line({"user": 7}, max_age=DAY))
    site.visit(dict)
    site.visitor.close()
    assert site.visit(lambda session: session["user"]).result == 7


EXPIRIES: dict[str, tuple[Callable[[Any], object], bool]] = {
    "default": (bool, True),
    "with the browser": (lambda session: session.set_expiry(0), False),
    "in an hour": (lambda session: session.set_expiry(3600), True),
}


@pytest.mark.parametrize(("change", "permanent"), EXPIRIES.values(), ids=EXPIRIES)
def test_django_expiry(change: Callable[[Any], object], permanent: bool) -> None:
    """A Django session outlives the browser, unless it was told to go with it."""
    site = move(DjangoOnce(OLD_KEY), django_line({"user": 7}, change=change))
    assert site.visit(lambda session: (without_marks(session), session.permanent)).result == ({"user": 7}, permanent)


def test_django_packed() -> None:
    """A session that Django packed by zlib is unpacked."""
    line = django_line({"text": "tea and jam " * 50})
    assert value_of(line).startswith(".")
    assert without_marks(move(DjangoOnce(OLD_KEY), line).visit(dict).result) == {"text": "tea and jam " * 50}


def test_secure_cookie_cannot_be_imported() -> None:
    """The README says that secure-cookie's last release cannot be imported beside today's Werkzeug: so it is."""
    from werkzeug import security

    assert not hasattr(security, "safe_str_cmp")
    assert "safe_str_cmp" in " ".join(MOVING_IN.split())


def test_secure_cookie_known_answer() -> None:
    """A cookie that was written down once still opens: the format does not hang on today's Werkzeug."""
    value = "jgWcx72FKLV/QGiPC8jwfKtB3gg=?baz=WzEsMiwzXQ==&foo=NDI="
    assert secure_cookie_line({"foo": 42, "baz": (1, 2, 3)}, "deadbeef").startswith(f"session={value}")
    assert carry(move(SecureCookieOnce("deadbeef")), value).result == {"foo": 42, "baz": [1, 2, 3]}


@pytest.mark.parametrize(("wait", "expected"), [(90, {"user": 7}), (110, {})])
def test_secure_cookie_expires(wait: int, expected: dict[str, Any]) -> None:
    """A cookie that says when it ends is refused from then on."""
    site = move(SecureCookieOnce(OLD_KEY), secure_cookie_line({"user": 7}, session_expires=_now() + 100))
    site.clock.tick(wait)
    assert site.visit(dict).result == expected


def test_secure_cookie_hash() -> None:
    """A hash other than SHA-1 is a class attribute."""

    class Once(SecureCookieOnce):
        old_hash_method = staticmethod(hashlib.sha256)

    assert move(Once(OLD_KEY), secure_cookie_line({"user": 7})).visit(dict).result == {}


def test_quoted_cookies() -> None:
    """An old cookie in quotes, as older versions of Werkzeug set it, is read."""
    site = move(SecureCookieOnce(OLD_KEY))
    assert carry(site, f'"{value_of(secure_cookie_line({"user": 7}))}"').result == {"user": 7}


# -- the text ---------------------------------------------------------------------------------------------------------


def test_renders_without_a_warning() -> None:
    """The text can be rendered anywhere: docutils has nothing to say, even at its strictest."""
    read_document()


def read_document() -> nodes.document:
    """Read the text as strictly as docutils can."""
    strict = {"report_level": 1, "halt_level": 1, "raw_enabled": False, "file_insertion_enabled": False}
    return docutils.core.publish_doctree(README, settings_overrides=strict)


def test_links_lead_somewhere() -> None:
    """Every file that the text links to is there."""
    links = [node["refuri"] for node in read_document().findall(nodes.reference) if "refuri" in node]
    paths = [link for link in links if "://" not in link]
    assert paths
    assert [path for path in paths if not (EXAMPLES / path).is_file()] == []


def test_every_file_is_told() -> None:
    """Every file of the examples of moving in is linked from the text."""
    told = {node["refuri"] for node in read_document().findall(nodes.reference) if "refuri" in node}
    assert {f"migration/{path.name}" for path in (EXAMPLES / "migration").glob("*.py")} <= told


REPLACED = {"FlaskOnce": "flask", "BeakerOnce": "beaker", "PyramidOnce": "pyramid", "DjangoOnce": "django"}
REPLACED |= {"SecureCookieOnce": "secure-cookie"}


@pytest.mark.parametrize("words", REPLACED)
def test_block_moves(words: str) -> None:
    """The lines that the README gives for a library move a session that the real one made."""
    names: dict[str, Any] = {"app": show, "SessionMiddleware": SessionMiddleware, "new_key": KEY, "old_key": OLD_KEY}
    exec(block_with(f"={words}("), names)
    browser = Visitor(names["app"])
    browser.store(OLDS[REPLACED[words]].line(DATA))
    assert browser.get().body == b"7"
    assert names_in(browser.jar) == {names["app"].settings["SESSION_COOKIE_NAME"]}
    assert browser.get().body == b"7"


def known_names() -> dict[str, set[str]]:
    """Return the settings that each library really has."""
    from beaker.session import CookieSession
    from django.conf import global_settings
    from pyramid.session import SignedCookieSessionFactory

    from tests.benchmarks.peers import import_secure_cookie

    secure_cookie = import_secure_cookie().SecureCookie
    return {
        "handstamp": set(DEFAULTS),
        "Flask": set(flask.Flask.default_config),
        "Beaker": set(inspect.signature(CookieSession).parameters),
        "Pyramid": set(inspect.signature(SignedCookieSessionFactory).parameters),
        "Django": set(dir(global_settings)),
        "secure-cookie": {*inspect.signature(secure_cookie.save_cookie).parameters, "secret_key"},
    }


def read_cells(table: nodes.table) -> list[list[str]]:
    """Return the text of a table's cells, row by row."""
    return [[cell.astext() for cell in row.findall(nodes.entry)] for row in table.findall(nodes.row)]


def test_idle_limits() -> None:
    """The idle limits that the text gives as the libraries' defaults are their defaults."""
    from beaker.session import CookieSession
    from django.conf import global_settings
    from pyramid.session import SignedCookieSessionFactory

    assert "31 days here and in Flask, none in Beaker, 20 minutes in Pyramid, and two weeks in Django" in " ".join(
        MOVING_IN.split()
    )
    month = timedelta(days=31)
    assert flask.Flask.default_config["PERMANENT_SESSION_LIFETIME"] == DEFAULTS["PERMANENT_SESSION_LIFETIME"] == month
    assert inspect.signature(CookieSession).parameters["timeout"].default is None
    assert inspect.signature(SignedCookieSessionFactory).parameters["timeout"].default == 20 * 60
    assert global_settings.SESSION_COOKIE_AGE == 14 * DAY


#: What no other library has.
OURS_ALONE = {"SERVER_NAME", "APPLICATION_ROOT", "SESSION_ABSOLUTE_LIFETIME", "SESSION_COOKIE_WARN_BYTES"}


def test_settings_table() -> None:
    """The table names settings that each library really has, and every setting of ours that has a match."""
    known = known_names()
    tables = [read_cells(table) for table in read_document().findall(nodes.table)]
    ((head, *rows),) = [cells for cells in tables if "secure-cookie" in cells[0]]
    assert head == list(known)
    for row in rows:
        for library, cell in zip(head, row, strict=True):
            assert set(re.findall(r"\w+", cell)) <= known[library] | {"same"}
    assert {row[0] for row in rows} | OURS_ALONE == set(DEFAULTS)
    assert all(row[0] in known["Flask"] for row in rows if row[1] == "same")
