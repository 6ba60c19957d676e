"""Sessions in a store on the server. They may be large, they end at once, and their owner can list them.

The cookie's token holds a *handle* and a *secret*. The record is kept under the handle, which is not confidential. The
record holds only the hash of the secret. A record never moves: ``renew()`` replaces the hash in place. So two different
tokens never open the same record at the same time, and a session that was ended never comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from webob import Response

from ._field_docs import document_fields
from ._hidden import discreet
from ._rejection import BadToken
from ._server_session import LoadedRecord, OnFailure, ServerSideSession
from ._session_id import SessionId, dump_owner, is_handle, load_owner
from ._settings import Settings
from ._token_based import TokenSessionInterface
from ._tokens import Codec, SigningCodec
from ._webob import request_of
from .exceptions import RejectReason, SessionEnded, SettingsError, StoreError
from .payload import load_fields
from .stores import Record, Store
from .stores._base import damaged_error, redact_handle

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # as in _interface

    ServerSessionT = TypeVar("ServerSessionT", bound=ServerSideSession, default=ServerSideSession)
else:
    from typing import TypeVar

    ServerSessionT = TypeVar("ServerSessionT", bound=ServerSideSession)

__all__ = ["OnFailure", "ServerSideSession", "ServerSideSessionInterface", "SessionInfo"]


class SessionInfo(NamedTuple):
    """A session in the list that :meth:`ServerSideSessionInterface.sessions` returns.

    :ivar handle: pass it to :meth:`ServerSideSessionInterface.end`
    :ivar created: when the session was created, in UTC
    :ivar seen: when the session was last used, in UTC. Every change updates it. Reading updates it only if it is older
        than ``SESSION_REFRESH_INTERVAL``.
    :ivar data: the data of the session, read-only

    >>> from handstamp import SessionMiddleware
    >>> from handstamp.stores import MemoryStore
    >>> from handstamp.testing import make_cookie
    >>> class AdaInterface(ServerSideSessionInterface):
    ...     def open_session(self, settings, request):
    ...         session = super().open_session(settings, request)
    ...         session.owner = "ada"
    ...         return session
    >>> interface = AdaInterface(MemoryStore())
    >>> settings = {"SECRET_KEY": "the key of an example"}
    >>> from webob import Response
    >>> cookie = make_cookie(SessionMiddleware(Response("hello"), settings, session_interface=interface), {"visits": 1})
    >>> [dict(info.data) for info in interface.sessions("ada")]
    [{'visits': 1}]
    """

    handle: str
    created: datetime
    seen: datetime
    data: Mapping[str, Any]


document_fields(SessionInfo)


class ServerSideSessionInterface(TokenSessionInterface[ServerSessionT]):
    """Keep sessions in a store. The cookie holds a signed token that opens the session.

    :param store: see :class:`handstamp.stores.Store`
    :param on_failure: what happens if the store fails while a session is loaded. ``"raise"`` raises the
        :exc:`~handstamp.StoreError`. ``"readonly"`` gives an empty session that cannot be changed, and forbids caches
        to store the response. A failure to save is always raised.
    :cvar session_class: the class of the sessions that ``open_session`` returns
    :cvar purpose: a token that was made for another purpose is rejected
    :raises SettingsError: ``on_failure`` has another value

    >>> from handstamp.stores import MemoryStore
    >>> interface = ServerSideSessionInterface(MemoryStore(), on_failure="readonly")
    >>> interface.sessions(owner=7)
    []
    """

    purpose = "handstamp.serverside"
    session_class: type[ServerSessionT] = cast("type[ServerSessionT]", ServerSideSession)

    def __init__(self, store: Store, on_failure: OnFailure = "raise") -> None:
        if on_failure not in ("raise", "readonly"):
            raise SettingsError(f"on_failure: {on_failure!r} is unknown; use 'raise' or 'readonly'")
        self.store = store
        self.on_failure: OnFailure = on_failure

    def make_codec(self, settings: Settings, name: str) -> Codec:
        """Return the codec that signs and verifies the tokens of a cookie name."""
        return SigningCodec(settings.key_ring, self.get_salt(name), "sha256", "hmac")

    # -- all sessions

    @discreet
    def sessions(self, owner: Any) -> list[SessionInfo]:
        """Return the sessions of an owner that have not ended, most recently used first.

        :param owner: the value that was assigned to ``session.owner``
        :raises StoreError: the store failed
        """
        now = int(self.now())
        records = self.store.find(dump_owner(owner))
        listed = [_make_info(handle, record) for handle, record in records.items() if now <= record.end]
        return sorted((info for info in listed if info is not None), key=attrgetter("seen"), reverse=True)

    @discreet
    def end(self, handle: str) -> bool:
        """End a session and return whether it existed. This method does not check the owner.

        To end the session of the current request, call its ``invalidate()``.

        :param handle: the session's handle. If it came with a form, first check that it is among the :meth:`sessions`
            of the user who sent the form.
        :raises StoreError: the store failed
        """
        return is_handle(handle) and self.store.delete(handle)

    @discreet
    def end_all(self, owner: Any, keep: ServerSideSession | None = None) -> int:
        """End all sessions of an owner and return their number.

        :param keep: do not end this session. Its cookie may have been copied, so call ``keep.renew()`` too.
        :raises StoreError: the store failed, and some of the sessions may have ended
        """
        kept = None if keep is None else keep.handle
        return sum(self.store.delete(handle) for handle in self.store.find(dump_owner(owner)) if handle != kept)

    # -- reading

    def load_payload(self, settings: Settings, payload: bytes, issued: int, now: int) -> LoadedRecord:
        """Load the session whose id a token holds.

        :raises BadToken: there is no such session, or it has ended
        :raises StoreError: the store failed, or the record is damaged
        """
        session_id = SessionId.parse(payload)
        record = self.store.load(session_id.handle)
        if record is None or not session_id.matches(record.hash):
            raise BadToken(RejectReason.REVOKED)
        data = _load_data(record)
        if data is None:
            raise damaged_error(session_id.handle)
        loaded = LoadedRecord(data, session_id, record)
        if now > record.end:
            reason = settings.limits_of(loaded).find_reason(record.seen, record.created, now)
            # There is no reason by today's limits if they were shorter when the session was saved.
            raise BadToken(reason or RejectReason.IDLE)
        return loaded

    # -- writing

    def write_session(self, settings: Settings, session: ServerSessionT, response: Response) -> None:
        """Save the changes to the session. Set the cookie if the browser needs another one.

        The cookie is left alone wherever possible, so that a slow response does not replace a newer cookie.

        :raises SessionEnded: another request has ended or renewed the session that this one changed
        :raises StoreError: the store failed
        """
        request = request_of(response)
        if not session.is_available or not self.should_set_cookie(settings, request, session):
            self.vary_on_cookie(settings, session, response)
            return
        if session.was_emptied and session.loaded_id is not None:
            session.invalidate()
        # What another request has ended meanwhile opens nowhere: the browser's cookie may be a newer session's.
        has_ended = session.was_emptied if session.ended_id is None else self.store.delete(session.ended_id.handle)
        needs_cookie = self._create(session) if session.loaded_id is None else self._update(settings, session)
        if needs_cookie and not self.defers_reissue(session, response):
            self.set_cookie(settings, session, response, self.seal(settings, request, session.prepare_id().payload))
        elif has_ended:
            self.delete_cookie(settings, session, response)
        else:
            self.vary_on_cookie(settings, session, response)

    def _create(self, session: ServerSessionT) -> bool:
        """Save a new record if the session holds data or has an owner. Return whether to set the cookie."""
        if not session.is_worth_saving:
            return False
        handle = session.prepare_id().handle
        if not self.store.create(handle, session.make_record(int(self.now()))):
            name = redact_handle(handle)
            raise StoreError(f"{name} exists already, but its handle is random; check what else writes to the store")
        return True

    def _update(self, settings: Settings, session: ServerSessionT) -> bool:
        """Merge the changes into the record, or touch it. Return whether to set the cookie."""
        expected, change = session.loaded_id, session.make_change(int(self.now()))
        if expected is not None and self.store.update(expected.handle, expected.hash, change):
            # If reading never reissues the token, writing does.
            never_reissued = settings.limits_of(session).reissue_after is None
            return session.renewed or session.needs_reissue or change.shorten or never_reissued
        if session.modified:
            raise SessionEnded(
                "another request ended or renewed this session after it was loaded, so nothing was saved; catch this"
                " error around the middleware and ask the visitor to try again"
            )
        return False


def _load_data(record: Record) -> dict[str, Any] | None:
    """Return the data of a record, or ``None`` if it is damaged."""
    try:
        load_owner(record.owner)
        return load_fields(record.fields)
    except ValueError:
        return None


def _make_info(handle: str, record: Record) -> SessionInfo | None:
    data = _load_data(record)
    if data is None:
        return None
    created, seen = (datetime.fromtimestamp(seconds, UTC) for seconds in (record.created, record.seen))
    return SessionInfo(handle, created, seen, MappingProxyType(data))
