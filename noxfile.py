"""The jobs of this project: nox -l lists them, and nox alone runs the tests, lint, typing and the package's checks."""

import json
import os
import re
import secrets
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import nox
from packaging.requirements import Requirement

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

#: The versions of all that the sessions install, so that somebody else's release breaks nothing here over night.
CONSTRAINTS = Path(".ci/constraints.txt").resolve()
# pip reads both names; one that does not know the second yet applies the first to what builds need, too. As an address,
# for pip splits the value at blanks.
os.environ["PIP_CONSTRAINT"] = os.environ["PIP_BUILD_CONSTRAINT"] = CONSTRAINTS.as_uri()


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
    # The audits that need no network; also of what it finds pedantic.
    session.run("zizmor", "--offline", "--persona=pedantic", "--no-progress", ".github")


@nox.session
def typing(session: nox.Session) -> None:
    """Check all types with mypy, strict, and those of the package and its users with pyright, standard."""
    install(session, "typing", "tests", "bench")  # mypy reads the tests, and the types of what they import
    session.run("mypy")
    session.run("pyright")
    session.run("pytest", "--quiet", "tests/project/typing_proof.py")


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


@nox.session(python=PYTHONS[0], default=False)
def lowest(session: nox.Session) -> None:
    """Test on the oldest Python, with the lowest versions that pyproject.toml allows; arguments go to pytest."""
    floors = dict(find_floors())
    # What tests, serves and compares stays as in all sessions: it is not what users install.
    kept = [line for line in CONSTRAINTS.read_text().splitlines() if line.partition("==")[0] not in floors]
    lines = [*kept, *(f"{name}=={version}" for name, version in floors.items())]
    constraints = Path(session.create_tmp(), "lowest.txt")
    constraints.write_text("\n".join(lines))
    session.env["PIP_CONSTRAINT"] = constraints.resolve().as_uri()
    install(session, "tests", "bench")
    session.log("lowest versions: %s", ", ".join(lines[len(kept) :]))
    choose_hash(session)
    session.run("pytest", "--numprocesses=auto", *session.posargs)


def find_floors() -> Iterator[tuple[str, str]]:
    """Yield the lowest version of each dependency, those of the extras too."""
    project = PYPROJECT["project"]
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        requirement = Requirement(text)
        (floor,) = (bound.version for bound in requirement.specifier if bound.operator == ">=")
        yield requirement.name, floor


