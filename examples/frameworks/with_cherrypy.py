"""CherryPy: the session is cherrypy.request.wsgi_environ["session"], and get_session() is the shortcut.

SECRET_KEY=$(python -m handstamp secret) waitress-serve --listen=127.0.0.1:8000 with_cherrypy:application
"""

import os

import cherrypy

from handstamp import SessionMiddleware


def get_session():
    """Return the session, in place of cherrypy.session."""
    return cherrypy.request.wsgi_environ["session"]


@cherrypy.tools.response_headers(headers=[("Content-Type", "text/plain")])
class Shop:
    @cherrypy.expose
    @cherrypy.tools.allow(methods=["GET", "HEAD"])
    def index(self):
        return self.describe()

    @cherrypy.expose("sign-in")
    @cherrypy.tools.allow(methods=["POST"])
    def sign_in(self, user):
        get_session().renew()
        get_session()["user"] = user
        return self.describe()

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def basket(self, item):
        get_session().setdefault("basket", []).append(item)
        return self.describe()

    @cherrypy.expose("sign-out")
    @cherrypy.tools.allow(methods=["POST"])
    def sign_out(self):
        get_session().invalidate()
        return self.describe()

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})  # Otherwise CherryPy collects the chunks.
    def stream(self):
        session = get_session()
        session["streams"] = session.get("streams", 0) + 1
        yield f"stream {session['streams']}\n"
        yield "the end\n"

    @cherrypy.expose
    def about(self):
        return "This page leaves the session alone.\n"

    def describe(self):
        session = get_session()
        return f"{session.get('user', 'stranger')}: {' '.join(session.get('basket', []))}\n"


application = SessionMiddleware(
    cherrypy.Application(Shop()), {"SECRET_KEY": os.environ["SECRET_KEY"], "SESSION_COOKIE_NAME": "cherrypy-session"}
)
