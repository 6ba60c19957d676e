"""Reading finds every value under a name, in linear time, in any header; writing keeps to RFC 6265bis or raises."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handstamp._cookies import (
    MAX_AGE_SECONDS,
    MAX_COOKIE_BYTES,
    find_values,
    format_cookie,
    format_date,
    format_deletion,
    replace_cookies,
)
from handstamp._policy import MAX_ATTRIBUTE_BYTES, CookiePolicy, find_problems, format_attributes, resolve_policy
from handstamp._settings import DEFAULTS
from handstamp.exceptions import SettingsError

NOW = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT

PLAIN = CookiePolicy(
    name="session", domain=None, path="/", httponly=True, secure=False, samesite="Lax", partitioned=False
)


def write(policy: CookiePolicy, value: str, expires: int | None = None) -> str:
    """Return the Set-Cookie line of a policy."""
    return format_cookie(policy.name, value, format_attributes(**policy._asdict()), expires, NOW)


def write_deletion(policy: CookiePolicy) -> str:
    """Return the Set-Cookie line that deletes the cookie of a policy."""
    return format_deletion(policy.name, format_attributes(**policy._asdict()))


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        ("session=x", ["x"]),
        ("session=", [""]),
        ("session", []),
        ("a=1; session=x; b=2", ["x"]),
        ("a=1;session=x;b=2", ["x"]),
        (" \t session=x \t ", ["x"]),
        ("session= x ", ["x"]),
        ("session=x; session=y; session=x", ["x", "y", "x"]),
        ("session=x=y==", ["x=y=="]),
        ("session=session=x", ["session=x"]),
        ("session=x;", ["x"]),
        (";;;session=x;;;", ["x"]),
        ("a=1,session=x,b=2", ["x"]),
        ("a=1, session=x ,b=2; session=y", ["x", "y"]),
        (",,,session=x,,,", ["x"]),
        ('session="x"', ["x"]),
        ('session=""; session="', ["", '"']),
        ('session="x; session=x"', ['"x', 'x"']),
    ],
)
def test_values(header: str, values: list[str]) -> None:
    """Every value under the name is found, in the header's order, without the spaces around it."""
    assert find_values(header, "session") == values


@pytest.mark.parametrize(
    "header",
    [
        "=session=x",
        "= session=x",
        "mysession=x",
        "my session=x",
        "session2=x",
        "session =x",
        "Session=x",
        '"session"=x',
        "__Host-session=x",
        "session\x00=x",
        "\x00session=x",
        "\nsession=x",
        "\xa0session=x",
        "a=1& session=x",
    ],
)
def test_names_that_are_not_ours(header: str) -> None:
    """Only the exact name, at the beginning of a pair, is ours."""
    assert find_values(header, "session") == []


@pytest.mark.parametrize(
    "junk",
    ["novalue", "=", "==", '"', 'a="', r'a="\"', "a={'k': [1, 2]}", "ä=ö", "a=b c", "a@b=1", "$Version=1", "\x7f", ""],
)
def test_foreign_junk(junk: str) -> None:
    """Whatever other cookies hold, before or behind, our value is found as it is."""
    assert find_values(f"{junk}; session=x; {junk}", "session") == ["x"]


@pytest.mark.parametrize("separator", [";", ","])
def test_quotes_hide_no_separator(separator: str) -> None:
    """The header is cut at every semicolon and comma, quoted or not, as browsers and servers cut it and join it."""
    assert find_values(f'a="1{separator} session=x{separator} "', "session") == ["x"]


def test_one_pair_of_quotes_is_cut() -> None:
    """Double quotes around our whole value are not a part of it (RFC 6265 4.1.1); any other quote is."""
    headers = ['session="x"', 'session= "x" ', 'session=""x""', 'session="x', "session='x'"]
    assert [find_values(header, "session") for header in headers] == [["x"], ["x"], ['"x"'], ['"x'], ["'x'"]]


@pytest.mark.parametrize("value", ["XvX", "\x0bv\x0c", "\xa0v\x85"], ids=["letters", "controls", "Latin-1"])
def test_blanks_and_tabs_alone_are_cut(value: str) -> None:
    """Around a value blanks and tabs are cut, as in RFC 6265bis 5.6, and nothing else is."""
    assert find_values(f"session= \t{value}\t ;", "session") == [value]


