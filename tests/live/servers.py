"""The servers: how each is started on a free port, waited for, and stopped."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import itsdangerous
import webob

import handstamp
from tests.support.paths import EXAMPLES, TESTS
from tests.support.processes import find_ports, wait_for

#: Where the application, the example that it serves, and handstamp itself are found.
FRAMEWORKS = EXAMPLES / "frameworks"
PATHS = [TESTS, FRAMEWORKS]
APP = "live.application:application"
LEAVE = 10  # seconds for it to end
KEY = "the key of the servers, no secret"

WSGIREF = """\
from wsgiref.simple_server import make_server
from live.application import application
make_server("127.0.0.1", {port}, application).serve_forever()
"""

WERKZEUG = """\
from werkzeug.serving import run_simple
from live.application import application
run_simple("127.0.0.1", {port}, application, threaded=True)
"""

A2WSGI = """\
import uvicorn
from a2wsgi import WSGIMiddleware
from live.application import application
uvicorn.run(WSGIMiddleware(application), host="127.0.0.1", port={port}, lifespan="off")
"""


class Server(NamedTuple):
    """What there is to know of a server."""

    #: Its command; ``{port}`` and ``{app}`` are filled in.
    command: Sequence[str]
    #: The distribution that brings it; without one it is Python's own, or the system's.
    package: str = ""
    #: Whether it has a ``wsgi.file_wrapper``.
    wraps_files: bool = True
    #: Whether it then has the kernel copy the file to the socket.
    calls_sendfile: bool = False


def python(module: str, *options: str) -> list[str]:
    """Run a module with this interpreter."""
    return [sys.executable, "-m", module, *options]


def gunicorn(worker: str) -> list[str]:
    """Run gunicorn with a class of workers."""
    options = [f"--worker-class={worker}", "--no-control-socket", "--graceful-timeout=1", "--bind=127.0.0.1:{port}"]
    return python("gunicorn", *options, "{app}")


def beside_python(program: str) -> str:
    """Return the path of a program that was installed with this interpreter's packages."""
    return str(Path(sys.executable).with_name(program))


SERVERS = {
    "wsgiref": Server([sys.executable, "-c", WSGIREF]),
    "waitress": Server(python("waitress", "--listen=127.0.0.1:{port}", "{app}"), "waitress"),
    "gunicorn-sync": Server(gunicorn("sync"), "gunicorn", calls_sendfile=True),
    "gunicorn-gthread": Server(gunicorn("gthread"), "gunicorn", calls_sendfile=True),
    "gunicorn-gevent": Server(gunicorn("gevent"), "gevent"),
    "uwsgi": Server(
        [beside_python("uwsgi"), "--http-socket=127.0.0.1:{port}", "--module={app}", "--master", "--die-on-term"],
        "pyuwsgi",
        calls_sendfile=True,
    ),
    "cheroot": Server(python("cheroot", "--bind=127.0.0.1:{port}", "{app}"), "cheroot", wraps_files=False),
    "granian": Server(
        python(
            "granian",
            "--interface=wsgi",
            "--no-ws",
            "--blocking-threads=4",
            "--workers-kill-timeout=1",
            "--port={port}",
            "{app}",
        ),
        "granian",
        wraps_files=False,
    ),
    "werkzeug": Server([sys.executable, "-c", WERKZEUG], "werkzeug", wraps_files=False),
    "a2wsgi": Server([sys.executable, "-c", A2WSGI], "a2wsgi", wraps_files=False),
    "mod_wsgi": Server(["{apache}", "-D", "FOREGROUND", "-f", "{directory}/apache.conf"]),
}


# -- what is missing --------------------------------------------------------------------------------------------------

# Debian keeps it where only root looks.
APACHE = shutil.which("apache2", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")
MODULES = Path("/usr/lib/apache2/modules")


def find_missing(name: str) -> str:
    """Name what of a server is not on this machine; nothing, if it is all there."""
    if name == "mod_wsgi":
        return "" if APACHE and (MODULES / "mod_wsgi.so").exists() else "apache2 with mod_wsgi"
    package = SERVERS[name].package
    try:
        return package and version(package) and ""
    except ModuleNotFoundError:
        return package


# -- starting and stopping --------------------------------------------------------------------------------------------


@contextmanager
def serve(
    name: str,
    directory: Path,
    *,
    app: str = APP,
    options: Sequence[str] = (),
    trace: Sequence[str] = (),
    **environment: str,
) -> Iterator[int]:
    """Serve the application with a server, its files in a directory; yield its port.

    :param app: another application, for the servers whose command takes one
    :param options: go to the server, before the application that it is told
    :param trace: a command that runs the server's command as its child
    :raises RuntimeError: holds what the server said when it did not come up
    """
    (port,) = find_ports(1)
    places = {"port": str(port), "app": app, "apache": str(APACHE), "directory": str(directory)}
    *first, last = SERVERS[name].command
    command = [*trace, *(part.format(**places) for part in (*first, *options, last))]
    with run(command, directory, PREPARE.get(name, do_nothing)(directory, port), environment) as process:
        wait_for(port, process, directory / "log")
        yield port


@contextmanager
def run(
    command: Sequence[str], directory: Path, user: str | None, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as a user with all it says in the file ``log``, and end it."""
    paths = os.pathsep.join(map(str, [*PATHS, Path(handstamp.__file__).parents[1]]))
    own = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "SECRET_KEY": KEY, "HANDSTAMP_SECRET_KEY": KEY}
    group = pwd.getpwnam(user).pw_gid if user else None
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **own, **environment},
            stdout=log,
            stderr=log,
            user=user,
            group=group,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process; one that runs the server as its child ends when that ends."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    command: Any = process.args
    traced = command[0] == "strace"
    for pid in map(int, children.read_text().split()) if traced and process.poll() is None else [process.pid]:
        if process.poll() is None:
            os.kill(pid, signal.SIGTERM)
    try:
        process.wait(LEAVE)
    except subprocess.TimeoutExpired:
        # A parent was seen to wait for its worker without end. How servers end is not what is tested.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# -- Apache -----------------------------------------------------------------------------------------------------------

APACHE_CONFIG = """\
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile apache.pid
ServerName localhost
Listen 127.0.0.1:{port}
ErrorLog log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGIEnableSendfile On
EnableSendfile On
WSGISocketPrefix {directory}/wsgi
WSGIDaemonProcess live home={directory} processes=1 threads=8 python-path={directory}/code
WSGIProcessGroup live
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {directory}/code/live/application.py
<Directory {directory}/code>
    Require all granted
</Directory>
"""


def prepare_apache(directory: Path, port: int) -> str | None:
    """Write Apache's configuration, and the code where it may read it; return whom it runs as, if not as ourselves.

    The module was built for the system's Python, which need not be this one: it gets a copy of pure Python packages.
    """
    code = directory / "code"
    for package in (handstamp, webob, itsdangerous):
        shutil.copytree(
            Path(str(package.__file__)).parent, code / package.__name__, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copytree(TESTS / "live", code / "live", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(FRAMEWORKS / "plain.py", code)
    (directory / "log").touch()
    config = APACHE_CONFIG.format(directory=directory, port=port, modules=MODULES)
    (directory / "apache.conf").write_text(config)
    if os.geteuid() != 0:
        return None
    # Apache serves nothing as root.
    for path in (directory, *directory.rglob("*")):
        shutil.chown(path, "nobody")
    return "nobody"


def do_nothing(directory: Path, port: int) -> str | None:
    """Prepare nothing, and run as ourselves."""
    return None


PREPARE: dict[str, Callable[[Path, int], str | None]] = {"mod_wsgi": prepare_apache}
