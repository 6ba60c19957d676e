"""Run one of the modules by its name."""

from __future__ import annotations

import argparse

from . import failover, many, overlaps, throughput, writes

MODULES = {
    "failover": failover.main,
    "many": many.main,
    "overlaps": overlaps.main,
    "throughput": throughput.main,
    "writes": writes.main,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency", description=__doc__)
    parser.add_argument("module", choices=MODULES)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of the module; --help tells them")
    chosen = parser.parse_args()
    MODULES[chosen.module](chosen.options)
