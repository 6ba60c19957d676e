"""What is not here: its tests are skipped, and told of in one line a thing; in CI, where all is there, they fail.

What those tests alone cover is then left out of the coverage, by name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from typing import NoReturn

import pytest

Reports = Iterable[pytest.TestReport | pytest.CollectReport]

#: Modules of handstamp that are covered only where a program or a package is here.
COVERED_WITH = (
    ("cryptography", "handstamp/_encryption.py"),
    ("cryptography", "handstamp/encrypted.py"),
    ("redis", "handstamp/stores/redis.py"),
    ("redis-server", "handstamp/stores/redis.py"),
    ("sqlalchemy", "handstamp/stores/sqlalchemy.py"),
)

NOT_HERE = " is not here"


def skip_or_fail(thing: str) -> NoReturn:
    """Skip a test, or a whole module, for want of a thing; in CI let it fail."""
    if os.environ.get("CI"):
        pytest.fail(thing + NOT_HERE)
    pytest.skip(thing + NOT_HERE, allow_module_level=True)


def need(*packages: str) -> None:
    """Skip a test, or a whole module, where one of the packages cannot be imported; in CI let it fail."""
    for package in packages:
        if find_spec(package) is None:
            skip_or_fail(package)


# -- telling of it ----------------------------------------------------------------------------------------------------


def read_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why something was skipped."""
    place = report.longrepr  # of what was skipped: a path, a line and the reason
    return str(place[2] if isinstance(place, tuple) else place).removeprefix("Skipped: ")


def count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def tell_skipped(reports: Reports) -> list[str]:
    """Return a line for each reason why something was skipped, whatever it was."""
    kinds: dict[str, Counter[str]] = {}
    for report in reports:
        noun = "test" if isinstance(report, pytest.TestReport) else "module"
        kinds.setdefault(read_reason(report), Counter())[noun] += 1
    return [
        f"{reason}: {' and '.join(count(number, noun) for noun, number in sorted(counts.items()))} skipped"
        for reason, counts in sorted(kinds.items())
    ]


def find_uncovered(reports: Reports) -> dict[str, str]:
    """Return the modules that are not covered, since what covers them was skipped, each with the reason."""
    reasons = {read_reason(report) for report in reports}
    found = ((module, thing + NOT_HERE) for thing, module in COVERED_WITH)
    return {module: reason for module, reason in found if reason in reasons}
