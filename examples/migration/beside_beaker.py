"""Let Beaker read what only Beaker can, and move it: sessions in files, in memory or a database, pickled, encrypted.

handstamp reads no pickle, and an id without Beaker's store says nothing. So, as long as the move takes, Beaker's
middleware stays, between ours and the application::

    app = move_from_beaker(app, ["user", "cart"])
    app = beaker.middleware.SessionMiddleware(app, old_config)
    app = handstamp.SessionMiddleware(app, settings)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from handstamp._cookies import find_values


def move_from_beaker(
    app: WSGIApplication, keys: Iterable[str], cookie_name: str = "beaker.session.id"
) -> WSGIApplication:
    """Move these keys of a visitor's Beaker session into ours, once, and end the old one.

    :param keys: those to keep; a value that handstamp cannot write is an error, so convert it here
    """
    wanted = list(keys)

    def moving(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Only who carries the old cookie is looked at, so that all others stay untouched.
        if find_values(environ.get("HTTP_COOKIE", ""), cookie_name):
            found = take(environ["beaker.session"], wanted)
            if environ["session"].new:
                environ["session"].update(found)
        return app(environ, start_response)

    return moving


def take(old: Any, keys: list[str]) -> dict[str, Any]:
    """Return what is worth keeping of a Beaker session, and end it."""
    if old.is_new:  # nothing to end: to save it would make a record for a made-up id
        return {}
    found = {key: old[key] for key in keys if key in old}
    old.delete()
    return found
