"""``python -m handstamp secret`` prints a new key. ``python -m handstamp inspect`` shows what a cookie holds."""

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

#: Random bytes in a key, as many as a SHA-256 digest has (ASVS 11.2.3 asks for at least 16).
SECRET_BYTES = 32

#: The size limit of a header or a file of keys, in bytes. Servers accept less.
MAX_INPUT = 64 * 1024

#: The settings that an inspection needs. Others may be wrong, or meant for another program.
NEEDED = frozenset({
    "SECRET_KEY", "SECRET_KEY_FALLBACKS", "SESSION_COOKIE_NAME",
    "PERMANENT_SESSION_LIFETIME", "SESSION_IDLE_LIFETIME", "SESSION_ABSOLUTE_LIFETIME",
})  # fmt: skip

INSPECT_HELP = """\
Show of which kind a session cookie is (signed, encrypted or server-side), which key signed it, when it expires and what
it holds. Keys and limits come from the environment (SECRET_KEY, SECRET_KEY_FALLBACKS with one key on each line,
SESSION_COOKIE_NAME, PERMANENT_SESSION_LIFETIME, SESSION_IDLE_LIFETIME, SESSION_ABSOLUTE_LIFETIME). A key is never an
argument, because other users of the machine could see it. If no key fits, or if there is no key, the payload is marked
NOT VERIFIED: anybody may have written it.
"""

INSPECT_NOTES = """\
Pass the cookie on standard input ("inspect < FILE"). An argument is kept in the shell's history, and is shown in the
list of processes. A token that begins with - looks like an option: write "inspect -- TOKEN", or send it to standard
input. The exit status is 0 if a cookie is good, 1 if no cookie is good, and 2 for wrong usage. Of a server-side cookie
only the token is checked, because no store is asked.
"""

#: Reasons for which a cookie opens no session, so that nobody gains anything by reading it.
DEAD = frozenset({
    RejectReason.MALFORMED, RejectReason.TOO_LONG, RejectReason.IDLE, RejectReason.ABSOLUTE, RejectReason.REVOKED,
})  # fmt: skip

LIVE_WARNING = """\
warning: this cookie may be live, and an argument is kept in the shell's history, and is shown in the list of processes;
pass it on standard input instead (python -m handstamp inspect < FILE), and sign that session out
"""


# -- the commands -----------------------------------------------------------------------------------------------------


def print_secret(options: argparse.Namespace) -> int:
    """Print a new key."""
    sys.stdout.write(secrets.token_urlsafe(SECRET_BYTES) + "\n")
    return 0


def print_inspection(options: argparse.Namespace, now: int, reject: Callable[[str], NoReturn]) -> int:
    """Print what a token or a Cookie header holds. Return 0 if any cookie is good, and 1 otherwise.

    :param now: seconds since 1970
    :param reject: called with a message about wrong usage; it exits
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
        sys.stderr.write(f"only signed and server-side cookies can be read: {lack}\n")
    return 0 if good else 1


def make_interfaces() -> tuple[list[TokenSessionInterface[Any]], str]:
    """Return the interfaces whose cookies can be inspected, and why encrypted cookies cannot be, or ``""``."""
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
    secret = commands.add_parser("secret", help="print a new SECRET_KEY")
    secret.set_defaults(run=print_secret)
    inspect = commands.add_parser(
        "inspect", help="show what a session cookie holds", description=INSPECT_HELP, epilog=INSPECT_NOTES
    )
    add_inspect_arguments(inspect)
    inspect.set_defaults(run=partial(print_inspection, now=int(clock()), reject=inspect.error))
    options = parser.parse_args(arguments)
    return int(options.run(options))


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``inspect``."""
    parser.add_argument(
        "cookie", nargs="?", default="-", metavar="COOKIE",
        help="a token, name=token, or a whole Cookie header; - or nothing reads standard input",
    )  # fmt: skip
    parser.add_argument("--name", help="inspect only the cookie of this name; also the name of a bare token")
    parser.add_argument(
        "--keys", metavar="FILE", help="read keys from a file: the current key, then one fallback on each line"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, with times in seconds since 1970")
    parser.add_argument(
        "--prefix", help="the prefix of the variables; by default HANDSTAMP_ if any variable has it, else none"
    )


# -- input: a ValueError means wrong usage ----------------------------------------------------------------------------


def read_settings(environ: Mapping[str, str], options: argparse.Namespace) -> Settings:
    """Read the needed settings from the environment, then from the options."""
    values = take_needed(environ, options.prefix or "")
    if options.prefix is None:
        values = take_needed(environ, "HANDSTAMP_") or values
    if options.keys is not None:
        values["SECRET_KEY"], *fallbacks = read_keys(options.keys)
        values["SECRET_KEY_FALLBACKS"] = "\n".join(fallbacks)
    if options.name is not None:
        values["SESSION_COOKIE_NAME"] = options.name
    # Names with a prefix such as __Host- demand Secure.
    return Settings.from_strings({**values, "SESSION_COOKIE_SECURE": "true"})


def take_needed(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the needed settings from the variables with a prefix."""
    taken = {key[len(prefix) :].upper(): text for key, text in environ.items() if key.startswith(prefix)}
    return {key: text for key, text in taken.items() if key in NEEDED}


def read_keys(path: str) -> list[str]:
    """Read keys from the lines of a file."""
    # The messages do not contain the path, because a user may have passed a key by mistake.
    try:
        with open(path, "rb") as file:
            keys = parse_lines(read_all(file).decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"--keys: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("--keys: the file is not UTF-8 text; write one key on each line") from None
    if not keys:
        raise ValueError(f"--keys: the file contains no key; {NEW_KEY}")
    return keys


def read_cookies(argument: str) -> str:
    """Return the argument, or the text on standard input."""
    # Latin-1, as in WSGI: it decodes any bytes.
    text = argument if argument != "-" else read_all(sys.stdin.buffer).decode("latin-1")
    if not text.strip():
        raise ValueError("no cookie was given; pass one as an argument or on standard input")
    return text


def read_all(file: BinaryIO) -> bytes:
    """Read a file, and reject one that is too large."""
    data = file.read(MAX_INPUT + 1)
    if len(data) > MAX_INPUT:
        raise ValueError(f"the input is more than {MAX_INPUT} bytes, which no server accepts; pass one Cookie header")
    return data
