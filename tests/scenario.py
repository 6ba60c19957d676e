"""What a visitor does in every example, and sees: the same under each framework.

A step gets a visitor without cookies. How its requests travel is the business of what the visitor was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

Headers = list[tuple[str, str]]


class Reply(NamedTuple):
    """What comes back."""

    status: int
    headers: Headers
    body: bytes

    def every(self, name: str) -> list[str]:
        """Return the values of every header of a name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body of a page that is there."""
        assert self.status == 200, self
        return self.body.decode()

    @property
    def varies(self) -> bool:
        """Whether it depends on the cookie."""
        return "cookie" in ",".join(self.every("Vary")).lower()


#: Sends a request: method, path, headers and body.
Send = Callable[[str, str, dict[str, str], bytes], Reply]


class Visitor:
    """Keeps cookies by their names, and drops those that are deleted."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.jar: dict[str, str] = {}

    def get(self, path: str) -> Reply:
        """Visit a page."""
        return self.request("GET", path)

    def post(self, path: str, **form: str) -> Reply:
        """Send a form."""
        return self.request("POST", path, urlencode(form).encode())

    def request(self, method: str, path: str, body: bytes = b"") -> Reply:
        """Send what a browser sends, and keep what it keeps."""
        headers = {"Host": "localhost"}
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
        if self.jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        reply = self.send(method, path, headers, body)
        for line in reply.every("Set-Cookie"):
            self.keep(line)
        return reply

    def keep(self, line: str) -> None:
        """Keep a cookie, or drop one that has no time left."""
        name, _, value = line.partition(";")[0].partition("=")
        if "max-age=0" in line.lower():
            self.jar.pop(name, None)
        else:
            self.jar[name] = value


def stay_anonymous(visitor: Visitor) -> None:
    """A page that leaves the session alone says nothing of it; one that reads it varies; neither sets a cookie."""
    about, home = visitor.get("/about"), visitor.get("/")
    assert about.text == "This page leaves the session alone.\n"
    assert home.text == "stranger: \n"
    assert (about.varies, home.varies) == (False, True)
    assert about.every("Set-Cookie") + home.every("Set-Cookie") == []


def write(visitor: Visitor) -> None:
    """The first write sets one cookie, on a private page; reading it back sets none."""
    reply = visitor.post("/basket", item="pear")
    assert reply.text == "stranger: pear\n"
    assert len(reply.every("Set-Cookie")) == 1
    assert reply.varies
    assert "private" in ",".join(reply.every("Cache-Control"))
    home = visitor.get("/")
    assert home.text == "stranger: pear\n"
    assert home.every("Set-Cookie") == []


def change_nested(visitor: Visitor) -> None:
    """A list inside the session is appended to, and comes back longer."""
    for item in ("pear", "plum", "fig"):
        assert len(visitor.post("/basket", item=item).every("Set-Cookie")) == 1
    assert visitor.get("/").text == "stranger: pear plum fig\n"


def sign_in(visitor: Visitor) -> None:
    """Signing in issues the cookie anew and keeps the basket."""
    visitor.post("/basket", item="pear")
    before = dict(visitor.jar)
    assert visitor.post("/sign-in", user="ada").text == "ada: pear\n"
    assert visitor.jar.keys() == before.keys()
    assert visitor.jar != before
    assert visitor.get("/").text == "ada: pear\n"


def sign_out(visitor: Visitor) -> None:
    """Signing out empties the page and the jar."""
    visitor.post("/sign-in", user="ada")
    assert len(visitor.jar) == 1
    assert visitor.post("/sign-out").text == "stranger: \n"
    assert visitor.jar == {}
    assert visitor.get("/").text == "stranger: \n"


def stream(visitor: Visitor) -> None:
    """What a generator changes before its first chunk is saved, and its chunks arrive in order, with their head."""
    for number in (1, 2):
        reply = visitor.get("/stream")
        assert reply.text == f"stream {number}\nthe end\n"
        assert len(reply.every("Set-Cookie")) == 1
        assert reply.every("Content-Type")[0].startswith("text/")


STEPS = [stay_anonymous, write, change_nested, sign_in, sign_out, stream]
