"""The checkers find what is marked as wrong in ``typing_api.py``, and nothing else; every promise has a type.

``nox -s typing`` runs this, for it needs both checkers; pytest does not collect it by itself.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.paths import ROOT, TESTS

SOURCE = (TESTS / "project" / "typing_api.py").read_text(encoding="utf-8")

#: How each checker is told that a line is wrong.
MARKS = {"mypy": r"# type: ignore\[", "pyright": r"# pyright: ignore\["}

#: The names that users may rely on: what the public modules define and export. Each is a promise, so it is counted.
EXPORTED = 126

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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that holds the package as users install it, beside all that it needs."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, symlinks=True)
    python = str(place / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", str(ROOT))
    subprocess.run(pip, check=True)
    site = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    Path(site.strip(), "needed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return place


def check(*command: str) -> str:
    """Return what a checker says of something that it must reject."""
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


def test_every_promise_has_a_type(installed: Path) -> None:
    """No exported name has a type that checkers could infer differently, and their number is known."""
    command = (sys.executable, "-m", "pyright", "--verifytypes", "handstamp", "--ignoreexternal", "--outputjson")
    # Pyright looks for the interpreter on PATH: it heeds no other option here.
    env = {**os.environ, "PATH": f"{installed / 'bin'}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(installed)}
    said = subprocess.run(command, capture_output=True, text=True, cwd=installed, env=env, check=False).stdout
    symbols = [symbol for symbol in json.loads(said)["typeCompleteness"]["symbols"] if symbol["isExported"]]
    vague = [symbol["name"] for symbol in symbols if symbol["isTypeAmbiguous"] or not symbol["isTypeKnown"]]
    assert not vague
    assert len(symbols) == EXPORTED, "\n".join(symbol["name"] for symbol in symbols)
