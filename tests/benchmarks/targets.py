"""The targets that handstamp is held to: each a ratio within the run, measured on Python 3.13."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .contestants import Contestant, Kind

if TYPE_CHECKING:
    from .measure import Key, Results

OURS = "handstamp"
Contestants = Mapping[str, Contestant]
Opponent = Callable[["Results", Contestants, str], "Key | None"]


def against(key: str) -> Opponent:
    """Compare with one contestant in the same case."""
    return lambda results, contestants, letter: (letter, key)


def against_best(*kinds: Kind) -> Opponent:
    """Compare with the fastest raced contestant of these kinds in the same case."""

    def choose(results: Results, contestants: Contestants, letter: str) -> Key | None:
        raced = [
            (letter, key)
            for key, contestant in contestants.items()
            if contestant.kind in kinds and letter not in contestant.shown_only
        ]
        measured = [key for key in raced if not math.isnan(results.overhead(key))]
        return min(measured, key=results.overhead, default=None)

    return choose


def against_own(letter: str) -> Opponent:
    """Compare with our own figure in another case."""
    return lambda results, contestants, _: (letter, OURS)


@dataclass(frozen=True)
class Target:
    """In each of `cases`, handstamp's overhead is to be at most `at_most` times that of the opponent.

    The braces in the title stand for the key of an opponent that is chosen only by the results.
    """

    cases: str
    title: str
    opponent: Opponent
    at_most: float


TARGETS = (
    Target("ab", "a pass-through closure", against("pass-through"), 3.5),
    Target("ab", "Beaker", against("beaker"), 0.65),
    Target("c", "the limit", against("limit"), 1.5),
    Target("d", "the limit", against("limit"), 1.3),
    Target("e", "the limit", against("limit"), 1.5),
    Target("f", "the limit, zlib likewise", against("limit"), 1.25),
    Target("g", "the limit, zlib likewise", against("limit"), 1.2),
    Target("hi", "the limit", against("limit"), 2.5),
    Target("cdefghijk", "the best WSGI peer, {}", against_best(Kind.WSGI), 0.5),
    Target("abcdefghijk", "the best peer of all, {}", against_best(Kind.WSGI, Kind.ASGI), 1.0),
    Target("j", "our own read (c)", against_own("c"), 1.2),
    Target("k", "webob's parser", against("webob-parser"), 0.01),
)


@dataclass(frozen=True)
class Verdict:
    """One target in one case: who the opponent was, and the ratio to it."""

    letter: str
    title: str
    opponent: str
    at_most: float
    ratio: float

    @property
    def met(self) -> bool:
        """Say whether the target is met."""
        return self.ratio <= self.at_most


def judge(results: Results, contestants: Contestants) -> Iterator[Verdict]:
    """Judge every target whose two sides were measured."""
    for target in TARGETS:
        for letter in target.cases:
            opponent = target.opponent(results, contestants, letter)
            if opponent is None:
                continue
            ratio = results.ratio((letter, OURS), opponent)
            if not math.isnan(ratio):
                yield Verdict(letter, target.title.format(opponent[1]), opponent[1], target.at_most, ratio)
