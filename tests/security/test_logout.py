"""A slow response and a logout: what a cookie alone promises, what not, and how ``validate_session`` closes the gap.

A request is slow if another one of the same browser comes and goes while the application is still at work on it; its
Set-Cookie then reaches the browser last.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple, Self

import pytest

from handstamp import SessionInterface
from tests.support.constants import DAY, HOUR
from tests.support.cookie_kinds import make_interface
from tests.support.paths import ROOT
from tests.support.site import Action, Site
from tests.support.wsgi import Answer

pytestmark = pytest.mark.usefixtures("kind")


README = ROOT / "README.rst"


def run_recipe() -> dict[str, Any]:
    """Run the README's recipe, as it stands there, and return what it defines."""
    blocks = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README.read_text("utf-8"), re.MULTILINE)
    (recipe,) = [block for block in blocks if "valid_after" in block]
    names: dict[str, Any] = {}
    exec(textwrap.dedent(recipe), names)
    return names


def read_end(session: Any, now: float) -> datetime:
    """Return the time that the README's formula gives, as it stands there, at a time between two whole seconds."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(now, tz)

    (formula,) = re.findall(r"``valid_after\[user\] = (.*?)``", README.read_text("utf-8"))
    end: datetime = eval(formula, {"datetime": Stopped, "UTC": UTC, "timedelta": timedelta, "session": session})
    return end


def _sign_in(session: Any) -> None:
    session["user"] = "Ada"
    session.renew()


def _sign_out(session: Any) -> None:
    session.invalidate()


def _user(session: Any) -> Any:
    return session.get("user")


def _write(session: Any) -> None:
    session["seen"] = session.get("seen", 0) + 1


def signed_in(interface: SessionInterface | None = None) -> Site:
    """Return a site whose browser has just signed in."""
    site = Site(interface=interface)
    site.visit(_sign_in)
    site.clock.tick(1)
    return site


def visit_slowly(site: Site, action: Action, meanwhile: Callable[[], object]) -> Answer:
    """Have a request read its session, then something happen, then the action done and the response arrive."""

    def work(session: Any) -> object:
        assert session["user"] == "Ada"
        meanwhile()
        site.clock.tick(5)
        return action(session)

    return site.visit(work)


# -- what is promised -------------------------------------------------------------------------------------------------


def test_logout() -> None:
    """A logout deletes the cookie and drops the data: the next request of that browser has none."""
    site = signed_in()
    answer = site.visit(_sign_out)
    assert (answer.token, answer.attributes["max-age"]) == ("", "0")
    assert (site.visit(_user).result, site.visitor.jar) == (None, {})


@pytest.mark.parametrize("action", [_user, len, lambda s: s.update(user="Ada"), lambda s: s.created])
def test_slow_reader(action: Action) -> None:
    """A slow response that has changed nothing sets no cookie, and so undoes no logout."""
    site = signed_in()
    assert visit_slowly(site, action, lambda: site.visit(_sign_out)).cookies == []
    assert site.visit(_user).result is None


def test_slow_logout() -> None:
    """A slow logout ends what another response has written meanwhile as well: it arrives last."""
    site = signed_in()
    visit_slowly(site, _sign_out, lambda: site.visit(_write))
    assert site.visit(_user).result is None


def test_slow_discard() -> None:
    """A slow response that discards its change undoes no logout either."""
    site = signed_in()
    visit_slowly(site, lambda s: (_write(s), setattr(s, "modified", False)), lambda: site.visit(_sign_out))
    assert site.visit(_user).result is None


# -- what is not ------------------------------------------------------------------------------------------------------


def test_slow_writer() -> None:
    """Not promised: a slow response that has changed the session brings back what a logout has ended meanwhile."""
    site = signed_in()
    visit_slowly(site, _write, lambda: site.visit(_sign_out))
    assert site.visit(_user).result == "Ada"


def test_slow_refresh() -> None:
    """Not promised: so does one that only reads a session whose token needs a reissue."""
    site = signed_in()
    site.clock.tick(2 * DAY)
    visit_slowly(site, _user, lambda: site.visit(_sign_out))
    assert site.visit(_user).result == "Ada"


def test_copied_cookie() -> None:
    """Not promised: a copy of the cookie is good until its limits, whatever the browser it came from has done."""
    site = signed_in()
    copy = site.visitor.cookie_header()
    site.visit(_sign_out)
    assert site.visit(_user, HTTP_COOKIE=copy).result == "Ada"


def test_last_writer() -> None:
    """Not promised: of two responses under way at once, the last one's session is the one that stays, whole."""
    site = signed_in()
    visit_slowly(site, _write, lambda: site.visit(lambda s: s.update(basket=["apple"])))
    assert site.visit(lambda s: ("basket" in s, s["seen"])).result == (False, 1)


