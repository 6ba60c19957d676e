"""An interface's clock, stopped: the frozen clock itself is that of ``handstamp.testing``."""

from __future__ import annotations

from typing import Any, TypeVar

from handstamp import SessionInterface
from handstamp.testing import FrozenClock

AnyInterface = TypeVar("AnyInterface", bound=SessionInterface[Any])


def on_clock(interface: AnyInterface, clock: FrozenClock) -> AnyInterface:
    """Give an interface its clock."""
    interface.now = clock  # type: ignore[method-assign]  # as users may do, too
    return interface
