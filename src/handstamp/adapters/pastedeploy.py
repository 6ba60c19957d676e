"""The middleware in ini files of PasteDeploy: ``use = egg:handstamp`` in the section of a filter."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from wsgiref.types import WSGIApplication

from .._hidden import discreet
from .._interface import SessionInterface
from .._middleware import SessionMiddleware
from .._settings import Settings
from ..exceptions import SettingsError

__all__ = ["filter_app_factory"]


@discreet
def filter_app_factory(
    app: WSGIApplication,
    global_conf: Mapping[str, str] | None,
    /,
    *,
    environ_key: str = "session",
    session_interface: str = "handstamp:SecureCookieSessionInterface",
    **local_conf: str,
) -> SessionMiddleware:
    """Wrap an application with the settings of a section in an ini file.

    :param global_conf: ignored, because its keys are meant for every section; ``get SECRET_KEY = name`` in the section
        takes one of them
    :param environ_key: the key of the session in the WSGI environment
    :param session_interface: ``module:name`` of an interface, or of a class or function that returns one
    :param local_conf: keys and texts, as for :meth:`Settings.from_strings`
    :raises SettingsError: the settings are wrong, or there is no such interface

    >>> from webob import Response
    >>> settings = {"SECRET_KEY": "the key of an example", "environ_key": "shop.session"}
    >>> middleware = filter_app_factory(Response("hello"), {}, **settings)
    >>> middleware.environ_key
    'shop.session'
    """
    settings = Settings.from_strings(local_conf)
    interface = _find_interface(session_interface)
    return SessionMiddleware(app, settings, session_interface=interface, environ_key=environ_key)


def _find_interface(path: str) -> SessionInterface:
    try:
        found = resolve_name(path)
    except (AttributeError, ImportError, ValueError) as error:
        raise SettingsError(f"session_interface: {path!r} was not found ({error}); write module:name") from error
    interface = found() if callable(found) else found
    if not isinstance(interface, SessionInterface):
        raise SettingsError(f"session_interface: {path!r} neither is nor returns a SessionInterface; name one")
    return interface
