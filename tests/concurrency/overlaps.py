"""A slow request overlaps one that ends or renews its session: nothing comes back, nothing acknowledged is lost.

In a third of the rounds the slow request saves only after the other has answered; in the others both run at once.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from handstamp import SessionEnded
from handstamp.serverside import ServerSideSessionInterface
from tests.support.databases import DATABASES

from .servers import running
from .sites import SITES, Client, end

PATIENCE = 60  # seconds

Action = Callable[[Any], Any]


class Overlap:
    """Two visitors with one session, round after round.

    :ivar results: how often what happened
    """

    def __init__(self, name: str, url: str) -> None:
        self.slow, self.fast = Client(SITES[name], url), Client(SITES[name], url)
        self.results: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(2)

    def meet(self, begin: Action, slow: Action, fast: Action) -> None:
        """Let a slow request and a fast one meet in one session; count what the slow one was told."""
        self.slow.cookie = ""
        self.slow.visit(begin)
        self.fast.cookie = self.old = self.slow.cookie
        opened, gate = Event(), Event()

        def hesitate(session: Any) -> None:
            session.get("user")
            opened.set()
            gate.wait(PATIENCE)
            slow(session)

        told = self._pool.submit(self._is_saved, hesitate)
        opened.wait(PATIENCE)
        if random.randrange(3):
            gate.set()
        self._pool.submit(self.fast.visit, fast).result(PATIENCE)
        gate.set()
        self.is_saved = told.result(PATIENCE)
        self.results["rounds"] += 1
        self.results["acknowledged" if self.is_saved else "refused"] += 1

    def look(self, cookie: str) -> dict[str, Any]:
        """Return what a cookie opens."""
        self.fast.cookie = cookie
        found = self.fast.visit(
            lambda session: {key: session[key] for key in ("user", "slow", "fast") if key in session}
        )
        return dict(found)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _is_saved(self, action: Action) -> bool:
        try:
            self.slow.visit(action)
        except SessionEnded:
            return False
        return True


# -- what meets what --------------------------------------------------------------------------------------------------


def sign_in(session: Any) -> None:
    """Begin a session."""
    session["user"] = "ada"


def put(key: str) -> Action:
    """Return what writes a key."""
    return lambda session: session.__setitem__(key, 1)


def meet_logout(overlap: Overlap) -> None:
    """Let a write meet a logout: afterwards no cookie opens anything."""
    overlap.meet(sign_in, put("slow"), end)
    if any(map(overlap.look, filter(None, (overlap.old, overlap.slow.cookie)))):
        overlap.results["brought back"] += 1


def _renew(session: Any) -> None:
    session.renew()
    session["fast"] = 1


def meet_renew(overlap: Overlap) -> None:
    """Let a write meet a renewal: the new cookie opens every acknowledged write, the old one nothing."""
    overlap.meet(sign_in, put("slow"), _renew)
    new = overlap.fast.cookie
    expected = {"user": "ada", "fast": 1} | ({"slow": 1} if overlap.is_saved else {})
    overlap.results["lost"] += overlap.look(new) != expected
    overlap.results["brought back"] += bool(overlap.look(overlap.old)) or overlap.slow.cookie != overlap.old


def meet_end_all(overlap: Overlap) -> None:
    """Let a renewal meet the end of all sessions of its owner: afterwards there are none."""
    owner = f"owner {random.getrandbits(64)}"
    interface: ServerSideSessionInterface = overlap.fast.app.session_interface

    def begin(session: Any) -> None:
        sign_in(session)
        session.owner = owner

    overlap.meet(begin, _renew, lambda session: interface.end_all(owner))
    opened = any(map(overlap.look, {overlap.old, overlap.slow.cookie}))
    overlap.results["brought back"] += opened or bool(interface.sessions(owner))


MEETINGS: dict[str, Callable[[Overlap], None]] = {
    "logout": meet_logout,
    "renew": meet_renew,
    "end_all": meet_end_all,
}


def count(name: str, url: str, meeting: str, rounds: int) -> Counter[str]:
    """Let a meeting happen many times; return how often what happened."""
    overlap = Overlap(name, url)
    try:
        for _ in range(rounds):
            MEETINGS[meeting](overlap)
    finally:
        overlap.close()
    return overlap.results


def main(arguments: Sequence[str]) -> None:
    """Print what becomes of the sessions."""
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency overlaps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--meetings", nargs="+", choices=MEETINGS, default=list(MEETINGS))
    parser.add_argument("--sites", nargs="+", choices=("handstamp", "flask-session", "beaker"), default=["handstamp"])
    parser.add_argument("--store", default="redis", choices=["redis", *DATABASES])
    options = parser.parse_args(arguments)
    with running(options.store) as url:
        for name in options.sites:
            for meeting in options.meetings:
                print(f"{name:14} {meeting:8}", dict(count(name, url, meeting, options.rounds)), flush=True)
