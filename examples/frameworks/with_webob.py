"""WebOb's wsgify: the session is request.environ["session"], and a request class of three lines makes it .session.

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 with_webob:application
"""

import os

import webob
from webob.dec import wsgify
from webob.exc import HTTPNotFound

from handstamp import SessionMiddleware


class Request(webob.Request):
    @property
    def session(self):
        return self.environ["session"]


@wsgify(RequestClass=Request)
def app(request):
    page = PAGES.get((request.method, request.path_info))
    return page(request) if page else HTTPNotFound()


def home(request):
    return f"{request.session.get('user', 'stranger')}: {' '.join(request.session.get('basket', []))}\n"


def sign_in(request):
    request.session.renew()
    request.session["user"] = request.POST["user"]
    return home(request)


def add_to_basket(request):
    request.session.setdefault("basket", []).append(request.POST["item"])
    return home(request)


def sign_out(request):
    request.session.invalidate()
    return home(request)


def stream(request):
    def chunks():
        request.session["streams"] = request.session.get("streams", 0) + 1
        yield f"stream {request.session['streams']}\n".encode()
        yield b"the end\n"

    return webob.Response(app_iter=chunks(), content_type="text/plain")


def about(request):
    return "This page leaves the session alone.\n"


PAGES = {
    ("GET", "/"): home,
    ("POST", "/sign-in"): sign_in,
    ("POST", "/basket"): add_to_basket,
    ("POST", "/sign-out"): sign_out,
    ("GET", "/stream"): stream,
    ("GET", "/about"): about,
}

application = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "webob-session"})
