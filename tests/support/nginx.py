"""nginx, with all of its files in a directory, on ports that nobody can take from it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# Debian keeps it where only root looks.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")

CONFIG = """
%(user)s
daemon off;
pid pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    %(site)s
}
"""


@contextmanager
def run(directory: Path, site: str, *names: str, **values: object) -> Iterator[list[int]]:
    """Run nginx; yield the ports that it listens on.

    :param site: what stands inside ``http``; ``%(name)s`` is filled in
    :param names: of the ports
    """
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        ports = [listener.getsockname()[1] for listener in listeners]
        site %= {**values, **dict(zip(names, ports, strict=True))}
        # Started by root it would work as somebody else, who may not enter the directory.
        user = "user root root;" if os.geteuid() == 0 else ""
        config = directory / "nginx.conf"
        config.write_text(CONFIG % {"user": user, "site": site})
        process = start(directory, config, listeners)
    with process:
        try:
            yield ports
        finally:
            process.terminate()
    assert process.returncode == 0, (directory / "error.log").read_text()


def start(directory: Path, config: Path, listeners: list[socket.socket]) -> subprocess.Popen[bytes]:
    """Start nginx on sockets that listen already.

    It inherits them as it does when it upgrades itself: who connects before it is up has to wait and not to try again.
    """
    for listener in listeners:
        listener.setblocking(False)
    numbers = [listener.fileno() for listener in listeners]
    return subprocess.Popen(
        [str(NGINX), "-p", directory, "-c", config, "-e", "error.log"],
        env={**os.environ, "NGINX": "".join(f"{number};" for number in numbers)},
        pass_fds=numbers,
    )
