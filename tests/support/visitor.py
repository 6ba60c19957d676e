"""A visitor with a jar of cookies, as a browser keeps them."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import urlencode
from wsgiref.types import WSGIApplication

from .wsgi import Answer, make_environ, serve

FORM = "application/x-www-form-urlencoded"


class Cookie(NamedTuple):
    """A cookie in the jar."""

    value: str
    secure: bool
    persistent: bool


class Visitor:
    """Keep cookies as browsers do, by name, domain and path, and send back those that fit."""

    def __init__(self, app: WSGIApplication, *, scheme: str = "http", host: str = "www.example.com") -> None:
        self.app = app
        self.scheme = scheme
        self.host = host
        self.jar: dict[tuple[str, str, str], Cookie] = {}
        #: Every Set-Cookie line that came.
        self.lines: list[str] = []

    def get(self, path: str = "/", **extra: Any) -> Answer:
        """Visit a page.

        :param extra: goes into the environ as it is
        """
        environ = make_environ(PATH_INFO=path, HTTP_HOST=self.host, **{"wsgi.url_scheme": self.scheme})
        environ |= {"HTTP_COOKIE": header} if (header := self.cookie_header(path)) else {}
        answer = serve(self.app, environ | extra)
        self.lines += answer.cookies
        for line in answer.cookies:
            self.store(line)
        return answer

    def post(self, path: str = "/", fields: Any = (), **extra: Any) -> Answer:
        """Send a form; bytes go as they are."""
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        form = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body))}
        return self.get(path, **{**form, "wsgi.input": BytesIO(body), **extra})

    def cookie_header(self, path: str = "/") -> str:
        """Return what is sent to a path, the longest Path first."""
        fitting = [
            (at, f"{name}={cookie.value}")
            for (name, _, at), cookie in self.jar.items()
            if f"{path}/".startswith(f"{at.rstrip('/')}/") and (self.scheme == "https" or not cookie.secure)
        ]
        return "; ".join(pair for _, pair in sorted(fitting, key=lambda found: len(found[0]), reverse=True))

    def store(self, line: str) -> None:
        """Keep a cookie, or drop one."""
        pair, *rest = [part.strip() for part in line.split(";")]
        name, _, value = pair.partition("=")
        found = {key.lower(): text for key, _, text in (part.partition("=") for part in rest)}
        where = (name, found.get("domain", self.host), found.get("path", "/"))
        if int(found.get("max-age", 1)) > 0:
            self.jar[where] = Cookie(value, "secure" in found, "max-age" in found)
        else:
            self.jar.pop(where, None)

    def close(self) -> None:
        """Forget what a browser forgets when it is closed."""
        self.jar = {where: cookie for where, cookie in self.jar.items() if cookie.persistent}
