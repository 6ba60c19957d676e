"""Remember me: with the checkbox, a user stays signed in until a month without a visit. Without it, the limits are an
hour and the end of the browser. After 90 days everybody has to enter the password again.

What it does not do: ask for that password, slow down guesses, or tell a stolen cookie from its owner's.
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
    if is_forged(request):  # otherwise another site could sign its visitors in as a user who reads what they do here
        return Response("Go back to the page and try again.", status=403)
    if request.method == "POST":  # a real site checks the password here
        session.invalidate()  # drops what another user of this browser left, the old CSRF token included
        session["user"] = str(request.POST.get("user", ""))
        session.permanent = "remember" in request.POST
    if "user" in session:
        return Response(f"Hello, {escape(session['user'])}.")
    return Response(f'<form method="post">{csrf_field(session)}{FIELDS}</form>')


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], **LIMITS})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
