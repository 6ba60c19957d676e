"""Whatever fails, and whoever reports it: no key, no token and nothing of a session comes out of handstamp's frames.

Each error that handstamp can raise or let through is read twice by each error tracker and debugger: inside the
application, as the integration of a framework does, and around the middleware, as a server's does.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter, methodcaller
from typing import Any, NamedTuple

import pytest
from webob import Response

from tests.support.missing_programs import need
from tests.support.wsgi import make_environ

need("sentry_sdk", "rollbar", "elasticapm", "rich", "werkzeug", "pyramid_debugtoolbar", "cryptography")
need("redis", "sqlalchemy")

import redis
import sqlalchemy
from redis.backoff import NoBackoff
from redis.retry import Retry

from handstamp import (
    CookieTooLarge,
    ReservedKey,
    SecureCookieSessionInterface,
    SessionCommitted,
    SessionEnded,
    SessionError,
    SessionInterface,
    SessionMiddleware,
    SessionUnavailable,
    Settings,
    SettingsError,
    StoreError,
    UnserializableValue,
    payload,
)
from handstamp.adapters.pastedeploy import filter_app_factory
from handstamp.encrypted import EncryptedCookieSessionInterface
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore, Record
from handstamp.stores.redis import RedisStore
from handstamp.stores.sqlalchemy import SQLAlchemyStore
from handstamp.testing import make_cookie
from tests.support import trackers

# Words that nothing else holds.
KEY = "Current-Key-kDhQ7mXw2"
FALLBACK = "Fallback-Key-pZr9LtVb4"
FOREIGN = "Foreign-Setting-hG3wQs8"
VALUE = "Value-Of-The-Data-sYn8CfEu6"
DATA = {"user": VALUE, "basket": [VALUE, {"card": VALUE}]}
SETTINGS = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [FALLBACK], "DATABASE_URL": FOREIGN}

Action = Callable[[Any], object]


class FailingStore(MemoryStore):
    """A store in memory that fails when told to."""

    fails = False

    def load(self, handle: str) -> Record | None:
        if self.fails:
            raise StoreError("the store is down")
        return super().load(handle)

    def delete(self, handle: str) -> bool:
        if self.fails:
            raise StoreError("the store is down")
        return super().delete(handle)

    def find(self, owner: str) -> dict[str, Record]:
        if self.fails:
            raise StoreError("the store is down")
        return dict(super().find(owner))


class Stage:
    """Where one kind of session fails, while somebody reads the errors."""

    def __init__(self, kind: str, read: Callable[[BaseException], str]) -> None:
        self.kind = kind
        self.read = read
        self.store = FailingStore()
        self.shown: list[str] = []
        self.errors: list[BaseException] = []
        self.secrets = {KEY, FALLBACK, FOREIGN, VALUE}
        self.interface: SessionInterface[Any] = self.make()

    # -- making

    def make(self, *, store: Any = None, on_failure: Any = "raise", **own: Any) -> SessionInterface[Any]:
        """Make an interface of the kind, with methods of an application's own."""
        self.interface = (
            type("Own", (ServerSideSessionInterface,), own)(store or self.store, on_failure)
            if self.kind == "server"
            else type("Own", (COOKIES[self.kind],), own)()
        )
        return self.interface

    def make_cookie(self) -> str:
        """Return a good cookie, of which nothing must show."""
        cookie = make_cookie(SessionMiddleware(_never, SETTINGS, session_interface=self.interface), DATA)
        self.note(cookie.partition("=")[2])
        return cookie

    def note(self, token: str) -> None:
        """Have a token kept secret, and what it is made of."""
        pieces = [piece for piece in token.split(".") if len(piece) > 12]
        contents = [urlsafe_b64decode(piece + "===") for piece in pieces]
        self.secrets |= {token, *pieces, *(repr(content)[2:-1] for content in contents)}

    # -- failing

    def catch(self, function: Callable[[], object]) -> None:
        """Call what fails; have the error read."""
        try:
            function()
        except BaseException as error:
            self.report(error)

    def report(self, error: BaseException) -> None:
        """Have an error read."""
        self.errors.append(error)
        with trackers.our_frames_alone(error):
            self.shown.append(self.read(error))

    def visit(self, action: Action, cookie: str | None = None, settings: Any = None) -> None:
        """Visit an application in which an action fails, or whose session cannot be saved after it."""
        self.call(self.answer(action), self.make_cookie() if cookie is None else cookie, settings)

    def answer(self, action: Action) -> Any:
        """Return an application that has what fails reported inside, as a framework does, and lets it out."""

        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            try:
                action(environ["session"])
            except BaseException as error:
                self.report(error)
                raise
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [VALUE.encode()]

        return app

    def call(self, app: Any, cookie: str, settings: Any = None, start_response: Any = None) -> None:
        """Call an application as a server does."""
        environ = make_environ(HTTP_COOKIE=cookie)
        middleware = SessionMiddleware(app, settings or SETTINGS, session_interface=self.interface)
        self.catch(lambda: _serve(middleware, environ, start_response or self._start_response))

    def _start_response(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        for name, value in headers:
            if name == "Set-Cookie":
                self.note(value.partition(";")[0].partition("=")[2])
        return lambda data: None

    # -- judging

    def find_leaks(self) -> set[str]:
        """Return the secrets that were shown."""
        return {secret for secret in self.secrets for text in self.shown if secret in text}


COOKIES: dict[str, Any] = {
    "signed": SecureCookieSessionInterface,
    "encrypted": EncryptedCookieSessionInterface,
}
SERVER = ("server",)
ALL = (*COOKIES, *SERVER)


def _never(environ: Any, start_response: Any) -> Iterable[bytes]:
    return []


def _serve(middleware: SessionMiddleware, environ: Any, start_response: Any) -> None:
    body = middleware(environ, start_response)
    try:
        list(body)
    finally:
        getattr(body, "close", bool)()


# -- what an application does with a session --------------------------------------------------------------------------


def _assign(name: str, value: object) -> Action:
    return lambda session: setattr(session, name, value)


#: All ways to look into a session.
LOOKS: Sequence[Action] = (
    dict, len, bool, list, itemgetter("user"), methodcaller("get", "user", VALUE), methodcaller("copy"),
    lambda session: VALUE in session, lambda session: session == DATA, lambda session: session != DATA,
    lambda session: session | DATA, lambda session: DATA | session,
    lambda session: list(session.items()), lambda session: list(session.values()), lambda session: list(session.keys()),
    attrgetter("permanent"), attrgetter("new"), attrgetter("created"),
)  # fmt: skip

#: All ways to change it.
CHANGES: Sequence[Action] = (
    methodcaller("__setitem__", "user", VALUE), methodcaller("__delitem__", "user"), methodcaller("__ior__", DATA),
    methodcaller("update", DATA), methodcaller("update", user=VALUE), methodcaller("setdefault", "other", VALUE),
    methodcaller("pop", "user", VALUE), methodcaller("popitem"), methodcaller("clear"), methodcaller("renew"),
    methodcaller("invalidate"), _assign("permanent", value=True),
)  # fmt: skip

SERVER_LOOKS: Sequence[Action] = (attrgetter("owner"), attrgetter("handle"))
SERVER_CHANGES: Sequence[Action] = (_assign("owner", VALUE),)


def _fail(*args: object, **options: object) -> Any:
    raise OSError("no database")


# -- what fails -------------------------------------------------------------------------------------------------------


def _fill(session: Any) -> None:
    session.update(user=VALUE, more=[VALUE, secrets.token_hex(4000)])


def _too_large(stage: Stage) -> None:
    stage.visit(_fill)
    stage.visit(_fill, cookie="")

    def writes(environ: Any, start_response: Any) -> Iterable[bytes]:
        _fill(environ["session"])
        start_response("200 OK", [])(VALUE.encode())
        return []

    def streams(environ: Any, start_response: Any) -> Iterator[bytes]:
        _fill(environ["session"])
        start_response("200 OK", [])
        yield VALUE.encode()

    stage.call(writes, stage.make_cookie())
    stage.call(streams, stage.make_cookie())


def _unserializable(stage: Stage) -> None:
    for value in (object(), [VALUE, {"inside": object()}], VALUE + "\ud800", {1: VALUE}, float("nan")):
        stage.visit(methodcaller("update", user=VALUE, more=value))
        stage.visit(methodcaller("update", user=VALUE, more=value), cookie="")
    stage.visit(lambda session: session["basket"].append(object()))


def _ended(stage: Stage) -> None:
    stage.visit(lambda session: (session.update(DATA, n=1), stage.store.delete(session.handle)))


def _store_fails(stage: Stage) -> None:
    for action in (*LOOKS, *SERVER_LOOKS, *CHANGES, *SERVER_CHANGES):
        stage.store.fails = False
        cookie = stage.make_cookie()
        stage.store.fails = True
        stage.visit(action, cookie)


def _store_is_down(stage: Stage, store: Any) -> None:
    cookie = stage.make_cookie()
    stage.make(store=store)
    stage.visit(dict, cookie)
    stage.visit(methodcaller("update", DATA), cookie="")
    stage.visit(_assign("owner", VALUE), cookie="")
    for act in (methodcaller("sessions", VALUE), methodcaller("end_all", VALUE), methodcaller("end", "A" * 22)):
        stage.catch(lambda act=act: act(stage.interface))  # type: ignore[misc]  # it cannot infer lambdas' defaults


def _redis_is_down(stage: Stage) -> None:
    _store_is_down(stage, RedisStore(redis.Redis(port=1, retry=Retry(NoBackoff(), 0))))


def _database_is_down(stage: Stage) -> None:
    engine = sqlalchemy.create_engine("sqlite://")
    _store_is_down(stage, SQLAlchemyStore(engine))  # without create_schema
    engine.dispose()


def _readonly(stage: Stage) -> None:
    for action in (*CHANGES, *SERVER_CHANGES):
        stage.store.fails = False
        cookie = stage.make_cookie()
        stage.make(on_failure="readonly")
        stage.store.fails = True
        stage.visit(action, cookie)


def _no_key(stage: Stage) -> None:
    for settings in ({"API_SECRET_KEY": KEY}, Settings({"API_SECRET_KEY": KEY})):
        for action in CHANGES:
            stage.visit(action, settings=settings)


def _too_late(stage: Stage) -> None:
    def late(first: Action, then: Action) -> Any:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            first(environ["session"])
            start_response("200 OK", [])
            yield b""
            stage.catch(lambda: then(environ["session"]))

        return app

    for action in (*LOOKS, *CHANGES):
        stage.call(late(repr, action), stage.make_cookie())
    for action in CHANGES:
        stage.call(late(dict, action), stage.make_cookie())
        stage.call(late(methodcaller("update", DATA), action), stage.make_cookie())


def _reserved(stage: Stage) -> None:
    for action in (
        methodcaller("__setitem__", "_created", VALUE),
        methodcaller("update", DATA, _created=VALUE),
        methodcaller("setdefault", "_created", VALUE),
    ):
        stage.visit(action)


def _missing(stage: Stage) -> None:
    for action in (itemgetter("none"), methodcaller("__delitem__", "none"), methodcaller("pop", "none")):
        stage.visit(action)
    stage.visit(lambda session: (session.clear(), session.popitem()))


def _unhashable(stage: Stage) -> None:
    key: Any = [VALUE]
    for action in (
        itemgetter(key),
        methodcaller("get", key, VALUE),
        methodcaller("__contains__", key),
        methodcaller("__setitem__", key, VALUE),
        methodcaller("__delitem__", key),
    ):
        stage.visit(action)


def _application_fails(stage: Stage) -> None:
    stage.visit(lambda session: (session.update(DATA, n=session["user"]), _fail()))

    def streams(environ: Any, start_response: Any) -> Iterator[bytes]:
        environ["session"].update(DATA)
        start_response("200 OK", [])
        yield VALUE.encode()
        _fail()

    stage.call(streams, stage.make_cookie())

    class Body(list[bytes]):
        close = _fail

    def closes(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        start_response("200 OK", [])
        return map(bytes, Body()) if environ["session"] else Body()

    stage.call(closes, stage.make_cookie())


def _server_fails(stage: Stage) -> None:
    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        for name, value in headers:
            if name == "Set-Cookie":
                stage.note(value.partition(";")[0].partition("=")[2])
        _fail()

    stage.call(stage.answer(methodcaller("update", DATA, n=1)), stage.make_cookie(), start_response=start_response)


class FailingSerializer:
    """An application's own, which fails."""

    dumps = staticmethod(_fail)
    loads = staticmethod(payload.loads)


class TiringSerializer:
    """One that writes once: when it keeps what was loaded, and not when that is compared."""

    loads = staticmethod(payload.loads)
    is_tired = False

    def dumps(self, data: Any) -> str:
        if self.is_tired:
            _fail()
        self.is_tired = True
        return "written"


def _serializer_fails(stage: Stage) -> None:
    cookie = stage.make_cookie()
    stage.make(serializer=FailingSerializer)
    stage.visit(methodcaller("update", DATA), cookie="")
    for action in (itemgetter("basket"), methodcaller("update", basket=[1]), methodcaller("get", "basket", VALUE)):
        stage.visit(action, cookie)
    stage.make(serializer=TiringSerializer())
    stage.visit(lambda session: (session["basket"].append(VALUE), session.modified), cookie)


def _reported_while_saving(stage: Stage) -> None:
    base: Any = type(stage.interface).__mro__[1]
    cookie = stage.make_cookie()

    def save_session(self: Any, settings: Settings, session: Any, response: Response) -> None:
        stage.catch(lambda: base.save_session(self, settings, session, response))
        stage.catch(lambda: self.set_cookie(settings, session, response, VALUE * 1000))

    stage.make(save_session=save_session)
    stage.visit(methodcaller("update", user=VALUE, more=object()), cookie)
    stage.make(save_session=save_session, get_cookie_domain=lambda *args: "no domain")
    stage.visit(methodcaller("invalidate"), cookie)


HOOKS = (
    "open_session", "save_session", "validate_session", "cookie_rejected", "now", "get_cookie_name",
    "get_cookie_secure", "get_expiration_time", "should_set_cookie", "set_cookie", "get_codec", "load_sessions",
    "load_payload", "is_null_session",
)  # fmt: skip


def _hooks_fail(stage: Stage) -> None:
    for name in HOOKS:
        stage.make()
        cookie = stage.make_cookie()
        stage.make(**{name: _fail})
        before = len(stage.errors)
        junk = cookie[:-4] + "AAAA"  # for those who are told of what was rejected
        stage.visit(lambda session: (session.update(DATA, n=1), session.renew()), f"{cookie}; {junk}")
        assert len(stage.errors) > before, name


def _bad_policy(stage: Stage) -> None:
    stage.make(get_cookie_domain=lambda *args: "no domain")
    stage.visit(methodcaller("update", DATA), cookie="")


def _bad_value(stage: Stage) -> None:
    def save_session(self: Any, settings: Settings, session: Any, response: Response) -> None:
        self.set_cookie(settings, session, response, VALUE + ";")

    stage.make(save_session=save_session)
    stage.visit(methodcaller("update", DATA), cookie="")


def _bad_derivation(stage: Stage) -> None:
    for own in ({"key_derivation": "none such"}, {"digest_method": staticmethod(print)}):
        stage.make(**own)
        stage.visit(methodcaller("update", DATA), cookie="session=e30.e30.e30")
        stage.visit(methodcaller("update", DATA), cookie="")


def _wrong_settings(stage: Stage) -> None:
    wrong: Any = {**SETTINGS, "SESSION_COOKIE_NAME": "a b", "SECRET_KEY_FALLBACKS": [FALLBACK, "short"]}
    texts = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": f"{FALLBACK}\nshort", "DATABASE_URL": FOREIGN}
    stage.catch(lambda: Settings(wrong))
    stage.catch(lambda: SessionMiddleware(_never, wrong))
    stage.catch(lambda: Settings.from_strings(texts))
    stage.catch(lambda: filter_app_factory(_never, None, **texts))
    stage.catch(lambda: filter_app_factory(_never, None, session_interface="none", **SETTINGS_AS_TEXT))


SETTINGS_AS_TEXT = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": FALLBACK, "DATABASE_URL": FOREIGN}


def _nested(stage: Stage) -> None:
    inner = SessionMiddleware(_never, SETTINGS, session_interface=stage.interface)
    stage.call(inner, stage.make_cookie())


def _broken_wsgi(stage: Stage) -> None:
    def starts_twice(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        headers = [("X-Value", VALUE)]
        start_response("200 OK", headers)
        stage.catch(lambda: start_response("200 OK", headers))
        raise AssertionError

    def never_starts(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        return [VALUE.encode()]

    for app in (starts_twice, never_starts):
        stage.call(app, stage.make_cookie())


def _payloads(stage: Stage) -> None:
    for value in ({"user": VALUE, "more": object()}, {"user": VALUE + "\ud800"}, {"user": {1: VALUE}}):
        stage.catch(lambda value=value: payload.dumps(value))  # type: ignore[misc]
        stage.catch(lambda value=value: payload.fingerprint(value))  # type: ignore[misc]
    for text in (f'{{"user":"{VALUE}"', f'["{VALUE}"]', f'{{"user":{{"~date":"{VALUE}"}}}}', f'"{VALUE}\\ud800"'):
        stage.catch(lambda text=text: payload.loads(text))  # type: ignore[misc]


class Situation(NamedTuple):
    """What fails, in which kinds of sessions, and with what errors."""

    act: Callable[[Stage], None]
    errors: tuple[type[BaseException], ...]
    kinds: Sequence[str] = ALL


SITUATIONS = {
    "a cookie too large": Situation(_too_large, (CookieTooLarge,), tuple(COOKIES)),
    "a value without a form": Situation(_unserializable, (UnserializableValue,)),
    "a session ended meanwhile": Situation(_ended, (SessionEnded,), SERVER),
    "a store that fails": Situation(_store_fails, (StoreError,), SERVER),
    "Redis down": Situation(_redis_is_down, (StoreError,), SERVER),
    "a database down": Situation(_database_is_down, (StoreError,), SERVER),
    "a session that is readonly": Situation(_readonly, (SessionUnavailable,), SERVER),
    "no key": Situation(_no_key, (SessionUnavailable,)),
    "too late": Situation(_too_late, (SessionCommitted,)),
    "a reserved key": Situation(_reserved, (ReservedKey,)),
    "a missing key": Situation(_missing, (KeyError,)),
    "an unhashable key": Situation(_unhashable, (TypeError,)),
    "an application that fails": Situation(_application_fails, (OSError,)),
    "a server that fails": Situation(_server_fails, (OSError,)),
    "a serializer that fails": Situation(_serializer_fails, (OSError,), tuple(COOKIES)),
    "an error that is reported while saving": Situation(
        _reported_while_saving, (CookieTooLarge, SettingsError, UnserializableValue)
    ),
    "hooks that fail": Situation(_hooks_fail, (OSError,)),
    "a policy that breaks a rule": Situation(_bad_policy, (SettingsError,)),
    "a value that breaks a cookie": Situation(_bad_value, (SettingsError,)),
    "a derivation that there is not": Situation(_bad_derivation, (SettingsError,), ("signed",)),
    "wrong settings": Situation(_wrong_settings, (SettingsError,), ("signed",)),
    "nested middlewares": Situation(_nested, (SessionError,)),
    "an application that breaks WSGI": Situation(_broken_wsgi, (AssertionError,)),
    "payloads": Situation(_payloads, (UnserializableValue, ValueError), ("signed",)),
}

CASES = [(name, kind) for name, situation in SITUATIONS.items() for kind in situation.kinds]


@pytest.mark.parametrize("reader", trackers.READERS)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nothing_comes_out(name: str, kind: str, reader: str) -> None:
    """Whatever fails in whichever kind of session, nobody reads a secret in our frames or in what errors say."""
    situation, stage = SITUATIONS[name], Stage(kind, trackers.READERS[reader])
    situation.act(stage)
    assert stage.find_leaks() == set()
    assert {type(error) for error in stage.errors} == set(situation.errors)


def test_every_error_is_raised() -> None:
    """The situations above raise every error that handstamp has."""
    raised = {error for situation in SITUATIONS.values() for error in situation.errors}
    assert set(_list_errors(SessionError)) <= raised


def _list_errors(kind: type[SessionError]) -> Iterator[type[SessionError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _list_errors(each)


# -- the readers themselves -------------------------------------------------------------------------------------------

#: A frame of handstamp's that keeps what it should not.
_PLANTED = """
class Holder:
    def __init__(self, value):
        self.value = value

def keep(value):
    held = {"held": value}
    inside = [Holder(value)]
    raise ValueError("nothing is said")
"""


@pytest.mark.parametrize("reader", trackers.READERS)
@pytest.mark.parametrize("chained", [False, True])
def test_a_leak_is_found(chained: bool, reader: str) -> None:
    """Each reader shows what a frame of handstamp's keeps, that of an error behind the error too."""
    room: dict[str, Any] = {"__name__": "handstamp._planted"}
    exec(_PLANTED, room)
    stage = Stage("signed", trackers.READERS[reader])

    def fail() -> None:
        try:
            room["keep"](VALUE)
        except ValueError as error:
            if not chained:
                raise
            raise StoreError("nothing is said") from error

    stage.catch(fail)
    assert stage.find_leaks() == {VALUE}


def test_frames_of_the_application_are_left_alone() -> None:
    """What an application keeps in its frames, hooks of an interface included, stays there for its debugger."""

    def validate_session(self: Any, settings: Settings, session: Any) -> bool:
        note = "of the application"
        raise OSError(len(note))

    stage = Stage("signed", str)
    cookie = stage.make_cookie()
    stage.make(validate_session=validate_session)
    stage.visit(dict, cookie)
    frames = {frame.f_code.co_name: frame.f_locals for frame in trackers.list_frames(stage.errors[-1])}
    assert frames["validate_session"]["note"] == "of the application"


def test_every_line_stays() -> None:
    """The traceback has all its lines: only the values are gone."""
    stage = Stage("signed", str)
    stage.visit(_fill)
    names = {frame.f_code.co_name for frame in trackers.list_frames(stage.errors[-1])}
    assert {"__call__", "answer", "send_headers", "save_session", "set_cookie"} <= names
