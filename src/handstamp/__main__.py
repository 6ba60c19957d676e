"""``python -m handstamp secret``: make a key; ``python -m handstamp inspect``: look into a cookie."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, BinaryIO, NoReturn

from ._candidates import ServerSideTokens
from ._inspection import inspect_cookies
from ._inspection_format import format_json, format_text
from ._keys import NEW_KEY
from ._setting_types import parse_lines
from ._settings import Settings
from ._signed import SecureCookieSessionInterface
from ._token_based import TokenSessionInterface
from .exceptions import RejectReason, SettingsError

#: Bytes of randomness in a key: as many as SHA-256 gives (ASVS 11.2.3 asks for 16 at least).
SECRET_BYTES = 32

#: Bytes of a header or a file of keys: servers take less.
MAX_INPUT = 64 * 1024

#: The settings that an inspection needs. Others may be wrong, or be meant for somebody else.
NEEDED = frozenset({
    "SECRET_KEY", "SECRET_KEY_FALLBACKS", "SESSION_COOKIE_NAME",
    "PERMANENT_SESSION_LIFETIME", "SESSION_IDLE_LIFETIME", "SESSION_ABSOLUTE_LIFETIME",
})  # fmt: skip

INSPECT_HELP = """\
Tell of which kind a session cookie is (signed, encrypted or server-side), which key signed it, when it ends and what it
holds. Keys and limits are read from the environment
(SECRET_KEY, SECRET_KEY_FALLBACKS with a key on each line, SESSION_COOKIE_NAME, PERMANENT_SESSION_LIFETIME,
SESSION_IDLE_LIFETIME, SESSION_ABSOLUTE_LIFETIME), keys never from an argument: other users of the machine can see it.
If no key fits, or there is none, the payload is shown all the same, marked NOT VERIFIED: anybody may have written it.
"""

INSPECT_NOTES = """\
Send the cookie to standard input ("inspect < FILE"): an argument stands in the shell's history and in the list of
processes. A token that begins with - looks like an option: write "inspect -- TOKEN", or send it to standard input. The
exit status is 0 for a good cookie, 1 for a bad or an unverified one or none, 2 for wrong use. Of a server-side cookie
the token is judged; no store is asked.
"""

#: Whoever reads the argument of such a cookie has it for nothing.
DEAD = frozenset({
    RejectReason.MALFORMED, RejectReason.TOO_LONG, RejectReason.IDLE, RejectReason.ABSOLUTE, RejectReason.REVOKED,
})  # fmt: skip

LIVE_WARNING = """\
warning: this cookie may be live, and as an argument it stands in the shell's history and in the list of processes; send
it to standard input instead (python -m handstamp inspect < FILE), and sign that session out
"""


# -- the commands -----------------------------------------------------------------------------------------------------


def print_secret(options: argparse.Namespace) -> int:
    """Print a fresh key."""
    sys.stdout.write(secrets.token_urlsafe(SECRET_BYTES) + "\n")
    return 0


def print_inspection(options: argparse.Namespace, now: int, reject: Callable[[str], NoReturn]) -> int:
    """Print what a token or a Cookie header holds; the status tells whether any of it is good.

    :param now: seconds since 1970
    :param reject: exits with a message about wrong use
    """
    try:
        settings = read_settings(os.environ, options)
        text = read_cookies(options.cookie)
    except ValueError as error:
        reject(str(error))
    interfaces, lack = make_interfaces()
    findings = inspect_cookies(interfaces, settings, text, now, named=options.name is not None)
    sys.stdout.write(format_json(findings, now) if options.json else format_text(findings, now))
    good = any(finding.good for finding in findings)
    if options.cookie != "-" and any(finding.reason not in DEAD for finding in findings):
        sys.stderr.write(LIVE_WARNING)
    if lack and not good:
        sys.stderr.write(f"signed and server-side cookies alone can be read: {lack}\n")
    return 0 if good else 1


def make_interfaces() -> tuple[list[TokenSessionInterface[Any]], str]:
    """Make the interfaces whose cookies can be inspected; and say what those of encrypted ones lack, if anything."""
    interfaces: list[TokenSessionInterface[Any]] = [SecureCookieSessionInterface(), ServerSideTokens()]
    try:
        interfaces.append(import_module("handstamp.encrypted").EncryptedCookieSessionInterface())
    except (ImportError, SettingsError) as error:
        return interfaces, str(error)
    return interfaces, ""


def main(arguments: Sequence[str] | None = None, clock: Callable[[], float] = time.time) -> int:
    """Run one command and return its exit status.

    :param clock: returns seconds since 1970
    """
    parser = argparse.ArgumentParser(prog="python -m handstamp", description="Tools around session cookies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    secret = commands.add_parser("secret", help="print a fresh SECRET_KEY")
    secret.set_defaults(run=print_secret)
    inspect = commands.add_parser(
        "inspect", help="show what a session cookie holds", description=INSPECT_HELP, epilog=INSPECT_NOTES
    )
    add_inspect_arguments(inspect)
    inspect.set_defaults(run=partial(print_inspection, now=int(clock()), reject=inspect.error))
    options = parser.parse_args(arguments)
    return int(options.run(options))


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``inspect`` takes."""
    parser.add_argument(
        "cookie", nargs="?", default="-", metavar="COOKIE",
        help="a token, name=token, or a whole Cookie header; - or nothing: from standard input",
    )  # fmt: skip
    parser.add_argument("--name", help="only the cookie of this name, which a token that stands alone is taken for")
    parser.add_argument(
        "--keys", metavar="FILE", help="keys from a file: the current one, then a fallback on each line"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, times in seconds since 1970")
    parser.add_argument(
        "--prefix", help="what the variables begin with; else HANDSTAMP_ if any of them does, or nothing"
    )


# -- what they read: a ValueError is wrong use ------------------------------------------------------------------------


def read_settings(environ: Mapping[str, str], options: argparse.Namespace) -> Settings:
    """Read what is needed from the environment, then from the options."""
    values = take_needed(environ, options.prefix or "")
    if options.prefix is None:
        values = take_needed(environ, "HANDSTAMP_") or values
    if options.keys is not None:
        values["SECRET_KEY"], *fallbacks = read_keys(options.keys)
        values["SECRET_KEY_FALLBACKS"] = "\n".join(fallbacks)
    if options.name is not None:
        values["SESSION_COOKIE_NAME"] = options.name
    # Names with a prefix such as __Host- demand it.
    return Settings.from_strings({**values, "SESSION_COOKIE_SECURE": "true"})


def take_needed(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the needed settings that stand in an environment under a prefix."""
    taken = {key[len(prefix) :].upper(): text for key, text in environ.items() if key.startswith(prefix)}
    return {key: text for key, text in taken.items() if key in NEEDED}


def read_keys(path: str) -> list[str]:
    """Read keys from the lines of a file."""
    # The messages name no path: somebody may have put a key in its place.
    try:
        with open(path, "rb") as file:
            keys = parse_lines(read_all(file).decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"--keys: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("--keys: the file is no text in UTF-8") from None
    if not keys:
        raise ValueError(f"--keys: the file holds no key; {NEW_KEY}")
    return keys


def read_cookies(argument: str) -> str:
    """Return the argument, or what stands for it on standard input."""
    # Latin-1, as in WSGI: whatever the bytes are, they are no error.
    text = argument if argument != "-" else read_all(sys.stdin.buffer).decode("latin-1")
    if not text.strip():
        raise ValueError("no cookie is given")
    return text


def read_all(file: BinaryIO) -> bytes:
    """Read a file that may be endless."""
    data = file.read(MAX_INPUT + 1)
    if len(data) > MAX_INPUT:
        raise ValueError(f"the input is more than {MAX_INPUT} bytes, longer than any server takes")
    return data


if __name__ == "__main__":
    sys.exit(main())
