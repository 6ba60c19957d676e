"""The libraries that people move in from, each driven as its manual says: their cookies, and junk that they sign."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from unittest import mock
from wsgiref.types import WSGIApplication, WSGIEnvironment

import flask
from from_beaker import BeakerOnce
from from_django import DjangoOnce
from from_flask import FlaskOnce
from from_pyramid import PyramidOnce
from from_secure_cookie import SecureCookieOnce
from read_once import ReadOnceInterface

from .wsgi import TEXT, make_environ, serve

OLD_KEY = "the key of the old library, no secret"


def flask_line(data: Mapping[str, Any], key: str = OLD_KEY, **config: Any) -> str:
    """Have Flask set its cookie."""
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=key, **config)

    @app.get("/")
    def view() -> str:
        flask.session.update(data)
        return "written"

    return app.test_client().get("/").headers["Set-Cookie"]


def flask_forge(text: str) -> str:
    """Sign any JSON text as Flask would."""
    serializer: Any = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(
        mock.Mock(secret_key=OLD_KEY, config={"SECRET_KEY_FALLBACKS": None})
    )
    serializer.serializer = mock.Mock(dumps=lambda obj, **options: obj)
    return str(serializer.dumps(text))


def beaker_app(app: WSGIApplication, key: str = OLD_KEY, **options: Any) -> WSGIApplication:
    """Wrap an application in Beaker's middleware."""
    from beaker.middleware import SessionMiddleware as Beaker

    config = {"type": "cookie", "validate_key": key, "data_serializer": "json"} | options
    wrapped: WSGIApplication = Beaker(app, {f"session.{name}": value for name, value in config.items()})
    return wrapped


def beaker_line(data: Mapping[str, Any], key: str = OLD_KEY, **options: Any) -> str:
    """Have Beaker set its cookie."""

    def app(environ: WSGIEnvironment, start_response: Any) -> list[bytes]:
        environ["beaker.session"].update(data)
        environ["beaker.session"].save()
        start_response("200 OK", list(TEXT))
        return [b""]

    return serve(beaker_app(app, key, **options), make_environ()).cookie.strip()


def beaker_forge(text: str) -> str:
    """Sign any JSON text as Beaker would."""
    from beaker.session import SignedCookie

    value = base64.b64encode(zlib.compress(text.encode())).decode()
    return str(SignedCookie(OLD_KEY).value_encode(value)[1])


def pyramid_line(data: Mapping[str, Any], key: str = OLD_KEY, **options: Any) -> str:
    """Have Pyramid set its cookie."""
    from pyramid.config import Configurator
    from pyramid.response import Response
    from pyramid.session import SignedCookieSessionFactory

    def view(request: Any) -> Any:
        request.session.update(data)
        return Response("written")

    config = Configurator(session_factory=SignedCookieSessionFactory(key, **options))
    config.add_route("home", "/")
    config.add_view(view, route_name="home")
    return serve(config.make_wsgi_app(), make_environ(PATH_INFO="/")).cookie


def pyramid_forge(text: str) -> str:
    """Sign any JSON text as Pyramid would."""
    from webob.cookies import SignedSerializer

    plain = mock.Mock(dumps=lambda obj: obj.encode())
    return SignedSerializer(OLD_KEY, "pyramid.session.", "sha512", serializer=plain).dumps(text).decode()


def in_django(work: Callable[[], str], key: str, **options: Any) -> str:
    """Do something under settings of our own: Django's belong to the process, and others may have made some."""
    from django.conf import UserSettingsHolder, global_settings, settings

    holder: Any = UserSettingsHolder(global_settings)
    holder.SECRET_KEY = key
    holder.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    for name, value in options.items():
        setattr(holder, name, value)
    with mock.patch.object(settings, "_wrapped", holder):
        return work()


def django_line(
    data: Mapping[str, Any], key: str = OLD_KEY, *, change: Callable[[Any], object] = bool, **options: Any
) -> str:
    """Have Django set its cookie."""

    def work() -> str:
        from django.contrib.sessions.middleware import SessionMiddleware as Django
        from django.core.handlers.wsgi import WSGIRequest
        from django.http import HttpResponse

        def view(request: Any) -> Any:
            request.session.update(data)
            change(request.session)
            return HttpResponse("written")

        response: Any = Django(view)(WSGIRequest(make_environ()))
        (cookie,) = response.cookies.values()
        return str(cookie.OutputString())

    return in_django(work, key, **options)


def django_forge(text: str) -> str:
    """Sign any JSON text as Django would."""
    from django.core import signing

    class Plain:
        def dumps(self, obj: str) -> bytes:
            return obj.encode("latin-1")

    salt = "django.contrib.sessions.backends.signed_cookies"
    return in_django(lambda: signing.dumps(text, salt=salt, serializer=Plain, compress=True), OLD_KEY)


def secure_cookie_line(data: Mapping[str, Any], key: str = OLD_KEY, **options: Any) -> str:
    """Have secure-cookie set its cookie; its last release imports four names that Werkzeug has no more."""
    from werkzeug import Response

    from tests.benchmarks.peers import import_secure_cookie

    class Cookie(import_secure_cookie().SecureCookie):  # type: ignore[misc]  # known at run time only
        def serialize(self, expires: Any = None) -> str:
            return str(super().serialize(expires).decode())  # today's Response takes no bytes

    response = Response()
    Cookie(data, key).save_cookie(response, force=True, **options)
    return response.headers["Set-Cookie"]


def secure_cookie_forge(text: str) -> str:
    """Sign any JSON text as secure-cookie would, as one value."""
    from tests.benchmarks.peers import import_secure_cookie

    class Plain:
        dumps = staticmethod(str)

    class Cookie(import_secure_cookie().SecureCookie):  # type: ignore[misc]  # known at run time only
        serialization_method = Plain

    return str(Cookie({"key": text}, OLD_KEY).serialize().decode())


class Old(NamedTuple):
    """An old library: who makes its cookies, who signs any text with its key, who reads them."""

    line: Callable[..., str]
    forge: Callable[[str], str]
    once: type[ReadOnceInterface]
    #: JSON that the library could have written, around the data.
    frame: str
    #: Its cookies say when they were issued.
    dated: bool = True


OLDS = {
    "flask": Old(flask_line, flask_forge, FlaskOnce, "DATA"),
    "beaker": Old(beaker_line, beaker_forge, BeakerOnce, '{"_accessed_time":NOW,"_creation_time":NOW,"key":DATA}'),
    "pyramid": Old(pyramid_line, pyramid_forge, PyramidOnce, "[NOW,NOW,DATA]"),
    "django": Old(django_line, django_forge, DjangoOnce, "DATA"),
    "secure-cookie": Old(secure_cookie_line, secure_cookie_forge, SecureCookieOnce, "DATA", dated=False),
}
