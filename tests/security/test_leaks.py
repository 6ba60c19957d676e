"""In a whole life cycle, with every logger at DEBUG, nothing that is said holds a cookie's value, a key, or data.

What is said: log records, the text of errors and of whatever they were raised from, tracebacks, and the repr of every
object that an application gets to see. Of cookies and keys nothing may stand among the arguments of errors either.
"""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from webob import Request

from handstamp import (
    NullSession,
    RejectReason,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMiddleware,
    Settings,
)
from handstamp.testing import FrozenClock
from tests.support.clock import on_clock
from tests.support.constants import DAY, HOUR, START
from tests.support.cookie_kinds import make_interface, sign, stamp
from tests.support.site import Site
from tests.support.wsgi import TEXT, make_environ

pytestmark = pytest.mark.usefixtures("kind")

# Words that nothing else holds.
KEY = "Current-Key-kDhQ7mXw2"
FALLBACK = "Fallback-Key-pZr9LtVb4"
SHORT = "Short-Key-hG3"
VALUE = "Value-Of-The-Data-sYn8CfEu6"
DATA = {"user": VALUE, "basket": [VALUE]}
LIMITS = {"SESSION_IDLE_LIFETIME": DAY, "SESSION_ABSOLUTE_LIFETIME": 2 * DAY}
SETTINGS = {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": [FALLBACK], **LIMITS}


def tell(secret: str | bytes) -> set[str]:
    """Return the forms in which a secret could show."""
    content = secret.encode() if isinstance(secret, str) else secret
    plain = {content.decode("ascii", "replace"), content.hex(), repr(content)[2:-1]}
    return plain | {encode(content).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode)}


def tell_token(token: str) -> set[str]:
    """Return the pieces of a cookie's value that identify it; its time does not."""
    return {piece for piece in (token, *token.split(".")) if len(piece) > 12}


class Witness(logging.Handler):
    """Hear all that is said, and know all that must not be."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        self.arguments: list[str] = []
        self.secrets = set().union(*map(tell, (KEY, FALLBACK, SHORT)))

    # -- hearing

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += [self.format(record), repr(record.__dict__), repr(record.args)]

    def show(self, *objects: object) -> None:
        """Hear what objects say of themselves."""
        for thing in objects:
            self.heard += [repr(thing), str(thing), f"{thing}", ascii(thing)]

    def catch(self, error: BaseException) -> None:
        """Hear what an error says, and all that it was raised from."""
        self.heard += traceback.format_exception(error)
        seen: set[int] = set()
        queue: list[BaseException | None] = [error]
        while queue:
            found = queue.pop()
            if found is not None and id(found) not in seen:
                seen.add(id(found))
                self.heard.append(str(found))
                self.arguments += map(str, found.args)
                queue += [found.__cause__, found.__context__]

    # -- doing

    def visit(self, site: Site, action: Callable[[Any], object] = dict, cookie: str = "", **extra: str) -> None:
        """Visit a site, and hear what comes of it."""
        self.secrets |= {piece for value in cookie.split("; ") for piece in tell_token(value.partition("=")[2])}
        shown: list[object] = [site.interface, site.middleware, site.middleware.settings, site.middleware.__dict__]

        def act(session: Any) -> None:
            self.show(session)
            shown.append(session)
            action(session)
            self.show(session)

        try:
            answer = site.visit(act, **({"HTTP_COOKIE": cookie} if cookie else {}), **extra)
        except Exception as error:
            self.catch(error)
        else:
            self.secrets |= {piece for line in answer.cookies for piece in tell_token(_value_of(line))}
        self.show(*shown)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function, and hear what it returns or raises."""
        try:
            self.show(function())
        except Exception as error:
            self.catch(error)

    # -- judging

    def find_leaks(self) -> list[str]:
        """Return what was said and holds a secret."""
        found = [text for text in self.heard + self.arguments if any(secret in text for secret in self.secrets)]
        return found + [text for text in self.heard if any(secret in text for secret in tell(VALUE))]


