"""What an operator is told once: mistakes that browsers, proxies and other processes answer with silence.

Each warning is a text for the log that says what is wrong and the cure. What is looked at is the request whose cookie
is being set, or a cookie that was rejected: an ordinary request pays nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import unquote
from wsgiref.types import WSGIEnvironment

from ._base64url import decode_standard
from ._rejection import BadToken
from .exceptions import RejectReason

#: A text for the log, and the values in it.
Notice: TypeAlias = tuple[str, *tuple[str, ...]]

UNTOLD_HTTPS = (
    "a proxy says by %s that the browser came by https, but the server says http, so the session cookie is sent without"
    " Secure; have the server trust the proxy, or set SESSION_COOKIE_SECURE to True"
)
SECURE_OVER_HTTP = (
    "a Secure session cookie is set over plain http, where browsers drop it (some keep it on localhost); serve https,"
    " or, if a proxy does, have it send X-Forwarded-Proto: https; for http alone set SESSION_COOKIE_SECURE to None"
)
OTHER_HOST = (
    "the session cookie has the Domain %r, but this request is for the host %.100r, so browsers drop the cookie; set"
    " SESSION_COOKIE_DOMAIN (or SERVER_NAME) to a domain of this host, or to False; if a proxy replaces the host, have"
    " it pass the browser's Host on"
)
OTHER_PATH = (
    "the session cookie has the Path %r, but this request is for the path %.100r, so browsers do not send the cookie"
    " back there; set SESSION_COOKIE_PATH (or APPLICATION_ROOT) to a path above all pages that use the session; if a"
    " proxy removes that path from its requests, all is well"
)
LITTLE_ROOM = (
    "a session cookie has %s bytes of name and value; some servers reset a request with so much, and some proxies"
    " answer 502 to such a response; the biggest keys: %s; keep ids instead of data, or give room on the way (uWSGI:"
    " buffer-size; nginx: proxy_buffer_size, large_client_header_buffers) and set SESSION_COOKIE_WARN_BYTES to False"
)
DIFFERENT_KEYS = (
    "session cookies that were issued seconds ago have a bad signature; give all processes and machines the same"
    " SECRET_KEY (one that is made when the program starts differs in each), and keep the last one in"
    " SECRET_KEY_FALLBACKS; if another application at this host, on another port of localhost for one, has the same"
    " SESSION_COOKIE_NAME, rename one"
)
OTHER_APPLICATION = (
    "cookies under the name %r keep coming that this application cannot have made; applications at one host share"
    " cookies, whatever their ports (on localhost, for one): give each a SESSION_COOKIE_NAME of its own"
)

# -- where a cookie is set --------------------------------------------------------------------------------------------

# By what headers proxies say that the browser came by https, and how. Several proxies in a row make a list.
_SAYS_HTTPS = re.compile(r"\s*(?:https|ssl|on)\b", re.IGNORECASE)
_SAYS_PROTO_HTTPS = re.compile(r"[^,]*\bproto\s*=\s*\"?https\b", re.IGNORECASE)  # RFC 7239 4, the browser's end first
_CLAIMS = {
    "HTTP_X_FORWARDED_PROTO": _SAYS_HTTPS,
    "HTTP_FORWARDED": _SAYS_PROTO_HTTPS,
    "HTTP_X_FORWARDED_SSL": _SAYS_HTTPS,
    "HTTP_X_FORWARDED_PROTOCOL": _SAYS_HTTPS,
    "HTTP_X_FORWARDED_SCHEME": _SAYS_HTTPS,
    "HTTP_X_URL_SCHEME": _SAYS_HTTPS,
    "HTTP_CLOUDFRONT_FORWARDED_PROTO": _SAYS_HTTPS,
    "HTTP_FRONT_END_HTTPS": _SAYS_HTTPS,
}


def find_https_claim(environ: WSGIEnvironment) -> str | None:
    """Return the name of a header by which a proxy says that the browser came by https."""
    if environ.keys().isdisjoint(_CLAIMS):  # takes a third of the time of the loop
        return None
    for key, pattern in _CLAIMS.items():
        if key in environ and pattern.match(environ[key]):
            return key.removeprefix("HTTP_").replace("_", "-").title()
    return None


#: Attributes with which every browser keeps a cookie and sends it back, by the scheme of the request.
ALWAYS_KEPT = {"http": ("; Path=/; HttpOnly",), "https": ("; Path=/; HttpOnly", "; Path=/; Secure; HttpOnly")}


def find_obstacles(attributes: str, environ: WSGIEnvironment) -> Iterator[Notice]:
    """Yield why browsers do not keep the cookie of a response, or do not send it back to the same page.

    :param attributes: as :func:`._policy.format_attributes` returns them
    """
    if "; Secure" in attributes and environ.get("wsgi.url_scheme") == "http" and find_https_claim(environ) is None:
        yield (SECURE_OVER_HTTP,)
    domain, cookie_path = _find_attribute(attributes, "Domain"), _find_attribute(attributes, "Path")
    if domain:
        host = _find_host(environ)
        if not _covers_host(domain, host):
            yield OTHER_HOST, domain, host
    if cookie_path != "/":
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") or "/"
        if not _covers_path(unquote(cookie_path, "latin-1"), path):
            yield OTHER_PATH, cookie_path, path


def _find_attribute(attributes: str, name: str) -> str:
    return attributes.partition(f"; {name}=")[2].partition(";")[0]


def _find_host(environ: WSGIEnvironment) -> str:
    host: str = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    return re.sub(r":[0-9]*\Z", "", host)


def _covers_host(domain: str, host: str) -> bool:
    """Compare as browsers do (RFC 6265bis 5.1.3)."""
    domain, host = domain.removeprefix(".").lower(), host.lower()
    return host == domain or host.endswith("." + domain)


def _covers_path(cookie_path: str, path: str) -> bool:
    """Compare as browsers do (RFC 6265bis 5.1.4)."""
    return path == cookie_path or path.startswith(cookie_path.removesuffix("/") + "/")


# -- where a cookie was rejected --------------------------------------------------------------------------------------

#: How many requests must point at a mistake: anybody can write one.
ENOUGH_REQUESTS = 3

_SECONDS_AGO = 60

# Characters: what is shorter is no session of anybody's.
_MIN_FOREIGN_CHARACTERS = 20


def find_suspicion(error: BadToken, token: str, name: str, now: int) -> Notice | None:
    """Return the warning that a rejected token gives reason for, if others like it follow; the token is not in it.

    :param name: of the cookie
    :param now: whole seconds since 1970
    """
    if error.is_foreign or (error.reason is RejectReason.MALFORMED and len(token) >= _MIN_FOREIGN_CHARACTERS):
        return OTHER_APPLICATION, name
    with suppress(BadToken):  # nobody has vouched for this time: it is for the log alone
        if error.time and abs(now - int.from_bytes(decode_standard(error.time))) <= _SECONDS_AGO:
            return (DIFFERENT_KEYS,)
    return None
