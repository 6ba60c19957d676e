"""Skip sessions for health checks: a function in front of the middleware answers them.

(A session that is never accessed costs little and sets no cookie. But some libraries access every session.)

What it does not do: ask whether the application behind it works, or keep strangers from asking.
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
