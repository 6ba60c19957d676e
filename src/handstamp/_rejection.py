"""BadToken: raised inside the package where a token is rejected. It never leaves the package."""

from __future__ import annotations

from .exceptions import RejectReason


class BadToken(Exception):
    """A token is rejected: a hostile cookie is an empty session, not an error of the application.

    :ivar reason: why
    """

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(reason)
        self.reason = reason
