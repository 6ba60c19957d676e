"""Log out everywhere, without a store: a time is stored with the user, and rejects all sessions created before it."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SecureCookieSessionInterface, SessionMiddleware, Settings

valid_after: dict[str, datetime] = {}  # in practice, a column of your table of users


class RevocableInterface(SecureCookieSessionInterface):
    def validate_session(self, settings: Settings, session: Any) -> bool:
        return bool(session.created >= valid_after.get(session.get("user"), session.created))


def log_out_everywhere(session: Any) -> None:
    # ``created`` counts whole seconds. One second more ends the current session and its copies too.
    valid_after[session["user"]] = max(datetime.now(UTC), session.created + timedelta(seconds=1))
    session.invalidate()


@wsgify
def app(request: Request) -> Response:
    session = request.environ["session"]
    if request.path_info == "/sign-in":  # a real site checks the password here
        session.renew()
        session["user"] = request.params["user"]
    elif request.path_info == "/out" and "user" in session:
        log_out_everywhere(session)
    return Response(session.get("user", "nobody"), content_type="text/plain")


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]}, session_interface=RevocableInterface())
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
