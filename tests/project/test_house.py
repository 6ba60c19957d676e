"""The rules of the house: imports go one way, the public names are whole, and nothing is dragged in."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

import handstamp
import handstamp.stores
import handstamp.testing
from tests.support.paths import ROOT, TESTS

PACKAGE = Path(handstamp.__file__).parent

#: A module imports only from those above it.
ORDER = [
    "_hidden",
    "exceptions",
    "_field_docs",
    "_rejection",
    "_json",
    "_payload_types",
    "_unserializable",
    "payload",
    "_base64url",
    "_tokens",
    "_encryption",
    "_cookies",
    "_keys",
    "_setting_types",
    "_policy",
    "_lifetimes",
    "_settings",
    "_caching",
    "_warnings",
    "_webob",
    "_session",
    "_loaded",
    "_tracked",
    "_policy_methods",
    "_interface",
    "_token_based",
    "_cookie_based",
    "_signed",
    "encrypted",
    "stores",
    "_session_id",
    "_server_session",
    "serverside",
    "interfaces",
    "_earlier",
    "_exchange",
    "_middleware",
    "testing",
    "adapters",
    "_candidates",
    "_inspection",
    "_inspection_format",
    "_command",
    "__main__",
    "__init__",
]

#: What the extras bring.
EXTRAS = ["cryptography", "redis", "sqlalchemy"]

#: What ``handstamp.testing`` knows without importing it.
CLIENTS = ["flask", "httpx", "requests", "webtest", "werkzeug"]

MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py"))


def name_of(module: tuple[str, ...]) -> str:
    """Return the dotted name of a module inside the package."""
    return ".".join(module)


def read_source(module: tuple[str, ...]) -> str:
    """Return the source of a module."""
    return PACKAGE.joinpath(*module).with_suffix(".py").read_text(encoding="utf-8")


def find_imports(module: tuple[str, ...]) -> Iterator[str]:
    """Yield the room of the package that each import of a module goes to, those inside functions too."""
    package = ("handstamp", *module[:-1])
    for node in ast.walk(ast.parse(read_source(module))):
        if isinstance(node, ast.Import):
            yield from (find_room(tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            yield from (find_room((*base, alias.name)) for alias in node.names)


def find_room(target: tuple[str, ...]) -> str:
    """Return the room that an absolute import enters, ``""`` if it is outside of the house."""
    if target[0] != "handstamp":
        return ""
    inside = target[1] if len(target) > 1 else "__init__"
    return inside if inside in {module[0] for module in MODULES} else "__init__"


# -- imports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_has_its_place(module: tuple[str, ...]) -> None:
    """Every module stands in the order."""
    assert module[0] in ORDER


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_go_one_way(module: tuple[str, ...]) -> None:
    """A module imports only from those above it; those of one room may import from each other."""
    own = ORDER.index(module[0])
    above = ORDER[: own + 1] if len(module) > 1 else ORDER[:own]
    assert set(find_imports(module)) - {""} <= set(above)


def test_imports_are_seen() -> None:
    """The parser finds what a module imports, so that the rule above means something."""
    assert {"exceptions", "_policy", "_setting_types", "_lifetimes"} <= set(find_imports(("_settings",)))


def test_importing_is_light() -> None:
    """Importing the package brings nothing that takes its time and that most requests do without."""
    # Since Python 3.14 logging itself brings dataclasses: what it needs is not ours.
    needed = "import logging, sys, webob, itsdangerous"
    script = f"{needed}; known = set(sys.modules); import handstamp; print(*set(sys.modules) - known)"
    command = [sys.executable, "-W", "ignore", "-c", script]
    brought = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent).stdout.split()
    assert "handstamp._middleware" in brought
    assert {"dataclasses", "decimal", "difflib", "uuid"}.isdisjoint(brought)


@pytest.mark.parametrize("package", ["handstamp", "handstamp.testing"])
def test_importing_needs_no_extra(package: str) -> None:
    """Importing a package does not so much as look for what the extras bring, or for a test's client."""
    script = f"""
import sys

class Spy:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS + CLIENTS!r}:
            print(name)

sys.meta_path.insert(0, Spy())
import {package}
print("imported", {package}.__name__)
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert result.stdout == f"imported {package}\n"


# -- names ------------------------------------------------------------------------------------------------------------


PUBLIC = [handstamp, handstamp.testing]


@pytest.mark.parametrize("package", PUBLIC, ids=["handstamp", "handstamp.testing"])
def test_all_is_sorted(package: ModuleType) -> None:
    """``__all__`` is sorted, and names nothing twice."""
    assert package.__all__ == sorted(set(package.__all__))


@pytest.mark.parametrize(("package", "name"), [(package, name) for package in PUBLIC for name in package.__all__])
def test_all_is_importable(package: ModuleType, name: str) -> None:
    """Everything in ``__all__`` is there."""
    assert hasattr(package, name)


@pytest.mark.parametrize("package", PUBLIC, ids=["handstamp", "handstamp.testing"])
def test_all_is_complete(package: ModuleType) -> None:
    """Every public name that ``__init__`` imports is in ``__all__``."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    assert {name for name in names if not name.startswith("_")} == set(package.__all__)


