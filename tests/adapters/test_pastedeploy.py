"""The middleware in ini files, as PasteDeploy loads them and as pserve runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from paste.deploy import loadapp
from webob import Request

from handstamp import SecureCookieSessionInterface, SessionInterface, SessionMiddleware, SettingsError
from handstamp.encrypted import EncryptedCookieSessionInterface
from tests.support.constants import KEY
from tests.support.http_client import forward_to
from tests.support.visitor import Visitor
from tests.support.wsgi import serve

OTHER = "another key of the tests, no secret"

INTERFACE = SecureCookieSessionInterface()


def count(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Count visits, in a session that is found under a key with a dot."""
    session = environ["handstamp.session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session["visits"]).encode()]


def make_count(global_conf: object) -> Any:
    """Make the application; a paste.app_factory."""
    return count


def make_interface() -> SessionInterface:
    """Make an interface."""
    return INTERFACE


def load(tmp_path: Path, filter_section: str, main: str = "[pipeline:main]\npipeline = session count") -> Any:
    """Load the application of an ini file."""
    path = tmp_path / "site.ini"
    path.write_text(
        f"[DEFAULT]\nsite_key = {KEY}\ndebug = maybe\n"
        f"{main}\n"
        f"[app:count]\npaste.app_factory = {__name__}:make_count\n"
        f"[filter:session]\nuse = egg:handstamp\n{filter_section}\n"
    )
    return loadapp(f"config:{path}")


# -- sections ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "main",
    [
        "[pipeline:main]\npipeline = session count",
        f"[app:main]\nfilter-with = session\npaste.app_factory = {__name__}:make_count",
        f"[filter-app:main]\nuse = egg:handstamp\nnext = count\nsecret_key = {KEY}\nenviron_key = handstamp.session",
    ],
    ids=["pipeline", "filter-with", "filter-app"],
)
def test_sections(tmp_path: Path, main: str) -> None:
    """``use = egg:handstamp`` works wherever PasteDeploy takes a filter."""
    browser = Visitor(load(tmp_path, f"SECRET_KEY = {KEY}\nenviron_key = handstamp.session", main))
    assert [browser.get().body for _ in range(2)] == [b"1", b"2"]


def test_texts_are_converted(tmp_path: Path) -> None:
    """Each kind of text becomes what a dict would hold."""
    section = f"""
secret_key = {KEY}
secret_key_fallbacks =
    {OTHER}
    {OTHER}, too
session_cookie_httponly = off
SESSION_COOKIE_SECURE = true
PERMANENT_SESSION_LIFETIME = 3600
"""
    settings = load(tmp_path, section).settings
    assert settings["SECRET_KEY_FALLBACKS"] == (OTHER, f"{OTHER}, too")
    assert (settings["SESSION_COOKIE_HTTPONLY"], settings["SESSION_COOKIE_SECURE"]) == (False, True)
    assert settings["PERMANENT_SESSION_LIFETIME"] == timedelta(hours=1)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("SESSION_COOKIE_SECURE = maybe", "SESSION_COOKIE_SECURE"),
        ("permanent_session_lifetime = 31 days", "PERMANENT_SESSION_LIFETIME"),
        ("SECRET_KEY_FALLBACKS = short", "SECRET_KEY_FALLBACKS"),
        ("session_cookie_httpolny = true", "SESSION_COOKIE_HTTPOLNY"),
        ("session_interface = handstamp", "session_interface"),
        ("session_interface = handstamp:Nothing", "session_interface"),
        ("session_interface = no such module", "session_interface"),
        ("session_interface = no_such_module:Interface", "session_interface"),
        ("session_interface = handstamp.settings:DEFAULTS", "session_interface"),
        (f"session_interface = {__name__}:INTERFACE.salt", "session_interface"),
        ("session_interface = builtins:dict", "session_interface"),
    ],
)
def test_wrong_texts(tmp_path: Path, line: str, key: str) -> None:
    """A wrong line is an error that names its key."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f"SECRET_KEY = {KEY}\n{line}")
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [key]


@pytest.mark.parametrize("name", ["app", "global_conf", "local_conf"])
def test_any_other_key(tmp_path: Path, name: str) -> None:
    """Any other key stays readable, whatever it is called: an interface of one's own may want it."""
    assert load(tmp_path, f"SECRET_KEY = {KEY}\n{name} = 1").settings[name] == "1"


