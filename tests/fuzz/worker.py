"""Fuzz one target in this process: ``python -m tests.fuzz.worker TARGET DIRECTORY [LIBFUZZER OPTIONS]``.

A finding is kept and the run goes on, so that the first of many does not hide the others: of each place that raises,
the shortest input. libFuzzer itself keeps what crashes the interpreter, takes too long, or eats up the memory.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["handstamp"]):
    from .targets import TARGETS


def keep_findings(run: Callable[[bytes], None], directory: Path) -> Callable[[bytes], None]:
    """Return a target that writes down what it finds."""
    shortest: dict[str, int] = {}

    def test_one_input(data: bytes) -> None:
        try:
            run(data)
        except Exception as error:
            name = _name(error)
            if len(data) < shortest.get(name, sys.maxsize):
                shortest[name] = len(data)
                (directory / name).write_bytes(data)
                (directory / f"{name}.txt").write_text(f"{data!r}\n\n{traceback.format_exc()}", "utf-8", "replace")

    return test_one_input


def _name(error: Exception) -> str:
    """Name a finding after its error, and after the lines of the target and of the code that it came from."""
    # Without traceback.extract_tb, which reads the sources and takes longer than the target.
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    places = (f"{Path(file).stem}-{line}" for file, line in (frames[1], frames[-1]))
    return "_".join((type(error).__name__, *places))


def main() -> None:
    """Run libFuzzer, which ends the process."""
    name, directory, *options = sys.argv[1:]
    logging.disable()
    target = TARGETS[name]
    atheris.Setup([sys.argv[0], *options], keep_findings(target.run, Path(directory)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
