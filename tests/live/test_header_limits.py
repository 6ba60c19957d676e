"""Room for a cookie on its way: what is too large for servers and proxies is warned of, and the manual's lines help."""

from __future__ import annotations

import http.client
import random
import string
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from handstamp import CookieTooLarge
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from tests.live.servers import find_missing, serve
from tests.support import cookie_kinds, nginx
from tests.support.http_client import forward_to
from tests.support.missing_programs import skip_or_fail
from tests.support.paths import ROOT
from tests.support.site import Site
from tests.support.visitor import Cookie, Visitor

MANUAL = (ROOT / "README.rst").read_text("utf-8") + (ROOT / "examples" / "README.rst").read_text("utf-8")

UWSGI = "buffer-size = 32768"
NGINX_RESPONSE = "proxy_buffer_size 8k;"
NGINX_REQUEST = "large_client_header_buffers 4 16k;"

SITE = """
    server {
        listen 127.0.0.1:%(http)s;
        %(lines)s
        location / { proxy_pass http://127.0.0.1:%(app_port)s; }
    }
"""


def make_noise(size: int) -> str:
    """Return text that can hardly be packed."""
    return "".join(random.Random(size).choices(string.ascii_letters + string.digits + "-_", k=size))


# -- the warning ------------------------------------------------------------------------------------------------------


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return the warnings so far."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


Warnings = Callable[[], list[str]]


def set_value(site: Site, value: str) -> str:
    """Set a value, and return the pair of the cookie that comes back."""
    return site.visit(lambda session: session.update(basket=value, user="Ada")).cookie.partition(";")[0]


@pytest.mark.parametrize(("kind_name", "size"), [("signed", 3600), ("encrypted", 2600)])
def test_large_cookie(warnings: Warnings, kind_name: str, size: int) -> None:
    """A cookie that is larger than 3,500 bytes is warned of once, with its size, its biggest keys and the cure."""
    with cookie_kinds.testing(kind_name):
        site = Site()
        first, *others = (set_value(site, make_noise(size + more)) for more in range(3))
    assert all(3500 < len(pair) - 1 <= 4096 for pair in (first, *others))
    (warning,) = warnings()
    assert f"{len(first) - 1} bytes of name and value" in warning
    assert f"the biggest keys: 'basket' (about {size + 2})" in warning
    assert "uWSGI: buffer-size; nginx: proxy_buffer_size" in warning
    assert "SESSION_COOKIE_WARN_BYTES" in warning
    assert make_noise(size)[:10] not in warning


def find_size() -> int:
    """Return the bytes of name and value of a certain cookie."""
    return len(set_value(Site(), "x")) - 1


@pytest.mark.parametrize(("more", "count"), [(0, 0), (-1, 1)])
def test_exact_limit(warnings: Warnings, more: int, count: int) -> None:
    """Exactly as many bytes as the setting says are not warned of; one more is."""
    set_value(Site({"SESSION_COOKIE_WARN_BYTES": find_size() + more}), "x")
    assert len(warnings()) == count


def test_never(warnings: Warnings) -> None:
    """With ``False`` no cookie is warned of, and what is too large for browsers is an error still."""
    site = Site({"SESSION_COOKIE_WARN_BYTES": False})
    set_value(site, make_noise(3600))
    with pytest.raises(CookieTooLarge):
        set_value(site, make_noise(5000))
    assert warnings() == []


def test_too_large_is_no_warning(warnings: Warnings) -> None:
    """What is too large for browsers is an error and not a warning."""
    with pytest.raises(CookieTooLarge, match="the biggest keys: 'basket'"):
        set_value(Site(), make_noise(5000))
    assert warnings() == []


def test_server_side_is_small(warnings: Warnings) -> None:
    """A large session on a server has a small cookie: nothing is warned of."""
    site = Site(None, ServerSideSessionInterface(MemoryStore()))
    before = warnings()
    set_value(site, make_noise(50_000))
    assert warnings() == before


# -- the manual's lines -----------------------------------------------------------------------------------------------


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory for a server's files."""
    with tempfile.TemporaryDirectory(prefix="live-") as path:
        yield Path(path)


@pytest.mark.parametrize("line", [UWSGI, NGINX_RESPONSE, NGINX_REQUEST])
def test_lines_stand_in_the_manual(line: str) -> None:
    """The manual has the lines that are tried here, as they are."""
    assert f"``{line}``" in MANUAL


@pytest.mark.parametrize(("options", "passes"), [([], False), ([f"--{UWSGI.replace(' ', '')}"], True)])
def test_uwsgi(directory: Path, options: list[str], passes: bool) -> None:
    """uWSGI resets a request with a large cookie, a sign-out too; with the manual's line it does not."""
    if missing := find_missing("uwsgi"):
        skip_or_fail(missing)
    with serve("uwsgi", directory, options=options) as port:
        visitor = Visitor(forward_to(port))
        visitor.post("/basket", {"item": make_noise(3650)})
        assert len(visitor.cookie_header()) > 3600
        try:
            visitor.post("/sign-out")
        except (ConnectionError, http.client.HTTPException):
            assert not passes
        else:
            assert passes
            assert visitor.jar == {}


def get_status(directory: Path, lines: str, visit: Callable[[Visitor], int]) -> int:
    """Run waitress behind nginx with some lines of configuration, and return a status."""
    if nginx.NGINX is None:
        skip_or_fail("nginx")
    with ExitStack() as stack:
        port = stack.enter_context(serve("waitress", directory))
        (http_port,) = stack.enter_context(nginx.run(directory, SITE, "http", app_port=port, lines=lines))
        return visit(Visitor(forward_to(http_port)))


@pytest.mark.parametrize(("lines", "status"), [("", 502), (NGINX_RESPONSE, 200)])
def test_nginx_response(directory: Path, lines: str, status: int) -> None:
    """nginx answers 502 to a response with a large cookie; with the manual's line it passes."""
    basket = {"item": make_noise(3800)}
    assert get_status(directory, lines, lambda visitor: visitor.post("/basket", basket).code) == status


@pytest.mark.parametrize(("lines", "status"), [("", 400), (NGINX_REQUEST, 200)])
def test_nginx_request(directory: Path, lines: str, status: int) -> None:
    """nginx answers 400 to a request with more than 8 KB of cookies; with the manual's line it passes."""

    def visit(visitor: Visitor) -> int:
        visitor.post("/sign-in", {"user": "Ada"})
        for number in range(3):
            visitor.jar[f"other{number}", visitor.host, "/"] = Cookie(make_noise(3000), secure=False, persistent=False)
        return visitor.get("/").code

    assert get_status(directory, lines, visit) == status
