"""A CSRF token: a form counts only if it was made for this very session, so that no other site can send one.

What it does not do: limit a token to one form or one hour, or help against a script in a page of your own.
"""

import os
import secrets
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionMiddleware


def csrf_token(session: Any) -> str:
    """Return the token to hide in a form. At signing in, ``session.pop("csrf")`` and ``session.renew()``."""
    return str(session.setdefault("csrf", secrets.token_urlsafe(16)))


def csrf_field(session: Any) -> str:
    """Return the field that hides it."""
    return f'<input type="hidden" name="csrf" value="{csrf_token(session)}">'


def is_forged(request: Request) -> bool:
    """Tell whether a request changes something without knowing the token; scripts may send it as a header.

    Not in the URL, which logs and the Referer header repeat.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    token = request.environ["session"].get("csrf", "")
    given = request.headers.get("X-CSRF-Token") or str(request.POST.get("csrf", ""))
    return not token or not secrets.compare_digest(token.encode(), given.encode())


@wsgify
def app(request: Request) -> Response:
    if is_forged(request):
        return Response("Go back to the page and try again.", status=403)
    if request.method == "POST":
        return Response("done")
    return Response(f'<form method="post">{csrf_field(request.environ["session"])}<button>Pay</button></form>')


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
