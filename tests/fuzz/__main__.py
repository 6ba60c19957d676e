"""Fuzz every target for a while, and say what was found: ``python -m tests.fuzz``."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .target import Target
from .targets import TARGETS

#: Seconds for one input, and MB of memory, beyond which libFuzzer takes it for a finding.
TIMEOUT, MEMORY = 10, 1024


class Outcome(NamedTuple):
    """How a run of one target ended."""

    executions: int
    per_second: int
    coverage: int
    findings: list[Path]
    status: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was found, and the run ended of itself."""
        return not self.findings and self.status == 0


def fuzz(name: str, directory: Path, seconds: int, runs: int) -> Outcome:
    """Run a target in a process of its own; its corpus stays for the next run, which tries old findings again."""
    corpus, findings = directory / "corpus", directory / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for path in findings.iterdir():
        path.unlink() if path.suffix == ".txt" else path.replace(corpus / path.name)
    words = directory / "words"
    words.write_text("".join(_quote(TARGETS[name])))
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = (
        f"-max_total_time={seconds}",
        f"-runs={runs}",
        f"-max_len={TARGETS[name].longest}",
        f"-dict={words}",
        f"-timeout={TIMEOUT}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
    )
    command = [sys.executable, "-m", f"{__package__}.worker", name, str(findings), *options, str(corpus)]
    with (directory / "log").open("wb") as log:
        status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    text = (directory / "log").read_text("utf-8", "replace")
    return Outcome(
        executions=_last(r"^(?:stat::number_of_executed_units: *|#)(\d+)", text),
        per_second=_last(r"(?:^stat::average_exec_per_sec: *|exec/s: )(\d+)", text),
        coverage=_last(r"cov: (\d+)", text),
        findings=sorted(path for path in findings.iterdir() if path.suffix != ".txt"),
        status=status,
    )


def _quote(target: Target) -> Iterator[str]:
    for word in filter(None, target.words):
        yield '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"\n'


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets one after the other; 0: nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz handstamp.")
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; 0: without end (default: 60)")
    parser.add_argument("--runs", type=int, default=-1, help="end a target after so many executions as well")
    parser.add_argument("--directory", type=Path, default=Path(".fuzz"), help="of corpora and findings (.fuzz)")
    options = parser.parse_args(arguments)
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is missing; nox -s fuzz brings it")
    options.directory.mkdir(parents=True, exist_ok=True)
    (options.directory / ".gitignore").write_text("*\n")
    outcomes = {}
    for name in options.targets or TARGETS:
        print(f"{name}: {options.directory / name / 'log'} tells how it goes", flush=True)
        outcomes[name] = fuzz(name, options.directory / name, options.seconds, options.runs)
    _report(outcomes)
    return 0 if all(outcome.is_good for outcome in outcomes.values()) else 1


def _report(outcomes: dict[str, Outcome]) -> None:
    print(f"\n{'target':10}{'executions':>14}{'per second':>12}{'coverage':>10}{'findings':>10}")
    for name, (executions, per_second, coverage, findings, _) in outcomes.items():
        print(f"{name:10}{executions:>14,}{per_second:>12,}{coverage:>10,}{len(findings):>10}")
    for name, outcome in outcomes.items():
        for path in outcome.findings:
            print(f"found: {path}")
        if outcome.status != 0:
            print(f"{name} ended with status {outcome.status}")


if __name__ == "__main__":
    sys.exit(main())
