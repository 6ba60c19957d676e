"""Remember me: with the checkbox, a user stays signed in until a month without a visit. Without it, the limits are an
hour and the end of the browser. After 90 days everybody has to enter the password again."""

import os
from datetime import timedelta
from html import escape
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionMiddleware

LIMITS = {
    "PERMANENT_SESSION_LIFETIME": timedelta(days=30),
    "SESSION_IDLE_LIFETIME": timedelta(hours=1),
    "SESSION_ABSOLUTE_LIFETIME": timedelta(days=90),
}
FORM = '<form method="post"><input name="user"> <input type="checkbox" name="remember"> <button>Sign in</button></form>'


@wsgify
def app(request: Request) -> Response:
    session = request.environ["session"]
    if request.method == "POST":  # a real site checks the password here
        session["user"] = request.params.get("user", "")
        session.permanent = "remember" in request.POST
        session.renew()
    return Response(f"Hello, {escape(session['user'])}." if "user" in session else FORM)


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], **LIMITS})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