def _value_of(line: str) -> str:
    return line.partition(";")[0].partition("=")[2]


@pytest.fixture
def witness() -> Iterator[Witness]:
    """A witness on the root logger, which is at DEBUG."""
    listening, root = Witness(), logging.getLogger()
    level = root.level
    root.addHandler(listening)
    root.setLevel(logging.DEBUG)
    yield listening
    root.removeHandler(listening)
    root.setLevel(level)


# -- every path -------------------------------------------------------------------------------------------------------


class Revoking(SecureCookieSessionInterface):
    """Accept no session."""

    def validate_session(self, settings: Settings, session: Any) -> bool:
        return session.get("user") is None


class Failing(SecureCookieSessionInterface):
    """Fail to validate."""

    def validate_session(self, settings: Settings, session: Any) -> bool:
        raise OSError("no database")


class BadPolicy(SecureCookieSessionInterface):
    """Answer with a domain that is none."""

    def get_cookie_domain(self, settings: Settings, request: Request) -> str | None:
        return "no domain"


class Echoing:
    """A serializer that fails as loudly as it can."""

    @staticmethod
    def dumps(data: object) -> str:  # noqa: ARG004  # what the application's own code says, it may say
        raise ValueError("cannot write")

    @staticmethod
    def loads(text: str) -> object:
        raise ValueError(text)


class Loud(SecureCookieSessionInterface):
    """Show in errors what was read."""

    serializer = Echoing()


def _site(interface: SessionInterface | None = None, **settings: Any) -> Site:
    return Site({**SETTINGS, **settings}, interface, headers=TEXT)


def _life(witness: Witness) -> None:
    site = _site()
    for action in (
        bool,
        lambda s: s.update(DATA),
        lambda s: s["basket"].append(VALUE),
        lambda s: setattr(s, "permanent", True),
        lambda s: s.renew(),
        lambda s: [s.new, s.created, s.copy(), s == {}],
        lambda s: s.invalidate(),
        lambda s: (s.update(DATA), s.invalidate(), s.update(user=VALUE)),
    ):
        witness.visit(site, action)
    for _ in range(10):
        site.clock.tick(6 * HOUR)
        witness.visit(site)


def _rotation(witness: Witness) -> None:
    site = _site()
    witness.visit(site, cookie=f"session={stamp(DATA, key=FALLBACK)}")
    witness.visit(site, lambda s: s.update(n=1), cookie=f"session={stamp(DATA, key=FALLBACK)}")


REFUSED: dict[RejectReason, Callable[[], str]] = {
    RejectReason.MALFORMED: lambda: stamp(DATA, key=KEY) + "=",
    RejectReason.TOO_LONG: lambda: stamp(DATA, key=KEY) + "x" * 4096,
    RejectReason.BAD_SIGNATURE: lambda: stamp(DATA, key="a key that is none of the two"),
    RejectReason.FUTURE: lambda: stamp(DATA, key=KEY, at=START + HOUR),
    RejectReason.IDLE: lambda: stamp(DATA, key=KEY, at=START - 40 * DAY),
    RejectReason.ABSOLUTE: lambda: stamp(DATA, key=KEY, created=START - 3 * DAY),
    RejectReason.REVOKED: lambda: stamp(DATA, key=KEY),
}


def _refused(witness: Witness) -> None:
    tokens = [make_token() for make_token in REFUSED.values()]
    for token in tokens:
        witness.visit(_site(make_interface(Revoking)), cookie=f"session={token}")
        witness.visit(_site(make_interface(Revoking)), lambda s: s.update(DATA), cookie=f"session={token}")
        witness.visit(_site(), cookie=f'session="{token}"')
    witness.visit(_site(make_interface(Revoking)), cookie="; ".join(f"session={token}" for token in tokens))


