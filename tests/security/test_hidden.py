"""What holds keys shows none, whoever looks into it and however: error trackers, debuggers, walks and copies."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.missing_programs import need
from tests.support.wsgi import make_environ

need("sentry_sdk", "rollbar", "elasticapm", "rich", "werkzeug", "pyramid_debugtoolbar", "cryptography")

import sentry_sdk
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

from handstamp import NullSession, SecureCookieSessionInterface, SessionMiddleware, SessionMixin, Settings
from handstamp._hidden import Hidden
from handstamp.encrypted import EncryptedCookieSessionInterface
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from handstamp.testing import make_cookie
from tests.support import trackers

# Words that nothing else holds.
KEY = "Current-Key-kDhQ7mXw2"
FALLBACK = "Fallback-Key-pZr9LtVb4"
FOREIGN = "Foreign-Setting-hG3wQs8"
VALUE = "Value-Of-The-Data-sYn8CfEu6"
SECRETS = (KEY, FALLBACK, FOREIGN)
SETTINGS = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [FALLBACK], "DATABASE_URL": FOREIGN}


def find_secrets(text: str) -> set[str]:
    """Return the secrets that a text holds."""
    return {secret for secret in SECRETS if secret in text}


# -- what holds keys --------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Configured:
    """What an application may make of settings."""

    settings: Settings


def _answer(environ: Any, start_response: Any) -> list[bytes]:
    return []


def _use(interface: Any) -> SessionMiddleware:
    """Return a middleware that was in use: its interface has made what it keeps."""
    middleware = SessionMiddleware(_answer, SETTINGS, session_interface=interface)
    make_cookie(middleware, {"user": 7})
    return middleware


HOLDERS: dict[str, Callable[[], object]] = {
    "settings": lambda: Settings(SETTINGS),
    "settings in a dict": lambda: {"settings": [Settings(SETTINGS)]},
    "settings in a dataclass": lambda: Configured(Settings(SETTINGS)),
    "a dataclass as a dict": lambda: dataclasses.asdict(Configured(Settings(SETTINGS))),
    "a key ring": lambda: Settings(SETTINGS).key_ring,
    "a middleware": lambda: _use(SecureCookieSessionInterface()),
    "an interface of signed cookies": lambda: _use(SecureCookieSessionInterface()).session_interface,
    "an interface of encrypted cookies": lambda: _use(EncryptedCookieSessionInterface()).session_interface,
    "an interface of a store": lambda: _use(ServerSideSessionInterface(MemoryStore())).session_interface,
    "a null session": lambda: NullSession(Settings(SETTINGS)),
    "a null session of a dict": lambda: NullSession(SETTINGS),
    "a copy": lambda: copy.copy(Settings(SETTINGS)),
    "a deep copy": lambda: copy.deepcopy({"settings": Settings(SETTINGS)}),
}

_FRAME = """
def hold(make):
    held = make()
    del make
    raise ValueError("nothing is said")
