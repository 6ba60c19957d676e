"""What browsers, proxies and other processes answer with silence is warned of once, with the cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from webob import Request

from handstamp import Settings
from handstamp._warnings import ENOUGH_REQUESTS
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from tests.support import cookie_kinds
from tests.support.constants import DAY, HOUR, OLD_KEY, START
from tests.support.cookie_kinds import make_interface, stamp, stock_serializer
from tests.support.site import Site


def write(session: Any) -> None:
    """Change a session, so that its cookie is set."""
    session["n"] = session.get("n", 0) + 1


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return the warnings so far."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


Warnings = Callable[[], list[str]]


# -- https ------------------------------------------------------------------------------------------------------------

CLAIMS = [
    ("X_FORWARDED_PROTO", "https"),
    ("X_FORWARDED_PROTO", "HTTPS"),
    ("X_FORWARDED_PROTO", "https,http"),
    ("X_FORWARDED_PROTO", " https , http"),
    ("FORWARDED", "proto=https"),
    ("FORWARDED", "for=192.0.2.1;proto=https;by=203.0.113.43"),
    ("FORWARDED", 'for="[2001:db8::1]";Proto="HTTPS", for=192.0.2.1;proto=http'),
    ("X_FORWARDED_SSL", "on"),
    ("X_FORWARDED_SSL", "On"),
    ("X_FORWARDED_PROTOCOL", "ssl"),
    ("X_FORWARDED_SCHEME", "https"),
    ("X_URL_SCHEME", "https"),
    ("CLOUDFRONT_FORWARDED_PROTO", "https"),
    ("FRONT_END_HTTPS", "on"),
]
NO_CLAIMS = [
    ("X_FORWARDED_PROTO", "http"),
    ("X_FORWARDED_PROTO", "http,https"),
    ("X_FORWARDED_PROTO", "httpsx"),
    ("X_FORWARDED_PROTO", ""),
    ("FORWARDED", "proto=http;for=https"),
    ("FORWARDED", "proto=http, proto=https"),
    ("FORWARDED", "for=proto"),
    ("X_FORWARDED_SSL", "off"),
    ("X_OTHER", "https"),
]


@pytest.mark.parametrize(("header", "value"), CLAIMS)
def test_untold_https(warnings: Warnings, header: str, value: str) -> None:
    """A proxy that says https in any of its ways, to a server that says http, is warned of once; the cookie stays."""
    site = Site()
    answers = [site.visit(write, **{f"HTTP_{header}": value}) for _ in range(3)]
    assert all("secure" not in answer.attributes for answer in answers)
    (warning,) = warnings()
    assert header.replace("_", "-").title() in warning
    assert "have the server trust the proxy, or set SESSION_COOKIE_SECURE to True" in warning


@pytest.mark.parametrize(("header", "value"), NO_CLAIMS)
def test_no_https(warnings: Warnings, header: str, value: str) -> None:
    """Nothing else is taken for that."""
    Site().visit(write, **{f"HTTP_{header}": value})
    assert warnings() == []


def test_several_proxies(warnings: Warnings) -> None:
    """Whichever header says it, there is one warning."""
    site = Site()
    for header, value in CLAIMS:
        site.visit(write, **{f"HTTP_{header}": value})
    assert len(warnings()) == 1


def test_secure_over_http(warnings: Warnings) -> None:
    """A Secure cookie that goes over plain http is warned of once, with the cures."""
    site = Site({"SESSION_COOKIE_SECURE": True})
    for _ in range(3):
        site.visit(write, HTTP_COOKIE="")
    (warning,) = warnings()
    assert warning.startswith("a Secure session cookie is set over plain http, where browsers drop it")
    assert "serve https" in warning
    assert "X-Forwarded-Proto: https" in warning


@pytest.mark.parametrize(("header", "value"), CLAIMS)
def test_secure_behind_a_proxy(warnings: Warnings, header: str, value: str) -> None:
    """Where a proxy says https, that is no mistake."""
    Site({"SESSION_COOKIE_SECURE": True}).visit(write, **{f"HTTP_{header}": value})
    assert warnings() == []


# -- domain and path --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("example.com", "www.example.org"),
        ("example.com", "badexample.com"),
        ("www.example.com", "example.com"),
        (".example.com", "127.0.0.1:8000"),
        ("example.com", "localhost"),
        ("example.com", "[::1]:8000"),
    ],
)
def test_other_host(warnings: Warnings, domain: str, host: str) -> None:
    """A Domain that leaves out the request's own host is warned of once, with both and the cure."""
    site = Site({"SESSION_COOKIE_DOMAIN": domain})
    for _ in range(3):
        site.visit(write, HTTP_HOST=host)
    (warning,) = warnings()
    assert repr(domain.removeprefix(".")) in warning
    assert repr(host.removesuffix(":8000")) in warning
    assert "set SESSION_COOKIE_DOMAIN" in warning


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("example.com", "example.com"),
        ("example.com", "www.example.com"),
        (".example.com", "example.com:8000"),
        ("Example.COM", "a.b.EXAMPLE.com"),
        ("127.0.0.1", "127.0.0.1:8000"),
        (False, "localhost"),
    ],
)
def test_own_host(warnings: Warnings, domain: Any, host: str) -> None:
    """A Domain that covers the host is not."""
    Site({"SESSION_COOKIE_DOMAIN": domain}).visit(write, HTTP_HOST=host)
    assert warnings() == []


