"""Your own interface: sessions in a dict of this process. The cookie holds a random id.

What it does not do: end sessions that nobody returns to, limit their number, keep concurrent requests from undoing each
other, or read a Cookie header full of junk quickly (``request.cookies`` is webob's).
"""

import os
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response

from handstamp import SessionInterface, SessionMiddleware, SessionMixin, Settings

kept: dict[str, dict[str, Any]] = {}  # id -> the data of the session


class Session(dict[str, Any], SessionMixin):
    id = old_id = ""

    def renew(self) -> None:  # at a sign-in: who planted the old id must not be signed in by it
        super().renew()
        self.id = os.urandom(16).hex()


class MemoryInterface(SessionInterface):
    def open_session(self, settings: Settings, request: Request) -> Session:
        id = request.cookies.get(self.get_cookie_name(settings, request), "")
        session = Session(kept.get(id, {}))
        session.id = session.old_id = id if session else os.urandom(16).hex()
        return session

    def save_session(self, settings: Settings, session: Session, response: Response) -> None:
        if session:
            kept[session.id] = dict(session)
            self.set_cookie(settings, session, response, session.id)
        elif session.old_id in kept:
            self.delete_cookie(settings, session, response)
        if not session or session.id != session.old_id:
            kept.pop(session.old_id, None)


def app(environ: Any, start_response: Any) -> list[bytes]:
    visits = environ["session"]["visits"] = environ["session"].get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"visit {visits}".encode()]


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, session_interface=MemoryInterface())
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
