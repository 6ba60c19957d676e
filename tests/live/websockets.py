"""Echoes over a websocket, whose applications take the connection over: Flask-Sock's, and gevent-websocket's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, request
from flask_sock import Sock
from geventwebsocket.handler import WebSocketHandler

from handstamp import SessionMiddleware


def sign_in(session: Any) -> str:
    """Write the session in a request of its own."""
    session["user"] = "Ada"
    return "welcome"


def answer(session: Any, message: str) -> str:
    """Answer a message; one of them changes the session."""
    if message == "change":
        session["message"] = message
    return f"{session.get('user')}: {message}"


# -- Flask-Sock -------------------------------------------------------------------------------------------------------

site = Flask(__name__)
sock = Sock(site)


@site.get("/sign-in")
def sign_in_page() -> str:
    """Sign in."""
    return sign_in(request.environ["session"])


@sock.route("/echo")  # type: ignore[untyped-decorator]
def echo(websocket: Any) -> None:
    """Echo one message."""
    websocket.send(answer(request.environ["session"], websocket.receive()))


flask_sock = SessionMiddleware(site, {"SECRET_KEY": os.environ["SECRET_KEY"]})


# -- gevent-websocket -------------------------------------------------------------------------------------------------


def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Echo one message, or sign in."""
    websocket, session = environ.get("wsgi.websocket"), environ["session"]
    if websocket is not None:
        websocket.send(answer(session, websocket.receive()))
        return []
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [sign_in(session).encode()]


gevent_websocket = SessionMiddleware(page, {"SECRET_KEY": os.environ["SECRET_KEY"]})


if __name__ == "__main__":
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", int(sys.argv[1])), gevent_websocket, handler_class=WebSocketHandler).serve_forever()
