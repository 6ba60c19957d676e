"""Requests over real sockets."""

from __future__ import annotations

import ssl
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection

from scenario import Reply, Send


def send_to(port: int, context: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> Send:
    """Send each request on a connection of its own, from an address of the loopback interface."""

    def connect() -> HTTPConnection:
        if context is None:
            return HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
        return HTTPSConnection("localhost", port, timeout=30, context=context)

    def send(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        with closing(connect()) as connection:
            connection.request(method, path, body or None, {**headers, "Connection": "close"})
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())

    return send
