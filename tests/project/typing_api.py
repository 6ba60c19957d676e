"""What the code of users may say, and what it must not; nothing here is run.

mypy and pyright read it. What is right passes both. What is wrong carries the mark of each checker, and both are told
to complain of a mark that hides nothing: a type that is lost fails the check as much as one that is too narrow does.
``tests/typing_proof.py`` takes the marks away and counts what is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask
import httpx
import redis
import requests
import sqlalchemy
import webob
import webtest
import werkzeug.test

import handstamp.stores
import handstamp.testing
from handstamp import (
    CookiePolicy,
    CookieTooLarge,
    NullSession,
    RejectReason,
    ReservedKey,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionCommitted,
    SessionEnded,
    SessionError,
    SessionInterface,
    SessionMiddleware,
    SessionMixin,
    SessionUnavailable,
    Settings,
    SettingsDict,
    SettingsError,
    StoreError,
    UnserializableValue,
)
from handstamp.encrypted import EncryptedCookieSessionInterface
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import Change, MemoryStore, Record, Store
from handstamp.stores.redis import RedisStore
from handstamp.stores.sqlalchemy import SQLAlchemyStore
from handstamp.testing import (
    FrozenClock,
    StoreContract,
    StoreModel,
    frozen,
    make_cookie,
    read_cookie,
    session_transaction,
)

# -- the middleware ---------------------------------------------------------------------------------------------------


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"visit"]


def plain_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return []


def wrap(settings: dict[str, Any], checked: Settings, wsgi_app: WSGIApplication) -> None:
    middleware = SessionMiddleware(app, {"SECRET_KEY": "a key"})
    SessionMiddleware(plain_app)
    SessionMiddleware(wsgi_app, settings)
    SessionMiddleware(middleware, checked, session_interface=SecureCookieSessionInterface(), environ_key="stamp")
    assert_type(middleware.settings, Settings)
    assert_type(middleware.session_interface, SessionInterface)
    assert_type(middleware.environ_key, str)
    middleware.session_interface = EncryptedCookieSessionInterface()
    server: WSGIApplication = middleware
    make_server("127.0.0.1", 8000, server)


def wrap_wrongly(settings: Settings, middleware: SessionMiddleware) -> None:
    SessionMiddleware()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SessionMiddleware("app")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SessionMiddleware(app, ["SECRET_KEY"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SessionMiddleware(app, {1: "a key"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    SessionMiddleware(app, {}, SessionInterface())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SessionMiddleware(app, SECRET_KEY="a key")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SessionMiddleware(app, session_interface=SessionInterface)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SessionMiddleware(app, environ_key=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    middleware.session_interface = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


# -- the settings -----------------------------------------------------------------------------------------------------


def configure(environment: Mapping[str, str]) -> None:
    settings = Settings({"SECRET_KEY": b"a key", "PERMANENT_SESSION_LIFETIME": timedelta(days=1), "DEBUG": True})
    assert_type(Settings.from_strings(environment), Settings)
    assert_type(Settings.from_strings({"SHOP_SECRET_KEY": "a key"}, prefix="SHOP_"), Settings)
    assert_type(Settings(settings), Settings)
    assert_type(settings["SECRET_KEY"], Any)
    assert_type(settings.get("DEBUG", False), Any)
    assert_type("DEBUG" in settings, bool)
    assert_type(hash(settings), int)


def configure_wrongly(settings: Settings) -> None:
    Settings()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Settings("SECRET_KEY")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Settings.from_strings({"SESSION_COOKIE_SECURE": True})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    settings["SECRET_KEY"] = "a key"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    del settings["SECRET_KEY"]  # type: ignore[attr-defined]  # pyright: ignore[reportIndexIssue]
    settings.update({})  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    settings.items()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    iter(settings)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    len(settings)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    dict(settings)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    _ = {"DEBUG": True, **settings}  # type: ignore[dict-item]  # pyright: ignore[reportGeneralTypeIssues]


# -- the session ------------------------------------------------------------------------------------------------------


def visit(environ: WSGIEnvironment) -> None:
    session: SecureCookieSession = environ["session"]
    mapping: MutableMapping[str, Any] = session
    mixin: SessionMixin = session
    session["visits"] = session.get("visits", 0) + 1
    session.update(user="ada")
    assert_type(session["visits"], Any)
    assert_type(session.setdefault("cart", []), Any)
    assert_type("user" in session, bool)
    assert_type(session.copy(), dict[str, Any])
    assert_type(session | {"user": "bob"}, dict[str, Any])
    assert_type({"user": "bob"} | session, dict[str, Any])
    print(mapping)
    assert_type(mixin.new, bool)
    assert_type(session.accessed, bool)
    assert_type(session.modified, bool)
    assert_type(session.permanent, bool)
    assert_type(session.created, datetime)
    session.permanent = True
    session.modified = False
    session.renew()
    session.invalidate()


def visit_wrongly(session: SecureCookieSession) -> None:
    session[1] = "one"  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    session.user = "ada"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    session.regenerate_id()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    session.permanent = "yes"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    session.created = datetime.now(UTC)  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    session.renew("a new id")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def be_nobody(obj: SecureCookieSession | NullSession, interface: SessionInterface, settings: Settings) -> None:
    assert_type(obj.permanent, bool)
    assert_type(len(NullSession()), int)
    assert_type(interface.make_null_session(settings), NullSession)
    assert_type(interface.is_null_session(obj), bool)


# -- errors -----------------------------------------------------------------------------------------------------------


def fail(session: SecureCookieSession) -> None:
    family: list[type[SessionError]] = [
        CookieTooLarge,
        ReservedKey,
        SessionCommitted,
        SessionEnded,
        SessionUnavailable,
        SettingsError,
        StoreError,
        UnserializableValue,
    ]
    # What is no error of handstamp's is caught as what it is besides.
    as_value: list[type[ValueError]] = [SettingsError, CookieTooLarge]
    as_runtime: list[type[RuntimeError]] = [SessionUnavailable, SessionCommitted, SessionEnded]
    as_type: type[TypeError] = UnserializableValue
    as_key: type[KeyError] = ReservedKey
    print(family, as_value, as_runtime, as_type, as_key)
    try:
        session["at"] = datetime.now(UTC)
    except SettingsError as error:
        assert_type(error.problems, tuple[str, ...])


def fail_wrongly(error: SettingsError) -> None:
    wrong: type[SessionError] = ValueError  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    error.problem  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    print(wrong)


# -- an interface -----------------------------------------------------------------------------------------------------


class Shop(SecureCookieSessionInterface):
    """Every hook, with the types that the manual tells."""

    session_class = SecureCookieSession
    null_session_class = NullSession

    def check_settings(self, settings: Settings) -> None:
        super().check_settings(settings)

    def get_cookie_name(self, settings: Settings, request: webob.Request) -> str:
        return f"{super().get_cookie_name(settings, request)}-{request.domain}"

    def get_cookie_domain(self, settings: Settings, request: webob.Request) -> str | None:
        return None

    def get_cookie_path(self, settings: Settings, request: webob.Request) -> str:
        return request.script_name or "/"

    def get_cookie_httponly(self, settings: Settings, request: webob.Request) -> bool:
        return True

    def get_cookie_secure(self, settings: Settings, request: webob.Request) -> bool:
        return request.scheme == "https"

    def get_cookie_samesite(self, settings: Settings, request: webob.Request) -> str | None:
        return "Strict"

    def get_cookie_partitioned(self, settings: Settings, request: webob.Request) -> bool:
        return False

    def get_expiration_time(self, settings: Settings, request: webob.Request, session: Any) -> datetime | None:
        return None

    def get_cache_control(
        self,
        settings: Settings,
        request: webob.Request,
        session: Any,
        cache_control: str | None,
        *,
        sets_cookie: bool,
    ) -> str | None:
        return "no-store" if sets_cookie else cache_control

    def should_set_cookie(self, settings: Settings, request: webob.Request, session: Any) -> bool:
        return bool(session.modified)

    def cookie_rejected(self, settings: Settings, request: webob.Request, reason: RejectReason) -> None:
        assert_type(reason == RejectReason.IDLE, bool)
        text: str = reason
        print(text, RejectReason("idle"), list(RejectReason))

    def validate_session(self, settings: Settings, session: Any) -> bool:
        return bool(session.get("user") != "banned")

    def now(self) -> float:
        return 0.0


class Stopped(SecureCookieSessionInterface):
    """The clock of the tests can stand in the place of the method; pyright wants a method there."""

    now = FrozenClock(0)  # pyright: ignore[reportAssignmentType]


class WrongPolicy(SessionInterface[SessionMixin]):
    """Answers of another type."""

    def get_cookie_name(self, settings: Settings, request: webob.Request) -> str | None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return None

    def get_cookie_secure(self, settings: Settings) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return True

    def validate_session(self, settings: Settings, session: Any) -> str:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return "yes"

    def open_session(self, settings: Settings, request: webob.Request) -> dict[str, Any]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return {}


class Session(dict[str, Any], SessionMixin):
    """Any mapping with the mixin is a session."""

    id = ""


class Kept(SessionInterface):
    """Sessions in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def open_session(self, settings: Settings, request: webob.Request) -> Session:
        session = Session(self.kept.get(request.cookies.get(self.get_cookie_name(settings, request), ""), {}))
        assert_type(session.new, bool)
        assert_type(session.created, datetime | None)
        session.permanent = True
        return session

    def save_session(self, settings: Settings, session: Session, response: webob.Response) -> None:
        if session:
            self.set_cookie(settings, session, response, session.id)
        else:
            self.delete_cookie(settings, session, response)


