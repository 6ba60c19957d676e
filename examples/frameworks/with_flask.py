"""Flask: the session is request.environ["session"], and get_session() is the shortcut.

SECRET_KEY=$(python -m handstamp secret) flask --app with_flask run
"""

import os

from flask import Flask, request

from handstamp import SessionMiddleware

app = Flask(__name__)
app.wsgi_app = application = SessionMiddleware(  # type: ignore[method-assign]  # as Flask's manual says
    app.wsgi_app, {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "flask-session"}
)


def get_session():
    """Return the session, in place of flask.session."""
    return request.environ["session"]


@app.get("/")
def home():
    session = get_session()
    return f"{session.get('user', 'stranger')}: {' '.join(session.get('basket', []))}\n"


@app.post("/sign-in")
def sign_in():
    get_session().renew()
    get_session()["user"] = request.form["user"]
    return home()


@app.post("/basket")
def add_to_basket():
    get_session().setdefault("basket", []).append(request.form["item"])
    return home()


@app.post("/sign-out")
def sign_out():
    get_session().invalidate()
    return home()


@app.get("/stream")
def stream():
    session = get_session()  # The generator runs after Flask's request has ended, but the session still works.

    def chunks():
        session["streams"] = session.get("streams", 0) + 1
        yield f"stream {session['streams']}\n"
        yield "the end\n"

    return chunks()


@app.get("/about")
def about():
    return "This page leaves the session alone.\n"
