"""The webob objects that interfaces get, made without webob's constructors."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

from webob import Request, Response

from ._caching import Headers


class SessionRequest(Request):
    """The request of an environ.

    webob's constructor takes a third longer, for options that nobody gives here. The slot saves memory: without it
    CPython 3.13 lays out room for 30 attributes in each request.
    """

    __slots__ = ("environ",)

    def __init__(self, environ: WSGIEnvironment) -> None:
        _set_environ(self, environ)  # webob's own __setattr__ is for attributes that applications add


_set_environ = cast("Any", SessionRequest).environ.__set__  # a slot, which webob's stubs do not know


#: Returns the request of a response, which the middleware has set.
request_of = cast("Callable[[Response], Request]", attrgetter("request"))


class ResponseHead(Response):
    """The status and the headers of a response; a session does not need the body.

    webob's constructor takes five times as long, and rejects or corrects status lines that servers take.
    """

    # The property of webob, with a getter that needs no frame.
    headerlist = cast(  # pyright: ignore[reportAssignmentType]  # webob's stubs have a descriptor of their own
        "Headers", property(attrgetter("_headerlist"), Response.headerlist.fset, Response.headerlist.fdel)
    )

    def __init__(self, status: str, headers: Headers, request: Request) -> None:
        self._status = status
        self._headerlist = headers
        self._headers = None
        self._app_iter = ()
        self.request = request
