"""Move from another library's session cookie to ours without logging anybody out.

If a visitor has no good cookie of ours, the old one is verified and read once. When the application accesses the
session, our cookie is issued and the old one is deleted. Your time limits and ``validate_session`` hold for old cookies
too. A rejected old cookie gives an empty session. Remove the interface when the idle limit has passed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from webob import Request, Response

from handstamp import CookiePolicy, RejectReason, SecureCookieSessionInterface, Settings
from handstamp.interfaces import (
    MAX_COOKIE_BYTES,
    MAX_PAYLOAD_BYTES,
    BadToken,
    Loaded,
    find_values,
    format_attributes,
    format_deletion,
)

Key = str | bytes

#: How many old cookies of one request are read: anybody can repeat one until a header is full.
MAX_READ = 8


class OldSession(NamedTuple):
    """The content of an old cookie. Both times are whole seconds since 1970."""

    data: dict[str, Any]
    issued: int
    created: int
    #: Whether the cookie outlived the browser; ``None`` stands for the interface's ``permanent``.
    permanent: bool | None = None


def name_cookie(name: str) -> CookiePolicy:
    """Return the policy of a cookie that was set with a name and no other attributes."""
    return CookiePolicy(name, domain=None, path="/", httponly=True, secure=False, samesite="Lax", partitioned=False)


class ReadOnceInterface(SecureCookieSessionInterface):
    """Read the cookie of another library if there is none of ours. A subclass implements :meth:`read_old`.

    :param old_keys: the keys of the other library, the current one first
    :param old_cookie: the name, Domain and Path that the old cookie was set with; with others it would not be deleted,
        and would undo a sign-out
    :param permanent: whether the old cookies outlived the browser; if so, ours do too
    :param keep_old: keep the old cookie for other applications until it expires or the user signs out
    """

    old_cookie = name_cookie("session")
    permanent = False

    def __init__(
        self,
        *old_keys: Key,
        old_cookie: CookiePolicy | None = None,
        permanent: bool | None = None,
        keep_old: bool = False,
    ) -> None:
        if not old_keys or not all(old_keys):
            raise ValueError("no old key was given, or an empty one, with which anybody could sign")
        self.old_keys = old_keys
        self.old_cookie = self.old_cookie if old_cookie is None else old_cookie
        self.permanent = self.permanent if permanent is None else permanent
        self.keep_old = keep_old
        # A policy that breaks a rule raises an error now, not at the first visit.
        format_attributes(**self.old_cookie._asdict())

    def read_old(self, value: str, key: Key) -> OldSession | None:
        """Return the content of an old cookie, or ``None`` if the key does not fit. Verify before parsing anything."""
        raise NotImplementedError

    # -- reading

    def load_sessions(self, settings: Settings, request: Request, rejected: list[RejectReason]) -> Iterator[Loaded]:
        yield from super().load_sessions(settings, request, rejected)
        found = self._accept_all(settings, self._find_old(request), rejected)
        for old in sorted(found, key=lambda old: old.issued, reverse=True):
            loaded = Loaded(old.data, old.created, old.issued, self.serializer)
            loaded.needs_reissue = True  # as our cookie
            yield loaded

    def _find_old(self, request: Request) -> list[str]:
        values = find_values(request.environ.get("HTTP_COOKIE", ""), self.old_cookie.name)
        return [value.strip('"') for value in values if len(value) <= MAX_COOKIE_BYTES]  # some libraries quote

    def _accept_all(self, settings: Settings, values: list[str], rejected: list[RejectReason]) -> Iterator[OldSession]:
        count = 0
        for value in dict.fromkeys(values):
            try:
                old = self._read_old(value)
                count += 1
                accepted = self._check(settings, old)
            except BadToken as error:
                rejected.append(error.reason)
            except Exception:  # what fits the key may still be of any shape
                rejected.append(RejectReason.MALFORMED)
            else:
                yield accepted
            if count == MAX_READ:
                return

    def _read_old(self, value: str) -> OldSession:
        for key in self.old_keys:
            old = self.read_old(value, key)
            if old is not None:
                return old
        raise BadToken(RejectReason.BAD_SIGNATURE)

    def _check(self, settings: Settings, old: OldSession) -> OldSession:
        permanent = self.permanent if old.permanent is None else old.permanent
        created = max(0, min(old.created, old.issued))
        data = {key: value for key, value in old.data.items() if key not in ("_created", "_permanent")}
        data |= {"_permanent": True} if permanent else {}
        now, limits = int(self.now()), settings.limits_of(data)
        reason = settings.lifetimes.find_reason(old.issued, now) or limits.find_reason(old.issued, created, now)
        if reason is not None:
            raise BadToken(reason)
        self.serializer.dumps(data)  # a value that we cannot write, such as NaN, must not fail at every later visit
        return OldSession(data, old.issued, created, permanent)

    # -- writing

    def save_session(self, settings: Settings, session: Any, response: Response) -> None:
        count = len(response.headerlist)
        super().save_session(settings, session, response)
        request: Request = response.request  # type: ignore[assignment]  # the middleware has set it
        is_written = any(name == "Set-Cookie" for name, _ in response.headerlist[count:])
        if not is_written or not self._find_old(request):
            return
        # After a sign-out the old cookie is deleted in any case, so that it cannot undo the sign-out.
        is_kept = self.keep_old and session and not session.new
        if not is_kept and not self._is_replaced(settings, request):
            line = format_deletion(self.old_cookie.name, format_attributes(**self.old_cookie._asdict()))
            response.headerlist.append(("Set-Cookie", line))

    def _is_replaced(self, settings: Settings, request: Request) -> bool:
        """Return whether our cookie replaces the old one: same name, Domain and Path (RFC 6265bis 5.7)."""
        domain = self.get_cookie_domain(settings, request) or ""
        ours = self.get_cookie_name(settings, request), domain, self.get_cookie_path(settings, request)
        theirs = self.old_cookie.name, self.old_cookie.domain or "", self.old_cookie.path
        return [part.removeprefix(".") for part in ours] == [part.removeprefix(".") for part in theirs]


def to_bytes(key: Key) -> bytes:
    """Return a key as bytes, as the libraries hash it."""
    return key.encode() if isinstance(key, str) else key


def unzip(packed: bytes) -> bytes:
    """Decompress zlib data, up to the size limit of a session."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, MAX_PAYLOAD_BYTES)
    if not unpacker.eof:
        raise ValueError("the data are too large for a session, or truncated")
    return text
