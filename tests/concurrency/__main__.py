"""Run one of the modules by its name."""

from __future__ import annotations

import sys

from . import failover, many, overlaps, throughput, writes

MODULES = {
    "failover": failover.main,
    "many": many.main,
    "overlaps": overlaps.main,
    "throughput": throughput.main,
    "writes": writes.main,
}

if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in MODULES:
        sys.exit(f"usage: python -m tests.concurrency {{{','.join(MODULES)}}} [options]")
    MODULES[sys.argv[1]](sys.argv[2:])