def test_every_error_is_public() -> None:
    """Every error of the family can be imported from the package."""
    exceptions = importlib.import_module("handstamp.exceptions")
    errors = {name for name, kind in vars(exceptions).items() if is_session_error(kind)}
    assert errors
    assert errors <= set(handstamp.__all__)


def is_session_error(kind: object) -> bool:
    """Tell whether something is a class of handstamp's errors."""
    return isinstance(kind, type) and issubclass(kind, handstamp.SessionError)


PUBLIC_THINGS = [getattr(package, name) for package in [*PUBLIC, handstamp.stores] for name in package.__all__]


@pytest.mark.parametrize("thing", PUBLIC_THINGS, ids=lambda thing: thing.__name__)
def test_annotations_resolve(thing: Any) -> None:
    """What reads annotations at run time finds each name of a public one."""
    methods = [each for each in vars(thing).values() if inspect.isfunction(each)] if isinstance(thing, type) else []
    for annotated in (thing, *methods):
        get_type_hints(annotated)  # else a NameError


def test_types_are_marked() -> None:
    """Type checkers are told that the package is annotated (PEP 561)."""
    assert (PACKAGE / "py.typed").is_file()


def test_users_types_are_checked() -> None:
    """What type checkers are asked to accept uses every public name."""
    tree = ast.parse((ROOT / "tests" / "project" / "typing_api.py").read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {*handstamp.__all__, *handstamp.testing.__all__, *handstamp.stores.__all__} <= used


# -- tests ------------------------------------------------------------------------------------------------------------


TEST_MODULES = sorted(TESTS.rglob("*.py"))


@pytest.mark.parametrize("path", TEST_MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_nothing_imports_a_test(path: Path) -> None:
    """No module imports from a module of tests."""
    names = find_names(ast.parse(path.read_text(encoding="utf-8")))
    assert [name for name in names if any(part.startswith("test_") for part in name.split("."))] == []


def find_names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module of the tests imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def test_imports_of_tests_are_seen() -> None:
    """An import from a module of tests is found however it is spelled, so that the rule above means something."""
    source = "import tests.test_a\nfrom tests.test_b import b\nfrom . import test_c\nfrom .test_d import d"
    assert list(find_names(ast.parse(source))) == ["tests.test_a", "tests.test_b.b", ".test_c", "test_d.d"]


@pytest.mark.parametrize("name", ["Answer", "Site", "Visitor", "make_environ"])
def test_one_of_each(name: str) -> None:
    """What all tests need is defined once, in the support."""
    places = [path for path in TEST_MODULES if name in find_definitions(ast.parse(path.read_text(encoding="utf-8")))]
    assert [path.parent.name for path in places] == ["support"]


def find_definitions(tree: ast.Module) -> set[str]:
    """Return the names of the classes and functions of a module."""
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


MIRRORS = [path for folder in ("", "adapters", "stores", "testing") for path in (TESTS / folder).glob("test_*.py")]


@pytest.mark.parametrize("path", MIRRORS, ids=lambda path: str(path.relative_to(TESTS)))
def test_tests_follow_the_modules(path: Path) -> None:
    """A module of tests outside of the folders of themes is named after the module that it tests."""
    folder = path.relative_to(TESTS).parent.parts
    module = path.stem.removeprefix("test_")
    names = {module[-1] for module in MODULES if module[:-1] == folder}
    assert any(name in names for name in (module, f"_{module}", f"__{module}__", module.partition("_")[0]))


# -- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_pickle(module: tuple[str, ...]) -> None:
    """No module mentions the format whose reading runs code (CVE-2013-7489)."""
    assert not re.search("pickle|marshal|shelve", read_source(module), re.IGNORECASE)


def read_project() -> dict[str, object]:
    """Return the project table of pyproject.toml."""
    project: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def names_in(requirements: object) -> list[str]:
    """Return the bare names of requirements."""
    assert isinstance(requirements, list)
    return sorted(re.split(r"[^a-z0-9-]", text.lower())[0] for text in requirements)


def test_dependencies() -> None:
    """Handstamp depends on webob and itsdangerous, and on nothing else."""
    assert names_in(read_project()["dependencies"]) == ["itsdangerous", "webob"]


def test_extras() -> None:
    """Each extra brings one package."""
    extras = read_project()["optional-dependencies"]
    assert isinstance(extras, dict)
    brought = {extra: names_in(requirements) for extra, requirements in extras.items()}
    assert brought == {"encryption": ["cryptography"], "redis": ["redis"], "sqlalchemy": ["sqlalchemy"]}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: path.stem)
def test_examples_use_what_is_public(path: Path) -> None:
    """No example imports a private module or name: users copy them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("handstamp"):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            assert not [name for name in names if name.startswith("_")]
