"""The cases (a) to (k): what the visitor brings, and what the application does with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .application import LIFETIME, Action, cookie_pair, mint, request

if TYPE_CHECKING:
    from .contestants import Contestant

SMALL = {"user": 4711, "name": "Ada Byron", "roles": ["editor", "admin"], "visits": 3, "lang": "en"}  # 82 bytes of JSON
WRITTEN = 4
NEW = {"user": 4711, "csrf": "0123456789abcdef0123456789ABCDEF", "recent": [3, 1, 4, 1, 5]}
FOREIGN = "; ".join(
    f"{name}{number}={value}"
    for number in range(5)
    for name, value in (
        ("_ga_", "GS2.1.s1760000000$o7$g1$t1760000321$j60$l0$h0"),
        ("consent-", "%7B%22ads%22%3Afalse%2C%22stats%22%3Atrue%7D"),
        ("theme", "dark"),
        ("_fbp", "fb.1.1760000000000.1234567890"),
    )
)
WORDS = ["linen", "cotton", "woollen", "summer", "winter", "shirt", "jacket", "scarf", "blue", "green"]
WORDS += ["striped", "small", "large", "classic"]
JUNK = "x" * 16 * 1024  # one run without an equals sign, the worst that a regular expression can be given


def make_large() -> dict[str, Any]:
    """Make a session of 2,452 bytes of JSON: a shopping basket, which zlib takes to a good 1,000 bytes."""
    source = random.Random(2452)
    basket = [
        {
            "ref": f"{source.getrandbits(256):064x}",
            "title": " ".join(source.sample(WORDS, 4)),
            "price": source.randrange(500, 20_000),
            "count": source.randrange(1, 4),
            "options": {"size": source.choice("SML"), "gift": source.random() < 0.2, "note": None},
        }
        for _ in range(11)
    ]
    seen = [source.randrange(10**9) for _ in range(27)]
    return {**SMALL, "basket": basket, "ids": seen, "csrf": f"{source.getrandbits(256):064x}"}


LARGE = make_large()


def read(session: Any) -> None:
    """Read one key that holds an immutable value."""
    session.get("user")


def write(session: Any) -> None:
    """Write one key; the value is never the one that the cookie holds."""
    session["visits"] = WRITTEN


def fill(session: Any) -> None:
    """Begin a session."""
    session["user"] = 4711
    session["csrf"] = "0123456789abcdef0123456789ABCDEF"
    session["recent"] = [3, 1, 4, 1, 5]


NOTHING, READ, WRITE, FILL = Action(), Action(read), Action(write, writes=True), Action(fill, writes=True)


def tampered(pair: str) -> str:
    """Change one character in the middle of a value, and leave it well-formed."""
    middle = len(pair) // 2 + next(i for i, char in enumerate(pair[len(pair) // 2 :]) if char.isalnum())
    return pair[:middle] + ("A" if pair[middle] != "A" else "B") + pair[middle + 1 :]


@dataclass(frozen=True)
class Case:
    """One kind of request: the session that the visitor carries, its age, its company in the header, and the action."""

    letter: str
    title: str
    action: Action
    carried: dict[str, Any] | None = None
    age: float = 5  # seconds; Pyramid's default signs every cookie again that is older than a second
    header: Callable[[str], str] = str
    seen: dict[str, Any] = field(default_factory=dict)  # what the application must find
    kept: dict[str, Any] | None = None  # what the next request must find, if a cookie was set

    def cookie_header(self, contestant: Contestant) -> str:
        """Make the Cookie header of this case, with a cookie that the contestant reads."""
        if self.carried is None:
            return ""
        return self.header(mint(contestant.cookie_maker, self.carried, self.age))


CASES = {
    case.letter: case
    for case in (
        Case("a", "no cookie", NOTHING),
        Case("b", "untouched", NOTHING, SMALL, seen=SMALL),
        Case("c", "read", READ, SMALL, seen=SMALL),
        Case("d", "write", WRITE, SMALL, seen=SMALL, kept=SMALL | {"visits": WRITTEN}),
        Case("e", "new", FILL, kept=NEW),
        Case("f", "2.5 KB read", READ, LARGE, seen=LARGE),
        Case("g", "2.5 KB write", WRITE, LARGE, seen=LARGE, kept=LARGE | {"visits": WRITTEN}),
        Case("h", "tampered", READ, SMALL, header=tampered),
        Case("i", "expired", READ, SMALL, age=LIFETIME + 3600),
        Case("j", "20 cookies", READ, SMALL, header=f"{FOREIGN}; {{}}".format, seen=SMALL),
        Case("k", "16 KB junk", READ, SMALL, header=f"{JUNK}; {{}}".format, seen=SMALL),
    )
}


def look(contestant: Contestant, cookie_header: str) -> dict[str, Any]:
    """Ask a contestant which session an application finds under a Cookie header."""
    found: dict[str, Any] = {}

    def note(session: Any) -> None:
        found.update((key, session[key]) for key in (*LARGE, *NEW) if key in session)

    request(contestant.build(Action(note)), cookie_header)
    return found


def does_the_work(contestant: Contestant, case: Case) -> bool:
    """Prove that the contestant really finds what the visitor carries, and really keeps what is written."""
    header = case.cookie_header(contestant)
    if look(contestant, header) != case.seen:
        return False
    if case.kept is None:
        return True
    return look(contestant, cookie_pair(request(contestant.build(case.action), header))) == case.kept
