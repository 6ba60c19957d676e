"""Over several requests a session is a dict that somebody keeps, whatever is done to it, and by whichever response."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from helpers import DAY, SETTINGS, TEXT, Browser, Clock, on_clock
from hypothesis import given
from hypothesis import strategies as st
from kinds import make_interface

from handstamp import SessionMiddleware, payload

Step = Callable[[Any], object]

pytestmark = pytest.mark.usefixtures("kind")

KEYS = st.sampled_from("abc")
ATOMS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, -0.0]) | st.text(max_size=3)
VALUES = st.recursive(
    ATOMS | st.binary(max_size=3) | st.datetimes() | st.tuples(ATOMS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "~x"]), inner),
    max_leaves=3,
)


def _assign(key: str, value: object) -> Step:
    return lambda session: session.__setitem__(key, copy.deepcopy(value))


def _delete(key: str) -> Step:
    return lambda session: session.pop(key, None)


def _append(key: str, value: object) -> Step:
    def append(session: Any) -> None:
        if isinstance(session.get(key), list):
            session[key].append(copy.deepcopy(value))

    return append


def clear(session: Any) -> None:
    session.clear()


STEPS = st.one_of(
    st.builds(_assign, KEYS, VALUES),
    st.builds(_assign, KEYS, VALUES.map(lambda value: [value])),
    st.builds(_delete, KEYS),
    st.builds(_append, KEYS, VALUES),
    st.just(dict),
    st.just(clear),
)
SHAPES = st.sampled_from(["list", "generator", "write"])
REQUESTS = st.lists(st.tuples(st.lists(STEPS, max_size=4), SHAPES, st.sampled_from([0, 1, DAY])), max_size=6)


@given(REQUESTS)
def test_is_kept_from_request_to_request(requests: list[tuple[list[Step], str, int]]) -> None:
    """What a request leaves the next one finds, exactly; and a cookie is set only for a change or an old token."""
    clock = Clock()
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
    browser = Browser(SessionMiddleware(app, SETTINGS, session_interface=interface))
    issued = clock()
    for steps, shape, seconds in requests:  # noqa: B007
        clock.advance(seconds)
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
