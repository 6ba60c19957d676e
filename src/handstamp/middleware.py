"""SessionMiddleware, and the one exchange of a request and its response (PEP 3333).

The application's ``start_response`` is held back until the head must go: with the body if that is there, else with its
first chunk, else with ``write()``. Until then the session may change; then it is saved, once, and the head goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from types import TracebackType
from typing import Any, TypeAlias, cast

from webob import Request, Response

from .caching import Headers, add_private, add_vary, find_names, says_vary
from .checks import NEW_KEY
from .exceptions import SessionError
from .interface import SessionInterface, get_logger
from .session import SessionMixin
from .settings import Settings
from .signed import SecureCookieSessionInterface

Environ: TypeAlias = dict[str, Any]
ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]
Write: TypeAlias = Callable[[bytes], object]
StartResponse: TypeAlias = Callable[..., Write]
WSGIApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]


class SessionMiddleware:
    """Wrap a WSGI application; it finds its session in ``environ["session"]``.

    :param app: any WSGI application
    :param settings: a dict with the keys of the table in the README, among others; or ready :class:`Settings`
    :param session_interface: what opens and saves sessions; may be assigned later, as in Flask
    :param environ_key: where the session is found
    :raises SettingsError: lists every problem of the settings with its cure
    """

    def __init__(
        self,
        app: WSGIApp,
        settings: Mapping[str, Any] | None = None,
        *,
        session_interface: SessionInterface | None = None,
        environ_key: str = "session",
    ) -> None:
        self.app = app
        self.settings = settings if isinstance(settings, Settings) else Settings(settings or {})
        self.session_interface: SessionInterface = (
            SecureCookieSessionInterface() if session_interface is None else session_interface
        )
        self.environ_key = environ_key
        if not self.settings.key_ring and isinstance(self.session_interface, SecureCookieSessionInterface):
            get_logger().warning("SECRET_KEY is not set, so sessions are unavailable; %s", NEW_KEY)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Open the session, call the application, and save the session with the head of its response."""
        key = self.environ_key
        # A retry or an error document may call down again with the same environ, once the first exchange is over.
        if key in environ and getattr(environ[key], "committed", True) is False:
            raise SessionError(f"environ[{key!r}] holds an open session; give one of the two another environ_key")
        request = _Request(environ)
        interface = self.session_interface
        session = interface.open_session(self.settings, request)
        if session is None:
            session = interface.make_null_session(self.settings)
        environ[key] = session
        exchange = _Exchange(interface, self.settings, request, session, start_response)
        try:
            return exchange.answer(self.app(environ, exchange.start_response))
        except BaseException:
            exchange.abandon()
            raise


