"""Flash messages: one request stores a message, and the next page shows it once.

What it does not do: keep more than the last ten (a cookie is small), or protect the form (``csrf_token.py`` does).
"""

import os
from collections.abc import MutableMapping
from html import escape
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionMiddleware

Session = MutableMapping[str, Any]


def flash(session: Session, text: str, kind: str = "info") -> None:
    session["flashes"] = [*session.get("flashes", []), (kind, text)][-10:]


def take_flashes(session: Session) -> list[tuple[str, str]]:
    flashes: list[tuple[str, str]] = session.pop("flashes", [])
    return flashes


@wsgify
def app(request: Request) -> Response:
    session = request.environ["session"]
    if request.method == "POST":
        flash(session, "Your order is on its way.", "success")
        return Response(status=303, location="/")
    shown = "".join(f'<p class="{escape(kind)}">{escape(text)}</p>' for kind, text in take_flashes(session))
    return Response(f'{shown}<form method="post"><button>Order</button></form>')


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
