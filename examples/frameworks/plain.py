"""No framework: the session is environ["session"].

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 plain:application
"""

import os
from urllib.parse import parse_qs

from handstamp import SessionMiddleware


def app(environ, start_response):
    page = PAGES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    start_response("200 OK" if page else "404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return page(environ) if page else [b"There is no such page.\n"]


def home(environ):
    return [describe(environ["session"]).encode()]


def sign_in(environ):
    session = environ["session"]
    session.renew()
    session["user"] = read_form(environ)["user"]
    return home(environ)


def add_to_basket(environ):
    environ["session"].setdefault("basket", []).append(read_form(environ)["item"])
    return home(environ)


def sign_out(environ):
    environ["session"].invalidate()
    return home(environ)


def stream(environ):
    session = environ["session"]
    session["streams"] = session.get("streams", 0) + 1  # In time, because it comes before the first chunk.
    yield f"stream {session['streams']}\n".encode()
    yield b"the end\n"


def about(environ):
    return [b"This page leaves the session alone.\n"]


def describe(session):
    return f"{session.get('user', 'stranger')}: {' '.join(session.get('basket', []))}\n"


def read_form(environ):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


PAGES = {
    ("GET", "/"): home,
    ("POST", "/sign-in"): sign_in,
    ("POST", "/basket"): add_to_basket,
    ("POST", "/sign-out"): sign_out,
    ("GET", "/stream"): stream,
    ("GET", "/about"): about,
}

application = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "plain-session"})