def test_global_keys_are_not_read(tmp_path: Path) -> None:
    """What the file says for everybody is no setting, unless the section asks for it."""
    assert load(tmp_path, "").settings["SECRET_KEY"] is None
    settings = load(tmp_path, "get SECRET_KEY = site_key").settings
    assert settings["SECRET_KEY"] == KEY
    assert "debug" not in settings


# -- arguments --------------------------------------------------------------------------------------------------------


def test_defaults(tmp_path: Path) -> None:
    """A section that says no more makes what the constructor makes."""
    middleware = load(tmp_path, f"SECRET_KEY = {KEY}")
    assert type(middleware) is SessionMiddleware
    assert type(middleware.session_interface) is SecureCookieSessionInterface
    assert middleware.environ_key == "session"


@pytest.mark.parametrize("name", ["INTERFACE", "make_interface"])
def test_interface(tmp_path: Path, name: str) -> None:
    """The interface is found by its name, or by the name of what makes it."""
    section = f"SECRET_KEY = {KEY}\nsession_interface = {__name__}:{name}"
    assert load(tmp_path, section).session_interface is INTERFACE


def test_encrypted(tmp_path: Path) -> None:
    """A line is all that encrypted cookies need."""
    middleware = load(
        tmp_path,
        f"SECRET_KEY = {KEY}\nenviron_key = handstamp.session\n"
        "session_interface = handstamp.encrypted:EncryptedCookieSessionInterface",
    )
    assert type(middleware.session_interface) is EncryptedCookieSessionInterface
    assert "." not in serve(middleware, Request.blank("/").environ).token


# -- pserve -----------------------------------------------------------------------------------------------------------

SITE = """
from pyramid.config import Configurator
from pyramid.response import Response

def count(request):
    session = request.environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    return Response(str(session["visits"]))

def main(global_conf, **settings):
    config = Configurator(settings=settings)
    config.add_route("count", "/")
    config.add_view(count, route_name="count")
    return config.make_wsgi_app()
"""

# Port 0: the system chooses a free one, and the server says which.
INI = f"""
[app:site]
paste.app_factory = pyramid_site:main

[filter:session]
use = egg:handstamp
SECRET_KEY = {KEY}
SESSION_COOKIE_NAME = stamp
SESSION_COOKIE_HTTPONLY = off

[pipeline:main]
pipeline = session site

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:0

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stdout,)
formatter = plain
[formatter_plain]
format = %(message)s
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Run pserve with a Pyramid application, and return its port."""
    (tmp_path / "pyramid_site.py").write_text(SITE)
    (tmp_path / "site.ini").write_text(INI)
    # The application's module is found in the directory where python -m is run.
    command = [sys.executable, "-W", "ignore", "-u", "-m", "pyramid.scripts.pserve", "site.ini"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pserve:
        try:
            yield read_port(pserve)
        finally:
            pserve.terminate()


def read_port(pserve: subprocess.Popen[str]) -> int:
    """Read what pserve says until it says where it listens."""
    assert pserve.stdout is not None
    said = []
    for line in pserve.stdout:
        said.append(line)
        if found := re.search(r"Serving on http://127\.0\.0\.1:([0-9]+)", line):
            return int(found[1])
    pytest.fail("pserve ended:\n" + "".join(said))


def test_pserve(port: int) -> None:
    """``pserve`` runs a Pyramid application with sessions that are configured by its ini file."""
    visitor = Visitor(forward_to(port))
    first = visitor.get()
    assert (first.text, first.cookie.startswith("stamp="), "HttpOnly" in first.cookie) == ("1", True, False)
    assert visitor.get().text == "2"
