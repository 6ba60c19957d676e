"""Falcon: the session is req.env["session"], and a request class of three lines makes it req.session.

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 with_falcon:application
"""

import os

import falcon

from handstamp import SessionMiddleware


class Request(falcon.Request):
    @property
    def session(self):
        return self.env["session"]


class Home:
    def on_get(self, req, resp):
        resp.text = f"{req.session.get('user', 'stranger')}: {' '.join(req.session.get('basket', []))}\n"


class SignIn(Home):
    def on_post(self, req, resp):
        req.session.renew()
        req.session["user"] = req.get_media()["user"]
        self.on_get(req, resp)


class Basket(Home):
    def on_post(self, req, resp):
        req.session.setdefault("basket", []).append(req.get_media()["item"])
        self.on_get(req, resp)


class SignOut(Home):
    def on_post(self, req, resp):
        req.session.invalidate()
        self.on_get(req, resp)


class Stream:
    def on_get(self, req, resp):
        resp.stream = self.chunks(req.session)

    def chunks(self, session):
        session["streams"] = session.get("streams", 0) + 1
        yield f"stream {session['streams']}\n".encode()
        yield b"the end\n"


class About:
    def on_get(self, req, resp):
        resp.text = "This page leaves the session alone.\n"


app = falcon.App(request_type=Request, media_type=falcon.MEDIA_TEXT)
app.add_route("/", Home())
app.add_route("/sign-in", SignIn())
app.add_route("/basket", Basket())
app.add_route("/sign-out", SignOut())
app.add_route("/stream", Stream())
app.add_route("/about", About())

application = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "falcon-session"})
