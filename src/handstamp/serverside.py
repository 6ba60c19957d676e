"""Sessions kept in a store on the server: they may be large, end at once, and be listed by their owner.

The cookie's token holds a *handle*, under which the record is kept and which may be shown, and a *secret*, of which the
record holds only the hash. A record never moves: ``renew()`` replaces the hash in place, so that at no moment two
tokens open it, and nothing that was ended comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from webob import Request, Response

from .caching import forbid_storing
from .exceptions import BadToken, RejectReason, SessionEnded, SettingsError, StoreError
from .interface import get_logger
from .payload import load_fields
from .serversession import ServerSideSession, Ticket, dump_owner, is_handle, load_owner, make_ticket, read_ticket
from .settings import Settings
from .signed import SecureCookieSessionInterface
from .stores.base import Record, Store, damaged, name_record

__all__ = ["KeptSession", "ServerSideSession", "ServerSideSessionInterface"]

OnFailure = Literal["raise", "readonly"]


class KeptSession(NamedTuple):
    """A session as a list shows it.

    :ivar handle: what :meth:`ServerSideSessionInterface.end` ends it by
    :ivar created: when it began, in UTC
    :ivar seen: when it was last written, or read with its last seen as old as ``SESSION_REFRESH_INTERVAL``, in UTC
    :ivar data: what it holds; read-only
    """

    handle: str
    created: datetime
    seen: datetime
    data: Mapping[str, Any]


class ServerSideSessionInterface(SecureCookieSessionInterface):
    """Keep sessions in a store, and in the cookie a signed token that opens them.

    ``serializer`` has no say here: records hold handstamp's own JSON.

    :param store: see :class:`handstamp.stores.Store`
    :param on_failure: what is done if the store fails while a session is opened: ``"raise"`` the
        :exc:`~handstamp.StoreError`, or give an empty ``"readonly"`` session, whose response no cache may keep. A
        failure to save is always raised.
    :raises SettingsError: ``on_failure`` is neither
    """

    purpose = "handstamp.serverside"
    session_class = ServerSideSession

    def __init__(self, store: Store, on_failure: OnFailure = "raise") -> None:
        if on_failure not in ("raise", "readonly"):
            raise SettingsError(f"on_failure: {on_failure!r} is no policy; give 'raise' or 'readonly'")
        self.store = store
        self.on_failure = on_failure

    # -- of all sessions

    def sessions(self, owner: Any) -> list[KeptSession]:
        """Return the sessions of an owner that have not ended, the one that was seen last first.

        :param owner: what was assigned to ``session.owner``
        :raises StoreError: the store failed
        """
        now = int(self.now())
        kept = [
            _show(handle, record) for handle, record in self.store.find(dump_owner(owner)).items() if now <= record.end
        ]
        return sorted((each for each in kept if each is not None), key=attrgetter("seen"), reverse=True)

    def end(self, handle: str) -> bool:
        """End a session, whosever it is, and tell whether there was one.

        For the session of the request at hand use its ``invalidate()``.

        :param handle: if it came with a form, look for it among the :meth:`sessions` of whoever sent that
        :raises StoreError: the store failed
        """
        return is_handle(handle) and self.store.delete(handle)

    def end_all(self, owner: Any, keep: ServerSideSession | None = None) -> int:
        """End the sessions of an owner, but for one that is kept; return how many.

        :param keep: it may have been copied; ``keep.renew()`` leaves copies of its cookie behind
        :raises StoreError: the store failed; some may have been ended
        """
        kept = None if keep is None else keep.handle
        return sum(self.store.delete(handle) for handle in self.store.find(dump_owner(owner)) if handle != kept)

    # -- reading

    def load_session(self, settings: Settings, request: Request, session: Any) -> None:
        """Have a session adopt its record, or begin anew; called at its first touch."""
        try:
            super().load_session(settings, request, session)
        except StoreError as error:
            if self.on_failure == "raise":
                raise
            get_logger().error("the session is empty and read-only: %s", error)
            session.adopt({}, int(self.now()), opened=False, stale=False)
            session.unavailable = True

    def read_payload(
        self, settings: Settings, session: Any, content: bytes, issued: int, now: int
    ) -> tuple[dict[str, Any], int, int]:
        """Read the record that a token opens; return the data, when the session began, and when it was last seen."""
        ticket = read_ticket(content)
        record = self.store.load(ticket.handle)
        if record is None or not compare_digest(record.hash.encode(), ticket.hash.encode()):
            raise BadToken(RejectReason.REVOKED)
        data = _read_fields(record)
        if data is None:
            raise damaged(ticket.handle)
        if now > record.end:
            permanent = bool(data.get("_permanent"))
            reason = settings.lifetimes.of(permanent).refuse(record.seen, record.created, now)
            raise BadToken(reason or RejectReason.IDLE)  # the limits may have been shorter when it was kept
        session.take_record(ticket, record.owner)
        return data, record.created, record.seen

    # -- writing

    def write_payload(self, session: Any) -> bytes:
        """Write what a token holds: the ticket."""
        return session.ticket.content  # type: ignore[no-any-return]

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        """Keep what has changed, and set the cookie where the browser needs another one.

        A cookie is left alone wherever it can be, so that a slow response does not put an old one over a newer.

        :raises SessionEnded: another request has ended or renewed the session that this one wrote to
        :raises StoreError: the store failed
        """
        request: Request = response.request  # type: ignore[assignment]  # the middleware has set it
        if session.unavailable:
            forbid_storing(response.headerlist)
            self.leave_cookie(response)
            return
        if not self.should_set_cookie(settings, request, session):
            self.leave_cookie(response)
            return
        was_there = session.dropped is not None and self.store.delete(session.dropped.handle)
        if self._create(session) if session.ticket is None else self._update(settings, session):
            self.set_cookie(settings, session, response, self._seal(settings, session, request))
        elif was_there:
            self.delete_cookie(settings, session, response)
        else:
            self.leave_cookie(response)

    def _create(self, session: ServerSideSession) -> bool:
        """Keep a new record, if there is anything to keep; tell whether the cookie has to be set."""
        if not session.is_worth_keeping:
            return False
        ticket = make_ticket()
        if not self.store.create(ticket.handle, session.make_record(ticket, int(self.now()))):
            name = name_record(ticket.handle)
            raise StoreError(f"{name} is there already, though its handle is random; see what else writes to the store")
        session.ticket = ticket
        return True

    def _update(self, settings: Settings, session: ServerSideSession) -> bool:
        """Merge what has changed into the record, or touch it; tell whether the cookie has to be set."""
        old: Ticket = session.ticket  # type: ignore[assignment]  # save_session has looked
        ticket = old.renew() if session.renewed else old
        change = session.make_change(ticket, int(self.now()))
        if self.store.update(ticket.handle, old.hash, change):
            session.ticket = ticket
            # Where reads never refresh, writes do.
            return session.renewed or session.stale or change.shorten or settings.lifetimes.other.refresh is None
        if session.modified:
            raise SessionEnded(
                "another request has ended or renewed this session since it was opened, so nothing was saved; catch"
                " this around the middleware and have the visitor try again"
            )
        return False


def _read_fields(record: Record) -> dict[str, Any] | None:
    """Return the data of a record, ``None`` if it is damaged."""
    try:
        load_owner(record.owner)
        return load_fields(record.fields)
    except ValueError:
        return None


def _show(handle: str, record: Record) -> KeptSession | None:
    data = _read_fields(record)
    if data is None:
        return None
    created, seen = (datetime.fromtimestamp(seconds, UTC) for seconds in (record.created, record.seen))
    return KeptSession(handle, created, seen, MappingProxyType(data))
