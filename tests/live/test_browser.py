"""What the attributes of our cookie do in a real browser: Chromium, on a web of several sites, by http and https.

Each test is a visitor with an empty jar. ``arrive`` asks whose session a site finds that is reached from another one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from handstamp import SecureCookieSessionInterface, payload
from handstamp.testing import FrozenClock
from tests.support.chromium import choose_third_party_cookies, open_profile, run_playwright
from tests.support.clock import on_clock
from tests.support.constants import MINUTE, OLD_KEY, START
from tests.support.cookie_kinds import sign
from tests.support.site import Site
from tests.support.web_hosts import Web, run_web

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Playwright

pytestmark = pytest.mark.browser

SHOP = "https://shop.test/"
NEWS = "https://news.test/"
BLOG = "https://blog.test/"
EXAMPLE = "https://www.example.test/"
EVIL = "https://evil.example.test/"

Settings = dict[str, Any]

#: What a site needs that lives in other sites' pages.
EVERYWHERE: Settings = {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": True}
PARTITIONED: Settings = {**EVERYWHERE, "SESSION_COOKIE_PARTITIONED": True}
HOST: Settings = {"SESSION_COOKIE_NAME": "__Host-session", "SESSION_COOKIE_SECURE": True}


# -- the visitor ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with run_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def shared_web(playwright: Playwright) -> Iterator[Web]:
    """Serve the web; it asks for the browser so as not to start in vain."""
    with run_web() as web:
        yield web


@pytest.fixture
def web(shared_web: Web) -> Web:
    """Begin with no site at all."""
    shared_web.hosts.clear()
    return shared_web


@pytest.fixture(scope="module")
def context(
    playwright: Playwright, shared_web: Web, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """Start the browser of a visitor who lets other sites' cookies into a page, so that their own rules show."""
    profile = tmp_path_factory.mktemp("profile")
    choose_third_party_cookies(profile, allow=True)
    with open_profile(playwright, profile, *shared_web.flags) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Empty the jar; the window stays open, for a new one takes its time."""
    context.clear_cookies()
    return context.pages[0]


def go(page: Page, address: str) -> str:
    """Type an address; return what is read there: whose session it is."""
    page.goto(address)
    return page.inner_text("body")


#: How a page leads to another, or takes it in.
WAYS = {
    "link": "url => { const a = document.createElement('a'); a.href = url; document.body.append(a); a.click() }",
    "POST": """url => {
        const form = document.createElement('form')
        Object.assign(form, {action: url, method: 'POST'})
        document.body.append(form)
        form.submit()
    }""",
    "frame": "url => { const f = document.createElement('iframe'); f.src = url; document.body.append(f) }",
    "fetch": "url => { fetch(url, {credentials: 'include'}) }",
}


def arrive(page: Page, start: str, way: str, address: str) -> str:
    """Go to an address from a page that is open at another; return whose session it is."""
    page.goto(start)
    with page.expect_response(address) as answer:
        page.evaluate(WAYS[way], address)
    return answer.value.text()


def arrive_every_way(page: Page, start: str, address: str) -> dict[str, str]:
    return {way: arrive(page, start, way, address) for way in WAYS}


def set_by_hand(page: Page, address: str, *lines: str) -> None:
    """Have a host that is no site of ours set cookies."""
    page.goto(f"{address}?{quote(chr(10).join(lines))}")


def jar(page: Page) -> list[Any]:
    return list(page.context.cookies())


# -- SameSite ---------------------------------------------------------------------------------------------------------

ALWAYS = dict.fromkeys(WAYS, "Ada")
NEVER = dict.fromkeys(WAYS, "nobody")


def test_samesite_strict(web: Web, page: Page) -> None:
    """Strict: whoever comes from another site is a stranger; from a sibling host, or by hand, they are known."""
    web.open("shop.test", {"SESSION_COOKIE_SAMESITE": "Strict"})
    go(page, SHOP + "sign-in?Ada")
    assert arrive_every_way(page, NEWS, SHOP) == NEVER
    assert arrive_every_way(page, "https://www.shop.test/", SHOP) == ALWAYS
    assert go(page, SHOP) == "Ada"


def test_samesite_strict_by_scheme(web: Web, page: Page) -> None:
    """Strict: the same host by http is another site too."""
    web.open("shop.test", {"SESSION_COOKIE_SAMESITE": "Strict"})
    go(page, SHOP + "sign-in?Ada")
    assert arrive_every_way(page, "http://shop.test/", SHOP) == NEVER


def test_samesite_lax(web: Web, page: Page) -> None:
    """Lax, which is the default: only a link brings the visitor's session along from another site."""
    web.open("shop.test", {})
    go(page, SHOP + "sign-in?Ada")
    assert arrive_every_way(page, NEWS, SHOP) == {**NEVER, "link": "Ada"}
    assert arrive_every_way(page, "https://www.shop.test/", SHOP) == ALWAYS


