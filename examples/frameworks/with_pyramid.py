"""Pyramid: the session is request.environ["session"], and add_request_method makes it request.session.

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 with_pyramid:application
"""

import os

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.view import view_config

from handstamp import SessionMiddleware


def get_session(request):
    return request.environ["session"]


@view_config(route_name="home", request_method="GET", renderer="string")
def home(request):
    return f"{request.session.get('user', 'stranger')}: {' '.join(request.session.get('basket', []))}\n"


@view_config(route_name="sign-in", request_method="POST", renderer="string")
def sign_in(request):
    request.session.renew()
    request.session["user"] = request.POST["user"]
    return home(request)


@view_config(route_name="basket", request_method="POST", renderer="string")
def add_to_basket(request):
    request.session.setdefault("basket", []).append(request.POST["item"])
    return home(request)


@view_config(route_name="sign-out", request_method="POST", renderer="string")
def sign_out(request):
    request.session.invalidate()
    return home(request)


@view_config(route_name="stream", request_method="GET")
def stream(request):
    def chunks():
        request.session["streams"] = request.session.get("streams", 0) + 1
        yield f"stream {request.session['streams']}\n".encode()
        yield b"the end\n"

    return Response(app_iter=chunks(), content_type="text/plain")


@view_config(route_name="about", request_method="GET", renderer="string")
def about(request):
    return "This page leaves the session alone.\n"


with Configurator() as config:
    config.add_request_method(get_session, "session", property=True)
    config.add_route("home", "/")
    for name in ("sign-in", "basket", "sign-out", "stream", "about"):
        config.add_route(name, f"/{name}")
    config.scan(__name__)

application = SessionMiddleware(
    config.make_wsgi_app(), {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "pyramid-session"}
)
