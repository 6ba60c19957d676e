"""The table of proofs: every promise has a row, every row names tests, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import docutils.core
import pytest
from docutils import nodes

from tests.support.paths import ROOT, TESTS

README = TESTS / "README.rst"

#: What handstamp promises without a server's store; the other numbers are of those that keep sessions on a server.
PROMISES = [*range(1, 46)]


@cache
def read_document() -> nodes.document:
    """Read the README as strictly as docutils can."""
    strict = {"report_level": 1, "halt_level": 1, "raw_enabled": False, "file_insertion_enabled": False}
    return docutils.core.publish_doctree(README.read_text(encoding="utf-8"), settings_overrides=strict)


def read_rows() -> list[list[nodes.entry]]:
    """Return the cells of each row of the table of proofs."""
    (table,) = (table for table in read_document().findall(nodes.table) if "proofs" in table["names"])
    (body,) = table.findall(nodes.tbody)
    return [list(row.findall(nodes.entry)) for row in body.findall(nodes.row)]


ROWS = {int(row[0].astext()): row for row in read_rows()}
PROOFS = [
    pytest.param(literal.astext(), id=f"{number}-{literal.astext()}")
    for number, row in ROWS.items()
    for literal in row[-1].findall(nodes.literal)
]


@cache
def find_tests(path: Path) -> frozenset[str]:
    """Return the names of a module's tests, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_promise_has_a_row() -> None:
    """The table has one row for each promise, in their order."""
    assert [int(row[0].astext()) for row in read_rows()] == PROMISES


@pytest.mark.parametrize("number", PROMISES)
def test_rows_are_whole(number: int) -> None:
    """A row says what is promised, how, what that answers, and names at least one test."""
    cells = [cell.astext().strip() for cell in ROWS[number]]
    assert len(cells) == 5
    assert all(cells)
    assert list(ROWS[number][-1].findall(nodes.literal))


@pytest.mark.parametrize("proof", PROOFS)
def test_proof_exists(proof: str) -> None:
    """Every test that a row names is there, under that very name, which pytest takes as it is."""
    path, _, name = proof.partition("::")
    assert (TESTS / path).is_file()
    assert name in find_tests(TESTS / path)


@pytest.mark.parametrize("number", PROMISES)
def test_proofs_are_named_as_such(number: int) -> None:
    """The last cell of a row holds names of tests and nothing else."""
    cell = ROWS[number][-1]
    names = [literal.astext() for literal in cell.findall(nodes.literal)]
    assert cell.astext().split() == names
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"(\w+/)*test_\w+\.py::test_\w+", name) for name in names)


def test_every_session_is_told() -> None:
    """Every session of the noxfile is told of on the contributor's page, and no other."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(item) for item in node.decorator_list)
    }
    told = {re.match(r"nox -s (\w+)\Z", literal.astext()) for literal in read_document().findall(nodes.literal)}
    assert {match[1] for match in told if match} == sessions


def test_names_are_those_of_the_layout() -> None:
    """Every file and directory that the layout names is there."""
    terms = [term for node in read_document().findall(nodes.term) for term in node.findall(nodes.literal)]
    names = [name for name in (term.astext() for term in terms) if re.fullmatch(r"(\w+/)*\w+(\.py|/)", name)]
    assert len(names) >= 5
    assert [name for name in names if not (TESTS / name).exists()] == []


def test_layout_is_whole() -> None:
    """The layout names every folder of tests, and every module of the support."""
    terms = {
        literal.astext() for term in read_document().findall(nodes.term) for literal in term.findall(nodes.literal)
    }
    folders = {f"{path.parent.name}/" for path in TESTS.glob("*/__init__.py")} - {"support/"}
    modules = {f"support/{path.name}" for path in (TESTS / "support").glob("[!_]*.py")}
    assert folders | modules <= terms


# -- the public lists -------------------------------------------------------------------------------------------------

#: The requirements of OWASP ASVS 5.0, chapter 7, and the tests of OWASP WSTG 4.2, section 4.6.
ASVS = ["7.1.1", "7.1.2", "7.1.3", "7.2.1", "7.2.2", "7.2.3", "7.2.4", "7.3.1", "7.3.2", "7.4.1", "7.4.2", "7.4.3",
        "7.4.4", "7.4.5", "7.5.1", "7.5.2", "7.5.3", "7.6.1", "7.6.2"]  # fmt: skip
WSTG = [f"SESS-{number:02}" for number in range(1, 12)]


def read_answers() -> dict[str, list[str]]:
    """Return the cells of both lists by their number."""
    bodies = [body for table in read_document().findall(nodes.table) for body in table.findall(nodes.tbody)]
    rows = [[cell.astext() for cell in row.findall(nodes.entry)] for body in bodies for row in body.findall(nodes.row)]
    return {row[0]: row for row in rows if re.fullmatch(r"7\.\d\.\d|SESS-\d\d", row[0])}


def test_every_requirement_has_an_answer() -> None:
    """Each requirement of both lists is met, met if, the application's, or answered by another; in their order."""
    answers = read_answers()
    assert list(answers) == [*ASVS, *WSTG]
    assert all(re.match(r"Met\b|Yours\b|As ASVS 7|There are none", row[2]) for row in answers.values())


def test_requirements_name_rows() -> None:
    """What is met is met by promises of the table of proofs."""
    for number, row in read_answers().items():
        named = {int(text) for text in re.findall(r"\d+", row[3])}
        assert named <= set(ROWS), number
        assert named or row[2].startswith("Yours"), number
