"""The system's Chromium, driven by playwright, which never installs a browser of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .missing_programs import skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# What Chromium's preferences call a visitor's choice.
_ALLOW, _BLOCK = 0, 1


@contextmanager
def run_playwright() -> Iterator[Playwright]:
    """Run what drives the browser, or skip."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail("playwright")
    if CHROMIUM is None:
        skip_or_fail("chromium")
    with sync_playwright() as playwright:
        yield playwright


def make_options(*flags: str) -> dict[str, Any]:
    """Return what every start of the browser is given."""
    return {"executable_path": CHROMIUM, "args": [*FLAGS, *flags]}


def choose_third_party_cookies(profile: Path, *, allow: bool) -> None:
    """Let other sites' cookies into a page or keep them out, before the browser starts with a profile.

    What a browser does by itself depends on who built it: Debian's keeps them out.
    """
    preferences = {"profile": {"cookie_controls_mode": _ALLOW if allow else _BLOCK}}
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(preferences))


@contextmanager
def open_profile(playwright: Playwright, profile: Path, *flags: str) -> Iterator[BrowserContext]:
    """Start the browser with a directory that outlives it."""
    context = playwright.chromium.launch_persistent_context(profile, **make_options(*flags))
    context.set_default_timeout(10_000)
    try:
        yield context
    finally:
        context.close()