def test_no_host(warnings: Warnings) -> None:
    """Without a Host, as in HTTP/1.0, the server's own name counts."""
    Site({"SESSION_COOKIE_DOMAIN": "example.com"}).visit(write, HTTP_HOST="", SERVER_NAME="www.example.com")
    assert warnings() == []


@pytest.mark.parametrize(
    ("cookie_path", "script", "path"),
    [
        ("/app", "", "/"),
        ("/app", "", "/apple"),
        ("/app/", "", "/app"),
        ("/app", "/shop", "/app"),
        ("/a%20b", "", "/a"),
    ],
)
def test_other_path(warnings: Warnings, cookie_path: str, script: str, path: str) -> None:
    """A Path that leaves out the request's own path is warned of once, with both and the cure."""
    site = Site({"SESSION_COOKIE_PATH": cookie_path})
    for _ in range(3):
        site.visit(write, SCRIPT_NAME=script, path=path)
    (warning,) = warnings()
    assert repr(cookie_path) in warning
    assert repr(script + path) in warning
    assert "set SESSION_COOKIE_PATH" in warning


@pytest.mark.parametrize(
    ("cookie_path", "script", "path"),
    [
        ("/", "", "/"),
        ("/app", "", "/app"),
        ("/app", "", "/app/page"),
        ("/app/", "", "/app/"),
        ("/app", "/app", "/"),
        ("/app", "/app", ""),
        (quote("/\xe4 b"), "", "/\xc3\xa4 b/c"),
    ],
)
def test_own_path(warnings: Warnings, cookie_path: str, script: str, path: str) -> None:
    """A Path that covers it is not."""
    Site({"SESSION_COOKIE_PATH": cookie_path}).visit(write, SCRIPT_NAME=script, path=path)
    assert warnings() == []


def test_deleting_and_reading_look_at_nothing(warnings: Warnings) -> None:
    """Only where a cookie is set is anything looked at."""
    settings = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": "a.example", "SESSION_COOKIE_PATH": "/app"}
    site = Site(settings)
    site.visit(dict, HTTP_COOKIE=f"session={stamp({'n': 1})}")
    site.visit(lambda session: session.invalidate(), HTTP_COOKIE=f"session={stamp({'n': 1})}")
    assert warnings() == []


def test_values_of_the_visitor_are_cut_and_escaped(warnings: Warnings) -> None:
    """What the visitor wrote stands in the log short, and on one line."""
    site = Site({"SESSION_COOKIE_DOMAIN": "example.com", "SESSION_COOKIE_PATH": "/app"})
    site.visit(write, HTTP_HOST="x\n" * 5000, path="/\x1b[2J" + "y" * 5000)
    assert len(warnings()) == 2
    assert all(warning.isprintable() and len(warning) < 600 for warning in warnings())


# -- keys and other applications --------------------------------------------------------------------------------------


def of_another_key(number: int, at: float = START) -> str:
    """Return a token that another process made."""
    return stamp({"n": number}, at=at, key=OLD_KEY)


@pytest.mark.parametrize("age", [-5, 0, 2, 60])
def test_different_keys(warnings: Warnings, age: int) -> None:
    """Tokens that were issued seconds ago by another key, in several requests, are warned of once, with the cure."""
    site = Site()
    for number in range(2 * ENOUGH_REQUESTS):
        token = of_another_key(number, START - age)
        site.visit(dict, HTTP_COOKIE=f"session={token}")
        assert len(warnings()) == (number >= ENOUGH_REQUESTS - 1)
    (warning,) = warnings()
    assert "give all processes and machines the same SECRET_KEY" in warning
    assert "SECRET_KEY_FALLBACKS" in warning
    assert token not in warning


def test_different_keys_on_a_server(warnings: Warnings) -> None:
    """So it is where sessions are kept on a server."""
    made, ours = (
        Site({"SECRET_KEY": key}, ServerSideSessionInterface(MemoryStore())) for key in (OLD_KEY, "k1" * 9 + "x")
    )
    made.visit(write)
    before = len(warnings())
    for _ in range(ENOUGH_REQUESTS):
        ours.visit(dict, HTTP_COOKIE=made.visitor.cookie_header())
    (warning,) = warnings()[before:]
    assert warning.startswith("session cookies that were issued seconds ago have a bad signature")