def _signed_junk(witness: Witness) -> None:
    texts = [f'{{"user":"{VALUE}"', f'"{VALUE}"', f'{{"a":{{"~bytes":"{VALUE}"}}}}', f'{{"user":"{VALUE}\\ud800"}}']
    for text in texts:
        witness.visit(_site(), cookie=f"session={sign(text, key=KEY)}")
        witness.visit(_site(make_interface(Loud)), cookie=f"session={sign(text, key=KEY)}")


def _write_basket(value: object, session: Any) -> None:
    session.update(basket=[VALUE], more=value)


def _cannot_be_saved(witness: Witness) -> None:
    for value in ({1: VALUE}, object(), [VALUE + "\ud800"], float("nan"), VALUE * 1000):
        witness.visit(_site(), partial(_write_basket, value))
    witness.visit(_site(), lambda s: s.update(user=[VALUE] * 20_000))
    witness.visit(_site(), lambda s: s.update(user=list(map(str, range(2000)))))
    witness.visit(_site(), lambda s: s.update(_created=VALUE))
    witness.visit(_site(make_interface(Loud)), lambda s: s.update(DATA))
    witness.visit(_site(make_interface(BadPolicy)), lambda s: s.update(DATA))


def _cannot_be_opened(witness: Witness) -> None:
    witness.visit(_site(make_interface(Failing)), cookie=f"session={stamp(DATA, key=KEY)}")
    witness.visit(_site(make_interface(Failing)), lambda s: s.update(DATA), cookie=f"session={stamp(DATA, key=KEY)}")


