"""Programs of the examples, started as their users start them, on free ports, and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .paths import EXAMPLES
from .processes import PATIENCE, find_ports, wait_for


@contextmanager
def run_example(name: str, **environ: str) -> Iterator[int]:
    """Run an example; yield its port.

    :param environ: what it finds in its environment; no ``REDIS_URL`` comes from elsewhere
    """
    (port,) = find_ports(1)
    inherited = {key: value for key, value in os.environ.items() if key != "REDIS_URL"}
    own = {"SECRET_KEY": "a key for the tests, long enough", "PORT": str(port), "PYTHONWARNINGS": "ignore", **environ}
    process = subprocess.Popen([sys.executable, EXAMPLES / name], env=inherited | own, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
