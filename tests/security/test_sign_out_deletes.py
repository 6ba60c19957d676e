"""Signing out deletes the cookie whenever the browser sent one, even one that is rejected: others may accept it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handstamp import SessionInterface
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from handstamp.testing import FrozenClock
from tests.support import cookie_kinds
from tests.support.constants import DAY, HOUR, OLD_KEY, SETTINGS, START
from tests.support.cookie_kinds import make_interface
from tests.support.site import Action, Site
from tests.support.wsgi import Answer

Make = Callable[[], SessionInterface]


@pytest.fixture(params=["signed", "encrypted", "server-side"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make interfaces of a kind, which share a store if they have one."""
    if request.param == "server-side":
        store = MemoryStore()
        yield lambda: ServerSideSessionInterface(store)
    else:
        with cookie_kinds.testing(request.param):
            yield make_interface


#: What applications sign out with.
SIGN_OUTS: dict[str, Action] = {
    "invalidate": lambda session: session.invalidate(),
    "clear": lambda session: session.clear(),
    "emptied": lambda session: (session.update(user="Ada"), session.pop("user")),
    "popitem": lambda session: (session.update(user="Ada"), session.popitem()),
    "del": lambda session: (session.update(user="Ada"), session.__delitem__("user")),
    "written, then cleared": lambda session: (session.update(user="Ada"), session.clear()),
    "looked, then invalidated": lambda session: (dict(session), session.invalidate()),
    "invalidated twice": lambda session: (session.invalidate(), session.invalidate()),
}
each_sign_out = pytest.mark.parametrize("sign_out", SIGN_OUTS.values(), ids=SIGN_OUTS)


def begin(make: Make, clock: FrozenClock, **settings: Any) -> str:
    """Sign a visitor in at a machine; return the cookie."""
    site = Site(settings, make(), clock=clock)
    site.visit(lambda session: session.update(user="Ada"))
    return site.visitor.cookie_header()


def deletes(answer: Answer) -> bool:
    """Tell whether a response deletes the cookie; else it sets none."""
    return bool(answer.cookies) and answer.attributes.get("max-age") == "0" and answer.token == ""


#: Why a machine rejects what another one accepts: the settings of both, and by how far its clock is behind.
MACHINES: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "clocks 90 s apart": ({}, {}, 90),
    "without the newer key": ({"SECRET_KEY": OLD_KEY}, {}, 0),
    "with a shorter limit": ({}, {"SESSION_IDLE_LIFETIME": HOUR}, -2 * HOUR),
}


@each_sign_out
@pytest.mark.parametrize("case", MACHINES.values(), ids=MACHINES)
def test_rejected_here(make: Make, sign_out: Action, case: tuple[dict[str, Any], dict[str, Any], int]) -> None:
    """A cookie that this machine rejects is deleted when its visitor signs out here."""
    theirs, ours, behind = case
    clock = FrozenClock(START)
    cookie = begin(make, clock, **theirs)
    here = Site(ours, make(), clock=FrozenClock(clock() - behind))
    assert here.visit(dict, HTTP_COOKIE=cookie).result == {}
    assert deletes(here.visit(sign_out, HTTP_COOKIE=cookie))


@each_sign_out
def test_refused_by_the_application(make: Make, sign_out: Action) -> None:
    """So is one that ``validate_session`` refuses."""
    clock = FrozenClock(START)
    cookie = begin(make, clock)
    site = Site(None, make(), clock=clock)
    site.interface.validate_session = lambda settings, session: False  # type: ignore[method-assign]
    assert deletes(site.visit(sign_out, HTTP_COOKIE=cookie))


@each_sign_out
@pytest.mark.parametrize("value", ["", "x", "x" * 5000, '"'])
def test_junk(make: Make, sign_out: Action, value: str) -> None:
    """So is anything else under our name."""
    assert deletes(Site(None, make()).visit(sign_out, HTTP_COOKIE=f"a=1; session={value}"))


@each_sign_out
def test_accepted(make: Make, sign_out: Action) -> None:
    """A session that is found here ends, and its cookie, which opens nothing on a server from then on."""
    clock = FrozenClock(START)
    cookie = begin(make, clock)
    site = Site(None, make(), clock=clock)
    assert deletes(site.visit(lambda session: (session.clear(), sign_out(session)), HTTP_COOKIE=cookie))
    if isinstance(site.interface, ServerSideSessionInterface):
        assert site.visit(lambda session: (dict(session), session.new), HTTP_COOKIE=cookie).result == ({}, True)


@each_sign_out
@pytest.mark.parametrize("header", ["", "a=1", "session2=x", "other=session"])
def test_no_cookie(make: Make, sign_out: Action, header: str) -> None:
    """Where the browser sent none of ours, none is deleted."""
    answer = Site(None, make()).visit(sign_out, **({"HTTP_COOKIE": header} if header else {}))
    assert answer.cookies == []


@pytest.mark.parametrize(
    "action",
    [
        dict,
        lambda session: session.pop("user", None),
        lambda session: session.renew(),
        lambda session: (session.invalidate(), setattr(session, "modified", False)),
    ],
    ids=["read", "popped what was not there", "renewed", "discarded"],
)
def test_left_alone(make: Make, action: Action) -> None:
    """A rejected cookie is left with the browser by everything else."""
    assert Site(None, make()).visit(action, HTTP_COOKIE="session=x").cookies == []


def test_begun_again(make: Make) -> None:
    """What is written after a sign-out begins a session, and no deletion goes with it."""
    site = Site(None, make())
    answer = site.visit(lambda session: (session.invalidate(), session.update(user="Eve")), HTTP_COOKIE="session=x")
    assert not deletes(answer)
    assert site.visit(dict).result == {"user": "Eve"}


# -- on a server ------------------------------------------------------------------------------------------------------


def test_emptied_record_is_gone() -> None:
    """A session on a server that a request empties has ended, owner or not: its record is gone."""
    interface = ServerSideSessionInterface(MemoryStore())
    site = Site(None, interface)
    site.visit(lambda session: (session.update(user="Ada"), setattr(session, "owner", 7)))
    assert deletes(site.visit(lambda session: session.clear()))
    assert interface.sessions(7) == []


def test_owner_alone_is_kept() -> None:
    """One that holds an owner and nothing else is kept, and so is one that gets an owner after it was emptied."""
    interface = ServerSideSessionInterface(MemoryStore())
    site = Site(None, interface)
    site.visit(lambda session: setattr(session, "owner", 7))
    assert site.visit(lambda session: session.owner).result == 7
    site.visit(lambda session: session.update(a=1))
    site.visit(lambda session: (session.clear(), setattr(session, "owner", 8)))
    assert site.visit(lambda session: (session.owner, dict(session))).result == (8, {})


def test_no_owner_keeps_nothing() -> None:
    """Taking the owner away keeps no session that was emptied."""
    site = Site({**SETTINGS, "SESSION_IDLE_LIFETIME": DAY}, ServerSideSessionInterface(MemoryStore()))
    site.visit(lambda session: (session.update(user="Ada"), setattr(session, "owner", 7)))
    assert deletes(site.visit(lambda session: (session.clear(), setattr(session, "owner", None))))
