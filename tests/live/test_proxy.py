"""Behind a proxy: nginx, waitress and gunicorn run as the page of the examples says, with real TLS."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from wsgiref.types import WSGIApplication

import pytest
import trustme

from tests.live.servers import serve
from tests.support import nginx
from tests.support.framework_steps import STEPS
from tests.support.http_client import forward_to
from tests.support.missing_programs import skip_or_fail
from tests.support.paths import ROOT
from tests.support.visitor import Visitor

PAGE = (ROOT / "examples" / "README.rst").read_text(encoding="utf-8")
CHAPTER = PAGE.partition("\nBehind a proxy\n")[2].partition("\n\n\n")[0]
#: The options of each server's command on the page.
COMMANDS = {
    program: options.split()
    for program, options in re.findall(r"^    \$ (\w+)\S* (.*) module:app$", CHAPTER, re.MULTILINE)
}
SERVERS = {"waitress": "waitress", "gunicorn": "gunicorn-gthread"}

SITE = """
    server {
        listen 127.0.0.1:%(http)s;
        listen 127.0.0.1:%(https)s ssl;
        ssl_certificate certificate.pem;
        ssl_certificate_key certificate.pem;
        location / {
            proxy_pass http://127.0.0.1:%(app_port)s;
            %(line)s
        }
    }
"""
HOST_PREFIX = {"HANDSTAMP_SESSION_COOKIE_NAME": "__Host-session", "HANDSTAMP_SESSION_COOKIE_SECURE": "true"}


class Place(NamedTuple):
    """A server behind nginx, and the ways to it."""

    http: WSGIApplication
    https: WSGIApplication
    #: Past nginx, from an address that is not the proxy's.
    beside: WSGIApplication


@contextmanager
def run(program: str, directory: Path, settings: Mapping[str, str]) -> Iterator[Place]:
    """Run a server as the page has it, and nginx in front of it."""
    (line,) = re.findall(r"``(proxy_set_header [^`]*)``", CHAPTER)
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(directory / "certificate.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        serve(SERVERS[program], directory, options=COMMANDS[program], **settings) as port,
        nginx.run(directory, SITE, "http", "https", app_port=port, line=line) as (http, https),
    ):
        yield Place(forward_to(http), forward_to(https, context), forward_to(port, source="127.0.0.2"))


@pytest.fixture(autouse=True)
def _needs_nginx() -> None:
    if nginx.NGINX is None:
        skip_or_fail("nginx")


def is_secure(way: WSGIApplication) -> bool:
    """Begin a session, as one who claims to come by https; tell whether its cookie is Secure."""
    visitor = Visitor(way, host="localhost")
    return "; Secure" in visitor.post("/basket", {"item": "pear"}, HTTP_X_FORWARDED_PROTO="https").cookie


def test_chapter_has_both_servers() -> None:
    """The chapter has a command for each server that is run here."""
    assert COMMANDS.keys() == SERVERS.keys()
    assert all(COMMANDS.values())


@pytest.mark.parametrize("settings", [{}, HOST_PREFIX], ids=["session", "__Host-session"])
@pytest.mark.parametrize("program", SERVERS)
def test_scenario_by_https(program: str, settings: dict[str, str], tmp_path: Path) -> None:
    """By https every step of the scenario holds, under a __Host- name too, and every cookie is Secure."""
    lines: list[str] = []
    with run(program, tmp_path, settings) as place:
        for step in STEPS:
            visitor = Visitor(place.https, scheme="https", host="localhost")
            step(visitor)
            lines += visitor.lines
    assert len(lines) >= 5
    name = settings.get("HANDSTAMP_SESSION_COOKIE_NAME", "session")
    assert [line for line in lines if not (line.startswith(f"{name}=") and "; Secure" in line)] == []


@pytest.mark.parametrize("program", SERVERS)
def test_only_the_proxy_is_believed(program: str, tmp_path: Path) -> None:
    """The cookie is Secure by https alone, whatever a visitor claims to the proxy or past it."""
    with run(program, tmp_path, {}) as place:
        assert [is_secure(way) for way in place] == [False, True, False]