@pytest.mark.parametrize("before", ["X", "\x0b", "\xa0"], ids=["letter", "control", "Latin-1"])
def test_blanks_and_tabs_alone_stand_before_a_name(before: str) -> None:
    """A name with anything but blanks and tabs before it is another name."""
    assert find_values(f"a=b; {before}session=x", "session") == []
    assert find_values(f"{before}session=x", "session") == []


def find_values_slowly(header: str, name: str) -> list[str]:
    """Return what find_values should, in the obvious way."""
    pairs = [pair.strip(" \t") for pair in re.split("[;,]", header)]
    values = [pair[len(name) + 1 :].strip(" \t") for pair in pairs if pair.startswith(name + "=")]
    return [re.sub(r'\A"(.*)"\Z', r"\1", value, flags=re.DOTALL) for value in values]


pieces = st.sampled_from(["s", "ss", "=", ";", " ", "\t", '"', ",", "s=", "; s=", "s=s=", "x", "\n", "ä"])


@given(st.lists(pieces).map("".join), st.sampled_from(["s", "ss", "sxs"]))
@example("s=1;s=2; s=3", "s")
@example("ss=1; s=2", "s")
@example('s=1,s="2", s=3', "s")
def test_values_law(header: str, name: str) -> None:
    """What is found is what cutting at every semicolon and comma and looking at every pair finds."""
    assert find_values(header, name) == find_values_slowly(header, name)


@given(st.text(), st.text(alphabet="sx", min_size=1))
def test_values_law_of_any_text(header: str, name: str) -> None:
    """That holds for headers of any characters."""
    assert find_values(header, name) == find_values_slowly(header, name)


class CountingStr(str):
    """A text that counts how many of its characters were looked at."""

    __slots__ = ("seen",)

    seen: list[int]

    def __new__(cls, text: str) -> CountingStr:
        counting = super().__new__(cls, text)
        counting.seen = []
        return counting

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start) if end is None else super().find(sub, start, end)
        last = len(self) if end is None else end
        self.seen.append(max(0, (last if found < 0 else found + len(sub)) - start))
        return found

    def replace(self, old: str, new: str, count: Any = -1) -> CountingStr:
        replaced = CountingStr(super().replace(old, new, count))
        replaced.seen = self.seen
        self.seen.append(len(self))
        return replaced

    def __getitem__(self, index: Any) -> str:
        found = super().__getitem__(index)
        self.seen.append(len(found))
        return found


def count_work(junk: str, length: int) -> int:
    """Return how many characters find_values looks at in a header of so much junk of a kind."""
    header = CountingStr((junk * length)[:length])
    find_values(header, "session")
    return sum(header.seen)


@pytest.mark.parametrize(
    "junk",
    [
        "x",
        " ",
        ";",
        "=",
        '"',
        "; ",
        ",",
        "session=,",
        ", session=x",
        "session",
        "session=",
        "session=;",
        " session=",
        "\tsession=x; ",
        "session =",
        "=s",
    ],
)
def test_reading_is_linear(junk: str) -> None:
    """Four times as much of any kind of junk costs four times the work, from 4 KB to 16 and 64."""
    small, medium, large = (count_work(junk, length * 1024) for length in (4, 16, 64))
    assert small >= 4 * 1024
    assert medium <= 4.1 * small
    assert large <= 4.1 * medium


# -- the rules --------------------------------------------------------------------------------------------------------


def find_faults(**attributes: Any) -> list[str]:
    """Return the problems of a policy that is sound but for some attributes."""
    return [f"{problem.key}: {problem.text}" for problem in find_problems(PLAIN._replace(**attributes))]


def test_limits() -> None:
    """The limits are those of RFC 6265bis: 4096 bytes, 1024 bytes, 400 days."""
    assert (MAX_COOKIE_BYTES, MAX_ATTRIBUTE_BYTES, MAX_AGE_SECONDS) == (4096, 1024, 34_560_000)


def test_the_plain_policy_is_sound() -> None:
    """A policy with nothing but a name breaks no rule."""
    assert find_faults() == []


@pytest.mark.parametrize("name", ["session", "s", "__hosting", "!#$%&'*+-.^_`|~09AZaz", "SECURE-", "_Host-x"])
def test_good_names(name: str) -> None:
    """A name is a token of RFC 6265."""
    assert find_faults(name=name) == []


