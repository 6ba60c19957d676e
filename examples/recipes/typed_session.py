"""A typed session: a dataclass instead of keys and casts, so that a type checker knows the content of the session.

What it does not do: check what an older version of the dataclass wrote, or limit what a visitor puts in.
"""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import make_server

from webob import Request, Response
from webob.dec import wsgify

from handstamp import SessionMiddleware


@dataclass
class Visitor:
    visits: int = 0
    basket: list[str] = field(default_factory=list)


@contextmanager
def visitor_of(session: MutableMapping[str, Any]) -> Iterator[Visitor]:
    blank = vars(Visitor())
    visitor = Visitor(**{key: session[key] for key in blank if key in session})
    yield visitor  # if the block raises an error, nothing is written back
    session.update({key: value for key, value in vars(visitor).items() if key in session or value != blank[key]})


@wsgify
def app(request: Request) -> Response:
    with visitor_of(request.environ["session"]) as visitor:
        visitor.visits += 1
        visitor.basket += request.GET.getall("item")
        return Response(f"visit {visitor.visits}, {len(visitor.basket)} in the basket")


if __name__ == "__main__":
    wrapped = SessionMiddleware(app, {"SECRET_KEY": os.environ["SECRET_KEY"]})
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), wrapped).serve_forever()
