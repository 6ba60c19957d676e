"""Skip sessions for health checks: they are answered before the middleware, by a function of their own.

(A session that nobody looks into costs little and sets no cookie; but some layers look into every one.)

What it does not do: ask whether the application behind is well, or keep strangers from asking.
"""

import os
from collections.abc import Iterable
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from handstamp import SessionMiddleware


def healthy(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    return [b"ok"]


def answer_first(answers: dict[str, WSGIApplication], app: WSGIApplication) -> WSGIApplication:
    def first(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return answers.get(environ.get("PATH_INFO", ""), app)(environ, start_response)

    return first


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"visit {session['visits']}".encode()]


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]})
    port = int(os.environ.get("PORT", "8000"))
    make_server("127.0.0.1", port, answer_first({"/healthz": healthy}, wrapped)).serve_forever()
