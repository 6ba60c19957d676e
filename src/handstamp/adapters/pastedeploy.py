"""The middleware for ini files: ``use = egg:handstamp`` in a filter's section of PasteDeploy."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from wsgiref.types import WSGIApplication

from .._hidden import discreet
from .._interface import SessionInterface
from .._middleware import SessionMiddleware
from .._settings import Settings
from ..exceptions import SettingsError


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
    """Wrap an application with the settings of an ini file's section.

    :param global_conf: not read, since its keys are meant for everybody: ``get SECRET_KEY = name`` takes one from there
    :param environ_key: where the session is found
    :param session_interface: ``module:name`` of an interface, or of what makes one
    :param local_conf: keys and texts as :meth:`Settings.from_strings` takes them
    :raises SettingsError: lists every problem of the settings, or says why there is no such interface
    """
    settings = Settings.from_strings(local_conf)
    interface = _find_interface(session_interface)
    return SessionMiddleware(app, settings, session_interface=interface, environ_key=environ_key)


def _find_interface(path: str) -> SessionInterface:
    try:
        found = resolve_name(path)
    except (AttributeError, ImportError, ValueError) as error:
        raise SettingsError(f"session_interface: {path!r} is not found ({error}); write module:name") from error
    interface = found() if callable(found) else found
    if not isinstance(interface, SessionInterface):
        raise SettingsError(f"session_interface: {path!r} is no SessionInterface, and makes none; name one")
    return interface
