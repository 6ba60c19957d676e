"""The README: its code runs, what it shows is what happens, and it stays short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from wsgiref.types import WSGIApplication

import docutils.core
import pytest
import redis
import requests
import webtest
import werkzeug.test
from paste.deploy import loadfilter
from webob import Request

import handstamp
from handstamp import SecureCookieSessionInterface, SessionMiddleware, Settings
from handstamp._command import main
from handstamp._settings import DEFAULTS
from handstamp.encrypted import EncryptedCookieSessionInterface
from tests.support.paths import ROOT
from tests.support.redis_servers import run_redis
from tests.support.wsgi import running, serve

README = (ROOT / "README.rst").read_text(encoding="utf-8")
EXAMPLES = (ROOT / "examples" / "README.rst").read_text(encoding="utf-8")

#: The key with which the README's Set-Cookie line was signed, at the time that the line says.
KEY = "the key that README.rst shows"
SHOWN_AT = 1767225600


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", README, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def block_with(words: str) -> str:
    (block,) = [block for block in blocks("python") if words in block]
    return block


@pytest.fixture
def namespace() -> dict[str, Any]:
    """What the README's first program defines, without its server."""
    names: dict[str, Any] = {}
    with mock.patch.dict(os.environ, SECRET_KEY=KEY), mock.patch("wsgiref.simple_server.make_server") as make_server:
        exec(block_with("wsgiref.simple_server"), names)
    make_server.assert_called_once_with("127.0.0.1", 8000, names["app"])
    make_server.return_value.serve_forever.assert_called_once_with()
    return names


def get(app: WSGIApplication, cookie: str = "", path: str = "/") -> tuple[dict[str, str], bytes]:
    """Ask as a server does; environ_key has no dot here, so the validator stands outside only."""
    answer = serve(app, Request.blank(path, headers={"Cookie": cookie} if cookie else {}).environ)
    assert answer.code == 200
    return dict(answer.headers), answer.body


def test_readme_is_short() -> None:
    """The README has at most 300 lines."""
    assert len(README.splitlines()) <= 300


@pytest.mark.parametrize("name", ["README.rst", "CHANGES.rst"])
def test_renders_without_a_warning(name: str) -> None:
    """A package index can render it: docutils has nothing to say, even at its strictest."""
    settings = {"report_level": 1, "halt_level": 1, "raw_enabled": False, "file_insertion_enabled": False}
    html = docutils.core.publish_string(
        (ROOT / name).read_text(), source_path=str(ROOT / name), writer="html5", settings_overrides=settings
    )
    assert b"<main" in html


def test_first_program_counts_visits(namespace: dict[str, Any]) -> None:
    """The program at the README's head counts a browser's visits."""
    headers, body = get(namespace["app"])
    assert body == b"visit 1\n"
    assert (headers["Vary"], headers["Cache-Control"]) == ("Cookie", "private")
    assert get(namespace["app"], headers["Set-Cookie"].partition(";")[0])[1] == b"visit 2\n"


def test_set_cookie_line_is_real(namespace: dict[str, Any]) -> None:
    """The Set-Cookie line that the README shows is what the program at its head answers with."""
    namespace["app"].session_interface.now = lambda: float(SHOWN_AT)
    assert f"Set-Cookie: {get(namespace['app'])[0]['Set-Cookie']}" in README


def test_failing_case_is_real() -> None:
    """The value that the README shows is rejected with the message that it shows."""
    (line,) = re.findall(r"handstamp\.UnserializableValue: (.*); \.\.\.", README)
    session: dict[str, Any] = {}
    exec(re.findall(r"^    >>> (.*)$", README, re.MULTILINE)[0], {"session": session})

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["session"].update(session)
        start_response("200 OK", [])
        return [b""]

    with pytest.raises(handstamp.UnserializableValue) as caught:
        Request.blank("/").get_response(SessionMiddleware(app, {"SECRET_KEY": KEY}))
    assert str(caught.value).startswith(line)


def test_settings_table_is_whole() -> None:
    """Every setting has its row in the README, in the order of the code, with its default."""
    rows = re.findall(r"^   ``([A-Z_]+)`` \| (.+?) \| .+$", README, re.MULTILINE)
    shown = {key: text.strip("`") for key, text in rows}
    expected = {key: "31 days" if default == timedelta(days=31) else repr(default) for key, default in DEFAULTS.items()}
    assert {key: text.replace('"', "'") for key, text in shown.items()} == expected
    assert list(shown) == list(expected)


