"""What caches are told: ``Vary`` is merged, and ``Cache-Control`` is read and changed as RFC 9111 reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp import _caching as caching
from handstamp._caching import (
    add_private,
    allows_sharing,
    field_names,
    find_cache_control,
    forbids_sharing,
    remove_targeted,
    write_cache_control,
)

Headers = list[tuple[str, str]]

OTHER = ("Content-Type", "text/plain")


def add_vary(headers: Headers) -> None:
    """Say Vary in a head that is as it was found."""
    caching.add_vary(headers, field_names(headers))


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


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], None),
        ([OTHER], None),
        ([("cache-control", "no-cache")], "no-cache"),
        ([("Cache-Control", "")], None),
        ([("Cache-Control", " ,"), ("Cache-Control", "\t")], None),
        ([("Cache-Control", "max-age=60"), OTHER, ("CACHE-CONTROL", "public")], "max-age=60, public"),
    ],
)
def test_lines_are_one_list(headers: Headers, value: str | None) -> None:
    """Several Cache-Control lines are one list, and an empty list says as little as none."""
    assert find_cache_control(headers) == value


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ([OTHER], "private", [OTHER, ("Cache-Control", "private")]),
        ([("cache-control", "a"), OTHER, ("Cache-Control", "b")], "a, c", [OTHER, ("Cache-Control", "a, c")]),
        ([("cache-control", "a"), OTHER], None, [OTHER]),
        ([OTHER], None, [OTHER]),
    ],
)
def test_one_line_is_written(before: Headers, value: str | None, after: Headers) -> None:
    """What is written is one line, or none, in the place of all that were there."""
    headers = list(before)
    write_cache_control(headers, field_names(headers), value)
    assert headers == after


@pytest.mark.parametrize(
    "said", ["private", "PRIVATE", "no-store", "max-age=60 ,\tNo-Store", 'x="a, b", private', ",,private,"]
)
def test_forbids_sharing(said: str) -> None:
    """``private`` and ``no-store`` forbid sharing, in any case, and wherever they stand in the list."""
    assert forbids_sharing(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "public",
        "no-cache",
        "max-age=60",
        'private="X-Field"',  # about one field (RFC 9111 5.2.2.7)
        'no-cache="Set-Cookie"',
        'x="private"',
        'x="a, private, b"',
        'x="\\", private, \\""',
        "privately",
        "\xa0private",
        'private, x="',  # malformed: nobody knows what a cache makes of it
    ],
)
def test_does_not_forbid_sharing(said: str) -> None:
    """Nothing else does: no argument, no text in quotes, no other name, and no malformed list."""
    assert not forbids_sharing(said)


@pytest.mark.parametrize(
    "headers",
    [
        [("Cache-Control", "public")],
        [("cache-control", "max-age=1, S-MaxAge = 60")],
        [("Cache-Control", "max-age=60"), ("Cache-Control", "public")],
        [("CDN-Cache-Control", "max-age=60")],
        [("Some-CDN-Cache-Control", "max-age=60"), ("Cache-Control", "private")],
        [("surrogate-control", 'max-age=60, content="ESI/1.0"')],
    ],
)
def test_allows_sharing(headers: Headers) -> None:
    """``public``, ``s-maxage`` and the fields for CDNs let shared caches store, in so many words."""
    assert allows_sharing(headers, field_names(headers))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [OTHER],
        [("Cache-Control", "max-age=60")],
        [("Cache-Control", "no-cache")],
        [("Cache-Control", 'x="public"')],
        [("Cache-Control", 'public, x="')],
        [("Cache-Control", "private, s-maxage=0")],
        [("Cache-Control", "public"), ("Cache-Control", "no-store")],
        [("CDN-Cache-Control", "no-store")],
        [("X-Cache-Control", "public")],
    ],
)
def test_does_not_allow_sharing(headers: Headers) -> None:
    """What says neither, or forbids it in the same breath, does not."""
    assert not allows_sharing(headers, field_names(headers))


@pytest.mark.parametrize(
    ("said", "private"),
    [
        ("", "private"),
        ("max-age=60", "max-age=60, private"),
        ("public", "private"),
        ("public, max-age=60, s-maxage=600, immutable", "max-age=60, immutable, private"),
        ('private="X-Field", no-cache="Set-Cookie"', 'no-cache="Set-Cookie", private'),
        ('x="a, public", PUBLIC', 'x="a, public", private'),
        ("max-age=1,,\tstale-while-revalidate=9 ,", "max-age=1, stale-while-revalidate=9, private"),
        ('max-age=60, x="', "private"),
    ],
)
def test_private_is_added(said: str, private: str) -> None:
    """``private`` joins the list, what it contradicts goes, and of a malformed list nothing is left."""
    assert add_private(said) == private


directives = st.sampled_from(
    ["public", "private", "no-store", "max-age=60", "S-MaxAge=1", 'private="A, B"', 'x="public"', "", '"', "a b"]
)


@given(st.lists(directives).map(",".join))
def test_private_forbids(said: str) -> None:
    """With ``private`` any list forbids sharing, and adding it again changes nothing."""
    once = add_private(said)
    assert forbids_sharing(once)
    assert not allows_sharing([("Cache-Control", once)], ["cache-control"])
    assert add_private(once) == once


def test_fields_for_cdns_are_removed() -> None:
    """The fields that let CDNs store go; those that forbid it, and all others, stay."""
    kept = [OTHER, ("Cache-Control", "public"), ("CDN-Cache-Control", "no-store"), ("X-Surrogate", "1")]
    headers = [("Surrogate-Control", "max-age=60"), *kept, ("cloudflare-cdn-cache-control", "max-age=60")]
    headers += [
        ("Edge-Control", "cache-maxage=60m"),
        ("X-LiteSpeed-Cache-Control", "public"),
        ("X-Accel-Expires", "60"),
    ]
    assert remove_targeted(headers, field_names(headers))
    assert headers == kept
    assert not remove_targeted(headers, field_names(headers))
    assert headers == kept
