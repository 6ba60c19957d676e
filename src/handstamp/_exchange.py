"""The exchange of one request and its response (PEP 3333).

The application's ``start_response`` is held back until the headers must go: with the body if it is complete, else with
its first chunk, else with ``write()``. Until then the session may change. Then it is saved, once, and the headers are
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, TypeAlias, cast
from wsgiref.types import StartResponse

from webob import Request

from ._caching import Headers, add_private, add_vary, field_names, says_vary
from ._hidden import discreet
from ._interface import SessionInterface
from ._session import SessionMixin
from ._settings import Settings
from ._webob import ResponseHead

ExcInfo: TypeAlias = Any  # what sys.exc_info() returns
Write: TypeAlias = Callable[[bytes], object]

_END = object()

#: These read the headers as soon as the application returns; PEP 3333 has servers wait for the first chunk.
_HASTY_SERVERS = frozenset({"Granian"})


class Exchange:
    """One request and its response: holds the headers back, saves the session, sends the headers once."""

    __slots__ = (
        "_exc_info", "_headers", "_interface", "_request", "_send", "_sent", "_session", "_settings", "_status",
        "_write",
    )  # fmt: skip

    def __init__(
        self,
        interface: SessionInterface[Any],
        settings: Settings,
        request: Request,
        session: SessionMixin,
        start_response: StartResponse,
    ) -> None:
        self._interface = interface
        self._settings = settings
        self._request = request
        self._session = session
        self._send = start_response
        self._headers: Headers | None = None
        self._sent: Headers | None = None

    # -- what the application calls

    def start_response(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Write:
        """Hold the headers back. With ``exc_info``, replace those that are held, or pass them on if some were sent."""
        if self._headers is not None and exc_info is None:
            del self, headers
            raise AssertionError("start_response was called a second time without exc_info (PEP 3333)")
        if self._sent is not None:
            try:
                return self._send(status, self._repeat(headers, self._sent), exc_info)
            except BaseException:
                del self, headers
                raise
            finally:
                exc_info = None  # the traceback refers to this frame: a circle
        self._status = status
        self._headers = headers
        self._exc_info = exc_info
        return self.write

    @discreet
    def write(self, data: bytes) -> object:
        """Send the headers if they were not sent, then data; the write callable of PEP 3333."""
        if self._sent is None:
            self.send_headers()
        return self._write(data)

    # -- what the middleware and the body call

    @property
    def is_sent(self) -> bool:
        """Whether the headers were sent."""
        return self._sent is not None

    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return a complete body as it is, and any other as an iterator that sends the headers when it begins."""
        if self._sent is not None:
            return body
        # Most bodies are lists, and looking for a method takes longer.
        if self._headers is None or not (type(body) is list or self._is_complete(body)):
            chunks = _Body(self, body)
            if self._request.environ.get("SERVER_SOFTWARE") in _HASTY_SERVERS:
                chunks.begin()
            return chunks
        try:
            self.send_headers()
        except BaseException:
            _close(body)
            raise
        return body

    def _is_complete(self, body: object) -> bool:
        if hasattr(body, "__len__") or hasattr(body, "fileno"):
            return True
        wrapper = self._request.environ.get("wsgi.file_wrapper")  # a function on uWSGI
        return isinstance(wrapper, type) and isinstance(body, wrapper)

    def send_headers(self) -> None:
        """Save the session and send the headers; from here on the session is committed."""
        if self._headers is None:
            raise AssertionError("the application returned a body before it called start_response (PEP 3333)")
        session = self._session
        try:
            headers = self._headers
            if (session.accessed or session.modified) and not self._interface.is_null_session(session):
                response = ResponseHead(self._status, list(headers), self._request)
                self._interface.save_session(self._settings, session, response)
                headers = response.headerlist
            self._sent = headers
        finally:
            session.committed = True
        if self._exc_info is None:
            self._write = self._send(self._status, self._sent)
            return
        try:
            self._write = self._send(self._status, self._sent, self._exc_info)
        finally:
            self._exc_info = None

    def abandon(self) -> None:
        """End the exchange: headers that were not sent will not be sent."""
        self._session.committed = True
        self._exc_info = None  # its traceback refers to the application's frame, and that to us: a circle

    def _repeat(self, headers: Headers, sent: Headers) -> Headers:
        """Return other headers with what the session added to the first."""
        own = self._headers or ()
        cookies = [field for field in sent if field[0].lower() == "set-cookie" and field not in own]
        repeated = [*headers, *cookies]
        names = field_names(headers)
        if self._session.accessed and says_vary(sent):  # an application's own interface may leave it out
            add_vary(repeated, names)
        if cookies:
            add_private(repeated, names)
        return repeated


class _Body:
    """A body in chunks: the headers go with the first, and nothing is read ahead."""

    __slots__ = ("_body", "_chunks", "_exchange", "_is_closed")

    def __init__(self, exchange: Exchange, body: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._body = body
        self._chunks: Iterator[bytes] | None = None
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._take_first() if self._chunks is None else next(self._chunks)
        except BaseException:
            del self
            raise

    @discreet
    def _take_first(self) -> bytes:
        chunks = iter(self._body)
        self._chunks = iter(())  # if the headers cannot be sent, nothing may follow
        chunk = next(chunks, _END)
        if not self._exchange.is_sent:
            self._exchange.send_headers()
        self._chunks = chunks
        if chunk is _END:
            raise StopIteration
        return cast("bytes", chunk)

    def begin(self) -> None:
        """Take the first chunk now, so that the headers go. If that fails, close the body: no server ever gets it."""
        try:
            first = list(islice(self, 1))
        except BaseException:
            self.close()
            raise
        self._chunks = chain(first, self._chunks or ())

    @discreet
    def close(self) -> None:
        """Close the application's body, once."""
        if not self._is_closed:
            self._is_closed = True
            self._exchange.abandon()
            _close(self._body)


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
