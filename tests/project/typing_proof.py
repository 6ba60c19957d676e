"""The checkers find what is marked as wrong in ``typing_api.py``, and nothing else.

``nox -s typing`` runs this, for it needs both checkers; pytest does not collect it by itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT, TESTS

SOURCE = (TESTS / "project" / "typing_api.py").read_text(encoding="utf-8")

#: How each checker is told that a line is wrong.
MARKS = {"mypy": r"# type: ignore\[", "pyright": r"# pyright: ignore\["}

#: With fewer wrong uses than this, somebody has emptied the file.
LEAST = 40


def find_marked(checker: str) -> set[int]:
    """Return the lines that a checker has to find."""
    lines = enumerate(SOURCE.splitlines(), 1)
    return {number for number, line in lines if re.search(MARKS[checker], line)}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Write the file without its marks; every line stays where it was."""
    path = tmp_path / "unmarked.py"
    path.write_text(re.sub(r"  # (type|pyright): ignore\[.*", "", SOURCE), encoding="utf-8")
    return path


def check(*command: str) -> str:
    """Return what a checker says of something that it must refuse."""
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("checker", MARKS)
def test_wrong_uses_are_many(checker: str) -> None:
    """There is something to be found."""
    assert len(find_marked(checker)) >= LEAST


def test_mypy_finds_them(copy: Path) -> None:
    """mypy finds each wrong use, and no other error."""
    said = check("mypy", "--cache-dir", str(copy.parent / "cache"), str(copy))
    found = re.findall(r"^\S*unmarked\.py:(\d+): error: ", said, re.MULTILINE)
    assert set(map(int, found)) == find_marked("mypy"), said


def test_pyright_finds_them(copy: Path) -> None:
    """pyright finds each wrong use, and no other error."""
    config = {"include": [copy.name], "extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard"}
    (copy.parent / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    said = check("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(copy.parent))
    found = {each["range"]["start"]["line"] + 1 for each in json.loads(said)["generalDiagnostics"]}
    assert found == find_marked("pyright"), said
