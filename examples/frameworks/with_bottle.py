"""Bottle: the session is request.environ["session"], and a hook of three lines makes it request.session.

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 with_bottle:application
"""

import os

from bottle import Bottle, request, response

from handstamp import SessionMiddleware

app = Bottle()


@app.hook("before_request")
def find_session():
    request.session = request.environ["session"]


@app.get("/")
def home():
    response.content_type = "text/plain"
    return f"{request.session.get('user', 'stranger')}: {' '.join(request.session.get('basket', []))}\n"


@app.post("/sign-in")
def sign_in():
    request.session.renew()
    request.session["user"] = request.forms["user"]
    return home()


@app.post("/basket")
def add_to_basket():
    request.session.setdefault("basket", []).append(request.forms["item"])
    return home()


@app.post("/sign-out")
def sign_out():
    request.session.invalidate()
    return home()


@app.get("/stream")
def stream():
    session = request.session
    session["streams"] = session.get("streams", 0) + 1
    yield f"stream {session['streams']}\n"
    yield "the end\n"


@app.get("/about")
def about():
    return "This page leaves the session alone.\n"


application = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "bottle-session"})
