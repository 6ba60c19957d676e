"""Django: the session is request.environ["session"], and three lines of middleware make it request.session.

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 with_django:application
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from handstamp import SessionMiddleware

# In a project these lines belong to settings.py. MIDDLEWARE does not list Django's own SessionMiddleware.
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=[f"{__name__}.session_middleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SECRET_KEY"],
)


def session_middleware(get_response):
    def middleware(request):
        request.session = request.environ["session"]
        return get_response(request)

    return middleware


@require_GET
def home(request):
    return show(request.session)


@require_POST
def sign_in(request):
    request.session.renew()
    request.session["user"] = request.POST["user"]
    return show(request.session)


@require_POST
def add_to_basket(request):
    request.session.setdefault("basket", []).append(request.POST["item"])
    return show(request.session)


@require_POST
def sign_out(request):
    request.session.invalidate()
    return show(request.session)


@require_GET
def stream(request):
    def chunks():
        request.session["streams"] = request.session.get("streams", 0) + 1
        yield f"stream {request.session['streams']}\n"
        yield "the end\n"

    return StreamingHttpResponse(chunks(), content_type="text/plain")


@require_GET
def about(request):
    return HttpResponse("This page leaves the session alone.\n", content_type="text/plain")


def show(session):
    text = f"{session.get('user', 'stranger')}: {' '.join(session.get('basket', []))}\n"
    return HttpResponse(text, content_type="text/plain")


urlpatterns = [
    path("", home),
    path("sign-in", sign_in),
    path("basket", add_to_basket),
    path("sign-out", sign_out),
    path("stream", stream),
    path("about", about),
]

application = SessionMiddleware(
    get_wsgi_application(), {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "django-session"}
)
