"""What checks the project agrees with itself: one version of each tool, one list of Pythons."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.support.paths import ROOT


def read(path: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def read_pyproject() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads(read("pyproject.toml"))


def find_pins() -> set[str]:
    """Return the normal names (PEP 503) of all that the constraints pin."""
    return {normal(line.partition("==")[0]) for line in read(".ci/constraints.txt").splitlines() if "==" in line}


def normal(requirement: str) -> str:
    """Return the normal name of what a requirement asks for."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def test_one_ruff() -> None:
    """A commit is checked by the same ruff as the lint session."""
    (pinned,) = re.findall(r"^ruff==(\S+)$", read(".ci/constraints.txt"), re.MULTILINE)
    assert set(re.findall(r"ruff==([^\]\s]+)", read(".pre-commit-config.yaml"))) == {pinned}


def test_all_is_pinned() -> None:
    """Each requirement of the package, its extras and its groups has its line in the constraints."""
    pyproject = read_pyproject()
    lists = [pyproject["project"]["dependencies"], *pyproject["project"]["optional-dependencies"].values()]
    lists += [pyproject["build-system"]["requires"], *pyproject["dependency-groups"].values()]
    asked = {normal(text) for texts in lists for text in texts if isinstance(text, str)}
    assert {"webob", "hatchling", "nox", "pytest"} <= asked
    assert asked <= find_pins()


def test_constraints_name_no_place() -> None:
    """The constraints hold names and versions, and nothing of an index or of the machine that wrote them."""
    lines = [line for line in read(".ci/constraints.txt").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; [\w.*' <>=!()]+)?", line)] == []


def test_every_python_is_tested() -> None:
    """The workflow runs the tests on each Python that the package says it supports."""
    said = re.findall(r"Python :: (3\.\d+)", read("pyproject.toml"))
    (matrix,) = re.findall(r"^ +python: \[(.+)\]$", read(".github/workflows/tests.yml"), re.MULTILINE)
    assert said
    assert set(said) <= set(re.findall(r'"(3\.\d+)"', matrix))