#: What ends a header, an attribute or a pair, or is no ASCII (RFC 6265bis 4.1.1).
FORBIDDEN = ["\r", "\n", "\r\nX: y", "\x00", "\x1f", "\x7f", ";", ",", "ä", "\u2028"]


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a=b", '"a"', "a\t", "a/b", *(f"a{text}b" for text in FORBIDDEN), "a\n"]
)
def test_bad_names(name: str) -> None:
    """Any other name is a problem, shown and with the cure."""
    assert find_faults(name=name) == [
        f"SESSION_COOKIE_NAME: {name!r} is not a cookie name; use letters, digits, '-' and '_'"
    ]


@pytest.mark.parametrize(
    "domain",
    ["example.com", ".example.com", "localhost", "a-b.c_d.e0", "127.0.0.1", "a" * (MAX_ATTRIBUTE_BYTES - 1)],
)
def test_good_domains(domain: str) -> None:
    """A domain is a host name, with or without a leading dot."""
    assert find_faults(domain=domain) == []


@pytest.mark.parametrize(
    "domain",
    [
        *("", ".", "..com", "a..b", "a.", "a b", "a:80", "[::1]", "a/b", "a\n", "a" * MAX_ATTRIBUTE_BYTES),
        *(f"a{text}b" for text in FORBIDDEN),
    ],
)
def test_bad_domains(domain: str) -> None:
    """Any other domain is a problem, shown and with the cure."""
    assert find_faults(domain=domain) == [
        f"SESSION_COOKIE_DOMAIN: {domain!r} is not a host name; write it in ASCII, such as 'example.com'"
    ]


@pytest.mark.parametrize("path", ["/", "/app", "/a b", "/a=b?c#d", "/%C3%A4/", "/" + "a" * (MAX_ATTRIBUTE_BYTES - 2)])
def test_good_paths(path: str) -> None:
    """A path begins with a slash and goes on in printable ASCII."""
    assert find_faults(path=path) == []


@pytest.mark.parametrize(
    "path",
    ["", "app", " /", "a/", "/a\n", *(f"/{text}" for text in FORBIDDEN), "/" + "a" * (MAX_ATTRIBUTE_BYTES - 1)],
)
def test_bad_paths(path: str) -> None:
    """Any other path is a problem, shown and with the cure."""
    assert find_faults(path=path) == [
        f"SESSION_COOKIE_PATH: {path!r} is not a path; begin with '/', and use printable ASCII without ';' and ','"
    ]


@pytest.mark.parametrize("samesite", ["Strict", "Lax", None])
def test_good_samesite(samesite: str | None) -> None:
    """SameSite is Strict or Lax, or left out."""
    assert find_faults(samesite=samesite) == []


@pytest.mark.parametrize("samesite", ["", "lax", "Laxer", "Lax; Secure", "Lax\r\n"])
def test_bad_samesite(samesite: str) -> None:
    """Any other SameSite is a problem that names what there is."""
    assert find_faults(samesite=samesite, secure=True) == [
        f"SESSION_COOKIE_SAMESITE: {samesite!r} is unknown; use one of 'Strict', 'Lax', 'None', or None"
    ]


@pytest.mark.parametrize("attributes", [{"samesite": "None"}, {"partitioned": True}])
def test_what_secure_allows(attributes: dict[str, Any]) -> None:
    """SameSite=None and Partitioned are sound with Secure."""
    assert find_faults(secure=True, **attributes) == []


@pytest.mark.parametrize("secure", [False, None])
@pytest.mark.parametrize(
    ("attributes", "what"),
    [({"samesite": "None"}, "SameSite=None"), ({"partitioned": True}, "Partitioned")],
)
def test_what_demands_secure(secure: bool | None, attributes: dict[str, Any], what: str) -> None:
    """SameSite=None and Partitioned demand Secure, on every request."""
    assert find_faults(secure=secure, **attributes) == [
        f"SESSION_COOKIE_SECURE: {secure}, but {what} demands Secure; set it to True"
    ]


#: A prefix, and which of Secure, HttpOnly, no Domain and the root as Path it demands.
PREFIXES = [
    ("__Secure-", "secure"),
    ("__Host-", "secure domain path"),
    ("__Http-", "secure httponly"),
    ("__Host-Http-", "secure httponly domain path"),
]

#: What breaks each demand.
BREACHES: dict[str, tuple[Any, str]] = {
    "secure": (False, "SESSION_COOKIE_SECURE: False, but the name {} demands Secure; set it to True"),
    "httponly": (False, "SESSION_COOKIE_HTTPONLY: False, but the name {} demands HttpOnly; set it to True"),
    "domain": ("a.example", "SESSION_COOKIE_DOMAIN: 'a.example', but the name {} demands none; set it to False"),
    "path": ("/app", "SESSION_COOKIE_PATH: '/app', but the name {} demands '/'; set it to '/'"),
}


