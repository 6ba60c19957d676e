"""A contract that fails says what it compared."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import handstamp.testing

#: A store that forgets what it was told to change.
BROKEN = """
import pytest
from handstamp.stores import MemoryStore
from handstamp.testing import StoreContract


class Forgetful(MemoryStore):
    def update(self, handle, hash, change):
        return True


class TestForgetful(StoreContract):
    @pytest.fixture
    def store(self):
        return Forgetful()

    def damage(self, store, handle):
        store._records[handle] = "no record"
"""


#: All are errors, but for webob's import of cgi on Python 3.11 and 3.12.
WARNINGS = ("-W", "error", "-W", "ignore:'cgi' is deprecated:DeprecationWarning:webob.compat")


def run_broken(place: Path) -> str:
    """Run one law on a broken store as its author does, with warnings as errors, and return what pytest prints."""
    path = place / "test_forgetful.py"
    path.write_text(BROKEN, encoding="utf-8")
    # Nothing of this project's own configuration holds there.
    law = f"{path.name}::TestForgetful::test_one_renews"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={place}", *WARNINGS, law]
    result = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


def test_a_failing_contract_explains_itself(tmp_path: Path) -> None:
    """The author of a store whose contract fails sees the values that were compared, and not a bare AssertionError."""
    printed = run_broken(tmp_path)
    assert "assert 8 == 1" in printed
    assert "where 8 = " in printed
    assert "1 failed in" in printed


def test_needs_no_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody has imported pytest, importing the helpers does not either."""
    monkeypatch.delitem(sys.modules, "pytest")
    importlib.reload(handstamp.testing)
    assert "pytest" not in sys.modules