def test_samesite_none(web: Web, page: Page) -> None:
    """None: whatever another site's page asks for, it asks in the visitor's name."""
    web.open("shop.test", EVERYWHERE)
    go(page, SHOP + "sign-in?Ada")
    assert arrive_every_way(page, NEWS, SHOP) == ALWAYS


def test_samesite_left_out(web: Web, page: Page) -> None:
    """Left out: a young cookie goes with another site's POST as well, which is why Lax is written out."""
    web.open("shop.test", {"SESSION_COOKIE_SAMESITE": None})
    go(page, SHOP + "sign-in?Ada")
    assert arrive_every_way(page, NEWS, SHOP) == {**NEVER, "link": "Ada", "POST": "Ada"}


# -- Secure -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("secure", "found"), [(None, "nobody"), (True, "nobody"), (False, "Ada")])
def test_secure_is_not_sent_by_http(secure: bool | None, found: str, web: Web, page: Page) -> None:
    """What was set by https is sent by https only, unless told otherwise."""
    web.open("shop.test", {"SESSION_COOKIE_SECURE": secure})
    go(page, SHOP + "sign-in?Ada")
    assert go(page, "http://shop.test/") == found
    assert go(page, SHOP) == "Ada"


@pytest.mark.parametrize("settings", [{"SESSION_COOKIE_SECURE": True}, HOST], ids=["plain", "__Host-"])
def test_secure_is_not_taken_by_http(settings: Settings, web: Web, page: Page) -> None:
    """A Secure cookie that comes by http is refused, but from localhost, where one develops."""
    for host in ("shop.test", "localhost"):
        web.open(host, settings)
    go(page, "http://shop.test/sign-in?Ada")
    assert jar(page) == []
    go(page, web.localhost + "/sign-in?Ada")
    assert go(page, web.localhost) == "Ada"


def test_http_on_localhost(web: Web, page: Page) -> None:
    """With no setting but the key a session stands by http, in a cookie that is not Secure."""
    web.open("localhost", {})
    go(page, web.localhost + "/sign-in?Ada")
    assert go(page, web.localhost) == "Ada"
    [cookie] = jar(page)
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (False, True, "Lax")


# -- HttpOnly ---------------------------------------------------------------------------------------------------------


def test_httponly(web: Web, page: Page) -> None:
    """A script finds no cookie, and cannot put another in its place."""
    web.open("shop.test", {})
    go(page, SHOP + "sign-in?Ada")
    assert page.evaluate("document.cookie") == ""
    page.evaluate("document.cookie = 'session=mine; path=/; secure'")
    assert go(page, SHOP) == "Ada"
    assert len(jar(page)) == 1


def test_not_httponly(web: Web, page: Page) -> None:
    """A script reads the cookie, and overwrites it, if it was allowed to."""
    web.open("shop.test", {"SESSION_COOKIE_HTTPONLY": False})
    go(page, SHOP + "sign-in?Ada")
    [cookie] = jar(page)
    assert page.evaluate("document.cookie") == f"session={cookie['value']}"
    page.evaluate("document.cookie = 'session=mine; path=/; secure'")
    assert go(page, SHOP) == "nobody"


