"""The examples: in each framework the session does the same, and each says how it is reached there."""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any
from unittest import mock
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

import django.conf
import pytest

from handstamp import SessionMiddleware
from tests.support.constants import KEY
from tests.support.framework_steps import STEPS
from tests.support.paths import EXAMPLES
from tests.support.visitor import Visitor

# The frameworks import what their makers have not got rid of yet.
pytestmark = pytest.mark.filterwarnings("ignore:.*pkg_resources:DeprecationWarning", "ignore:pkg_resources:UserWarning")

FRAMEWORKS = EXAMPLES / "frameworks"
NAMES = sorted(path.stem for path in FRAMEWORKS.glob("*.py"))

#: What the frameworks call cookies of their own.
TAKEN = {"session", "sessionid", "session_id", "csrftoken", "beaker.session.id"}


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str], ModuleType]]:
    """Import an example, with a key in the environment, and with settings of its own where the framework is Django."""
    with (
        mock.patch.dict(os.environ, SECRET_KEY=KEY),
        mock.patch.object(sys, "path", [str(FRAMEWORKS), *sys.path]),
        mock.patch.object(django.conf.settings, "_wrapped", django.conf.empty),  # it keeps one for each process
    ):
        yield importlib.import_module
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def middleware(name: str, load: Callable[[str], ModuleType]) -> SessionMiddleware:
    """The application of an example, as it is served."""
    found = load(name).application
    assert isinstance(found, SessionMiddleware)
    return found


def call(app: WSGIApplication) -> Visitor:
    """Return a visitor who calls an application, with wsgiref.validate in between."""
    return Visitor(app, host="localhost")


def validate_inside(middleware: SessionMiddleware) -> SessionMiddleware:
    """Put wsgiref.validate between handstamp and the example, which still finds its session where it looks."""

    def put_back(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        environ["session"] = environ["handstamp.session"]
        return middleware.app(environ, start_response)

    return SessionMiddleware(validator(put_back), middleware.settings, environ_key="handstamp.session")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", STEPS)
def test_scenario(step: Callable[[Visitor], None], middleware: SessionMiddleware) -> None:
    """Every step of the scenario holds in every framework, with wsgiref.validate where a server would be."""
    step(call(middleware))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", STEPS)
def test_scenario_with_a_validator_inside(step: Callable[[Visitor], None], middleware: SessionMiddleware) -> None:
    """It holds as well with wsgiref.validate between the framework and handstamp."""
    step(call(validate_inside(middleware)))


@pytest.mark.parametrize("name", NAMES)
def test_missing_page(middleware: SessionMiddleware) -> None:
    """The framework's own page for what is not there goes out as it is."""
    reply = call(middleware).get("/nowhere")
    assert reply.code == 404
    assert reply.every("Set-Cookie") == []


def test_cookie_names(load: Callable[[str], ModuleType]) -> None:
    """Each example gives its cookie a name of its own, which no framework uses."""
    names = [load(name).application.settings["SESSION_COOKIE_NAME"] for name in NAMES]
    assert len(set(names)) == len(names) == 8
    assert not TAKEN & set(names)


@pytest.mark.parametrize("name", NAMES)
def test_how_to_reach_it(name: str) -> None:
    """The first line of each example says where the session is, and the code that is run looks there."""
    source = (FRAMEWORKS / f"{name}.py").read_text(encoding="utf-8")
    first_line = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    (place,) = re.findall(r'session is ([\w.]+)\["session"\]', first_line)
    expression = place.split(".")[-1] + '["session"]'
    assert expression in source.partition('"""')[2].partition('"""')[2]
    assert f"{name}:application" in source or f"--app {name} " in source


def test_listed() -> None:
    """The page of the examples lists each of them."""
    text = (FRAMEWORKS.parent / "README.rst").read_text(encoding="utf-8")
    assert re.findall(r"<frameworks/(\w+)\.py>", text) == NAMES
