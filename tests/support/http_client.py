"""An application that stands for a server on a port: it sends each request there, over a real socket."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def forward_to(port: int, context: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> WSGIApplication:
    """Return the application; each of its requests has a connection of its own.

    :param context: for https
    :param source: the address of the loopback interface that the requests come from
    """

    def connect() -> HTTPConnection:
        if context is None:
            return HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
        return HTTPSConnection("localhost", port, timeout=60, context=context)

    def forward(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"] + (f"?{query}" if (query := environ["QUERY_STRING"]) else "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with closing(connect()) as connection:
            connection.request(environ["REQUEST_METHOD"], path, body or None, make_headers(environ))
            response = connection.getresponse()
            start_response(f"{response.status} {response.reason}", response.getheaders())
            return [response.read()]

    return forward


def make_headers(environ: WSGIEnvironment) -> dict[str, str]:
    """Return the headers that an environ stands for."""
    headers = {"Connection": "close"}
    for key, text in environ.items():
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            headers[key.removeprefix("HTTP_").replace("_", "-").title()] = text
    return headers