# -- Partitioned ------------------------------------------------------------------------------------------------------


def test_partitioned(web: Web, page: Page) -> None:
    """In a frame each site around it has a session of its own, and the site itself has another."""
    web.open("shop.test", PARTITIONED)
    arrive(page, NEWS, "frame", SHOP + "sign-in?Ada")
    assert arrive(page, BLOG, "frame", SHOP) == "nobody"
    arrive(page, BLOG, "frame", SHOP + "sign-in?Bob")
    assert arrive(page, NEWS, "frame", SHOP) == "Ada"
    assert arrive(page, BLOG, "frame", SHOP) == "Bob"
    assert go(page, SHOP) == "nobody"


def test_not_partitioned(web: Web, page: Page) -> None:
    """Without it all frames, and the site itself, share one session."""
    web.open("shop.test", EVERYWHERE)
    arrive(page, NEWS, "frame", SHOP + "sign-in?Ada")
    arrive(page, BLOG, "frame", SHOP + "sign-in?Bob")
    assert arrive(page, NEWS, "frame", SHOP) == "Bob"
    assert go(page, SHOP) == "Bob"


def test_partitioned_is_deleted(web: Web, page: Page) -> None:
    """Signing out in a frame ends the session of that frame's surroundings, and no other."""
    web.open("shop.test", PARTITIONED)
    for site in (NEWS, BLOG):
        arrive(page, site, "frame", SHOP + "sign-in?Ada")
    arrive(page, NEWS, "frame", SHOP + "sign-out")
    assert [cookie["partitionKey"] for cookie in jar(page)] == ["https://blog.test"]


def test_only_partitioned_is_third_party(web: Web, playwright: Playwright, tmp_path: Path) -> None:
    """Where other sites' cookies are kept out of a page, a frame has a session only if it is Partitioned."""
    web.open("shop.test", EVERYWHERE)
    web.open("blog.test", PARTITIONED)
    choose_third_party_cookies(tmp_path, allow=False)
    with open_profile(playwright, tmp_path, *web.flags) as context:
        page = context.new_page()
        for site in (SHOP, BLOG):
            arrive(page, NEWS, "frame", site + "sign-in?Ada")
        assert arrive(page, NEWS, "frame", SHOP) == "nobody"
        assert arrive(page, NEWS, "frame", BLOG) == "Ada"


# -- prefixes ---------------------------------------------------------------------------------------------------------

KEPT = "; Path=/; Secure; HttpOnly"
BROKEN = {
    "__Secure-": {"not Secure": "; Path=/; HttpOnly"},
    "__Host-": {
        "not Secure": "; Path=/; HttpOnly",
        "Domain": f"{KEPT}; Domain=shop.test",
        "Path": "; Path=/deep; Secure; HttpOnly",
        "no Path": "; Secure; HttpOnly",
    },
    "__Http-": {"not Secure": "; Path=/; HttpOnly", "not HttpOnly": "; Path=/; Secure"},
    "__Host-Http-": {
        "not Secure": "; Path=/; HttpOnly",
        "not HttpOnly": "; Path=/; Secure",
        "Domain": f"{KEPT}; Domain=shop.test",
        "Path": "; Path=/deep; Secure; HttpOnly",
        "no Path": "; Secure; HttpOnly",
    },
}


@pytest.mark.parametrize("prefix", BROKEN)
def test_prefix(prefix: str, web: Web, page: Page) -> None:
    """A cookie that breaks a rule of its name's prefix is refused, and ours is taken."""
    for attributes in BROKEN[prefix].values():
        set_by_hand(page, SHOP + "deep/page", f"{prefix}session=x{attributes}")
        assert jar(page) == [], attributes
    web.open("shop.test", {"SESSION_COOKIE_NAME": f"{prefix}session", "SESSION_COOKIE_SECURE": True})
    go(page, SHOP + "sign-in?Ada")
    assert go(page, SHOP) == "Ada"
    assert [cookie["name"] for cookie in jar(page)] == [f"{prefix}session"]