def spell(prefix: str) -> list[str]:
    """Return a name with a prefix in several spellings."""
    return [f"{prefix}id", f"{prefix.lower()}id", f"{prefix.upper()}id", prefix]


@pytest.mark.parametrize("attribute", BREACHES)
@pytest.mark.parametrize(
    ("name", "demands"), [(name, demands) for prefix, demands in PREFIXES for name in spell(prefix)]
)
def test_prefixes(name: str, demands: str, attribute: str) -> None:
    """Each prefix, in any case, is held to its demands, and to no others."""
    value, problem = BREACHES[attribute]
    expected = [problem.format(repr(name))] if attribute in demands.split() else []
    faults = find_faults(name=name, **{"secure": True, attribute: value})
    assert list(dict.fromkeys(faults)) == expected


def resolve_domain(name: str) -> str | None:
    """Return the Domain that falls back to the server's name."""
    return resolve_policy({**DEFAULTS, "SESSION_COOKIE_NAME": name, "SERVER_NAME": "example.com"}).domain


@pytest.mark.parametrize("name", spell("__Host-") + spell("__Host-Http-"))
def test_host_only(name: str) -> None:
    """A name with a ``__Host-`` prefix forbids a Domain."""
    assert resolve_domain(name) is None


@pytest.mark.parametrize("name", ["session", "__Secure-id", "__Http-id", "__Hostid", "x__Host-"])
def test_not_host_only(name: str) -> None:
    """Any other name allows one."""
    assert resolve_domain(name) == ".example.com"


@pytest.mark.parametrize(
    ("header", "lines", "replaced"),
    [
        ("", [], ""),
        ("a=1; session=old", [], "a=1; session=old"),
        ("", ["session=new; Path=/"], "session=new"),
        ("session=old; a=1;session=older", ["session=new"], "a=1; session=new"),
        ("session=old;\ta=1", ["session=; Max-Age=0"], "a=1"),
        ("a=1,session=old, b=2", ["session=; Max-Age=0"], "a=1; b=2"),
        ("session=old", ["session=; Max-Age=0", "session=new", "b=2; Path=/"], "session=new; b=2"),
        ("my-session=1; session; Session=2", ["session=new"], "my-session=1; session; Session=2; session=new"),
    ],
)
def test_cookies_are_replaced(header: str, lines: list[str], replaced: str) -> None:
    """After a response the header holds what it set, and no longer what it replaced or deleted; other cookies stay."""
    assert replace_cookies(header, lines) == replaced


# -- writing ----------------------------------------------------------------------------------------------------------

FULL = CookiePolicy("id", ".example.com", "/app", True, True, "None", True)


@pytest.mark.parametrize(
    ("policy", "attributes"),
    [
        (PLAIN, "Path=/; HttpOnly; SameSite=Lax"),
        (PLAIN._replace(domain="example.com"), "Domain=example.com; Path=/; HttpOnly; SameSite=Lax"),
        (PLAIN._replace(domain=".example.com"), "Domain=example.com; Path=/; HttpOnly; SameSite=Lax"),
        (PLAIN._replace(path="/app"), "Path=/app; HttpOnly; SameSite=Lax"),
        (PLAIN._replace(httponly=False), "Path=/; SameSite=Lax"),
        (PLAIN._replace(secure=True), "Path=/; Secure; HttpOnly; SameSite=Lax"),
        (PLAIN._replace(secure=None), "Path=/; HttpOnly; SameSite=Lax"),
        (PLAIN._replace(samesite="Strict"), "Path=/; HttpOnly; SameSite=Strict"),
        (PLAIN._replace(samesite=None), "Path=/; HttpOnly"),
        (PLAIN._replace(secure=True, partitioned=True), "Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned"),
        (FULL, "Domain=example.com; Path=/app; Secure; HttpOnly; SameSite=None; Partitioned"),
    ],
)
def test_attributes(policy: CookiePolicy, attributes: str) -> None:
    """Each attribute of the policy is written, and a leading dot is not."""
    assert write(policy, "value", None) == f"{policy.name}=value; {attributes}"


#: Of each field a value that :data:`SOUND` does not have.
SOUND = PLAIN._replace(secure=True)
OTHERS: dict[str, Any] = {
    "name": "id",
    "domain": "example.com",
    "path": "/app",
    "httponly": False,
    "secure": False,
    "samesite": "Strict",
    "partitioned": True,
}


