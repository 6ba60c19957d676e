"""The examples in docstrings are run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import handstamp
from tests.support.missing_programs import need

PACKAGE = Path(handstamp.__file__).parent

#: What a module needs beside the package.
NEEDS = {"encrypted": "cryptography", "_encryption": "cryptography"}


def has_examples(path: Path) -> bool:
    """Return whether a module's docstrings hold an example."""
    return ">>> " in path.read_text(encoding="utf-8")


MODULES = [path.stem for path in sorted(PACKAGE.glob("*.py")) if has_examples(path)]


def test_there_are_examples() -> None:
    """Settings, sessions and interfaces show how they are used."""
    assert {"_settings", "_session", "_interface", "_signed", "payload", "serverside"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    """Each example gives what it says."""
    if module in NEEDS:
        need(NEEDS[module])
    found = doctest.testmod(importlib.import_module(f"handstamp.{module}"))
    assert found.attempted
    assert not found.failed