# -- how long, how large ----------------------------------------------------------------------------------------------


def test_restart(web: Web, playwright: Playwright, tmp_path: Path) -> None:
    """When the browser is started again, a permanent session is still there, and any other is gone."""
    for host in ("shop.test", "news.test"):
        web.open(host, {})
    with open_profile(playwright, tmp_path, *web.flags) as context:
        page = context.new_page()
        go(page, SHOP + "remember?Ada")
        go(page, NEWS + "sign-in?Ada")
        assert (go(page, SHOP), go(page, NEWS)) == ("Ada", "Ada")
    with open_profile(playwright, tmp_path, *web.flags) as context:
        page = context.new_page()
        assert (go(page, SHOP), go(page, NEWS)) == ("Ada", "nobody")


@pytest.mark.usefixtures("web")  # without a site
@pytest.mark.parametrize(("size", "kept"), [(4096, 1), (4097, 0)])
def test_size_by_hand(size: int, kept: int, page: Page) -> None:
    """The browser keeps 4096 bytes of name and value, and not one more."""
    set_by_hand(page, SHOP, f"session={'x' * (size - len('session'))}; Path=/")
    assert len(jar(page)) == kept


@pytest.mark.parametrize(("size", "status"), [(4096, 200), (4097, 500)])
def test_size_of_ours(size: int, status: int, web: Web, page: Page) -> None:
    """Our biggest cookie is kept and comes back; one byte more is an error, and none is sent."""
    name = secrets.token_urlsafe(2900)  # what cannot be compressed
    token = Site().visit(lambda session: session.update(name=name)).token
    # The name of the cookie brings it to the size.
    cookie_name = "s" * (size - len(token))
    interface = on_clock(SecureCookieSessionInterface(), FrozenClock(START))
    web.open("shop.test", {"SESSION_COOKIE_NAME": cookie_name}, interface)
    answer = page.goto(f"{SHOP}sign-in?{name}")
    assert answer is not None
    assert answer.status == status
    assert [len(cookie["name"]) + len(cookie["value"]) for cookie in jar(page)] == ([size] if status == 200 else [])
    assert go(page, SHOP) == (name if status == 200 else "nobody")


# -- signing out ------------------------------------------------------------------------------------------------------

#: Settings, and what the jar then says of the cookie.
DELETED: dict[str, tuple[Settings, Settings]] = {
    "by default": ({}, {"domain": "shop.test", "path": "/", "secure": True, "httpOnly": True, "sameSite": "Lax"}),
    "Domain": ({"SESSION_COOKIE_DOMAIN": "shop.test"}, {"domain": ".shop.test"}),
    "Path": ({"SESSION_COOKIE_PATH": "/deep"}, {"path": "/deep"}),
    "not Secure": ({"SESSION_COOKIE_SECURE": False}, {"secure": False}),
    "not HttpOnly": ({"SESSION_COOKIE_HTTPONLY": False}, {"httpOnly": False}),
    "Strict": ({"SESSION_COOKIE_SAMESITE": "Strict"}, {"sameSite": "Strict"}),
    "None": (EVERYWHERE, {"sameSite": "None"}),
    "Partitioned": (PARTITIONED, {"partitionKey": "https://shop.test"}),
    "__Host-": (HOST, {"name": "__Host-session"}),
    "__Host-Http-": ({**HOST, "SESSION_COOKIE_NAME": "__Host-Http-session"}, {"name": "__Host-Http-session"}),
    "everything": (
        {**PARTITIONED, "SESSION_COOKIE_DOMAIN": "shop.test", "SESSION_COOKIE_PATH": "/deep"},
        {"domain": ".shop.test", "path": "/deep", "sameSite": "None", "partitionKey": "https://shop.test"},
    ),
}


@pytest.mark.parametrize("case", DELETED)
def test_deletion(case: str, web: Web, page: Page) -> None:
    """Signing out takes the cookie from the jar, whatever it was set with."""
    settings, expected = DELETED[case]
    web.open("shop.test", settings)
    go(page, SHOP + "deep/sign-in?Ada")
    [cookie] = jar(page)
    assert expected.items() <= cookie.items()
    assert go(page, SHOP + "deep/sign-out") == "nobody"
    assert jar(page) == []


