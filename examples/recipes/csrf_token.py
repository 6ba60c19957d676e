"""A CSRF token: a form is accepted only if it was made for the same session, so that no other site can send one.

What it does not do: limit a token to one form or one hour, or protect against a script in your own page.
"""

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


def csrf_field(session: Any) -> str:
    """Return the field that hides it."""
    return f'<input type="hidden" name="csrf" value="{csrf_token(session)}">'


def is_forged(request: Request) -> bool:
    """Return whether a request would change something without the token. Scripts may send the token as a header.

    A token in the URL does not count, because logs and the Referer header repeat it.
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
