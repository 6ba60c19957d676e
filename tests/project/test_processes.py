"""Ports for programs: free, and each found once."""

from __future__ import annotations

import socket

from tests.support.processes import find_ports, is_free


def test_no_port_twice() -> None:
    """A port that was found is not found again, though nobody listens on it yet."""
    ports = [port for _ in range(20) for port in find_ports(10)]
    assert len(set(ports)) == len(ports) == 200


def test_not_free() -> None:
    """A port is not free while somebody listens on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_free(listener.getsockname()[1])