def test_deletion_of_a_permanent_one(web: Web, page: Page) -> None:
    """Signing out takes a cookie with Max-Age from the jar, at once."""
    web.open("shop.test", {})
    go(page, SHOP + "remember?Ada")
    [cookie] = jar(page)
    assert cookie["expires"] > 0
    assert go(page, SHOP + "sign-out") == "nobody"
    assert jar(page) == []


def test_deletion_in_a_frame(web: Web, page: Page) -> None:
    """Signing out in a frame of another site takes the cookie from the jar."""
    web.open("shop.test", EVERYWHERE)
    go(page, SHOP + "sign-in?Ada")
    assert arrive(page, NEWS, "frame", SHOP + "sign-out") == "nobody"
    assert jar(page) == []


# -- a sibling host ---------------------------------------------------------------------------------------------------


def make_token(seconds: int, *, name: str = "session", **key: str) -> str:
    """Sign in as Eve, so many seconds after Ada did."""
    return sign(payload.dumps({"name": "Eve", "_created": START}), at=START + seconds, name=name, **key)


def sign_in_ada(web: Web, page: Page, settings: Settings) -> None:
    """Sign in to a site whose clock stands a minute later from then on."""
    clock = FrozenClock(START)
    web.open("www.example.test", settings, on_clock(SecureCookieSessionInterface(), clock))
    go(page, EXAMPLE + "sign-in?Ada")
    clock.tick(MINUTE)


TOSSED = {
    "junk": "session=junk",
    "of another key": f"session={make_token(9, key=OLD_KEY)}",
    "of another name": f"session={make_token(9, name='session2')}",
    "issued before": f"session={make_token(-9)}",
}


@pytest.mark.parametrize("kind", TOSSED)
def test_tossed(kind: str, web: Web, page: Page) -> None:
    """What a sibling host tosses under our name shadows nobody's session, neither sent before it nor after."""
    sign_in_ada(web, page, {})
    set_by_hand(page, EVIL, *(f"{TOSSED[kind]}; Domain=example.test; Path={path}" for path in ("/", "/deep")))
    assert len(jar(page)) == 3
    with page.expect_request(EXAMPLE + "deep/page") as request:
        assert go(page, EXAMPLE + "deep/page") == "Ada"
    pairs = request.value.all_headers()["cookie"].split("; ")
    assert pairs[0] == pairs[-1] == TOSSED[kind]


def test_tossed_session(web: Web, page: Page) -> None:
    """A session that a sibling host took out itself, after the visitor's, takes its place, as is said."""
    sign_in_ada(web, page, {})
    set_by_hand(page, EVIL, f"session={make_token(9)}; Domain=example.test; Path=/; Secure")
    assert go(page, EXAMPLE) == "Eve"


@pytest.mark.parametrize("attributes", ["Domain=example.test; Path=/; Secure", "Path=/; Secure"])
def test_host_prefix_is_not_tossed(attributes: str, web: Web, page: Page) -> None:
    """Under ``__Host-`` it cannot be tossed: it is refused, or stays with the sibling."""
    sign_in_ada(web, page, HOST)
    token = make_token(9, name="__Host-session")
    set_by_hand(page, EVIL, f"__Host-session={token}; {attributes}")
    assert go(page, EXAMPLE) == "Ada"


@pytest.mark.parametrize("settings", [{}, HOST], ids=["plain", "__Host-"])
def test_pushed_out(settings: Settings, web: Web, page: Page) -> None:
    """A sibling host that fills the jar pushes the cookie out of it, under ``__Host-`` too, as is said."""
    sign_in_ada(web, page, settings)
    set_by_hand(page, EVIL, *(f"c{number}=x; Domain=example.test; Path=/; Secure" for number in range(250)))
    assert go(page, EXAMPLE) == "nobody"
