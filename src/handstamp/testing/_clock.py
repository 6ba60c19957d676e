"""FrozenClock and frozen: a clock that stands still, so that a test can make sessions old without waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

from .._middleware import SessionMiddleware


class FrozenClock:
    """A clock that stands still until :meth:`tick` is called. Call the clock to get the seconds since 1970.

    Assign it to an interface as ``now``, or use :func:`frozen`, which does so for the length of a block.

    :param at: seconds since 1970, or an aware datetime; ``None`` stands for the current second
    :raises ValueError: the datetime is naive, so it would be another time on another machine

    >>> clock = FrozenClock(at=1000)
    >>> clock.tick(60)
    >>> clock()
    1060.0
    """

    def __init__(self, at: float | datetime | None = None) -> None:
        self._seconds = _to_seconds(at)

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self._seconds

    def tick(self, seconds: float | timedelta = 1) -> None:
        """Move the clock forward."""
        self._seconds += seconds.total_seconds() if isinstance(seconds, timedelta) else seconds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._seconds!r})"


@contextmanager
def frozen(middleware: SessionMiddleware, at: float | datetime | None = None) -> Iterator[FrozenClock]:
    """Replace the clock of a middleware's interface by a frozen clock until the block ends.

    :param at: as for :class:`FrozenClock`

    >>> from handstamp.testing import make_cookie, read_cookie
    >>> from webob import Response
    >>> settings = {"SECRET_KEY": "the key of an example", "SESSION_IDLE_LIFETIME": 1800}
    >>> app = SessionMiddleware(Response("hello"), settings)
    >>> with frozen(app) as clock:
    ...     cookie = make_cookie(app, {"user": 7})
    ...     clock.tick(1700)
    ...     print(read_cookie(app, [("Set-Cookie", cookie)]))
    {'user': 7}
    """
    clock = FrozenClock(at)
    with patch.object(middleware.session_interface, "now", clock):
        yield clock


def _to_seconds(at: float | datetime | None) -> float:
    if at is None:
        return float(int(time.time()))
    if not isinstance(at, datetime):
        return float(at)
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; write tzinfo=UTC")
    return at.timestamp()
