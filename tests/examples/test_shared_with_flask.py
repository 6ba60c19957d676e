"""One session for a Flask application that nobody touched and for ours: what holds, and what cannot."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from shared_with_flask import SharedWithFlask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from handstamp import SessionMiddleware, Settings, SettingsError
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import HOUR, KEY
from tests.support.visitor import Visitor
from tests.support.wsgi import TEXT, Answer

# Flask's own warnings are not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


class Revocable(SharedWithFlask):
    """End what began too early."""

    valid_after = datetime.fromtimestamp(0, UTC)

    def validate_session(self, settings: Settings, session: Any) -> bool:
        return bool(session.created >= self.valid_after)


class FlaskOnClock(SecureCookieSessionInterface):
    """Flask's own, with a signer that asks the test's clock."""

    def __init__(self, clock: FrozenClock) -> None:
        class Signer(TimestampSigner):
            def get_timestamp(self) -> int:
                return int(clock())

        self.signer = Signer

    def get_signing_serializer(self, app: flask.Flask) -> URLSafeTimedSerializer | None:
        serializer = super().get_signing_serializer(app)
        assert serializer is not None
        serializer.signer = self.signer
        return serializer


class Pair:
    """A Flask application, and ours below ``/ours``, under Flask's own configuration."""

    def __init__(self, **config: Any) -> None:
        self.flask = flask.Flask("pair")
        self.flask.config.update(SECRET_KEY=KEY, **config)
        self.flask.add_url_rule("/in", view_func=self.sign_in)
        self.flask.add_url_rule("/out", view_func=self.sign_out)
        self.flask.add_url_rule("/", view_func=lambda: str(flask.session.get("user")))
        self.marks: dict[str, Any] = {}
        self.clock = FrozenClock(
            int(time.time()) - HOUR
        )  # Flask reads by the real one, and rejects what is ahead of it
        self.flask.session_interface = FlaskOnClock(self.clock)
        self.interface = on_clock(Revocable(), self.clock)
        ours = SessionMiddleware(self.ours, self.flask.config, session_interface=self.interface)
        self.visitor = Visitor(DispatcherMiddleware(self.flask, {"/ours": ours}), host="shop.example.com")

    def sign_in(self) -> str:
        flask.session.permanent = True
        flask.session.update(user="ada", **self.marks)
        return "in"

    def sign_out(self) -> str:
        flask.session.clear()
        return "out"

    def ours(self, environ: Any, start_response: Any) -> list[bytes]:
        session = environ["session"]
        if environ["PATH_INFO"] == "/in":
            session["user"] = "bob"
        if environ["PATH_INFO"] == "/out":
            session.invalidate()
        start_response("200 OK", TEXT)
        return [str(session.get("user")).encode()]

    def get(self, path: str) -> Answer:
        """Visit a page of either."""
        return self.visitor.get(path)

    def users(self) -> tuple[bytes, bytes]:
        """Return whom each of the two sees."""
        return self.get("/").body, self.get("/ours").body


NAMED = {"SERVER_NAME": "shop.example.com"}


@pytest.mark.parametrize("begin", ["/in", "/ours/in"])
@pytest.mark.parametrize("end", ["/out", "/ours/out"])
@pytest.mark.parametrize("config", [{}, NAMED, {**NAMED, "SESSION_COOKIE_DOMAIN": "example.com"}])
def test_signed_out_on_both_sides(config: dict[str, Any], begin: str, end: str) -> None:
    """Whoever begins a session, either side ends it for both, with SERVER_NAME and without."""
    pair = Pair(**config)
    pair.get(begin)
    assert pair.users() == ((b"ada", b"ada") if begin == "/in" else (b"bob", b"bob"))
    pair.get(end)
    assert pair.users() == (b"None", b"None")
    assert pair.visitor.jar == {}


@pytest.mark.parametrize("path", ["/in", "/ours/in"])
def test_host_only(path: str) -> None:
    """The cookie is for the one host, as today's Flask sets it: no subdomain gets it."""
    assert "domain" not in Pair(**NAMED).get(path).attributes


def test_host_only_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to warn of at the start."""
    Pair(**NAMED)
    assert [record for record in caplog.records if record.name == "handstamp"] == []


def test_absolute_limit_is_rejected() -> None:
    """An absolute limit, which no session that Flask began can keep, is an error at the start."""
    with pytest.raises(SettingsError, match=r"^SESSION_ABSOLUTE_LIFETIME: .* leave it out$"):
        Pair(SESSION_ABSOLUTE_LIFETIME=HOUR)


def refreshed(pair: Pair) -> None:
    """Sign in at Flask, revoke all of it, and have Flask sign the session anew, as it does at every request."""
    pair.get("/in")
    pair.interface.valid_after = datetime.fromtimestamp(pair.clock() + 1, UTC)
    assert pair.get("/ours").body == b"None"
    pair.clock.tick(5)
    assert pair.get("/").cookies


def test_flask_makes_its_sessions_young() -> None:
    """What the recipe says that it cannot do: a session that Flask began passes a revocation after Flask's refresh."""
    pair = Pair()
    refreshed(pair)
    assert pair.get("/ours").body == b"ada"


def test_beginning_that_flask_writes() -> None:
    """The cure that the recipe names: where Flask's sign-in writes ``_created``, a revoked session stays revoked."""
    pair = Pair()
    pair.marks["_created"] = int(pair.clock())
    refreshed(pair)
    assert pair.get("/ours").body == b"None"
