"""What a visitor does in every example, and sees: the same under each framework.

A step gets a visitor without cookies. How its requests travel is up to the kind of visitor.
"""

from __future__ import annotations

from .visitor import Visitor


def stay_anonymous(visitor: Visitor) -> None:
    """A page that leaves the session alone says nothing of it; one that reads it varies; neither sets a cookie."""
    about, home = visitor.get("/about"), visitor.get("/")
    assert about.page == "This page leaves the session alone.\n"
    assert home.page == "stranger: \n"
    assert (about.varies, home.varies) == (False, True)
    assert about.every("Set-Cookie") + home.every("Set-Cookie") == []


def write(visitor: Visitor) -> None:
    """The first write sets one cookie, on a private page; reading it back sets none."""
    reply = visitor.post("/basket", {"item": "pear"})
    assert reply.page == "stranger: pear\n"
    assert len(reply.every("Set-Cookie")) == 1
    assert reply.varies
    assert "private" in ",".join(reply.every("Cache-Control"))
    home = visitor.get("/")
    assert home.page == "stranger: pear\n"
    assert home.every("Set-Cookie") == []


def change_nested(visitor: Visitor) -> None:
    """A list inside the session is appended to, and comes back longer."""
    for item in ("pear", "plum", "fig"):
        assert len(visitor.post("/basket", {"item": item}).every("Set-Cookie")) == 1
    assert visitor.get("/").page == "stranger: pear plum fig\n"


def sign_in(visitor: Visitor) -> None:
    """Signing in issues the cookie anew and keeps the basket."""
    visitor.post("/basket", {"item": "pear"})
    before = dict(visitor.jar)
    assert visitor.post("/sign-in", {"user": "ada"}).page == "ada: pear\n"
    assert visitor.jar.keys() == before.keys()
    assert visitor.jar != before
    assert visitor.get("/").page == "ada: pear\n"


def sign_out(visitor: Visitor) -> None:
    """Signing out empties the page and the jar."""
    visitor.post("/sign-in", {"user": "ada"})
    assert len(visitor.jar) == 1
    assert visitor.post("/sign-out").page == "stranger: \n"
    assert visitor.jar == {}
    assert visitor.get("/").page == "stranger: \n"


def stream(visitor: Visitor) -> None:
    """What a generator changes before its first chunk is saved, and its chunks arrive in order, with their head."""
    for number in (1, 2):
        reply = visitor.get("/stream")
        assert reply.page == f"stream {number}\nthe end\n"
        assert len(reply.every("Set-Cookie")) == 1
        assert reply.every("Content-Type")[0].startswith("text/")


STEPS = [stay_anonymous, write, change_nested, sign_in, sign_out, stream]