class _Exchange:
    """One request and its response: holds the head back, saves the session, sends the head once."""

    __slots__ = (
        "_exc_info", "_headers", "_interface", "_request", "_send", "_sent", "_session", "_settings", "_status",
        "_write",
    )  # fmt: skip

    def __init__(
        self,
        interface: SessionInterface,
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
        """Hold the head; with ``exc_info``, replace one that is held, or pass it on if one has gone."""
        if self._headers is not None and exc_info is None:
            raise AssertionError("start_response was called a second time without exc_info (PEP 3333)")
        if self._sent is not None:
            try:
                return self._send(status, self._repeat(headers, self._sent), exc_info)
            finally:
                exc_info = None  # the traceback leads to this frame: a circle
        self._status = status
        self._headers = headers
        self._exc_info = exc_info
        return self.write

    def write(self, data: bytes) -> object:
        """Send the head if it has not gone, then data; the write callable of PEP 3333."""
        if self._sent is None:
            self.send_head()
        return self._write(data)

    # -- what the middleware and the body call

    @property
    def is_sent(self) -> bool:
        """Whether the head has gone."""
        return self._sent is not None

    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Hand back a body that is there as it is, and any other as an iterator that sends the head when it begins."""
        if self._sent is not None:
            return body
        # Most bodies are lists, and to look for a method takes longer.
        if self._headers is None or not (type(body) is list or self._is_there(body)):
            chunks = _Body(self, body)
            if self._request.environ.get("SERVER_SOFTWARE") in _HASTY_SERVERS:
                chunks.begin()
            return chunks
        try:
            self.send_head()
        except BaseException:
            _close(body)
            raise
        return body

    def _is_there(self, body: object) -> bool:
        if hasattr(body, "__len__") or hasattr(body, "fileno"):
            return True
        wrapper = self._request.environ.get("wsgi.file_wrapper")  # on uWSGI a function
        return isinstance(wrapper, type) and isinstance(body, wrapper)

    def send_head(self) -> None:
        """Save the session and send the head; from here on the session is committed."""
        if self._headers is None:
            raise AssertionError("the application gave a body before it called start_response (PEP 3333)")
        session = self._session
        try:
            self._sent = self._save() if session.accessed or session.modified else self._headers
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
        """Take note that it is over; a head that has not gone will not go."""
        self._session.committed = True
        self._exc_info = None  # its traceback leads to the application's frame, and that to us: a circle

    def _save(self) -> Headers:
        headers = self._headers or []
        if self._interface.is_null_session(self._session):
            return headers
        response = _Head(self._status, list(headers), self._request)
        self._interface.save_session(self._settings, self._session, response)
        return response.headerlist

    def _repeat(self, headers: Headers, sent: Headers) -> Headers:
        """Return another head with what the session added to the first."""
        own = self._headers or ()
        cookies = [field for field in sent if field[0].lower() == "set-cookie" and field not in own]
        repeated = [*headers, *cookies]
        names = find_names(headers)
        if self._session.accessed and says_vary(sent):  # an interface of one's own may leave it out
            add_vary(repeated, names)
        if cookies:
            add_private(repeated, names)
        return repeated


class _Body:
    """A body in chunks: the head goes with the first, and nothing is read ahead."""

    __slots__ = ("_body", "_chunks", "_exchange", "_is_closed")

    def __init__(self, exchange: _Exchange, body: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._body = body
        self._chunks: Iterator[bytes] | None = None
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._chunks is not None:
            return next(self._chunks)
        chunks = iter(self._body)
        self._chunks = iter(())  # if the head cannot go, nothing may follow
        chunk = next(chunks, _END)
        if not self._exchange.is_sent:
            self._exchange.send_head()
        self._chunks = chunks
        if chunk is _END:
            raise StopIteration
        return cast("bytes", chunk)

    def begin(self) -> None:
        """Take the first chunk now, so that the head goes; if that fails, close the body: no server ever gets it."""
        try:
            first = list(islice(self, 1))
        except BaseException:
            self.close()
            raise
        self._chunks = chain(first, self._chunks or ())

    def close(self) -> None:
        """Close the application's body, once."""
        if not self._is_closed:
            self._is_closed = True
            self._exchange.abandon()
            _close(self._body)


_END = object()

#: Read the head as soon as the application returns; PEP 3333 has servers wait for the first chunk.
_HASTY_SERVERS = frozenset({"Granian"})


def _close(body: object) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


class _Request(Request):
    """The request that interfaces get.

    Built without webob's constructor, which takes a third longer, for options that nobody gives here; with a slot for
    environ, since without one CPython 3.13 lays out room for 30 attributes in each request.
    """

    __slots__ = ("environ",)

    def __init__(self, environ: Environ) -> None:
        _set_environ(self, environ)  # webob's own __setattr__ is for attributes that applications add


_set_environ = _Request.environ.__set__  # type: ignore[attr-defined]


class _Head(Response):
    """The response that a session is saved to: its head, for the body is none of a session's business.

    Built without webob's constructor, which takes five times as long and refuses status lines that servers take.
    """

    def __init__(self, status: str, headers: Headers, request: Request) -> None:
        self._status = status
        self._headerlist = headers
        self._headers = None
        self._app_iter = ()
        self.request = request
