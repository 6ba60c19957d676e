"""A CSRF token: a form is accepted only if it was made for the same session, so that no other site can send one."""

import os
import secrets
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionMiddleware


def csrf_token(session: Any) -> str:
    """Return the token for a hidden field. At sign-in, call ``session.pop("csrf")`` and ``session.renew()``."""
    return str(session.setdefault("csrf", secrets.token_urlsafe(16)))


def is_forged(request: Request) -> bool:
    """Return whether a request would change something without the token. Scripts may send the token as a header."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    token = request.environ["session"].get("csrf", "")
    given = request.headers.get("X-CSRF-Token") or str(request.params.get("csrf", ""))
    return not token or not secrets.compare_digest(token.encode(), given.encode())


@wsgify
def app(request: Request) -> Response:
    if is_forged(request):
        return Response("Go back to the page and try again.", status=403)
    if request.method == "POST":
        return Response("done")
    token = csrf_token(request.environ["session"])
    return Response(f'<form method="post"><input type="hidden" name="csrf" value="{token}"><button>Pay</button></form>')


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
