"""Your own interface: sessions in a dict of this process. The cookie holds a random id."""

import os
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response

from handstamp import SessionInterface, SessionMiddleware, SessionMixin, Settings

kept: dict[str, dict[str, Any]] = {}  # id -> the data of the session


class MemoryInterface(SessionInterface):
    class Session(dict[str, Any], SessionMixin):
        id = ""

    def open_session(self, settings: Settings, request: Request) -> Session:
        id = request.cookies.get(self.get_cookie_name(settings, request), "")
        session = self.Session(kept.get(id, {}))
        session.id = id if session else os.urandom(16).hex()
        return session

    def save_session(self, settings: Settings, session: Session, response: Response) -> None:
        if session:
            kept[session.id] = dict(session)
            self.set_cookie(settings, session, response, session.id)
        elif kept.pop(session.id, None):
            self.delete_cookie(settings, session, response)


def app(environ: Any, start_response: Any) -> list[bytes]:
    visits = environ["session"]["visits"] = environ["session"].get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"visit {visits}".encode()]


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, session_interface=MemoryInterface())
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