def name_reasons() -> None:
    RejectReason.STOLEN  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


# -- stores -----------------------------------------------------------------------------------------------------------


class Shelf:
    """A store needs no base class, only the five verbs."""

    def load(self, handle: str) -> Record | None:
        return None

    def create(self, handle: str, record: Record) -> bool:
        return True

    def update(self, handle: str, expect: str, change: Change) -> bool:
        return False

    def delete(self, handle: str) -> bool:
        return False

    def find(self, owner: str) -> dict[str, Record]:
        return {}


class Half:
    """Three verbs are no store."""

    def load(self, handle: str) -> Record | None:
        return None

    def create(self, handle: str, record: Record) -> bool:
        return True

    def delete(self, handle: str) -> bool:
        return False


def keep(client: redis.Redis, cluster: redis.RedisCluster, engine: sqlalchemy.Engine) -> None:
    stores: list[Store] = [
        MemoryStore(),
        MemoryStore(limit=100),
        RedisStore(client, prefix="shop:"),
        RedisStore(cluster, prefix="shop:"),
        SQLAlchemyStore(engine, prefix="shop_"),
        Shelf(),
    ]
    interface = ServerSideSessionInterface(stores[0])
    SessionMiddleware(app, {"SECRET_KEY": "a key"}, session_interface=interface)
    assert_type(interface.end(interface.sessions("ada")[0].handle), bool)
    record = stores[0].load("handle")
    assert_type(record, Record | None)
    if record is not None:
        assert_type(record.fields, Mapping[str, str])
        assert_type(record.owner, str)
        assert_type(stores[0].update("handle", record.hash, Change(1, 2)), bool)


