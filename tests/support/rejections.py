"""Signed cookies whose interface remembers what it has rejected."""

from __future__ import annotations

from functools import cached_property

from webob import Request

from handstamp import RejectReason, SecureCookieSessionInterface, Settings


class RememberingInterface(SecureCookieSessionInterface):
    """Keep the reason of each rejected cookie; several interfaces may be given one list."""

    @cached_property
    def rejected(self) -> list[RejectReason]:
        return []

    def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
        self.rejected.append(reason)
