"""What may be done to a session, at random, by the strategies of hypothesis."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Step = Callable[[Any], object]

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