def keep_wrongly(engine: sqlalchemy.Engine, store: Store, record: Record) -> None:
    ServerSideSessionInterface()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ServerSideSessionInterface(MemoryStore)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ServerSideSessionInterface(Half())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    MemoryStore(limit="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RedisStore("redis://127.0.0.1/0", prefix="shop:")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RedisStore(engine, prefix="shop:")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SQLAlchemyStore("sqlite://", prefix="shop_")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    store.load("handle").owner  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    store.create("handle", {"user": "ada"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    record.owner = "bob"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    record.fields['"user"'] = '"bob"'  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    handstamp.stores.FileStore  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


# -- tests of one's own -----------------------------------------------------------------------------------------------


class TestShelf(StoreContract):
    """The contract of stores, inherited."""

    def store(self) -> Shelf:
        return Shelf()


class ShelfModel(StoreModel):
    """The model of stores, inherited."""


def test(middleware: SessionMiddleware, site: flask.Flask) -> None:
    cookie = make_cookie(middleware, {"user": "ada"}, url="https://example.com/")
    assert_type(cookie, str)
    assert_type(read_cookie(middleware, [("Set-Cookie", cookie)]), dict[str, Any] | None)
    assert_type(read_cookie(middleware, webob.Response()), dict[str, Any] | None)
    assert_type(read_cookie(middleware, requests.Response()), dict[str, Any] | None)
    with frozen(middleware, datetime.now(UTC)) as clock:
        assert_type(clock, FrozenClock)
        assert_type(clock(), float)
        clock.tick(timedelta(hours=1))
        clock.tick()
    for client in (werkzeug.test.Client(middleware), site.test_client(), webtest.TestApp(middleware)):
        with session_transaction(client, middleware) as session:
            session["user"] = "ada"
    with session_transaction(httpx.Client(), middleware), session_transaction(requests.Session(), middleware):
        pass


def test_wrongly(middleware: SessionMiddleware, clock: FrozenClock) -> None:
    make_cookie(app, {"user": "ada"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    make_cookie(middleware, ["user"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    make_cookie(middleware, {}, "https://example.com/")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    read_cookie(middleware, "session=")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    frozen(middleware, "today")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    clock.tick("an hour")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    session_transaction(app, middleware)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    handstamp.testing.thaw  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


# -- settings and policies --------------------------------------------------------------------------------------------

#: Editors complete the keys, and a value of another type is found.
TYPED: SettingsDict = {"SECRET_KEY": "the key of an example", "SESSION_COOKIE_SECURE": True}
SessionMiddleware(app, TYPED)
MISTYPED: SettingsDict = {"SESSION_COOKIE_SECURE": "yes"}  # type: ignore[typeddict-item]  # pyright: ignore[reportAssignmentType]
POLICY = CookiePolicy("id", domain=None, path="/", httponly=True, secure=True, samesite="Lax", partitioned=False)
CookiePolicy("id")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Basket(SecureCookieSession):
    """A session of the application's own."""

    items_count: int


class BasketInterface(SecureCookieSessionInterface[Basket]):
    """Opens it."""

    session_class = Basket


def open_basket(interface: BasketInterface, settings: Settings, request: webob.Request) -> int:
    """The interface knows its session."""
    basket = interface.open_session(settings, request)
    return 0 if basket is None else basket.items_count
