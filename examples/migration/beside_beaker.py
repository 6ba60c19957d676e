"""Move the sessions that only Beaker can read: in files, memory or a database, pickled or encrypted.

handstamp does not read pickle, and an id is useless without Beaker's store. So keep Beaker's middleware between ours
and the application during the move::

    app = move_from_beaker(app, ["user", "cart"])
    app = beaker.middleware.SessionMiddleware(app, old_config)
    app = handstamp.SessionMiddleware(app, settings)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from handstamp.interfaces import find_values


def move_from_beaker(
    app: WSGIApplication, keys: Iterable[str], cookie_name: str = "beaker.session.id"
) -> WSGIApplication:
    """Move some keys of a visitor's Beaker session to ours, once, and end the old session.

    :param keys: the keys to move; a value that handstamp cannot save raises an error, so convert it here
    """
    wanted = list(keys)

    def moving(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # Without the old cookie, neither session is accessed.
        if find_values(environ.get("HTTP_COOKIE", ""), cookie_name):
            found = take(environ["beaker.session"], wanted)
            if environ["session"].new:
                environ["session"].update(found)
        return app(environ, start_response)

    return moving


def take(old: Any, keys: list[str]) -> dict[str, Any]:
    """Return the values of these keys in a Beaker session, and end it."""
    if old.is_new:  # nothing to end: saving it would create a record for a forged id
        return {}
    found = {key: old[key] for key in keys if key in old}
    old.delete()
    return found