@pytest.mark.parametrize("field", CookiePolicy._fields)
def test_every_field_is_written(field: str) -> None:
    """Every field of a policy reaches the Set-Cookie line, and the line that deletes the cookie."""
    other = SOUND._replace(**{field: OTHERS[field]})
    assert write(other, "value") != write(SOUND, "value")
    assert write_deletion(other) != write_deletion(SOUND)


@pytest.mark.parametrize(
    ("expires", "written"),
    [
        (NOW + 3600, "Expires=Tue, 14 Nov 2023 23:13:20 GMT; Max-Age=3600"),
        (NOW + MAX_AGE_SECONDS, "Expires=Wed, 18 Dec 2024 22:13:20 GMT; Max-Age=34560000"),
        (NOW + MAX_AGE_SECONDS + 1, "Expires=Wed, 18 Dec 2024 22:13:20 GMT; Max-Age=34560000"),
        (NOW, "Expires=Tue, 14 Nov 2023 22:13:20 GMT; Max-Age=0"),
        (NOW - 1, "Expires=Tue, 14 Nov 2023 22:13:20 GMT; Max-Age=0"),
    ],
)
def test_expires(expires: int, written: str) -> None:
    """Expires and Max-Age agree, are at most 400 days ahead, and never in the past."""
    assert write(PLAIN, "value", expires) == f"session=value; {written}; Path=/; HttpOnly; SameSite=Lax"


#: cookie-octet (RFC 6265 4.1.1)
OCTETS = {0x21, *range(0x23, 0x2C), *range(0x2D, 0x3B), *range(0x3C, 0x5C), *range(0x5D, 0x7F)}


@pytest.mark.parametrize("octet", sorted(OCTETS))
def test_good_octets(octet: int) -> None:
    """A value holds any octets that the RFC allows, wherever they stand."""
    for value in (f"{chr(octet)}id", f"i{chr(octet)}d", f"id{chr(octet)}"):
        assert write(PLAIN, value, None) == f"session={value}; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("octet", sorted(set(range(256)) - OCTETS))
def test_bad_octets(octet: int) -> None:
    """A value holds no others, wherever they stand."""
    for value in (f"{chr(octet)}id", f"i{chr(octet)}d", f"id{chr(octet)}"):
        with pytest.raises(SettingsError):
            write(PLAIN, value, None)


@pytest.mark.parametrize("expires", [None, NOW + 60])
@pytest.mark.parametrize(
    "value", ["a; Domain=evil.example", "a\r\nSet-Cookie: b=c", "a\u2028", "\ud800", '"a"', "a b", "\0"]
)
def test_bad_values(value: str, expires: int | None) -> None:
    """A value that would add an attribute, a line or a header of its own is an error, and is not written."""
    with pytest.raises(SettingsError, match="use printable ASCII") as caught:
        write(PLAIN, value, expires)
    assert value not in str(caught.value)


@pytest.mark.parametrize("policy", [PLAIN, FULL])
def test_deletion(policy: CookiePolicy) -> None:
    """A deletion has an empty value, ended at the epoch, and repeats every attribute."""
    _, _, attributes = write(policy, "", None).partition("; ")
    expected = f"{policy.name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; {attributes}"
    assert write_deletion(policy) == expected


def test_a_bad_policy_is_not_written() -> None:
    """A policy that breaks rules raises an error that lists each problem once."""
    policy = PLAIN._replace(name="__Host-Http-id", domain="a.example", path="/\r\n")
    with pytest.raises(SettingsError) as caught:
        write(policy, "value", None)
    sentences = [f"{problem.key}: {problem.text}" for problem in find_problems(policy)]
    assert caught.value.problems == tuple(dict.fromkeys(sentences))


def test_a_bad_policy_deletes_nothing() -> None:
    """Deleting is held to the same rules."""
    with pytest.raises(SettingsError, match="SESSION_COOKIE_NAME"):
        write_deletion(PLAIN._replace(name="a b"))


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),  # the example of RFC 9110
        (1_709_210_096, "Thu, 29 Feb 2024 12:34:56 GMT"),
        (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_dates(seconds: int, written: str) -> None:
    """A date is an IMF-fixdate, its year of four digits."""
    assert format_date(seconds) == written


@given(st.integers(min_value=-62_135_596_800, max_value=253_402_300_799))
def test_dates_law(seconds: int) -> None:
    """A date is what the standard library writes for mail."""
    assert format_date(seconds) == formatdate(seconds, usegmt=True)
