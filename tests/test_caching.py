"""A response that depends on a session says so to caches, once, and leaves what the application said alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp import _caching as caching
from handstamp._caching import field_names, forbid_storing

Headers = list[tuple[str, str]]

OTHER = ("Content-Type", "text/plain")


def add_vary(headers: Headers) -> None:
    """Say Vary in a head that is as it was found."""
    caching.add_vary(headers, field_names(headers))


def add_private(headers: Headers) -> str | None:
    """Say Cache-Control in a head that is as it was found."""
    return caching.add_private(headers, field_names(headers))


# -- Vary -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], [("Vary", "Cookie")]),
        ([OTHER], [OTHER, ("Vary", "Cookie")]),
        ([("Vary", "Accept")], [("Vary", "Accept, Cookie")]),
        ([("vary", "Accept"), OTHER], [("vary", "Accept, Cookie"), OTHER]),
        ([("Vary", "Accept"), ("Vary", "Origin")], [("Vary", "Accept"), ("Vary", "Origin, Cookie")]),
        ([("Vary", "")], [("Vary", "Cookie")]),
        ([("Vary", " ")], [("Vary", "Cookie")]),
        ([("Vary", "X-Cookie")], [("Vary", "X-Cookie, Cookie")]),
        # Blanks are space and tab (RFC 9110 5.6.3): what merely looks like one is part of a name.
        ([("Vary", "\xa0Cookie")], [("Vary", "\xa0Cookie, Cookie")]),
        ([("Vary", "\x0b")], [("Vary", "\x0b, Cookie")]),
    ],
)
def test_vary_is_merged(before: Headers, after: Headers) -> None:
    """Cookie joins the last Vary field, or makes one."""
    headers = list(before)
    add_vary(headers)
    assert headers == after


@pytest.mark.parametrize(
    "said",
    [
        [("Vary", "Cookie")],
        [("VARY", "accept,COOKIE ,origin")],
        [("Vary", "*")],
        [("Vary", "Accept, *")],
        [("Vary", "Cookie"), ("Vary", "Accept")],
        [("Vary", "*"), ("Vary", "Accept")],
    ],
)
def test_vary_that_says_it_all(said: Headers) -> None:
    """Where Cookie or a star stands already, in any case and any field, nothing changes."""
    headers = list(said)
    add_vary(headers)
    assert headers == said


fields = st.sampled_from(["Cookie", "cookie", "Accept", "*", "", "Accept,Origin", "Origin , Cookie"])
names = st.sampled_from(["Vary", "vary", "Content-Type"])


@given(st.lists(st.tuples(names, fields)))
def test_vary_said_twice_is_said_once(before: Headers) -> None:
    """Saying Vary a second time changes nothing."""
    once = list(before)
    add_vary(once)
    twice = list(once)
    add_vary(twice)
    assert twice == once


# -- Cache-Control ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], [OTHER]])
def test_private_where_nothing_is_said(before: Headers) -> None:
    """A response that says nothing about caching becomes private."""
    headers = list(before)
    assert add_private(headers) is None
    assert headers == [*before, ("Cache-Control", "private")]


@pytest.mark.parametrize("said", ["no-store", "private", "max-age=60", "", "X-Public=1", "no-cache, max-age=0"])
def test_what_is_said_stays(said: str) -> None:
    """What the application says about caching stays as it is."""
    headers = [("cache-control", said), OTHER]
    assert add_private(headers) is None
    assert headers == [("cache-control", said), OTHER]


@pytest.mark.parametrize("said", ["public", "PUBLIC", "max-age=60, public", "s-maxage=60", "max-age=1 ,S-MaxAge=60"])
def test_shared_caches_are_told_of(said: str) -> None:
    """What lets shared caches store the response stays too, and is returned, to be warned of."""
    headers = [("Cache-Control", said)]
    assert add_private(headers) == said
    assert headers == [("Cache-Control", said)]


def test_shared_in_a_second_field() -> None:
    """Every Cache-Control field counts."""
    assert add_private([("Cache-Control", "max-age=60"), ("Cache-Control", "public")]) == "public"


def test_no_store() -> None:
    """What must not be kept says so alone, whatever was said."""
    headers = [("Cache-Control", "public"), OTHER, ("cache-control", "max-age=60")]
    forbid_storing(headers)
    assert headers == [OTHER, ("Cache-Control", "no-store")]
