"""Log out everywhere, without a store: a time is stored with the user, and rejects all sessions created before it.

What it does not do: ask for a password, or end a session that began on a machine whose clock is ahead of this one's.
"""

import os
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from wsgiref.simple_server import make_server

from csrf_token import csrf_field, is_forged
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


def sign_in(session: Any, user: str) -> None:  # and the password was right
    session.pop("csrf", None)
    session.renew()
    session["user"] = user


@wsgify
def app(request: Request) -> Response:
    session = request.environ["session"]
    if is_forged(request):  # a link or a picture on another site must not log anyone out, or in as someone else
        return Response("Go back to the page and try again.", status=403)
    if (request.method, request.path_info) == ("POST", "/sign-in"):
        sign_in(session, str(request.POST.get("user", "")))
    elif (request.method, request.path_info) == ("POST", "/out") and "user" in session:
        log_out_everywhere(session)
    action, field = ("/out", "") if "user" in session else ("/sign-in", '<input name="user">')
    form = f'<form method="post" action="{action}">{csrf_field(session)}{field}<button>{action}</button></form>'
    return Response(f"<p>{escape(session.get('user', 'nobody'))}</p>{form}")


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]}, session_interface=RevocableInterface())
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
