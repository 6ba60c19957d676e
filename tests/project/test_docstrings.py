"""Docstrings: their examples are run, every public class and function has one, and ``help()`` explains attributes."""

from __future__ import annotations

import ast
import doctest
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import handstamp
import handstamp.adapters
import handstamp.stores
from tests.support.missing_programs import need

PACKAGE = Path(handstamp.__file__).parent

#: What a module needs beside the package.
NEEDS = {
    "handstamp._encryption": "cryptography",
    "handstamp.encrypted": "cryptography",
    "handstamp.stores.redis": "redis",
    "handstamp.stores.sqlalchemy": "sqlalchemy",
}

#: Public classes whose attributes the docstring does not list, and why.
WITHOUT_ATTRIBUTES = {"SettingsDict": "its keys are those of the README's table, which a test compares with the code"}


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def load(name: str) -> ModuleType:
    """Import a module, or skip the test if the module needs a package that is not installed."""
    if name in NEEDS:
        need(NEEDS[name])
    return import_module(name)


def list_modules(package: ModuleType) -> list[str]:
    """Return the names of the public modules of a package."""
    found = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    return [module.name for module in found if not module.name.rpartition(".")[2].startswith("_")]


#: The modules that users import.
PUBLIC = [
    "handstamp",
    "handstamp.encrypted",
    "handstamp.exceptions",
    "handstamp.interfaces",
    "handstamp.payload",
    "handstamp.serverside",
    "handstamp.stores",
    "handstamp.testing",
    *list_modules(handstamp.stores),
    *list_modules(handstamp.adapters),
]

WITH_EXAMPLES = [name_of(path) for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


def list_public(name: str) -> list[Any]:
    """Return the classes and functions that a public module exports."""
    things = (getattr(load(name), each) for each in import_module(name).__all__)
    return [thing for thing in things if isinstance(thing, type) or inspect.isfunction(thing)]


# -- examples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str) -> None:
    """Each example prints what it shows."""
    found = doctest.testmod(load(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_examples(name: str) -> None:
    """Every public class and function has an example in its docstring."""
    things = list_public(name)
    assert things
    assert [thing.__name__ for thing in things if ">>> " not in (thing.__doc__ or "")] == []


# -- attributes -------------------------------------------------------------------------------------------------------


def find_attributes(kind: type) -> set[str]:
    """Return the public attributes of a class and its instances that are not methods."""
    own = [base for base in kind.__mro__ if base.__module__.startswith("handstamp")]
    names: set[str] = set()
    for base in own:
        names |= {name for name, value in vars(base).items() if not callable(value) and not is_method(value)}
        names |= set(inspect.get_annotations(base))
        names |= find_assignments(base)
    return {name for name in names if not name.startswith("_")}


def is_method(value: object) -> bool:
    """Return whether a value in a class is a method of some kind."""
    return isinstance(value, classmethod | staticmethod)


def find_assignments(kind: type) -> set[str]:
    """Return the names of the attributes that the methods of a class assign to their instance."""
    module = ast.parse(Path(str(inspect.getsourcefile(kind))).read_text(encoding="utf-8"))
    (tree,) = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__]
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return {node.attr for node in nodes if isinstance(node.value, ast.Name) and node.value.id == "self"}


def find_explained(kind: type) -> set[str]:
    """Return the attributes whose meaning ``help()`` shows: in a class's docstring, or in one of their own."""
    documents = [base.__doc__ or "" for base in kind.__mro__]
    listed = {name for text in documents for name in re.findall(r":(?:[ic]var|param) (\w+): \S", text)}
    properties = {name for base in kind.__mro__ for name, value in vars(base).items() if is_property(value)}
    return listed | properties


def is_property(value: object) -> bool:
    """Return whether a value in a class is a property with a docstring."""
    return isinstance(value, property) and bool(value.__doc__)


def list_classes(name: str) -> list[type]:
    """Return the classes that a public module exports."""
    return [thing for thing in list_public(name) if isinstance(thing, type)]


@pytest.mark.parametrize("name", PUBLIC)
def test_attributes_are_explained(name: str) -> None:
    """``help()`` of every public class shows the meaning of its attributes, unless a reason is listed."""
    kinds = [kind for kind in list_classes(name) if kind.__name__ not in WITHOUT_ATTRIBUTES]
    unexplained = {kind.__name__: find_attributes(kind) - find_explained(kind) for kind in kinds}
    assert {name: attributes for name, attributes in unexplained.items() if attributes} == {}


NAMED_TUPLES = [
    kind for name in ("handstamp", "handstamp.stores", "handstamp.serverside") for kind in list_classes(name)
]
NAMED_TUPLES = [kind for kind in NAMED_TUPLES if hasattr(kind, "_fields")]


@pytest.mark.parametrize("kind", NAMED_TUPLES, ids=lambda kind: kind.__name__)
def test_fields_are_explained(kind: Any) -> None:
    """``help()`` of every public NamedTuple shows the meaning of each field, and not its number."""
    meanings = {name: getattr(kind, name).__doc__ for name in kind._fields}
    text = " ".join(kind.__doc__.split())
    assert [name for name, meaning in meanings.items() if f":ivar {name}: {meaning}" not in text] == []
