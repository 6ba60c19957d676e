"""BadToken: raised inside the package where a token is rejected. It never leaves the package.

The reasons of one request are gathered in a list: a hostile header may hold thousands of cookies, and what is done for
each reason is done once.
"""

from __future__ import annotations

from .exceptions import RejectReason

#: The key of the environ under which :meth:`SessionInterface.cookie_rejected` finds how many cookies each reason had.
REJECTED_KEY = "handstamp.rejected"


class BadToken(Exception):
    """A token is rejected: a hostile cookie is an empty session, not an error of the application.

    :ivar reason: why
    :ivar time: the time in standard base64 that a token names whose signature does not hold; empty if it names none
    :ivar is_foreign: whether the token has a form that this application's tokens never have

    >>> BadToken(RejectReason.MALFORMED).reason.value
    'malformed'
    """

    def __init__(self, reason: RejectReason, time: bytes = b"", *, is_foreign: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.time = time
        self.is_foreign = is_foreign