def test_settings_from_the_environment() -> None:
    """The README's line that reads the environment takes each kind of text that it names."""
    environ = {
        "HANDSTAMP_SECRET_KEY": KEY,
        "HANDSTAMP_SECRET_KEY_FALLBACKS": "another key, long enough\nand one more of them",
        "HANDSTAMP_SESSION_COOKIE_HTTPONLY": "off",
        "HANDSTAMP_SESSION_COOKIE_SECURE": "true",
        "HANDSTAMP_PERMANENT_SESSION_LIFETIME": "3600",
    }
    (line,) = re.findall(r"``(Settings\.from_strings\(os\.environ.*\))``", README)
    with mock.patch.dict(os.environ, environ):
        settings = eval(line, {"Settings": Settings, "os": os})
    assert settings["SECRET_KEY_FALLBACKS"] == ("another key, long enough", "and one more of them")
    assert (settings["SESSION_COOKIE_HTTPONLY"], settings["SESSION_COOKIE_SECURE"]) == (False, True)
    assert settings["PERMANENT_SESSION_LIFETIME"] == timedelta(hours=1)


def test_settings_from_an_ini_file(tmp_path: Path) -> None:
    """The README's section is a filter, and both keys that it tells of beside the settings do what it says."""
    (section,) = blocks("ini")
    path = tmp_path / "site.ini"
    path.write_text(
        f"[DEFAULT]\nsecret_key = {KEY}\n{section.rstrip()}\nenviron_key = club\n"
        "session_interface = handstamp.encrypted:EncryptedCookieSessionInterface\n"
    )
    app = loadfilter(f"config:{path}", "session")(count)
    assert (app.settings["SECRET_KEY"], app.environ_key) == (KEY, "club")
    assert type(app.session_interface) is EncryptedCookieSessionInterface


def count(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    session = environ["session"]
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(session["visits"]).encode()]


def test_rotating_keys() -> None:
    """A session that the old key signed opens with the README's settings, and is issued with the new key."""
    old_key, new_key = "the old key of yesterday", "the new key of today"
    names: dict[str, Any] = {"old_key": old_key, "new_key": new_key}
    exec(block_with("SECRET_KEY_FALLBACKS"), names)
    cookie = get(SessionMiddleware(count, {"SECRET_KEY": old_key}))[0]["Set-Cookie"].partition(";")[0]
    headers, body = get(SessionMiddleware(count, names["settings"]), cookie)
    assert body == b"2"
    assert get(SessionMiddleware(count, {"SECRET_KEY": new_key}), headers["Set-Cookie"].partition(";")[0])[1] == b"3"


def test_revocation() -> None:
    """The README's interface ends all older sessions of a user, and none that begins later."""
    names: dict[str, Any] = {}
    exec(block_with("RevocableInterface"), names)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        session = environ["session"]
        if environ["PATH_INFO"] == "/sign-in":
            session.renew()
            session["user"] = "ada"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [session.get("user", "nobody").encode()]

    middleware = SessionMiddleware(app, {"SECRET_KEY": KEY}, session_interface=names["RevocableInterface"]())
    middleware.session_interface.now = lambda: 1000.0  # type: ignore[method-assign]  # a clock for this one
    cookie = get(middleware, path="/sign-in")[0]["Set-Cookie"].partition(";")[0]
    assert get(middleware, cookie)[1] == b"ada"
    names["valid_after"]["ada"] = datetime.fromtimestamp(1000.5, UTC)
    assert get(middleware, cookie)[1] == b"nobody"
    middleware.session_interface.now = lambda: 1001.0  # type: ignore[method-assign]  # a clock for this one
    cookie = get(middleware, cookie, path="/sign-in")[0]["Set-Cookie"].partition(";")[0]
    assert get(middleware, cookie)[1] == b"ada"


@pytest.fixture
def tenants() -> SessionMiddleware:
    """The README's tenants, each with visitors to count."""
    names: dict[str, Any] = {"SecureCookieSessionInterface": SecureCookieSessionInterface}
    exec(block_with("TenantInterface"), names)
    return SessionMiddleware(count, {"SECRET_KEY": KEY}, session_interface=names["TenantInterface"]())


def cookie_at(tenants: SessionMiddleware, host: str) -> str:
    """Visit a tenant and return the cookie that it sets."""
    return get(tenants, path=f"http://{host}/")[0]["Set-Cookie"].partition(";")[0]


@pytest.mark.parametrize(
    "host", ["www.alpha-corp.com", "WWW.Alpha-Corp.com", "www.alpha-corp.com:8443", "localhost:8000"]
)
def test_one_policy_method(tenants: SessionMiddleware, host: str) -> None:
    """The README's interface names the cookie after the tenant, on setting and on reading, whatever the port."""
    cookie = cookie_at(tenants, host)
    assert cookie.startswith("session-alpha=")
    assert get(tenants, cookie, path=f"http://{host}/")[1] == b"2"


@pytest.mark.parametrize("here", ["www.alpha-corp.com", "www.beta-corp.com", "www.gamma-corp.com"])
@pytest.mark.parametrize("there", ["www.alpha-corp.com", "www.beta-corp.com", "www.gamma-corp.com"])
def test_tenants_share_no_cookie(tenants: SessionMiddleware, here: str, there: str) -> None:
    """A cookie of one of the README's tenants opens at no other's, under whichever name it comes."""
    name, _, token = cookie_at(tenants, here).partition("=")
    cookies = "; ".join(f"{each}={token}" for each in {name, "session", "session-alpha", "session-beta"})
    assert get(tenants, cookies, path=f"http://{there}/")[1] == (b"2" if here == there else b"1")


