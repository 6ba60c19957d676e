"""The jobs of this project: nox -l lists them, and nox alone runs the tests, lint, typing and the package's checks."""

import os
import secrets
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "typing", "tests", "package"]
# virtualenv comes with nox, and brings its own pip: nothing else has to be on the machine.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
# An interpreter that is missing is skipped with a word, not fetched; in CI it is an error.
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = bool(os.environ.get("CI"))

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
if sys.version_info > (3, 13) and THIS_PYTHON not in PYTHONS:
    # There is no upper cap: where only a newer Python is at hand, the tests run on that.
    PYTHONS.append(THIS_PYTHON)


def install(session: nox.Session, *groups: str) -> None:
    """Install the package with its extras, editable, and the dependency groups, in one go: pip then sees all bounds."""
    session.install("--editable", ".[encryption,redis,sqlalchemy]", *nox.project.dependency_groups(PYPROJECT, *groups))


def choose_hash(session: nox.Session) -> None:
    """Order sets otherwise in each run, and tell how, so that what fails can be run again."""
    session.env["PYTHONHASHSEED"] = str(secrets.randbelow(2**32))
    session.log(f"PYTHONHASHSEED={session.env['PYTHONHASHSEED']}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of all Python code."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types of the package with mypy, strict, and pyright, standard."""
    install(session, "typing")
    session.run("mypy", "src", *map(str, sorted(Path("tests").glob("typing*"))))
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with branch coverage; with arguments for pytest, run those alone."""
    install(session, "tests", "bench")  # the benchmark proves that each contestant does the work
    if session.posargs:
        # A part of the tests covers a part of the code.
        session.run("pytest", *session.posargs)
        return
    # A data file for each interpreter, so that none profits from what another has covered.
    session.env["COVERAGE_FILE"] = f".coverage.{session.python}"
    choose_hash(session)
    # It fails below 100 %; tests/conftest.py leaves out, by name, what a missing program would cover.
    session.run("pytest", "--numprocesses=auto", "--cov")


@nox.session
def package(session: nox.Session) -> None:
    """Build wheel and sdist, check both, and run tests of the sdist on the installed wheel; arguments go to pytest."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "package"))
    with tempfile.TemporaryDirectory() as place:  # outside of the tree: nothing is found that was not installed
        dist = Path(place, "dist")
        session.run("python", "-m", "build", "--outdir", str(dist))
        (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
        session.run("twine", "check", "--strict", str(wheel), str(sdist))
        session.run("check-wheel-contents", str(wheel))
        # PEP 706; Debian 12's Python is older than that.
        shutil.unpack_archive(sdist, place, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        session.chdir(Path(place, sdist.name.removesuffix(".tar.gz")))
        shutil.rmtree("src")
        test_installed(session, wheel, Path(place, "venv"))


# What a package can lack shows in any test of a module. Attacks, browsers and peers, which make up two thirds of the
# time, meet the same code in the tests session; "nox -s package -- tests" runs the attacks too.
QUICK = ("--ignore=tests/trust", "-m", "not browser")


def test_installed(session: nox.Session, wheel: Path, venv: Path) -> None:
    """Install a wheel into a new environment, alone and then with its extras, and test it there."""
    session.run(sys.executable, "-m", "virtualenv", "--quiet", str(venv), external=True)
    python = str(venv / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run(*install, str(wheel), external=True)
    session.run(python, "-m", "pip", "check", external=True)
    session.run(python, "-W", "ignore", "-m", "handstamp", "secret", external=True, silent=True)
    extras = ",".join(PYPROJECT["project"]["optional-dependencies"])
    groups = nox.project.dependency_groups(PYPROJECT, "tests")
    session.run(*install, f"{wheel}[{extras}]", *groups, external=True)
    choose_hash(session)
    args = session.posargs or QUICK
    # The benchmark's contestants, which people also move in from, are not installed here.
    peers = ("--ignore=tests/benchmarks", "--ignore=tests/test_migration.py", "--ignore=tests/test_concurrency.py")
    session.run(python, "-m", "pytest", "--quiet", "--numprocesses=auto", *peers, *args, external=True)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Serve the demo on 127.0.0.1:8000; the environment variable PORT changes the port."""
    install(session, "demo")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure what a session costs beside others and beside the limit; arguments go to the benchmark."""
    install(session, "bench")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session(default=False)
def load(session: nox.Session) -> None:
    """Let 64 visitors at gunicorn and granian, each of whom must see its own session; arguments go to the load."""
    install(session, "servers")
    session.run("python", "-m", "tests.live", *session.posargs)


@nox.session(default=False)
def stores(session: nox.Session) -> None:
    """Count what many requests at one session lose or bring back, on real servers; arguments say what, and how much."""
    install(session, "tests", "bench")
    session.run("python", "-W", "ignore", "-m", "tests.concurrency", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Look for inputs that break a promise, 60 seconds a target; arguments go to the fuzzer."""
    install(session, "fuzz")
    session.run("python", "-m", "tests.fuzz", *session.posargs)
