"""Measure all contestants in one process, interleaved, so that what disturbs one disturbs its neighbours too.

A *cell* is one contestant in one case. A round visits every case in random order, and within a case every contestant
in random order, each for a slice of about a millisecond, after a few requests that are not timed: they find the caches
full of another contestant's code. From each slice the bare application's slice of the same case and round is
subtracted. What carries over to another machine are the ratios: each is taken within one round, where both sides met
the same machine, and reported is the median over the rounds.
"""

from __future__ import annotations

import gc
import math
import os
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from statistics import median
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .application import make_request
from .contestants import BARE

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication, WSGIEnvironment

    from .cases import Case
    from .contestants import Contestant

Key = tuple[str, str]  # the letter of a case, the key of a contestant

SLICE = 1_000_000  # ns
PATIENCE = 5_000_000_000  # ns for one cell in the whole run; a slower one takes part in the first rounds only
LEAST_ROUNDS = 3
FRESH = 60  # seconds; then new cookies are minted, so that none reaches the age at which a contestant signs it again
WARM_UP = 200  # calls at most, and half a second
UNTIMED = 5  # calls before each slice, of those cells that have room for more than one in a slice


def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    """Take the head of a response as a server would, and do nothing with it."""


def time_slice(app: Any, environ: WSGIEnvironment, calls: int) -> int:
    """Send `calls` requests, each with its own environ, read and close each body; return the nanoseconds."""
    begin = time.perf_counter_ns()
    for _ in repeat(None, calls):
        body = app(environ.copy(), start_response)
        b"".join(body)
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return time.perf_counter_ns() - begin


def own_time_slice() -> Callable[[Any, WSGIEnvironment, int], int]:
    """Copy `time_slice`: the interpreter adapts a function to what it is called with, so no two cells may share one."""
    return FunctionType(time_slice.__code__.replace(), time_slice.__globals__)


@dataclass
class Cell:
    """One contestant in one case."""

    contestant: Contestant
    case: Case
    app: WSGIApplication = field(init=False)
    environ: WSGIEnvironment = field(init=False)
    time_slice: Callable[[Any, WSGIEnvironment, int], int] = field(default_factory=own_time_slice, init=False)
    calls: int = field(default=1, init=False)
    rounds: float = field(default=math.inf, init=False)

    def __post_init__(self) -> None:
        self.app = self.contestant.build(self.case.action)
        self.freshen()
        self.calibrate()

    @property
    def key(self) -> Key:
        """Name the cell."""
        return self.case.letter, self.contestant.key

    def freshen(self) -> None:
        """Take a new cookie."""
        self.environ = make_request(self.case.cookie_header(self.contestant))

    def calibrate(self) -> None:
        """Warm the cell up, find how many calls make a slice, and in how many rounds it may take part."""
        deadline = time.perf_counter() + 0.5
        costs = [self.time_slice(self.app, self.environ, 1)]
        while len(costs) < WARM_UP and time.perf_counter() < deadline:
            costs.append(self.time_slice(self.app, self.environ, 1))
        cost = median(costs)
        self.calls = max(1, round(SLICE / cost))
        self.rounds = max(LEAST_ROUNDS, PATIENCE // (cost * self.calls))

    def sample(self) -> float:
        """Return the microseconds of one request, without the cyclic collector."""
        gc.collect()
        gc.disable()
        try:
            if self.calls > 1:
                self.time_slice(self.app, self.environ, UNTIMED)
            return self.time_slice(self.app, self.environ, self.calls) / self.calls / 1000
        finally:
            gc.enable()

    def garbage(self) -> float:
        """Count the objects that one request leaves to the cyclic collector."""
        calls = min(self.calls, 50)
        gc.collect()
        gc.disable()
        try:
            self.time_slice(self.app, self.environ, calls)
            return gc.collect() / calls
        finally:
            gc.enable()


@dataclass
class Results:
    """What was measured: for each cell its overheads, one a round, in microseconds (NaN where it sat out)."""

    overheads: dict[Key, list[float]]
    garbage: dict[Key, float]
    lost: frozenset[Key] = frozenset()  # cells that did not find the session, and were not measured

    def overhead(self, key: Key) -> float:
        """Give the median overhead of a cell over the bare application, in microseconds."""
        return middle(self.overheads.get(key, ()))

    def ratio(self, over: Key, under: Key) -> float:
        """Give the median, over the rounds, of the ratio of two cells within a round."""
        pairs = zip(self.overheads.get(over, ()), self.overheads.get(under, ()), strict=False)
        return middle([mine / other for mine, other in pairs if other])


def middle(values: Any) -> float:
    """Give the median of the numbers among `values`; NaN if there are none."""
    numbers = [value for value in values if not math.isnan(value)]
    return median(numbers) if numbers else math.nan


def pin(choose: Callable[[set[int]], int] = max) -> None:
    """Hold this process on one of its cores, where the platform can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {choose(os.sched_getaffinity(0))})


def make_cells(
    contestants: Mapping[str, Contestant], cases: Mapping[str, Case], lost: Collection[Key] = ()
) -> dict[str, list[Cell]]:
    """Make the cells of every case, the bare application's first, without those that are lost."""
    return {
        letter: [
            Cell(contestant, case)
            for contestant in (BARE, *contestants.values())
            if letter in contestant.cases and (letter, contestant.key) not in lost
        ]
        for letter, case in cases.items()
    }


def play_round(number: int, cells: Mapping[str, list[Cell]]) -> Iterator[tuple[Key, float]]:
    """Visit every cell once, in random order; give the overhead of each."""
    for letter in random.sample(sorted(cells), len(cells)):
        row = cells[letter]
        samples = {
            cell.key: cell.sample() if number < cell.rounds else math.nan for cell in random.sample(row, len(row))
        }
        floor = samples.pop(row[0].key)
        yield from ((key, sample - floor) for key, sample in samples.items())


def measure(
    cells: Mapping[str, list[Cell]], rounds: int, progress: Callable[[int], None] = lambda number: None
) -> Results:
    """Play the rounds; call `progress` after each with the number of rounds that are done."""
    gc.collect()
    gc.freeze()  # what is there now need not be looked at again: collecting between slices becomes cheap
    garbage = {cell.key: cell.garbage() for row in cells.values() for cell in row}
    overheads: dict[Key, list[float]] = {key: [] for key in garbage if key[1] != BARE.key}
    minted = time.monotonic()
    for number in range(rounds):
        if time.monotonic() - minted > FRESH:
            freshen(cells)
            minted = time.monotonic()
        for key, overhead in play_round(number, cells):
            overheads[key].append(overhead)
        progress(number + 1)
    gc.unfreeze()
    return Results(overheads, garbage)


def freshen(cells: Mapping[str, list[Cell]]) -> None:
    """Mint new cookies for all cells."""
    for row in cells.values():
        for cell in row:
            cell.freshen()
