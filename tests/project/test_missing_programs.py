"""What is not here is told of in a line a thing, and what it would cover is left out by name; in CI it is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import handstamp
from tests.support import missing_programs
from tests.support.paths import ROOT

PACKAGES = Path(handstamp.__file__).parents[1]

#: Needs redis-server, which stands on the PATH and nowhere else.
TESTS = "tests/stores/test_redis.py::test_comes_back"


def run(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run tests where no program is found."""
    inherited = {key: value for key, value in os.environ.items() if key != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, TESTS],
        env={**inherited, "PATH": "/nowhere", **environ},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,  # some runs fail
    )


def make_report(reason: str, kind: type[pytest.TestReport | pytest.CollectReport]) -> pytest.TestReport:
    """Make what pytest says of a test, or a module, that was skipped."""
    report = kind.__new__(kind)
    report.longrepr = ("a path", 1, f"Skipped: {reason}")
    return report  # type: ignore[return-value]


def test_a_line_a_thing() -> None:
    """A missing program takes one line, with the number of tests that were skipped for it."""
    done = run()
    assert done.returncode == 0
    lines = [line for line in done.stdout.splitlines() if "redis-server" in line]
    assert len(lines) == 1
    assert lines[0].startswith("redis-server is not here: ")
    assert lines[0].endswith(" skipped")
    assert "SKIPPED" not in done.stdout


def test_nothing_is_skipped_in_silence() -> None:
    """Whatever the reason is, it takes a line, with what was skipped for it."""
    names = [("redis is not here", pytest.CollectReport), ("SQLite has no such level", pytest.TestReport)]
    reports = [make_report(reason, kind) for reason, kind in [*names, *names, ("redis is not here", pytest.TestReport)]]
    assert missing_programs.tell_skipped(reports) == [
        "SQLite has no such level: 2 tests skipped",
        "redis is not here: 2 modules and 1 test skipped",
    ]


def test_is_an_error_in_ci() -> None:
    """In CI a missing program is an error, which names it."""
    done = run(CI="true")
    assert done.returncode == 1
    assert "redis-server is not here" in done.stdout


def test_left_out_by_name(tmp_path: Path) -> None:
    """What a missing program would cover is left out of the coverage, by name, and everything else counts."""
    done = run("--cov", "--cov-fail-under=1", COVERAGE_FILE=str(tmp_path / "coverage"))
    assert done.returncode == 0
    assert "redis-server is not here: handstamp/stores/redis.py is left out of the coverage" in done.stdout
    table = done.stdout.partition("Stmts")[2].partition("TOTAL")[0]
    assert "handstamp/stores/sqlalchemy.py" in table
    assert "handstamp/stores/redis.py" not in table


def test_everything_counts_where_everything_is_here() -> None:
    """A test that is skipped for another reason leaves nothing out."""
    assert missing_programs.find_uncovered([make_report("SQLite has no such level", pytest.TestReport)]) == {}


def test_what_is_left_out_exists() -> None:
    """The modules that can be left out are there."""
    assert [module for _, module in missing_programs.COVERED_WITH if not (PACKAGES / module).exists()] == []
