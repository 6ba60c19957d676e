"""A site to visit: an application behind handstamp that does what each visit asks of its session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import WSGIEnvironment

from handstamp import SessionInterface, SessionMiddleware
from handstamp.testing import FrozenClock

from .clock import on_clock
from .constants import SETTINGS, START
from .cookie_kinds import make_interface
from .visitor import Visitor
from .wsgi import TEXT, Answer

Action = Callable[[Any], object]


class Site:
    """A wrapped application that does what each visit asks of it, on a clock of its own, and its one visitor."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        interface: SessionInterface | None = None,
        *,
        clock: FrozenClock | None = None,
        scheme: str = "http",
        headers: Iterable[tuple[str, str]] = TEXT,
    ) -> None:
        self.clock = clock or FrozenClock(START)
        self.interface = on_clock(interface or make_interface(), self.clock)
        self.middleware = SessionMiddleware(
            self.app, {**SETTINGS, **(settings or {})}, session_interface=self.interface
        )
        self.visitor = Visitor(self.middleware, scheme=scheme)
        self.headers = list(headers)
        self.action: Action = bool
        self._result: object = None

    def app(self, environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        self._result = self.action(environ["session"])
        start_response("200 OK", self.headers)
        return [b"done"]

    def visit(self, action: Action, **extra: Any) -> Answer:
        """Have the application do something with its session."""
        self.action = action
        answer = self.visitor.get(**extra)
        return answer._replace(result=self._result)
