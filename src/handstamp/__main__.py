"""``python -m handstamp secret``: make a key."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence

#: Bytes of randomness in a key: as many as SHA-256 gives (ASVS 11.2.3 asks for 16 at least).
SECRET_BYTES = 32


def print_secret() -> int:
    """Print a fresh key."""
    sys.stdout.write(secrets.token_urlsafe(SECRET_BYTES) + "\n")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m handstamp", description="Tools around session cookies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    secret = commands.add_parser("secret", help="print a fresh SECRET_KEY")
    secret.set_defaults(run=print_secret)
    return int(parser.parse_args(arguments).run())


if __name__ == "__main__":
    sys.exit(main())