@pytest.mark.parametrize(
    "make_token",
    [
        lambda number: of_another_key(number, START - HOUR),
        lambda number: of_another_key(number, START - 61),
        lambda number: of_another_key(number, START + 61),
        lambda number: stamp({"n": number}, at=START - 40 * DAY),
        lambda number: f"{of_another_key(number).split('.')[0]}.AAAAAAA9.{of_another_key(number).split('.')[2]}",
        lambda number: "junk",
        lambda number: "",
    ],
    ids=["an hour old", "61 s old", "61 s ahead", "ended", "no canonical time", "junk", "empty"],
)
def test_everyday_rejections(warnings: Warnings, make_token: Callable[[int], str]) -> None:
    """Old cookies, forgeries and junk are everyday events: nothing is warned of."""
    site = Site()
    for number in range(2 * ENOUGH_REQUESTS):
        site.visit(dict, HTTP_COOKIE=f"session={make_token(number)}")
    assert warnings() == []


def test_one_request_is_not_enough(warnings: Warnings) -> None:
    """However many such cookies one request holds, it counts as one."""
    Site().visit(dict, HTTP_COOKIE="; ".join(f"session={of_another_key(number)}" for number in range(50)))
    assert warnings() == []


FLASK = "eyJ1c2VyIjo3fQ.ZVPxAA.2x1Zb3mJq0w7Qh0nS0sR4cJ0v1c"  # 27 characters of SHA-1, where ours are 43 of SHA-256
OTHERS = {
    "Flask": FLASK,
    "Starlette": "eyJ1c2VyIjogN30=.ZVPxAA.2x1Zb3mJq0w7Qh0nS0sR4cJ0v1c",
    "Express": "s%3Aq1w2e3r4t5z6u7i8.o9p0a1s2d3f4g5h6j7k8",
    "Rack": "BAh7B0kiD3Nlc3Npb25faWQGOgZFVG8%3D--2f4a6b8c0d2e4f6a8b0c",
    "Django": "eyJ1c2VyIjo3fQ:1r2hXQ:b2x1Zb3mJq0w7Qh0nS0sR4cJ0v1cabc",
}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("kind_name", cookie_kinds.KINDS)
def test_another_application(warnings: Warnings, kind_name: str, value: str) -> None:
    """Cookies under our name in a form that ours never have are warned of once, with the name and the cure."""
    with cookie_kinds.testing(kind_name):
        site = Site()
    for number in range(2 * ENOUGH_REQUESTS):
        site.visit(dict, HTTP_COOKIE=f"session={value}")
        assert len(warnings()) == (number >= ENOUGH_REQUESTS - 1)
    (warning,) = warnings()
    assert "'session'" in warning
    assert "give each a SESSION_COOKIE_NAME of its own" in warning
    assert value not in warning


def test_another_application_of_ours_own_form(warnings: Warnings) -> None:
    """Two applications with handstamp on two ports are told so by the warning of keys, which names that cure, too."""
    other, ours = Site({"SECRET_KEY": OLD_KEY}), Site()
    other.visit(write)
    for _ in range(ENOUGH_REQUESTS):
        ours.visit(dict, HTTP_COOKIE=other.visitor.cookie_header())
    (warning,) = warnings()
    assert "on another port of localhost" in warning


def test_both_once(warnings: Warnings) -> None:
    """Each of the two is warned of once, and what is counted has two entries, whatever comes."""
    interface = make_interface()
    site = Site(interface=interface)
    for number in range(100):
        site.visit(dict, HTTP_COOKIE=f"session={of_another_key(number)}")
        site.visit(dict, HTTP_COOKIE=f"session={FLASK[:-3]}{number:03}")
    assert len(warnings()) == 2
    assert len(interface._suspicions) == 2


def test_any_names(warnings: Warnings) -> None:
    """A policy that derives names from the host makes no second warning of any other name."""
    interface: Any = make_interface()
    interface.get_cookie_name = lambda settings, request: request.host.partition(".")[0]
    for number in range(50):
        request = Request.blank("/", base_url=f"http://h{number}.example", headers={"Cookie": f"h{number}={FLASK}"})
        dict(interface.open_session(Settings({"SECRET_KEY": OLD_KEY}), request))
    assert len(warnings()) == 1
    assert len(interface._suspicions) == 1


def test_flask_form_is_real() -> None:
    """The signature of an HMAC with SHA-1 is shorter than ours."""
    assert len(FLASK.rpartition(".")[2]) == 27
    assert len(str(stock_serializer().dumps("{}")).rpartition(".")[2]) == 43