"""


@pytest.mark.parametrize("reader", trackers.READERS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_shows_no_key(holder: str, reader: str) -> None:
    """Whatever holds keys and stands in a frame: nobody who reads the frame gets one, or a foreign setting."""
    room: dict[str, Any] = {"__name__": "handstamp._planted"}
    exec(_FRAME, room)
    with pytest.raises(ValueError, match="nothing is said") as caught:
        room["hold"](HOLDERS[holder])
    with trackers.our_frames_alone(caught.value):
        assert find_secrets(trackers.READERS[reader](caught.value)) == set()


@pytest.mark.parametrize("reader", trackers.READERS)
def test_a_key_is_found(reader: str) -> None:
    """A dict in the same place is read by each of them."""
    room: dict[str, Any] = {"__name__": "handstamp._planted"}
    exec(_FRAME, room)
    with pytest.raises(ValueError, match="nothing is said") as caught:
        room["hold"](lambda: dict(SETTINGS))
    with trackers.our_frames_alone(caught.value):
        assert KEY in trackers.READERS[reader](caught.value)


@pytest.mark.parametrize("show", [repr, str, trackers.dump_json, trackers.walk])
@pytest.mark.parametrize("holder", HOLDERS)
def test_walks_end(holder: str, show: Callable[[object], str]) -> None:
    """No walk through attributes and slots of what holds keys comes to one."""
    assert find_secrets(show(HOLDERS[holder]())) == set()


@pytest.mark.parametrize("holder", ["settings", "a key ring", "a middleware", "an interface of signed cookies"])
def test_not_serialized(holder: str) -> None:
    """What holds keys is not pickled."""
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as caught:
        pickle.dumps(HOLDERS[holder]())
    assert find_secrets(str(caught.value)) == set()


def test_copies_are_the_same() -> None:
    """A copy of settings, a deep one too, is the same object: an error tracker that copies them gets no other."""
    settings = Settings(SETTINGS)
    assert copy.copy(settings) is settings
    assert copy.deepcopy([settings])[0] is settings


def test_hidden_value_can_be_asked_for() -> None:
    """A hidden value is there for who asks."""
    assert Hidden(KEY).reveal() == KEY
    assert Settings(SETTINGS)["SECRET_KEY"] == KEY


# -- sessions ---------------------------------------------------------------------------------------------------------


class Simple(dict[str, Any], SessionMixin):
    """A session of an application's own interface."""


def _send(app: Any, cookie: str) -> Any:
    """Let an application fail under Sentry's middleware; return what is sent."""
    sent: list[Any] = []
    options: dict[str, Any] = {"default_integrations": False, "before_send": lambda event, hint: sent.append(event)}
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(sentry_sdk.Client(dsn="http://key@127.0.0.1:1/1", **options))
        with pytest.raises(ZeroDivisionError):
            SentryWsgiMiddleware(app)(make_environ(HTTP_COOKIE=cookie), lambda *head: bytes)
    (event,) = sent
    return [frame["vars"] for error in event["exception"]["values"] for frame in error["stacktrace"]["frames"]]


@pytest.mark.parametrize("interface", [SecureCookieSessionInterface(), EncryptedCookieSessionInterface()])
def test_sentry_shows_no_session(interface: Any) -> None:
    """Where an application fails, Sentry's middleware sends neither what its session holds nor the key."""

    def app(environ: Any, start_response: Any) -> Any:
        mine = environ["session"]  # Sentry leaves out what is called session
        return 1 / (0 * len(mine))

    middleware = SessionMiddleware(app, SETTINGS, session_interface=interface)
    frames = _send(middleware, make_cookie(middleware, {"user": VALUE}))
    sessions = [variables["mine"] for variables in frames if "mine" in variables]
    assert sessions == ["<SecureCookieSession>"]
    assert VALUE not in repr(frames)
    assert find_secrets(repr(frames)) == set()


def test_sentry_shows_no_simple_session() -> None:
    """A dict that is a session keeps its data from Sentry, too."""

    def app(environ: Any, start_response: Any) -> Any:
        mine = Simple(user=VALUE)
        return 1 / (0 * len(mine))

    frames = _send(app, "")
    assert [variables["mine"] for variables in frames if "mine" in variables] == ["<Simple>"]


@pytest.mark.parametrize(
    "interface",
    [
        SecureCookieSessionInterface(),
        EncryptedCookieSessionInterface(),
        ServerSideSessionInterface(MemoryStore()),
    ],
)
def test_repr_shows_no_data(interface: Any) -> None:
    """The repr of a session shows no data, before it is loaded, after that, and when it is modified."""
    shown: list[str] = []

    def app(environ: Any, start_response: Any) -> Any:
        session = environ["session"]
        for action in (repr, dict, lambda session: session.update(more=VALUE)):
            action(session)
            shown.append(repr(session))
        start_response("200 OK", [])
        return []

    middleware = SessionMiddleware(app, SETTINGS, session_interface=interface)
    cookie = make_cookie(middleware, {"user": VALUE})
    list(middleware(make_environ(HTTP_COOKIE=cookie), lambda *head: bytes))
    assert [text.partition(": ")[2] for text in shown] == ["not loaded>", "loaded>", "modified>"]
    assert VALUE not in "".join(shown)
