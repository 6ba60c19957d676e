"""The page "Where am I signed in?" as its users meet it: in Chromium, with sessions in memory and in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import make_options, run_playwright
from tests.support.example_programs import run_example
from tests.support.missing_programs import need
from tests.support.redis_servers import run_redis

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Open = Callable[[str], Page]

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_playwright() as playwright:
        browser = playwright.chromium.launch(**make_options())
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["memory", "redis"])
def address(
    browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start the program with each store. It asks for the browser so as not to start in vain."""
    with ExitStack() as stack:
        environ = {}
        if request.param == "redis":
            need("redis")
            port = stack.enter_context(run_redis(tmp_path_factory.mktemp("redis")))
            environ = {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
        yield f"http://127.0.0.1:{stack.enter_context(run_example('devices.py', **environ))}"


@pytest.fixture
def sign_in(browser: Browser, address: str) -> Iterator[Open]:
    """Sign somebody in from a new device, whose browser has nothing to complain of."""
    contexts, complaints = [], []

    def sign_in(name: str) -> Page:
        context = browser.new_context(base_url=address)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto("/")
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("Name").fill(name)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Sign out").wait_for()
        return page

    yield sign_in
    for context in contexts:
        context.close()
    assert complaints == []


def rows(page: Page) -> int:
    """Return how many sessions the page lists after a reload."""
    page.goto("/")
    return page.locator("tbody tr").count()


def click(page: Page, name: str) -> None:
    """Click a button and wait for the page that it leads to."""
    with page.expect_navigation():
        page.get_by_role("button", name=name).first.click()


def is_signed_out(page: Page) -> bool:
    """Tell what the page says."""
    return page.get_by_role("heading", level=1).inner_text() == "You are not signed in."


def test_one_ends_the_other(sign_in: Open) -> None:
    """The session that is ended finds itself signed out at its next click; others stay."""
    desk, phone, stranger = sign_in("Ada"), sign_in("Ada"), sign_in("Bob")
    assert (rows(desk), rows(phone), rows(stranger)) == (2, 2, 1)
    click(desk, "End Chrome")
    assert desk.locator("tbody tr").count() == 1
    click(phone, "Sign out")
    assert is_signed_out(phone)
    assert (rows(desk), rows(stranger)) == (1, 1)
    click(desk, "Sign out")
    assert is_signed_out(desk)


def test_all_others(sign_in: Open) -> None:
    """All others are ended, this one stays, and another user is untouched."""
    here, *others, stranger = (sign_in(name) for name in ("Cleo", "Cleo", "Cleo", "Dan"))
    rows(here)
    click(here, "End all others")
    assert here.get_by_text("You are signed in nowhere else.").is_visible()
    for page in others:
        page.reload()
        assert is_signed_out(page)
    assert (rows(here), rows(stranger)) == (1, 1)


def test_hostile_name_is_text(sign_in: Open) -> None:
    """Markup in a name is shown as it was typed, and does nothing."""
    page = sign_in(HOSTILE)
    assert page.locator(".word bdi").inner_text() == HOSTILE
    assert page.locator("img, script").count() == 0


def test_page_fits(sign_in: Open) -> None:
    """However narrow the window, nothing is wider than it."""
    name = "W" * 40
    sign_in(name)
    page = sign_in(name)
    for width in (1100, 750, 375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
