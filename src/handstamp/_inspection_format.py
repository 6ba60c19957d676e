"""The findings of an inspection, as text for people and as JSON for programs.

Both are printable ASCII, so that a payload cannot send control characters to a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from textwrap import indent

from ._cookies import MAX_COOKIE_BYTES
from ._inspection import MAX_SHOWN, NO_KEY, Finding
from ._lifetimes import CLOCK_TOLERANCE_SECONDS
from .exceptions import RejectReason

#: The explanation of each reason for which a cookie is rejected.
REASONS = {
    RejectReason.MALFORMED: "malformed: the value is not a token, or does not hold a session",
    RejectReason.TOO_LONG: f"too long: name and value are more than {MAX_COOKIE_BYTES} bytes",
    RejectReason.BAD_SIGNATURE: "bad signature: none of the keys signed this value for a cookie of this name",
    RejectReason.FUTURE: f"from the future: issued more than {CLOCK_TOLERANCE_SECONDS} s ahead of this machine's clock",
    RejectReason.IDLE: "expired: the idle limit has passed",
    RejectReason.ABSOLUTE: "expired: the absolute limit has passed",
    RejectReason.REVOKED: "revoked: the application's validate_session returned False",
    NO_KEY: "there is no SECRET_KEY to verify it; set one, or pass --keys",
}

#: The explanation of each kind of session.
KINDS = {
    "signed": "signed: the cookie holds the session, and anyone who has the cookie can read it",
    "encrypted": "encrypted: the cookie holds the session, and anyone who has the key can read it",
    "serverside": "server-side: the cookie opens a session in a store, and only the store knows whether it has ended",
}


def format_json(findings: list[Finding], now: int) -> str:
    """Return findings as one JSON object on one line."""
    cookies = [{"good": found.good, "verified": found.verified, **found._asdict()} for found in findings]
    good = any(found.good for found in findings)
    return json.dumps({"good": good, "now": now, "limit": MAX_COOKIE_BYTES, "cookies": cookies}) + "\n"


def format_text(findings: list[Finding], now: int) -> str:
    """Return findings as text for people."""
    blocks = []
    characters_left = MAX_SHOWN
    for finding in findings:
        shown = _format_payload(finding, characters_left)
        characters_left -= len(shown)
        blocks.append(f"{finding.name}: {_format_verdict(finding)}\n{_format_rows(finding, now)}{shown}")
    return "\n".join(blocks) or "no session cookie found\n"


def _format_payload(finding: Finding, characters_left: int) -> str:
    """Return a payload indented over several lines, or on one line if there is not enough space."""
    if finding.payload is None:
        return "" if finding.payload_size is None else _format_row("payload", _LEFT_OUT.format(finding.payload_size))
    lines = _format_row("payload", indent(json.dumps(finding.payload, indent=2), _MARGIN).lstrip())
    return lines if len(lines) <= characters_left else _format_row("payload", json.dumps(finding.payload))


_LEFT_OUT = f"left out: {{}} bytes; all payloads together are shown up to {MAX_SHOWN} bytes"


def _format_verdict(finding: Finding) -> str:
    if finding.reason is None:
        return "good, if the store still has its session" if finding.kind == "serverside" else "good"
    return f"{'NOT VERIFIED' if finding.reason == NO_KEY else 'REJECTED'}, {REASONS[finding.reason]}"


def _format_rows(finding: Finding, now: int) -> str:
    return "".join(_format_row(label, text) for label, text in _find_rows(finding, now))


def _format_row(label: str, text: str) -> str:
    return f"  {label:<8} {text}\n"


def _find_rows(finding: Finding, now: int) -> Iterator[tuple[str, str]]:
    if finding.kind is not None:
        yield "kind", KINDS[finding.kind]
    if finding.issued is not None:
        yield "key", finding.key or "none fits; the following is NOT VERIFIED"
    times = (
        ("issued", finding.issued, ""),
        ("created", finding.created, ""),
        ("ends", finding.idle_end, ", if idle until then"),
        ("ends", finding.absolute_end, ", in any case"),
    )
    for label, seconds, condition in times:
        if seconds is not None:
            yield label, f"{_format_time(seconds)} ({_format_distance(seconds - now)}){condition}"
    if finding.handle is not None:
        yield "handle", finding.handle
    yield "size", f"{finding.size} of {MAX_COOKIE_BYTES} bytes"


_MARGIN = " " * 11


def _format_time(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return f"{seconds} s after the start of 1970"


def _format_distance(seconds: int) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (1, "s"))
    text = f"{abs(seconds) // size} {unit}"
    return f"in {text}" if seconds > 0 else f"{text} ago"


_UNITS = ((24 * 3600, "d"), (3600, "h"), (60, "min"))
