"""Behind a proxy: nginx, waitress and gunicorn run as the page of the examples says, with real TLS."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from live import nginx
from live.client import send_to
from live.servers import ROOT, serve
from missing import skip_or_fail
from scenario import STEPS, Headers, Reply, Send, Visitor

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

    http: Send
    https: Send
    #: Past nginx, from an address that is not the proxy's.
    beside: Send


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
        yield Place(send_to(http), send_to(https, context), send_to(port, source="127.0.0.2"))


@pytest.fixture(autouse=True)
def _needs_nginx() -> None:
    if nginx.NGINX is None:
        skip_or_fail("nginx")


def is_secure(send: Send) -> bool:
    """Begin a session, as one who claims to come by https; tell whether its cookie is Secure."""

    def claim(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        return send(method, path, {**headers, "X-Forwarded-Proto": "https"}, body)

    (line,) = Visitor(claim).post("/basket", item="pear").every("Set-Cookie")
    return "; Secure" in line


def test_chapter_has_both_servers() -> None:
    """The chapter has a command for each server that is run here."""
    assert COMMANDS.keys() == SERVERS.keys()
    assert all(COMMANDS.values())


@pytest.mark.parametrize("settings", [{}, HOST_PREFIX], ids=["session", "__Host-session"])
@pytest.mark.parametrize("program", SERVERS)
def test_scenario_by_https(program: str, settings: dict[str, str], tmp_path: Path) -> None:
    """By https every step of the scenario holds, under a __Host- name too, and every cookie is Secure."""
    heads: list[Headers] = []

    with run(program, tmp_path, settings) as place:

        def send(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
            reply = place.https(method, path, headers, body)
            heads.append(reply.headers)
            return reply

        for step in STEPS:
            step(Visitor(send))
    lines = [value for headers in heads for name, value in headers if name.lower() == "set-cookie"]
    assert len(lines) >= 5
    name = settings.get("HANDSTAMP_SESSION_COOKIE_NAME", "session")
    assert [line for line in lines if not (line.startswith(f"{name}=") and "; Secure" in line)] == []


@pytest.mark.parametrize("program", SERVERS)
def test_only_the_proxy_is_believed(program: str, tmp_path: Path) -> None:
    """The cookie is Secure by https alone, whatever a visitor claims to the proxy or past it."""
    with run(program, tmp_path, {}) as place:
        assert [is_secure(send) for send in place] == [False, True, False]
