"""A clock that stands still, for sessions that are to grow old in no time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

from .._middleware import SessionMiddleware


class FrozenClock:
    """A clock that stands still until it is told to go on; call it for the seconds since 1970.

    An interface can have it for good, as its ``now``; :func:`frozen` lends one.

    :param at: seconds since 1970, or a datetime that knows its zone; ``None``: the present second
    :raises ValueError: a datetime without a zone, which would be another time on another machine
    """

    def __init__(self, at: float | datetime | None = None) -> None:
        self._seconds = _to_seconds(at)

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self._seconds

    def tick(self, seconds: float | timedelta = 1) -> None:
        """Go on by some time."""
        self._seconds += seconds.total_seconds() if isinstance(seconds, timedelta) else seconds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._seconds!r})"


@contextmanager
def frozen(middleware: SessionMiddleware, at: float | datetime | None = None) -> Iterator[FrozenClock]:
    """Have the sessions of a middleware live by a frozen clock; its interface's own is back afterwards.

    :param at: as :class:`FrozenClock` takes it
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
        raise ValueError(f"{at!r} has no zone; write tzinfo=UTC")
    return at.timestamp()
