"""Sessions that are kept in a store on the server: they may be large, end at once, and be listed by their owner.

The cookie's token holds a *handle*, under which the record is kept and which may be shown, and a *secret*, of which the
record holds only the hash. A record never moves: ``renew()`` replaces the hash in place, so that at no moment two
tokens open it, and nothing that was ended comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, cast

from webob import Request, Response

from ._caching import forbid_storing
from ._hidden import discreet
from ._rejection import BadToken
from ._server_session import LoadedRecord, OnFailure, ServerSideSession
from ._session_id import SessionId, dump_owner, is_handle, load_owner
from ._settings import Settings
from ._token_based import TokenSessionInterface
from ._tokens import Codec, SigningCodec
from .exceptions import RejectReason, SessionEnded, SettingsError, StoreError
from .payload import load_fields
from .stores import Record, Store
from .stores._base import damaged_error, redact_handle

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # as in the interface's room

    ServerSessionT = TypeVar("ServerSessionT", bound=ServerSideSession, default=ServerSideSession)
else:
    from typing import TypeVar

    ServerSessionT = TypeVar("ServerSessionT", bound=ServerSideSession)

__all__ = ["OnFailure", "ServerSideSession", "ServerSideSessionInterface", "SessionInfo"]


class SessionInfo(NamedTuple):
    """A session in a list of sessions.

    :ivar handle: what :meth:`ServerSideSessionInterface.end` takes
    :ivar created: when the session was created, in UTC
    :ivar seen: when it was last changed, or read and its last seen was older than ``SESSION_REFRESH_INTERVAL``, in UTC
    :ivar data: what it holds, read-only
    """

    handle: str
    created: datetime
    seen: datetime
    data: Mapping[str, Any]


class ServerSideSessionInterface(TokenSessionInterface[ServerSessionT], Generic[ServerSessionT]):
    """Keep sessions in a store, and a signed token in the cookie that opens them.

    :param store: see :class:`handstamp.stores.Store`
    :param on_failure: what happens if the store fails while a session is loaded: ``"raise"`` the
        :exc:`~handstamp.StoreError`, or give an empty ``"readonly"`` session, whose response no cache may keep. A
        failure to save is always raised.
    :cvar session_class: what ``open_session`` makes
    :raises SettingsError: ``on_failure`` is neither

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
        """Return what signs and verifies tokens under a cookie name."""
        return SigningCodec(settings.key_ring, self.get_salt(name), "sha256", "hmac")

    # -- all sessions

    @discreet
    def sessions(self, owner: Any) -> list[SessionInfo]:
        """Return the sessions of an owner that have not ended, the last seen first.

        :param owner: what was assigned to ``session.owner``
        :raises StoreError: the store failed
        """
        now = int(self.now())
        records = self.store.find(dump_owner(owner))
        listed = [_make_info(handle, record) for handle, record in records.items() if now <= record.end]
        return sorted((info for info in listed if info is not None), key=attrgetter("seen"), reverse=True)

    @discreet
    def end(self, handle: str) -> bool:
        """End a session, whoever owns it, and return whether there was one.

        To end the session of the current request, call its ``invalidate()``.

        :param handle: if it came with a form, look for it among the :meth:`sessions` of whoever sent the form
        :raises StoreError: the store failed
        """
        return is_handle(handle) and self.store.delete(handle)

    @discreet
    def end_all(self, owner: Any, keep: ServerSideSession | None = None) -> int:
        """End the sessions of an owner, and return how many.

        :param keep: a session that stays. Its cookie may have been copied: ``keep.renew()`` makes copies useless.
        :raises StoreError: the store failed; some sessions may have ended
        """
        kept = None if keep is None else keep.handle
        return sum(self.store.delete(handle) for handle in self.store.find(dump_owner(owner)) if handle != kept)

    # -- reading

    def load_payload(self, settings: Settings, payload: bytes, issued: int, now: int) -> LoadedRecord:
        """Return the session that a session id opens."""
        session_id = SessionId.parse(payload)
        record = self.store.load(session_id.handle)
        if record is None or not session_id.opens(record.hash):
            raise BadToken(RejectReason.REVOKED)
        data = _load_data(record)
        if data is None:
            raise damaged_error(session_id.handle)
        loaded = LoadedRecord(data, session_id, record)
        if now > record.end:
            reason = settings.limits_of(loaded).find_reason(record.seen, record.created, now)
            raise BadToken(reason or RejectReason.IDLE)  # the limits may have been shorter when it was saved
        return loaded

    # -- writing

    def save_session(self, settings: Settings, session: ServerSessionT, response: Response) -> None:
        """Save what has changed, and set the cookie where the browser needs another one.

        The cookie is left as it is wherever possible, so that a slow response does not replace a newer one.

        :raises SessionEnded: another request has ended or renewed the session that this one changed
        :raises StoreError: the store failed
        """
        request = cast("Request", response.request)  # the middleware has set it
        if not session.is_available:
            forbid_storing(response.headerlist)
            self.vary_on_cookie(response)
            return
        if not self.should_set_cookie(settings, request, session):
            self.vary_on_cookie(response)
            return
        has_ended = session.ended_id is not None and self.store.delete(session.ended_id.handle)
        if self._create(session) if session.loaded_id is None else self._update(settings, session):
            self.set_cookie(settings, session, response, self._seal(settings, session, request))
        elif has_ended:
            self.delete_cookie(settings, session, response)
        else:
            self.vary_on_cookie(response)

    def _seal(self, settings: Settings, session: ServerSessionT, request: Request) -> str:
        codec = self.get_codec(settings, self.get_cookie_name(settings, request))
        return codec.seal(codec.pack(session.prepare_id().payload), int(self.now()))

    def _create(self, session: ServerSessionT) -> bool:
        """Save a new record, if there is anything to save; return whether the cookie is to be set."""
        if not session.is_worth_saving:
            return False
        handle = session.prepare_id().handle
        if not self.store.create(handle, session.make_record(int(self.now()))):
            name = redact_handle(handle)
            raise StoreError(f"{name} exists already, though its handle is random; see what else writes to the store")
        return True

    def _update(self, settings: Settings, session: ServerSessionT) -> bool:
        """Merge what has changed into the record, or touch it; return whether the cookie is to be set."""
        expected, change = session.loaded_id, session.make_change(int(self.now()))
        if expected is not None and self.store.update(expected.handle, expected.hash, change):
            # Where reads never reissue the token, writes do.
            never_reissued = settings.lifetimes.other.reissue_after is None
            return session.renewed or session.needs_reissue or change.shorten or never_reissued
        if session.modified:
            raise SessionEnded(
                "another request has ended or renewed this session since it was loaded, so nothing was saved; catch"
                " this around the middleware and have the visitor try again"
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
