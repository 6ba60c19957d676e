"""Remember me: who ticks the box stays signed in for a month of absence, everybody else for an hour or until the
browser closes; and nobody longer than a quarter without the password.

What it does not do: ask for that password, slow down who guesses it, or tell a stolen cookie from its owner's.
"""

import os
from datetime import timedelta
from html import escape
from wsgiref.simple_server import make_server

from csrf_token import csrf_field, is_forged
from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionMiddleware

LIMITS = {
    "PERMANENT_SESSION_LIFETIME": timedelta(days=30),
    "SESSION_IDLE_LIFETIME": timedelta(hours=1),
    "SESSION_ABSOLUTE_LIFETIME": timedelta(days=90),
}
FIELDS = '<input name="user"> <input type="checkbox" name="remember"> <button>Sign in</button>'


@wsgify
def app(request: Request) -> Response:
    session = request.environ["session"]
    if is_forged(request):  # else another site signs its visitors in as somebody who reads what they do here
        return Response("Go back to the page and try again.", status=403)
    if request.method == "POST":  # and the password was right
        session.invalidate()  # what another user of this browser had in it, the old CSRF token included
        session["user"] = str(request.POST.get("user", ""))
        session.permanent = "remember" in request.POST
    if "user" in session:
        return Response(f"Hello, {escape(session['user'])}.")
    return Response(f'<form method="post">{csrf_field(session)}{FIELDS}</form>')


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], **LIMITS})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
