"""The table of contestants: who takes part, of which kind, and from which distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from typing import TYPE_CHECKING

from . import limit, peers
from .application import COOKIE_NAME, LIFETIME, SECRET_KEY, Action, bare, in_environ

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Kind(Enum):
    """What a contestant is to the comparison."""

    OURS = "handstamp"
    WSGI = "WSGI peer"
    ASGI = "ASGI peer"
    YARDSTICK = "yardstick"


@dataclass(frozen=True)
class Contestant:
    """One way to carry a session; `build` wraps an application in it and raises ImportError without its packages."""

    key: str
    title: str
    kind: Kind
    build: Callable[[Action], WSGIApplication]
    distributions: tuple[str, ...] = ()
    cases: str = "abcdefghijk"
    shown_only: str = ""  # cases that are measured but not raced: there they make a request object and nothing else

    @property
    def is_peer(self) -> bool:
        """Say whether this is somebody else's session."""
        return self.kind in (Kind.WSGI, Kind.ASGI)

    @property
    def keeps_sessions(self) -> bool:
        """Say whether there is a session at all."""
        return self.kind is not Kind.YARDSTICK or self.build is limit.limit

    @property
    def cookie_maker(self) -> Callable[[Action], WSGIApplication]:
        """Give what makes the cookies for this contestant: itself, or the limit if it keeps no sessions."""
        return self.build if self.keeps_sessions else limit.limit


def handstamp(action: Action) -> WSGIApplication:
    """Stand inside our middleware, as its README shows it."""
    from handstamp import SessionMiddleware

    settings = {"SECRET_KEY": SECRET_KEY, "SESSION_COOKIE_NAME": COOKIE_NAME, "PERMANENT_SESSION_LIFETIME": LIFETIME}
    return SessionMiddleware(in_environ(action), settings)


def without_session(action: Action) -> WSGIApplication:
    """Give the bare application, whose cost is subtracted."""
    return bare


def webob_parser(action: Action) -> WSGIApplication:
    """Parse the Cookie header as webob does, and do nothing with it."""
    from webob.cookies import parse_cookie  # type: ignore[attr-defined]  # the stubs leave it out

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for _ in parse_cookie(environ.get("HTTP_COOKIE", "")):
            pass
        return bare(environ, start_response)

    return application


BARE = Contestant("bare", "bare application", Kind.YARDSTICK, without_session)

CONTESTANTS = (
    Contestant("handstamp", "handstamp", Kind.OURS, handstamp, ("handstamp", "webob", "itsdangerous")),
    Contestant("beaker", "Beaker cookie session", Kind.WSGI, peers.beaker, ("beaker",)),
    Contestant("flask", "Flask interface", Kind.WSGI, peers.flask, ("flask", "werkzeug")),
    Contestant("pyramid", "Pyramid SignedCookie", Kind.WSGI, peers.pyramid, ("pyramid",), shown_only="ab"),
    Contestant("pyramid-120", "Pyramid, reissue_time=120", Kind.WSGI, peers.pyramid_120, ("pyramid",), shown_only="ab"),
    Contestant("django", "Django signed_cookies", Kind.WSGI, peers.django, ("django",)),
    Contestant("starlette", "Starlette (ASGI)", Kind.ASGI, peers.starlette, ("starlette",)),
    Contestant("secure-cookie", "secure-cookie, patched", Kind.WSGI, peers.secure_cookie, ("secure-cookie",)),
    Contestant("bottle", "Bottle signed cookie", Kind.WSGI, peers.bottle, ("bottle",), "abcdefghjk", shown_only="ab"),
    Contestant("pass-through", "pass-through closure", Kind.YARDSTICK, limit.pass_through, cases="ab"),
    Contestant("limit", "the limit", Kind.YARDSTICK, limit.limit),
    Contestant("webob-parser", "webob's cookie parser alone", Kind.YARDSTICK, webob_parser, ("webob",), cases="jk"),
)


def available(keys: Iterable[str] = ()) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Choose the contestants named by `keys` (all, if empty) that can be imported; give the reason for the others."""
    wanted, found, missing = set(keys), {}, {}
    for contestant in CONTESTANTS:
        if wanted and contestant.key not in wanted:
            continue
        try:
            contestant.build(Action())
        except ImportError as error:
            missing[contestant.key] = str(error)
        else:
            found[contestant.key] = contestant
    return found, missing


def versions(contestants: Mapping[str, Contestant]) -> dict[str, str]:
    """Look up the version of every distribution that takes part."""
    names = sorted({name for contestant in contestants.values() for name in contestant.distributions})
    return {name: version(name) for name in names}


def version(distribution: str) -> str:
    """Look up one version; a package that is imported from its source tree has none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "source tree"
