"""The demo as a visitor meets it: served by waitress, driven in the system's headless Chromium."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chromium import make_options, run_playwright
from tests.support.example_programs import run_example

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with run_playwright() as playwright:
        browser = playwright.chromium.launch(**make_options())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(browser: "Browser") -> Iterator[str]:
    """Start the demo as its users do, on a free port. It asks for the browser so as not to start in vain."""
    with run_example("demo.py") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page(browser: "Browser", address: str) -> "Iterator[Page]":
    """Open the demo as a new visitor, whose browser has nothing to complain of."""
    context = browser.new_context(base_url=address)
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto("/")
    yield page
    context.close()
    # A refusal is an answer like any other, though Chromium takes note of it.
    assert [complaint for complaint in complaints if "Failed to load resource" not in complaint] == []


def sign_in(page: "Page", name: str = "Ada", *, remember: bool = False) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Remember me").set_checked(remember)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def add(page: "Page", item: str) -> None:
    page.get_by_label("Item").fill(item)
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name=f"Remove {item}", exact=True).wait_for()


def visits(page: "Page") -> str | None:
    return page.locator("svg.stamp").get_attribute("aria-label")


def basket(page: "Page") -> list[str]:
    return page.locator("#basket li bdi").all_inner_texts()


def heading(page: "Page") -> str:
    return page.get_by_role("heading", level=1).inner_text()


def cookies(page: "Page") -> list[Any]:
    return list(page.context.cookies())


def test_counter_counts(page: "Page") -> None:
    """Each reload is one visit more."""
    assert visits(page) == "Visit 1"
    page.reload()
    page.reload()
    assert visits(page) == "Visit 3"


def test_inspector_shows_what_the_browser_holds(page: "Page") -> None:
    """The cookie on the page is the very cookie in the browser's jar."""
    [cookie] = cookies(page)
    assert page.locator(".cookie").inner_text() == f"{cookie['name']}={cookie['value']}"
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")


def test_signing_in_renews_the_session(page: "Page") -> None:
    """Signing in makes another cookie, and keeps what was in the session."""
    add(page, "Lemonade")
    [before] = cookies(page)
    sign_in(page)
    [after] = cookies(page)
    assert after["value"] != before["value"]
    assert heading(page) == "Come in, Ada."
    assert basket(page) == ["Lemonade"]
    assert visits(page) == "Visit 3"


def test_basket_keeps_nested_changes(page: "Page") -> None:
    """What is put into the list in the session, and taken out of it, stays so."""
    for item in ("Lemonade", "Earplugs", "Crisps"):
        add(page, item)
    page.get_by_role("button", name="Remove Earplugs").click()
    page.get_by_role("button", name="Remove Earplugs").wait_for(state="detached")
    page.reload()
    assert basket(page) == ["Lemonade", "Crisps"]


def test_signing_out_ends_the_session(page: "Page") -> None:
    """After signing out the jar is empty, and the page knows nothing of the visitor."""
    add(page, "Lemonade")
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Signed out").wait_for()
    assert cookies(page) == []
    page.get_by_role("link", name="Back to the page").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert (heading(page), visits(page), basket(page)) == ("Hello, stranger.", "Visit 1", [])


def test_remember_me_gives_a_persistent_cookie(page: "Page") -> None:
    """With the mark the cookie outlives the browser by a month."""
    sign_in(page, remember=True)
    [cookie] = cookies(page)
    assert 30 < (cookie["expires"] - time.time()) / 86400 <= 31


def test_without_it_the_cookie_ends_with_the_browser(page: "Page") -> None:
    """Without the mark the cookie has no end of its own."""
    sign_in(page)
    [cookie] = cookies(page)
    assert cookie["expires"] == -1


def test_hostile_name_is_text(page: "Page") -> None:
    """Markup in a name is shown as it was typed, and does nothing."""
    sign_in(page, HOSTILE)
    add(page, HOSTILE)
    assert heading(page) == f"Come in, {HOSTILE}."
    assert basket(page) == [HOSTILE]
    assert page.locator("img, script").count() == 0


def test_form_of_another_session_is_refused(page: "Page") -> None:
    """A form that was open before the session ended says so, in words, and leads back."""
    page.context.clear_cookies()
    page.get_by_label("Item").fill("Lemonade")
    with page.expect_response("**/basket/add") as answer:
        page.get_by_role("button", name="Add").click()
    assert answer.value.status == 403
    assert heading(page) == "Forbidden"
    page.get_by_role("link", name="Back to the page").click()
    page.get_by_role("button", name="Add").wait_for()
    assert basket(page) == []


@pytest.mark.parametrize("width", [320, 375, 750, 768, 1100])
def test_page_fits(page: "Page", width: int) -> None:
    """However narrow the window, nothing is wider than it."""
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, "W" * 40)
    add(page, "M" * 40)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