def _too_late(witness: Witness) -> None:
    def late(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        start_response("200 OK", TEXT)
        yield b""
        environ["session"]["user"] = VALUE

    def late_look(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        yield b""
        yield repr(environ["session"]["user"]).encode()

    cookie = f"session={stamp(DATA, key=KEY)}"
    witness.secrets |= tell_token(cookie.partition("=")[2])
    for app in (late, late_look):
        middleware = SessionMiddleware(app, SETTINGS, session_interface=_interface())
        witness.call(partial(_answer, middleware, cookie))


def _broken_applications(witness: Witness) -> None:
    def fails(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        raise OSError("no database")

    def starts_twice(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return []

    def never_starts(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["session"].update(DATA)
        return [b"body"]

    inner = SessionMiddleware(fails, SETTINGS, session_interface=_interface())
    cookie = f"session={stamp(DATA, key=KEY)}"
    witness.secrets |= tell_token(cookie.partition("=")[2])
    for app in (fails, starts_twice, never_starts, inner):
        middleware = SessionMiddleware(app, SETTINGS, session_interface=_interface())
        witness.call(partial(_answer, middleware, cookie))


def _interface() -> SecureCookieSessionInterface:
    return on_clock(make_interface(), FrozenClock(START))


def _answer(middleware: SessionMiddleware, cookie: str) -> list[bytes]:
    return list(middleware(make_environ(HTTP_COOKIE=cookie), lambda *head: lambda data: None))


def _warnings(witness: Witness) -> None:
    for field in (("Set-Cookie", f"session={stamp(DATA, key=KEY)}"), ("Cache-Control", "public")):
        witness.visit(Site(SETTINGS, headers=[*TEXT, field]), lambda s: s.update(DATA))
    witness.visit(_site(), lambda s: s.update(DATA), HTTP_X_FORWARDED_PROTO="https")


def _wrong_settings(witness: Witness) -> None:
    wrong: list[dict[str, Any]] = [
        {"SECRET_KEY": SHORT},
        {"SECRET_KEY": SHORT.encode()},
        {"SECRET_KEY": [KEY]},
        {"SECRET_KEY": KEY + "\ud800"},
        {"SECRET_KEY_FALLBACKS": FALLBACK},
        {"SECRET_KEY_FALLBACKS": {FALLBACK}},
        {"SECRET_KEY_FALLBACKS": [KEY, SHORT]},
        {"SECRET_KEY_FALLBACKS": [[KEY]]},
        {"SECRET_KEYS": KEY},
        {"SECRET_KEY": KEY, "SESSION_COOKIE_NAME": "a b", "PERMANENT_SESSION_LIFETIME": -1},
    ]
    for values in wrong:
        witness.call(partial(Settings, values))
        witness.call(partial(SessionMiddleware, _never, values))
    for text in (SHORT, f"{FALLBACK}\n{SHORT}", KEY):
        witness.call(partial(Settings.from_strings, {"secret_key": text, "secret_key_fallbacks": text}))
        witness.call(partial(Settings.from_strings, {"X_SECRET_KEYS": text}, prefix="X_"))


def _never(environ: Any, start_response: Any) -> Iterable[bytes]:
    return []


def _no_key(witness: Witness) -> None:
    for values in ({}, {"API_SECRET_KEY": KEY}, {"secret_key": KEY, "SESSION_SECRET": FALLBACK}):
        witness.visit(Site({"SECRET_KEY": None, **values}), lambda s: s.update(DATA))
        witness.visit(Site({"SECRET_KEY": None, **values}), cookie=f"session={stamp(DATA, key=KEY)}")
        witness.show(NullSession(values))


def _what_lies_within(witness: Witness) -> None:
    ready = Settings({**SETTINGS, "API_TOKEN": VALUE})
    interface = _interface()
    codec = interface.get_codec(ready, "session")
    witness.show(ready, interface, codec, *vars(codec).values(), *ready.lifetimes, *ready.key_ring)
    witness.call(lambda: SessionMiddleware(_never, ready, session_interface=interface))


PATHS = {
    "a whole life": _life,
    "a rotation": _rotation,
    "refused cookies": _refused,
    "signed junk": _signed_junk,
    "cannot be saved": _cannot_be_saved,
    "cannot be opened": _cannot_be_opened,
    "too late": _too_late,
    "broken applications": _broken_applications,
    "warnings": _warnings,
    "wrong settings": _wrong_settings,
    "no key": _no_key,
    "what lies within": _what_lies_within,
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_nothing_leaks(path: Callable[[Witness], None], witness: Witness) -> None:
    """On no path does a log record, an error or a repr hold a cookie's value, a key, or what the session holds."""
    path(witness)
    assert witness.find_leaks() == []
    assert witness.heard


def test_every_refusal_is_a_path() -> None:
    """Every reason for which a cookie is refused is on the path above."""
    assert set(REFUSED) == set(RejectReason)


@pytest.mark.parametrize("reason", REFUSED)
def test_every_refusal_is_reached(reason: RejectReason, witness: Witness) -> None:
    """The cookie that stands for a reason is refused for that reason, and the log says so and no more."""
    witness.visit(_site(make_interface(Revoking)), cookie=f"session={REFUSED[reason]()}")
    assert f"session cookie rejected: {reason.value}" in witness.heard


@pytest.mark.parametrize("leak", ["%s", "%r", "header: session=%s; a=b"])
@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.ERROR])
def test_a_leak_is_found(leak: str, level: int, witness: Witness) -> None:
    """The witness hears an interface that does log a cookie, on whichever level and logger."""

    class Leaking(SecureCookieSessionInterface):
        def cookie_rejected(self, settings: Settings, request: Request, reason: RejectReason) -> None:
            logging.getLogger("any.logger").log(level, leak, request.environ["HTTP_COOKIE"].partition("=")[2])

    witness.visit(_site(make_interface(Leaking)), cookie=f"session={REFUSED[RejectReason.IDLE]()}")
    assert witness.find_leaks()


@pytest.mark.parametrize("secret", [KEY, FALLBACK, VALUE, repr(KEY.encode()), KEY.encode().hex()])
def test_a_leaking_error_is_found(secret: str, witness: Witness) -> None:
    """The witness reads an error, and what it was raised from, be it hidden by ``from None``."""

    def fail() -> None:
        try:
            raise ValueError(f"the secret is {secret}")
        except ValueError:
            raise OSError("nothing to see here") from None

    witness.call(fail)
    assert witness.find_leaks()