HOSTS = [
    "evil.example",
    "www.alpha-corp.com.evil.example",
    "alpha",
    "localhost.",
    "[::1]:80",
    "",
    ":",
    "a b;c=d",
    "\xff",
]


@pytest.mark.parametrize("host", [*HOSTS, "x" * 5000], ids=lambda host: host[:20])
def test_unknown_host_is_no_error(tenants: SessionMiddleware, host: str) -> None:
    """Whatever host a visitor writes, there is no error, and no tenant's cookie."""
    request = Request.blank("/", headers={"Host": "example.com"})
    request.environ["HTTP_HOST"] = host
    answer = request.get_response(tenants)
    assert (answer.status_code, answer.headers["Set-Cookie"].partition("=")[0]) == (200, "session")


def test_sessions_on_a_server(tmp_path: Path) -> None:
    """The README's client keeps sessions in Redis: they are listed, and end at once."""
    names: dict[str, Any] = {
        "app": lambda *args: app(*args),  # noqa: PLW0108  # which is made below
        "SessionMiddleware": SessionMiddleware,
    }
    names["settings"] = {"SECRET_KEY": KEY}
    make_client = redis.Redis.from_url

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/sign-in":
            environ["session"].renew()
            environ["session"].owner = 7
        return count(environ, start_response)

    with run_redis(tmp_path) as port:
        url = f"redis://127.0.0.1:{port}"
        with mock.patch.object(redis.Redis, "from_url", lambda _, **options: make_client(url, **options)):
            exec(block_with("RedisStore(client)"), names)
        with names["client"]:
            middleware, interface = names["app"], names["interface"]
            first = get(middleware)[0]["Set-Cookie"].partition(";")[0]
            headers, body = get(middleware, first, path="/sign-in")
            assert body == b"2"
            assert get(middleware, first)[1] == b"1"
            (listed,) = interface.sessions(7)
            assert listed.data == {"visits": 2}
            second = headers["Set-Cookie"].partition(";")[0]
            assert get(middleware, second)[1] == b"3"
            assert interface.end(listed.handle)
            assert get(middleware, second)[1] == b"1"
    with pytest.raises(handstamp.StoreError):
        get(middleware, second)


def test_secret_command() -> None:
    """The command in the README's first program prints a key that the settings take."""
    assert "SECRET_KEY=$(python -m handstamp secret)" in README
    printed = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning:webob.compat", "-m", "handstamp", "secret"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert Settings({"SECRET_KEY": printed.stdout.strip()})["SECRET_KEY"] == printed.stdout.strip()


def test_errors_are_named() -> None:
    """Every error of the package is named in the README, and every error that it names exists."""
    errors = {name for name in handstamp.__all__ if isinstance(getattr(handstamp, name), type)}
    errors = {name for name in errors if issubclass(getattr(handstamp, name), handstamp.SessionError)}
    chapter = README.partition("\nErrors\n------\n")[2]
    assert {name for name in re.findall(r"``(\w+)``", chapter) if name[0].isupper()} == errors


def test_inspect_is_real(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples' page shows what the command prints for the README's cookie."""
    (cookie,) = re.findall(r"^    Set-Cookie: ([^;]+)", README, re.MULTILINE)
    (shown,) = re.findall(r"inspect < cookie\.txt \| head -6\n((?:    .*\n)+)", EXAMPLES)
    monkeypatch.setenv("SECRET_KEY", KEY)
    assert main(["inspect", cookie], clock=lambda: float(SHOWN_AT + 300)) == 0
    assert capsys.readouterr().out.startswith(textwrap.dedent(shown))


def test_pictures_are_there() -> None:
    """Every picture that the README shows is in the repository."""
    pictures = re.findall(r"^\.\. image:: (.+)$", README, re.MULTILINE)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_encrypted_cookies() -> None:
    """The README's encrypted application counts visits in a cookie that does not show them."""
    names: dict[str, Any] = {"app": count, "settings": {"SECRET_KEY": KEY}, "SessionMiddleware": SessionMiddleware}
    exec(block_with("EncryptedCookieSessionInterface"), names)
    cookie = get(names["app"])[0]["Set-Cookie"].partition(";")[0]
    assert "." not in cookie
    assert get(names["app"], cookie)[1] == b"2"


def test_testing_ones_own(namespace: dict[str, Any]) -> None:
    """The README's tests of the program at its head pass, with each client, and fail where the program fails."""
    names = {"app": namespace["app"], "webtest": webtest, "werkzeug": werkzeug, "requests": requests}
    code = block_with("session_transaction")
    with running(namespace["app"]) as url:
        exec(code, names | {"url": url})
        namespace["app"].app = count
        with pytest.raises(AssertionError):
            exec(code, names | {"url": url})
