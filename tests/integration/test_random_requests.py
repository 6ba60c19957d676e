"""Over several requests a session is a dict that somebody keeps, whatever is done to it, and by whichever response."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp import SessionMiddleware, payload
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import DAY, SETTINGS, START
from tests.support.cookie_kinds import make_interface
from tests.support.random_steps import STEPS, Step
from tests.support.visitor import Visitor
from tests.support.wsgi import TEXT

pytestmark = pytest.mark.usefixtures("kind")

SHAPES = st.sampled_from(["list", "generator", "write"])
REQUESTS = st.lists(st.tuples(st.lists(STEPS, max_size=4), SHAPES, st.sampled_from([0, 1, DAY])), max_size=6)


@given(REQUESTS)
def test_is_kept_from_request_to_request(requests: list[tuple[list[Step], str, int]]) -> None:
    """What a request leaves the next one finds, exactly; and a cookie is set only for a change or an old token."""
    clock = FrozenClock(START)
    model: dict[str, Any] = {}
    steps: list[Step] = []
    shape = ""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        session = environ["session"]
        assert repr(dict(session)) == repr(model)
        write = start_response("200 OK", TEXT)
        if shape == "generator":
            return run(session)
        for step in steps:
            step(session)
        if shape == "write":
            write(b"a")
        return [b"b"]

    def run(session: Any) -> Iterator[bytes]:
        for step in steps:
            step(session)
        yield b"a"

    interface = on_clock(make_interface(), clock)
    browser = Visitor(SessionMiddleware(app, SETTINGS, session_interface=interface))
    issued = clock()
    for steps, shape, seconds in requests:  # noqa: B007
        clock.tick(seconds)
        before = copy.deepcopy(model)
        answer = browser.get()
        for step in steps:
            step(model)
        has_changed = payload.fingerprint(model) != payload.fingerprint(before)
        is_old = bool(before) and clock() - issued >= DAY
        assert bool(answer.cookies) is (has_changed or is_old)
        issued = clock() if answer.cookies else issued
        # A key that was deleted and set to what it was has moved to the end, which is no change: where nothing was
        # written, it comes back in its old place.
        model = payload.loads(payload.dumps(model if answer.cookies else before))