@nox.session(default=False)
def constraints(session: nox.Session) -> None:
    """Renew the versions that all sessions install: the newest for each Python and platform."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "constraints"))
    builders = Path(session.create_tmp(), "builders.in")
    # hatchling asks for editables besides, where it makes an editable wheel.
    builders.write_text("\n".join([*PYPROJECT["build-system"]["requires"], "editables"]))
    groups = [f"--group={group}" for group in PYPROJECT["dependency-groups"]]
    # The file says nothing of the machine that wrote it.
    options = ["--universal", f"--python-version={PYTHONS[0]}", "--all-extras", "--upgrade", "--quiet", "--no-config"]
    options += ["--no-annotate", "--custom-compile-command=nox -s constraints", f"--output-file={CONSTRAINTS}"]
    before = CONSTRAINTS.read_text().splitlines()
    session.run("uv", "pip", "compile", *options, *groups, "pyproject.toml", str(builders))
    after = CONSTRAINTS.read_text().splitlines()
    changed = [
        *(f"- {line}" for line in before if line not in after),
        *(f"+ {line}" for line in after if line not in before),
    ]
    # A commit is checked by the same ruff.
    (ruff,) = (line for line in after if line.startswith("ruff=="))
    hooks = Path(".pre-commit-config.yaml")
    hooks.write_text(re.sub(r"ruff==[^\]\s]+", ruff, hooks.read_text()))
    session.log("%d lines, %d changed\n%s", len(after), len(changed), "\n".join(changed))


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
        if hasattr(tarfile, "data_filter"):
            shutil.unpack_archive(sdist, place, filter="data")
        else:  # before PEP 706, as in Debian 12
            shutil.unpack_archive(sdist, place)
        session.chdir(Path(place, sdist.name.removesuffix(".tar.gz")))
        shutil.rmtree("src")
        test_installed(session, wheel, Path(place, "venv"))


# What a package can lack shows in any test of a module. Attacks, browsers and peers, which make up two thirds of the
# time, meet the same code in the tests session; "nox -s package -- tests" runs the attacks too.
QUICK = ("--ignore=tests/security", "-m", "not browser")


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
    peers = ("--ignore=tests/benchmarks", "--ignore=tests/examples/test_migration.py", "--ignore=tests/concurrency")
    session.run(python, "-m", "pytest", "--quiet", "--numprocesses=auto", *peers, *args, external=True)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Build wheel and sdist into dist/, and the list of what the wheel brings (SBOM) into sbom/; argument: the tag."""
    version = PYPROJECT["project"]["version"]
    if session.posargs not in ([], [f"v{version}"]):
        session.error(f"the tag is {' '.join(session.posargs)}, but pyproject.toml says {version}; tag it v{version}")
    session.install(*nox.project.dependency_groups(PYPROJECT, "release"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")
    (wheel,) = Path("dist").glob("*.whl")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    # What a user gets, with all extras, and no more: an environment of its own.
    venv = Path(session.create_tmp(), "venv")
    session.run("virtualenv", "--clear", "--quiet", "--no-seed", str(venv))
    extras = ",".join(PYPROJECT["project"]["optional-dependencies"])
    session.run("python", "-m", "pip", "--quiet", f"--python={venv}", "install", f"{wheel}[{extras}]")
    Path("sbom").mkdir(exist_ok=True)
    sbom = ["--pyproject=pyproject.toml", "--output-reproducible", "--output-file=sbom/handstamp.cdx.json"]
    session.run("cyclonedx-py", "environment", *sbom, str(venv))


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


#: The rooms of the text ring, and the files of tests that have to notice a change in each.
MUTATED = {
    "exceptions": ["test_exceptions.py"],
    "_unserializable": ["test_unserializable.py"],
    "_json": ["test_payload.py"],
    "_payload_types": ["test_payload.py"],
    "payload": ["test_payload.py"],
    "_cookies": ["test_cookies.py"],
    "_policy": ["test_cookies.py", "test_settings.py"],
    "_lifetimes": ["test_lifetimes.py"],
    "_keys": ["test_keys.py", "test_settings.py"],
    "_setting_types": ["test_settings.py"],
    "_settings": ["test_settings.py"],
    "_base64url": ["test_tokens.py"],
    "_tokens": ["test_tokens.py"],
    "_encryption": ["test_encrypted.py"],
}


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Change the text ring in every small way and count what its tests notice; arguments: the rooms, all without."""
    rooms = session.posargs or list(MUTATED)
    if unknown := sorted(set(rooms) - set(MUTATED)):
        session.error(f"there is no room {', '.join(unknown)} in MUTATED; it has {', '.join(MUTATED)}")
    install(session, "tests", "bench", "mutation")
    for room in rooms:
        mutate(session, room)


def mutate(session: nox.Session, room: str) -> None:
    """Mutate one room, in a copy of the tree, and print the figures and what survived."""
    place = Path(session.create_tmp(), room)
    shutil.rmtree(place, ignore_errors=True)
    tree = session.run("git", "ls-files", "--cached", "--others", "--exclude-standard", external=True, silent=True)
    for path in map(Path, str(tree).splitlines()):
        place.joinpath(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / path)
    options = {
        "source_paths": ["src/"],
        "only_mutate": [f"src/handstamp/{room}.py"],
        "also_copy": sorted({path.name for path in place.iterdir()} - {"src", "pyproject.toml"}),
        "pytest_add_cli_args_test_selection": [f"tests/{path}" for path in MUTATED[room]],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    with place.joinpath("pyproject.toml").open("a") as settings:
        settings.write("\n".join(["", "[tool.mutmut]", *lines, ""]))
    with session.chdir(place):
        session.run("mutmut", "run", silent=True)
        session.run("mutmut", "export-cicd-stats", silent=True)
        figures = json.loads(Path("mutants/mutmut-cicd-stats.json").read_text())
        session.log("%s: %s", room, ", ".join(f"{name} {count}" for name, count in figures.items() if count))
        session.run("mutmut", "results")
