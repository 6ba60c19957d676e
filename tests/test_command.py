"""``python -m handstamp secret`` prints a key that the settings take."""

from __future__ import annotations

import importlib
import re
import runpy
import sys

import pytest

from handstamp import Settings
from handstamp._command import SECRET_BYTES, main


def print_secret(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what ``secret`` prints."""
    assert main(["secret"]) == 0
    return capsys.readouterr().out


def test_secret_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A key is one line of letters, digits, ``-`` and ``_``, which shells, ini files and URLs leave alone."""
    assert re.fullmatch(r"[A-Za-z0-9_-]+\n", print_secret(capsys))


def test_secret_is_long_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """A key has 256 bits of randomness, in base64."""
    assert SECRET_BYTES * 8 == 256
    assert len(print_secret(capsys).strip()) == 43


def test_secret_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """No two keys are alike."""
    assert len({print_secret(capsys) for _ in range(100)}) == 100


def test_secret_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """The settings take a key as it was printed."""
    secret = print_secret(capsys).strip()
    assert Settings({"SECRET_KEY": secret})["SECRET_KEY"] == secret


@pytest.mark.parametrize(("arguments", "complaint"), [([], "required: COMMAND"), (["sekret"], "invalid choice")])
def test_usage(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, or with an unknown one, the usage and the complaint go to stderr, and the status is 2."""
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    complaints = capsys.readouterr().err
    assert complaints.startswith("usage: python -m handstamp")
    assert complaint in complaints


def test_help_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says what there is."""
    with pytest.raises(SystemExit) as exit_info:
        main(["--help"])
    assert exit_info.value.code == 0
    assert "print a new SECRET_KEY" in capsys.readouterr().out


def test_module_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m handstamp`` runs the command of its arguments and exits with its status."""
    monkeypatch.setattr(sys, "argv", ["handstamp", "secret"])
    monkeypatch.delitem(sys.modules, "handstamp.__main__", raising=False)
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_module("handstamp", run_name="__main__")
    assert exit_info.value.code == 0
    assert len(capsys.readouterr().out.strip()) == 43


def test_importing_the_module_runs_nothing() -> None:
    """The module that ``python -m`` runs can be imported, as tools do."""
    module = importlib.import_module("handstamp.__main__")
    assert module.main is main


def test_help_names_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says that there is an inspection, whose own tests are in ``test_inspection.py``."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "show what a session cookie holds" in capsys.readouterr().out
