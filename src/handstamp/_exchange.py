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

from ._caching import Headers, says_vary
from ._earlier import EarlierCookies, find_cookies, merge_cookies
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
#: So do the error documents of paste, which set this key.
_HASTY_KEY = "paste.recursive.forward"


class Exchange:
    """One request and its response: holds the headers back, saves the session, sends the headers once."""

    __slots__ = (
        "_exc_info", "_headers", "_interface", "_is_saved", "_request", "_send", "_sent", "_session", "_settings",
        "_status", "_write",
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
        self._is_saved = False

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
    def is_held(self) -> bool:
        """Whether the application has given its headers, and they were not sent."""
        return self._headers is not None and self._sent is None

    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return a complete body as it is, and any other as an iterator that sends the headers when it begins."""
        if self._sent is not None:
            return body
        if self._headers is None and _is_bare(body):
            self.warn_if_lost()
            self.abandon()
            return body
        # Most bodies are lists, and looking for a method takes longer.
        if self._headers is None or not (type(body) is list or self._is_complete(body)):
            chunks = _Body(self, body)
            environ = self._request.environ
            if environ.get("SERVER_SOFTWARE") in _HASTY_SERVERS or _HASTY_KEY in environ:
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
        session = self._session
        try:
            own = headers = self._headers or []
            # Once: if saving fails, the application's error page goes out without the session.
            if self._is_saved:
                headers = self._tell_caches(headers)
            elif session.accessed or session.modified:
                headers = self._save(headers)
            if EarlierCookies.KEY in self._request.environ:
                headers = self._repeat_earlier(headers)
            if headers is not own and "Set-Cookie" in dict(headers):
                self._remember(headers, own)
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

    def warn_if_lost(self) -> None:
        """Warn of a changed session that is not saved, because the application has given no headers."""
        if self._headers is None and self._session.modified and not self._interface.is_null_session(self._session):
            self._interface.warn_once(
                "the session was changed, but the response has no headers (a websocket, for example), so it is not"
                " saved; change it in another request"
            )

    def _save(self, headers: Headers) -> Headers:
        if self._interface.is_null_session(self._session):
            return headers
        self._is_saved = True
        response = ResponseHead(self._status, list(headers), self._request)
        try:
            self._interface.save_session(self._settings, self._session, response)
        except BaseException:
            self._session.is_available = False  # what is answered instead may still show its data
            raise
        return response.headerlist

    def _tell_caches(self, headers: Headers) -> Headers:
        """Return the headers of an error page for caches: the session was in use, and could not be saved."""
        response = ResponseHead(self._status, list(headers), self._request)
        self._interface.vary_on_cookie(self._settings, self._session, response)
        return response.headerlist

    def _remember(self, sent: Headers, own: Headers) -> None:
        environ = self._request.environ
        if EarlierCookies.KEY in environ:
            environ[EarlierCookies.KEY].add(sent, own)
        else:
            environ[EarlierCookies.KEY] = EarlierCookies(sent, own)

    def _repeat(self, headers: Headers, sent: Headers) -> Headers:
        """Return other headers with what the session added to the first."""
        cookies = find_cookies(sent, self._headers or [])
        repeated = ResponseHead(self._status, [*headers, *cookies], self._request)
        # An application's own interface may leave Vary out.
        if cookies or (self._session.accessed and says_vary(sent)):
            self._interface.tell_caches(self._settings, self._session, repeated, sets_cookie=bool(cookies))
        return repeated.headerlist

    def _repeat_earlier(self, headers: Headers) -> Headers:
        """Return the headers with the cookies of an earlier response on the same environ."""
        earlier: EarlierCookies = self._request.environ[EarlierCookies.KEY]
        response = ResponseHead(self._status, list(headers), self._request)
        if merge_cookies(response.headerlist, earlier.take_back()):
            self._interface.tell_caches(self._settings, self._session, response, sets_cookie=True)
        return response.headerlist


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
        if self._exchange.is_held:
            self._exchange.send_headers()
        else:
            self._exchange.warn_if_lost()
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


def _is_bare(body: object) -> bool:
    """Return whether a body without headers is complete: what servers leave to a hijacked connection."""
    return type(body) in (list, tuple) or not hasattr(body, "__iter__")


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