# -- the recipe that closes it ----------------------------------------------------------------------------------------


class Revocable(NamedTuple):
    """A site with the recipe, whose browser has just signed in."""

    site: Site
    valid_after: dict[str, datetime]

    @classmethod
    def make(cls) -> Revocable:
        names = run_recipe()
        return cls(signed_in(make_interface(names["RevocableInterface"])), names["valid_after"])

    def end_all(self, user: str, session: Any) -> None:
        """End every session of a user, the one at hand too, as the README tells it."""
        self.valid_after[user] = read_end(session, self.site.clock() + 0.5)

    def sign_out(self) -> None:
        """Sign out, and end every other session as well."""
        self.site.visit(lambda session: (self.end_all(session["user"], session), session.invalidate()))

    def sign_out_everywhere(self) -> None:
        """End every session of the user, and leave the cookie of the one at hand where it is."""
        self.site.visit(lambda session: self.end_all(session["user"], session))


@pytest.mark.parametrize("age", [0, 2 * DAY], ids=["fresh", "due"])
@pytest.mark.parametrize("action", [_user, _write, lambda s: s.update(user="Ada", more=[1])])
def test_slow_response_revives_nothing(action: Action, age: int) -> None:
    """With the recipe a slow response may set its cookie: what it brings back is refused."""
    recipe = Revocable.make()
    site = recipe.site
    site.clock.tick(age)
    visit_slowly(site, action, recipe.sign_out)
    assert site.visit(_user).result is None


def test_copied_cookie_is_dead() -> None:
    """With the recipe a copy of the cookie dies with the logout, on whichever machine it is used."""
    recipe = Revocable.make()
    site = recipe.site
    copy = site.visitor.cookie_header()
    recipe.sign_out()
    assert site.visit(_user, HTTP_COOKIE=copy).result is None


def test_nothing_of_it_is_signed_again() -> None:
    """With the recipe a write on top of what was brought back begins a session that holds nothing of it."""
    recipe = Revocable.make()
    site = recipe.site
    visit_slowly(site, _write, recipe.sign_out)
    site.visit(lambda s: s.update(n=1))
    assert site.visit(dict).result == {"n": 1}


def test_signing_in_again() -> None:
    """With the recipe whoever signs in again, later than in the same second, is in, and stays in."""
    recipe = Revocable.make()
    site = recipe.site
    recipe.sign_out()
    site.clock.tick(1)
    site.visit(_sign_in)
    site.clock.tick(HOUR)
    assert site.visit(_user).result == "Ada"


@pytest.mark.parametrize("ahead", [0, 1, 60])
def test_signed_out_everywhere(ahead: int) -> None:
    """With the recipe the session at hand ends too, though the clock that began it be a minute ahead of this one."""
    recipe = Revocable.make()
    site = recipe.site
    site.clock.tick(ahead)
    site.visit(_sign_in)
    site.clock.tick(-ahead)
    recipe.sign_out_everywhere()
    assert site.visit(_user).result is None


@pytest.mark.parametrize("age", [0, HOUR])
def test_signed_out_everywhere_and_in_again(age: int) -> None:
    """With the recipe a sign-in in the next second is in, however young the session was that ended."""
    recipe = Revocable.make()
    site = recipe.site
    site.visit(_sign_in)
    site.clock.tick(age)
    recipe.sign_out_everywhere()
    assert site.visit(_user).result is None
    site.clock.tick(1)
    site.visit(_sign_in)
    assert site.visit(_user).result == "Ada"


def test_signing_in_within_the_second() -> None:
    """With the recipe a sign-in in the second of the logout is ended too: times are whole, and no doubt is a pass."""
    recipe = Revocable.make()
    site = recipe.site
    recipe.sign_out()
    site.visit(_sign_in)
    assert site.visit(_user).result is None


def test_slow_sign_in() -> None:
    """With the recipe a sign-in that outlasts a logout is a new session: the password was given, so it is good."""
    recipe = Revocable.make()
    site = recipe.site
    visit_slowly(site, _sign_in, recipe.sign_out)
    assert site.visit(_user).result == "Ada"


def test_others_stay() -> None:
    """With the recipe nobody else is logged out."""
    recipe = Revocable.make()
    site = recipe.site
    site.visit(lambda session: recipe.end_all("Eve", session))
    assert site.visit(_user).result == "Ada"
