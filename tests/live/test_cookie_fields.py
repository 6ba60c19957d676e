"""Cookies that come as several header fields: browsers send them so over HTTP/2, and servers join them with commas.

Every server gets them over a real socket, straight or through a proxy, and its visitor stays signed in.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
import trustme

from tests.live.servers import SERVERS, find_missing, serve
from tests.support import nginx
from tests.support.http_client import forward_to
from tests.support.missing_programs import need, skip_or_fail
from tests.support.processes import find_ports, wait_for
from tests.support.visitor import Visitor

FOREIGN = ("theme=dark", "a=1")
#: Where ours may stand among the fields.
PLACES = range(len(FOREIGN) + 1)

#: This one drops all fields but the last, before anybody sees them.
DROPPING = "cheroot"

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

HAPROXY_CONFIG = """\
global
    log stderr local0 emerg
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
frontend site
    bind 127.0.0.1:{https} ssl crt {directory}/certificate.pem alpn h2,http/1.1
    default_backend app
backend app
    server app 127.0.0.1:{port}
"""

SITE = """
    server {
        listen 127.0.0.1:%(https)s ssl http2;
        ssl_certificate certificate.pem;
        ssl_certificate_key certificate.pem;
        location / { proxy_pass http://127.0.0.1:%(app_port)s; }
    }
"""


def sign_in(port: int) -> str:
    """Sign a visitor in, and return the pair of its cookie."""
    visitor = Visitor(forward_to(port))
    visitor.post("/sign-in", {"user": "Ada"})
    return visitor.cookie_header()


def put_among(cookie: str) -> Iterator[list[str]]:
    """Yield the fields with ours at each of the places."""
    for place in PLACES:
        fields: list[str] = list(FOREIGN)
        fields.insert(place, cookie)
        yield fields


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory that others may enter, for Apache does not serve as root."""
    with tempfile.TemporaryDirectory(prefix="live-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


# -- straight ---------------------------------------------------------------------------------------------------------


def get_with_fields(port: int, cookies: Sequence[str]) -> bytes:
    """Get the home page, each cookie in a field of its own."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("GET", "/")
        for cookie in cookies:
            connection.putheader("Cookie", cookie)
        connection.putheader("Connection", "close")
        connection.endheaders()
        return connection.getresponse().read()


def get_pages(name: str, directory: Path) -> list[bytes]:
    """Get the home page from a server with our field at each of the places."""
    if missing := find_missing(name):
        skip_or_fail(missing)
    with serve(name, directory) as port:
        cookie = sign_in(port)
        return [get_with_fields(port, fields) for fields in put_among(cookie)]


@pytest.mark.parametrize("name", [name for name in SERVERS if name != DROPPING])
def test_server(name: str, directory: Path) -> None:
    """On every server a session is found in a Cookie header that came as several fields, wherever it stands in it."""
    assert get_pages(name, directory) == [b"Ada: \n"] * len(PLACES)


def test_server_that_drops_fields(directory: Path) -> None:
    """Cheroot hands on the last field alone: the one server on which a proxy has to join them, as the manual says."""
    *others, last = get_pages(DROPPING, directory)
    assert (others, last) == ([b"stranger: \n"] * len(FOREIGN), b"Ada: \n")


# -- by HTTP/2 --------------------------------------------------------------------------------------------------------


def get_by_http2(url: str, cookies: Sequence[str], context: ssl.SSLContext | bool = True) -> bytes:
    """Get a page by HTTP/2, and by nothing else, each cookie in a field of its own."""
    with httpx.Client(http1=False, http2=True, verify=context) as client:
        reply = client.get(url, headers=[("cookie", cookie) for cookie in cookies])
    assert reply.http_version == "HTTP/2"
    return reply.content


def test_server_that_speaks_http2(directory: Path) -> None:
    """On a server that speaks HTTP/2 itself, a session is found wherever it stands among the fields of a browser."""
    need("granian", "h2")
    with serve("granian", directory, options=["--http=2"]) as port:
        cookie = get_cookie_by_http2(f"http://127.0.0.1:{port}")
        pages = [get_by_http2(f"http://127.0.0.1:{port}/", fields) for fields in put_among(cookie)]
    assert pages == [b"Ada: \n"] * len(PLACES)


def get_cookie_by_http2(url: str) -> str:
    """Sign a visitor in by HTTP/2, and return the pair of its cookie."""
    with httpx.Client(http1=False, http2=True) as client:
        reply = client.post(f"{url}/sign-in", data={"user": "Ada"})
    return reply.headers["set-cookie"].partition(";")[0]


@contextmanager
def run_nginx(directory: Path, app_port: int) -> Iterator[int]:
    """Run nginx in front of a server; yield its port."""
    with nginx.run(directory, SITE, "https", app_port=app_port) as (https,):
        yield https


@contextmanager
def run_haproxy(directory: Path, app_port: int) -> Iterator[int]:
    """Run HAProxy in front of a server; yield its port."""
    (https,) = find_ports(1)
    config = directory / "haproxy.cfg"
    config.write_text(HAPROXY_CONFIG.format(https=https, port=app_port, directory=directory))
    log = directory / "haproxy.log"
    with log.open("wb") as output, subprocess.Popen([str(HAPROXY), "-db", "-f", config], stderr=output) as process:
        try:
            wait_for(https, process, log)
            yield https
        finally:
            process.terminate()


Run = Callable[[Path, int], AbstractContextManager[int]]
PROXIES: dict[str, tuple[str | None, Run]] = {"nginx": (nginx.NGINX, run_nginx), "haproxy": (HAPROXY, run_haproxy)}


@pytest.mark.parametrize("server", ["waitress", "gunicorn-gthread"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_proxy(proxy: str, server: str, directory: Path) -> None:
    """Behind a proxy that speaks HTTP/2 to the browser, a session is found, wherever it stands among the fields."""
    need("h2")
    program, run = PROXIES[proxy]
    if program is None:
        skip_or_fail(proxy)
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(directory / "certificate.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with serve(server, directory) as port, run(directory, port) as https:
        cookie = sign_in(port)
        pages = [get_by_http2(f"https://localhost:{https}/", fields, context) for fields in put_among(cookie)]
    assert pages == [b"Ada: \n"] * len(PLACES)
