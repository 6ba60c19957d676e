"""The whole truth about caches: whatever is done to a session, and whatever the application says of caching itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.support.constants import DAY, KEY, OLD_KEY, START
from tests.support.cookie_kinds import stamp
from tests.support.site import Site
from tests.support.wsgi import TEXT, Headers

pytestmark = pytest.mark.usefixtures("kind")


class Deed(NamedTuple):
    """What a visit does to a session, and what must come of it."""

    action: Callable[[Any], object]
    varies: bool = True
    is_written: bool = False
    age: int = 0
    key: str = KEY


def _nothing(session: Any) -> None:
    pass


READS: dict[str, Callable[[Any], object]] = {
    "get": lambda s: s.get("user"),
    "[]": lambda s: s["user"],
    "in": lambda s: "user" in s,
    "len": len,
    "bool": bool,
    "iteration": list,
    "==": lambda s: s == {},
    "new": lambda s: s.new,
    "created": lambda s: s.created,
    "permanent": lambda s: s.permanent,
}

DEEDS = {
    "untouched": Deed(_nothing, varies=False),
    "untouched, old": Deed(_nothing, varies=False, age=2 * DAY),
    "untouched, old key": Deed(_nothing, varies=False, key=OLD_KEY),
    **{f"read by {way}": Deed(read) for way, read in READS.items()},
    "modified": Deed(lambda s: s.update(user="Eve"), is_written=True),
    "refreshed": Deed(lambda s: s.get("user"), is_written=True, age=2 * DAY),
    "deleted": Deed(lambda s: s.clear(), is_written=True),
    "invalidated": Deed(lambda s: s.invalidate(), is_written=True),
    "renewed": Deed(lambda s: s.renew(), is_written=True),
    "asked for accessed": Deed(lambda s: s.accessed, varies=False),
    "asked for modified": Deed(lambda s: s.modified, varies=False),
    "shown": Deed(repr, varies=False),
    "discarded": Deed(lambda s: setattr(s, "modified", False), varies=False),
    "changed and discarded": Deed(lambda s: (s.clear(), setattr(s, "modified", False))),
    "forced": Deed(lambda s: setattr(s, "modified", True), is_written=True),
    "old key": Deed(lambda s: s.get("user"), is_written=True, key=OLD_KEY),
}

#: What the application says of Vary, and what goes out if the session was touched.
VARY: dict[str, tuple[list[str], list[str]]] = {
    "no Vary": ([], ["Cookie"]),
    "Vary: Accept": (["Accept"], ["Accept, Cookie"]),
    "Vary: Cookie": (["Cookie"], ["Cookie"]),
    "Vary: *": (["*"], ["*"]),
    "several lines": (["Accept", "Origin, cookie", "DNT"], ["Accept", "Origin, cookie", "DNT"]),
    "several lines without": (["Accept", "Origin"], ["Accept", "Origin, Cookie"]),
}

#: What the application says of Cache-Control, and what goes out with a Set-Cookie of ours.
CACHE_CONTROL: dict[str, tuple[list[str], list[str]]] = {
    "no Cache-Control": ([], ["private"]),
    "public": (["public, max-age=60"], ["public, max-age=60"]),
    "private": (["private, max-age=60"], ["private, max-age=60"]),
    "no-store": (["no-store"], ["no-store"]),
}


@pytest.mark.parametrize(("caching", "caching_written"), CACHE_CONTROL.values(), ids=CACHE_CONTROL)
@pytest.mark.parametrize(("vary", "vary_touched"), VARY.values(), ids=VARY)
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_truth_table(
    deed: Deed, vary: list[str], vary_touched: list[str], caching: list[str], caching_written: list[str]
) -> None:
    """Vary names Cookie exactly if the session was touched, and Cache-Control is ours exactly if it was not said."""
    said = [*TEXT, *(("Vary", value) for value in vary), *(("Cache-Control", value) for value in caching)]
    site = Site({"SECRET_KEY_FALLBACKS": [OLD_KEY]}, headers=said)
    site.clock.tick(deed.age)
    answer = site.visit(deed.action, HTTP_COOKIE=f"session={stamp({'user': 'Ada'}, key=deed.key)}")
    assert answer.every("Vary") == (vary_touched if deed.varies else vary)
    assert answer.every("Cache-Control") == (caching_written if deed.is_written else caching)
    assert len(answer.cookies) == deed.is_written


@pytest.mark.parametrize("deed", [deed for deed in DEEDS.values() if not deed.varies])
def test_untouched_is_cached_for_all(deed: Deed) -> None:
    """A page that leaves the session alone goes out as the application made it, so that a cache may keep it for all."""
    said: Headers = [*TEXT, ("Cache-Control", "public, max-age=60"), ("ETag", '"1"')]
    site = Site({"SECRET_KEY_FALLBACKS": [OLD_KEY]}, headers=said)
    site.clock.tick(deed.age)
    answer = site.visit(deed.action, HTTP_COOKIE=f"session={stamp({'user': 'Ada'}, at=START, key=deed.key)}")
    assert answer.headers == said


@pytest.mark.parametrize("header", ["", "session=junk", "other=1"])
@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_without_a_session(read: Callable[[Any], object], header: str) -> None:
    """A visitor without a session, or with a refused one, is answered for this visitor alone as well."""

    def look(session: Any) -> None:
        try:
            read(session)
        except KeyError:
            return

    answer = Site().visit(look, **({"HTTP_COOKIE": header} if header else {}))
    assert (answer.every("Vary"), answer.every("Cache-Control"), answer.cookies) == (["Cookie"], [], [])
