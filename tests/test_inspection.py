"""``python -m handstamp inspect`` tells which key signed a cookie, when it ends and what it holds."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from handstamp import RejectReason, SecureCookieSessionInterface, Settings
from handstamp._command import LIVE_WARNING, MAX_INPUT, NEEDED, main
from handstamp._inspection import NO_KEY, inspect_cookies
from handstamp._inspection_format import KINDS, REASONS
from handstamp._rejection import BadToken
from handstamp._tokens import MAX_PAYLOAD_BYTES
from handstamp.payload import MAX_DEPTH
from handstamp.serverside import ServerSideSessionInterface
from handstamp.stores import MemoryStore
from handstamp.testing import FrozenClock
from tests.support import cookie_kinds
from tests.support.constants import DAY, HOUR, KEY, MINUTE, OLD_KEY, START
from tests.support.cookie_kinds import sign, stamp
from tests.support.site import Site

OTHER_KEY = "the key of somebody else, no secret"

pytestmark = pytest.mark.usefixtures("kind")
# What an encrypted token holds cannot be shown without its key, and it is never packed.
signed_only = pytest.mark.parametrize("kind", ["signed"], indirect=True)


def kind_name() -> str:
    """Return what the command calls the kind that is tested."""
    return cookie_kinds.current().interface.purpose.removeprefix("handstamp.")


def good() -> str:
    """Make a good token."""
    return stamp({"visits": 3})


def forged() -> str:
    """Make one with a key that is none of ours."""
    return stamp({"visits": 3}, key=OTHER_KEY)


def shield(arguments: Sequence[str]) -> list[str]:
    """Put two dashes before a token that begins with one, as an encrypted one may; no option is that long."""
    shielded: list[str] = []
    for argument in arguments:
        shielded += ["--", argument] if argument.startswith("-") and len(argument) > 60 else [argument]
    return shielded


class Result(NamedTuple):
    """What an inspection came to."""

    status: int
    out: str

    @property
    def answer(self) -> Any:
        """What the JSON form says."""
        return json.loads(self.out)

    @property
    def cookies(self) -> list[dict[str, Any]]:
        """What it says of each cookie."""
        cookies: list[dict[str, Any]] = self.answer["cookies"]
        return cookies

    @property
    def cookie(self) -> dict[str, Any]:
        """What it says of the one cookie."""
        (cookie,) = self.cookies
        return cookie


Inspect = Callable[..., Result]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment but the key of the tests."""
    for key in os.environ:
        if key.upper().removeprefix("HANDSTAMP_") in NEEDED:
            monkeypatch.delenv(key)
    monkeypatch.setenv("SECRET_KEY", KEY)


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Inspect:
    """Run the command, an hour after the tests' tokens were signed."""

    def run(*arguments: str, at: float = START + HOUR) -> Result:
        status = main(["inspect", *shield(arguments)], clock=FrozenClock(at))
        captured = capsys.readouterr()
        assert captured.err in ("", LIVE_WARNING) or find_spec("cryptography") is None
        return Result(status, captured.out)

    return run


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command where it is wrong use, and return the complaint."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as exit_info:
            main(["inspect", *shield(arguments)])
        assert exit_info.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("usage: python -m handstamp inspect")
        return captured.err.partition("error: ")[2]

    return run


def send(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Put bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


# -- what is shown ----------------------------------------------------------------------------------------------------


def test_good_token(inspect: Inspect) -> None:
    """A good token is shown with its kind, its key, its times, its size and its payload, and the status is 0."""
    token = stamp({"visits": 3, "_permanent": True}, created=START - 2 * DAY)
    assert inspect(token, at=START + 5 * MINUTE) == (
        0,
        "session: good\n"
        f"  kind     {KINDS[kind_name()]}\n"
        "  key      current\n"
        "  issued   2023-11-14 22:13:20 UTC (5 min ago)\n"
        "  created  2023-11-12 22:13:20 UTC (2 d ago)\n"
        "  ends     2023-12-15 22:13:20 UTC (in 30 d), if idle until then\n"
        f"  size     {len('session') + len(token)} of 4096 bytes\n"
        '  payload  {\n             "visits": 3,\n             "_permanent": true,\n'
        f'             "_created": {START - 2 * DAY}\n           }}\n',
    )


@signed_only
def test_bad_signature_in_text(inspect: Inspect) -> None:
    """A token that no key fits is refused and shown all the same, marked as not verified, and the status is 1."""
    status, out = inspect(forged())
    assert status == 1
    assert out.startswith(f"session: REJECTED, {REASONS[RejectReason.BAD_SIGNATURE]}\n  kind     signed: ")
    assert "\n  key      none fits; " in out
    assert out.index("NOT VERIFIED") < out.index("issued") < out.index('"visits": 3')


@signed_only
def test_no_key_in_text(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the payload is shown, marked as not verified, and the status is 1."""
    monkeypatch.delenv("SECRET_KEY")
    status, out = inspect(good())
    assert status == 1
    assert out.startswith("session: NOT VERIFIED, there is no SECRET_KEY")
    assert '"visits": 3' in out


def test_malformed_in_text(inspect: Inspect) -> None:
    """Of what is no token nothing is shown but its size."""
    assert inspect("junk") == (
        1,
        f"session: REJECTED, {REASONS[RejectReason.MALFORMED]}\n  size     11 of 4096 bytes\n",
    )


def test_absolute_end_in_text(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is an absolute limit, its end has a line of its own."""
    monkeypatch.setenv("SESSION_ABSOLUTE_LIFETIME", "3600")
    out = inspect(good(), at=START + 3570).out
    assert "\n  ends     2023-11-14 23:13:20 UTC (in 30 s), in any case\n" in out


def test_json(inspect: Inspect) -> None:
    """The JSON form is one object on one line, times in seconds since 1970."""
    token = good()
    result = inspect("--json", token)
    assert result.status == 0
    assert result.out.count("\n") == 1
    cookie = {
        "good": True,
        "verified": True,
        "name": "session",
        "reason": None,
        "size": len("session") + len(token),
        "kind": kind_name(),
        "handle": None,
        "key": "current",
        "issued": START,
        "age": HOUR,
        "created": START,
        "permanent": False,
        "idle_end": START + 31 * DAY,
        "absolute_end": None,
        "payload_size": len(f'{{"visits":3,"_created":{START}}}'),
        "payload": {"visits": 3, "_created": START},
    }
    assert result.answer == {"good": True, "now": START + HOUR, "limit": 4096, "cookies": [cookie]}


@pytest.mark.parametrize(
    "make_token", [good, forged, lambda: "junk", lambda: sign("no JSON"), lambda: sign('{"_created":-1}')]
)
def test_json_keys_are_stable(inspect: Inspect, make_token: Callable[[], str]) -> None:
    """Every cookie has the same keys, whatever it holds."""
    assert list(inspect("--json", make_token()).cookie) == list(inspect("--json", good()).cookie)


def test_payload_is_tagged(inspect: Inspect) -> None:
    """The payload is shown as it was written, with the tags of its types."""
    assert inspect("--json", stamp({"point": (1, 2)})).cookie["payload"]["point"] == {"~tuple": [1, 2]}


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_payload_cannot_speak_to_a_terminal(inspect: Inspect, arguments: list[str]) -> None:
    """Whatever a payload holds, printable ASCII comes out."""
    nasty = "\x1b[31m \x00 \x7f \x85 \x9b \u202e \U0001f36a \u2028"
    out = inspect(*arguments, stamp({nasty: nasty})).out
    assert re.fullmatch(r"[ -~\n]+", out)
    assert r"\u001b[31m \u0000 \u007f \u0085 \u009b \u202e \ud83c\udf6a \u2028" in out


def test_key_is_never_shown(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither form holds a key or a token."""
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", OLD_KEY)
    for token in (good(), forged(), stamp({}, key=OLD_KEY)):
        shown = inspect(token).out + inspect("--json", token).out
        assert not [secret for secret in (KEY, OLD_KEY, token) if secret in shown]


# -- the verdict ------------------------------------------------------------------------------------------------------


def test_middleware_agrees(inspect: Inspect) -> None:
    """What the middleware sets is good."""
    assert inspect(Site().visit(lambda session: session.update(visits=1)).cookie).status == 0


def test_fallback(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of an older key says which one."""
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", f"{OTHER_KEY}\n{OLD_KEY}\n")
    assert inspect("--json", forged()).cookie["key"] == "fallback 1"
    assert inspect("--json", stamp({}, key=OLD_KEY)).cookie["key"] == "fallback 2"


@pytest.mark.parametrize(
    ("make_token", "at", "reason"),
    [
        (lambda: "junk", START, "malformed"),
        (lambda: f'"{good()}', START, "malformed"),
        (lambda: "\xe9\u20ac\udcff", START, "malformed"),
        (lambda: stamp({"much": os.urandom(3000).hex()}), START, "too_long"),
        (forged, START, "bad_signature"),
        (lambda: stamp({}, at=START + 61), START, "future"),
        (good, START + 2 * HOUR + 1, "idle"),
        (lambda: stamp({}, created=START - DAY), START + 1, "absolute"),
    ],
)
def test_reasons(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch, make_token: Callable[[], str], at: int, reason: str
) -> None:
    """A refused token says why, and the status is 1."""
    monkeypatch.setenv("SESSION_IDLE_LIFETIME", "7200")
    monkeypatch.setenv("SESSION_ABSOLUTE_LIFETIME", str(DAY))
    result = inspect("--json", make_token(), at=at)
    assert (result.status, result.answer["good"]) == (1, False)
    assert (result.cookie["good"], result.cookie["reason"]) == (False, reason)


def test_every_reason_has_words() -> None:
    """Every reason for which a cookie is refused is told in words."""
    assert set(REASONS) == {*RejectReason, NO_KEY}


def test_last_second(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is good in the second that is shown as its end, and no longer."""
    monkeypatch.setenv("SESSION_IDLE_LIFETIME", "7200")
    end = inspect("--json", good()).cookie["idle_end"]
    assert [inspect(good(), at=at).status for at in (end, end + 1)] == [0, 1]


def test_permanent(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A permanent session ends at its own idle limit."""
    monkeypatch.setenv("SESSION_IDLE_LIFETIME", "7200")
    monkeypatch.setenv("PERMANENT_SESSION_LIFETIME", "90000")
    cookie = inspect("--json", stamp({"_permanent": True})).cookie
    assert (cookie["permanent"], cookie["idle_end"]) == (True, START + 90000)


def test_absolute_end(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The absolute end counts from the session's creation."""
    monkeypatch.setenv("SESSION_ABSOLUTE_LIFETIME", str(DAY))
    assert inspect("--json", stamp({}, created=START - HOUR)).cookie["absolute_end"] == START + 23 * HOUR


def test_ended_token_is_verified(inspect: Inspect) -> None:
    """A token that is only too old is shown as what a key signed."""
    cookie = inspect("--json", good(), at=START + 99 * DAY).cookie
    assert (cookie["reason"], cookie["verified"], cookie["payload"]["visits"]) == ("idle", True, 3)


def test_future_in_text(inspect: Inspect) -> None:
    """A time that no calendar holds is shown in seconds."""
    out = inspect(stamp({}, at=2**63)).out
    assert f"\n  issued   {2**63} s after the start of 1970 (in 106" in out


def test_no_key_is_a_reason(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, what may be good is not verified; machines see it too."""
    monkeypatch.delenv("SECRET_KEY")
    cookie = inspect("--json", good()).cookie
    assert (cookie["reason"], cookie["verified"], cookie["key"]) == ("no_key", False, None)


def test_fallbacks_alone_are_no_key(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SECRET_KEY the fallbacks open nothing, as in the middleware."""
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", KEY)
    assert inspect("--json", good()).cookie["reason"] == "no_key"


def test_malformed_without_a_key(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key, what can never be good is refused as with one."""
    monkeypatch.delenv("SECRET_KEY")
    assert inspect("--json", "junk").cookie["reason"] == "malformed"


# -- what is given ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "session={}",
        "Cookie: session={}",
        "cookie:session={}",
        "Cookie: {}",
        " {};\n",
        "theme=dark; session={}; flag; _ga=GA1.2.3.4",
        "Set-Cookie: session={}; Path=/; HttpOnly; SameSite=Lax",
    ],
)
def test_forms(inspect: Inspect, text: str) -> None:
    """A token may stand alone, after its name, or in a whole header, and other cookies are no candidates."""
    result = inspect("--json", text.format(good()))
    assert (result.status, result.cookie["name"]) == (0, "session")


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input(inspect: Inspect, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Without an argument, or with ``-``, standard input is read; bytes of no encoding are no error."""
    send(monkeypatch, b"Cookie: name=\xe9\xff; session=" + good().encode() + b"\r\n")
    assert inspect(*arguments).status == 0


def test_name_is_found(inspect: Inspect) -> None:
    """A token under any name is found by its form, and belongs to that name."""
    token = sign('{"a":1}', name="__Host-id")
    result = inspect("--json", f"theme=dark; __Host-id={token}")
    assert (result.status, result.cookie["name"]) == (0, "__Host-id")


def test_only_cookie_is_found(inspect: Inspect) -> None:
    """The only cookie is inspected whatever it looks like."""
    assert inspect("--json", "sid=junk").cookie["name"] == "sid"


def test_name_of_a_bare_token(inspect: Inspect) -> None:
    """A token that stands alone is taken for the cookie of the name that is given."""
    token = sign('{"a":1}', name="__Host-id")
    assert [inspect("--name", "__Host-id", token).status, inspect(token).status] == [0, 1]


def test_name_from_the_environment(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that stands alone is taken for the cookie that the environment names."""
    monkeypatch.setenv("SESSION_COOKIE_NAME", "__Host-id")
    assert inspect(sign('{"a":1}', name="__Host-id")).status == 0


def test_name_is_all_that_is_looked_for(inspect: Inspect) -> None:
    """With a name, no other cookie is shown."""
    result = inspect("--json", "--name", "a", f"session={good()}; a=junk")
    assert (result.status, result.cookie["name"]) == (1, "a")


def test_illegal_name_is_no_candidate(inspect: Inspect) -> None:
    """A name that no session cookie can have is passed over, and so never shown."""
    assert inspect(f"\x1b[31m\udcff={good()}") == (1, "no session cookie found\n")


def test_nothing_found_in_json(inspect: Inspect) -> None:
    """Where there is no candidate, the list is empty, and the status is 1."""
    result = inspect("--json", "theme=dark; flag")
    assert (result.status, result.answer) == (1, {"good": False, "now": START + HOUR, "limit": 4096, "cookies": []})


def test_every_candidate_is_shown(inspect: Inspect) -> None:
    """Of several cookies each is shown, in the header's order; the status tells whether one is good."""
    result = inspect("--json", f"session=junk; session={good()}; session={forged()}")
    assert [cookie["reason"] for cookie in result.cookies] == ["malformed", None, "bad_signature"]
    assert result.status == 0


def test_candidates_are_set_apart(inspect: Inspect) -> None:
    """In text an empty line stands between two cookies."""
    assert re.findall(r"(?:^|\n\n)(\w+: \w+)", inspect(f"session={good()}; session=junk").out) == [
        "session: good",
        "session: REJECTED",
    ]


# -- where keys come from ---------------------------------------------------------------------------------------------


def test_keys_from_a_file(inspect: Inspect, tmp_path: Path) -> None:
    """A file of keys stands for those of the environment: the current one first, then the fallbacks."""
    path = tmp_path / "keys"
    path.write_text(f"{OLD_KEY}\n\n{OTHER_KEY}\r\n", encoding="utf-8-sig")
    tokens = (stamp({}, key=OLD_KEY), forged(), good())
    keys = [inspect("--json", "--keys", str(path), token).cookie["key"] for token in tokens]
    assert keys == ["current", "fallback 1", None]


def test_prefix_is_found(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where variables begin with HANDSTAMP_, those are read and no others."""
    monkeypatch.setenv("HANDSTAMP_SECRET_KEY", OTHER_KEY)
    assert [inspect(token).status for token in (forged(), good())] == [0, 1]


def test_prefix_is_given(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix that is given overrules; an empty one asks for plain names."""
    monkeypatch.setenv("HANDSTAMP_SECRET_KEY", OTHER_KEY)
    monkeypatch.setenv("MY_SECRET_KEY", OLD_KEY)
    assert inspect("--prefix", "MY_", stamp({}, key=OLD_KEY)).status == 0
    assert inspect("--prefix", "", good()).status == 0


def test_other_variables_are_left_alone(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that an inspection does not need may be wrong, or be somebody else's."""
    monkeypatch.setenv("SERVER_NAME", "no host")
    monkeypatch.setenv("SECRET_KEYS", "look like a key of ours")
    assert inspect(good()).status == 0


# -- wrong use --------------------------------------------------------------------------------------------------------


def test_keys_are_no_argument(refuse: Callable[..., str]) -> None:
    """A key that is given in place of a file is not repeated."""
    assert KEY not in refuse("--keys", KEY, good())


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b" \n\n", "the file contains no key"),
        (b"\xff\xfe" * 20, "the file is not UTF-8 text"),
        (b"short", "a key of 5 bytes is too short, use at least 16"),
        (b"k" * (MAX_INPUT + 1), "the input is more than 65536 bytes"),
    ],
)
def test_bad_file_of_keys(refuse: Callable[..., str], tmp_path: Path, data: bytes, complaint: str) -> None:
    """A file without good keys is wrong use."""
    path = tmp_path / "keys"
    path.write_bytes(data)
    assert complaint in refuse("--keys", str(path), good())


def test_bad_settings(refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting in the environment that is wrong is told, with its cure."""
    monkeypatch.setenv("SESSION_IDLE_LIFETIME", "soon")
    assert "SESSION_IDLE_LIFETIME: 'soon' is not a time" in refuse(good())


def test_bad_name(refuse: Callable[..., str]) -> None:
    """A name that no cookie can have is wrong use, shown without its control characters."""
    assert r"SESSION_COOKIE_NAME: '\x1b[31m' is not a cookie name" in refuse("--name", "\x1b[31m", good())


@pytest.mark.parametrize("data", [b"", b" \r\n"])
def test_nothing_is_given(refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """An empty input is wrong use."""
    send(monkeypatch, data)
    assert "no cookie was given" in refuse()


def test_huge_input(refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An input longer than any header is not read to its end."""
    send(monkeypatch, b"session=" + b"A" * MAX_INPUT)
    assert "the input is more than 65536 bytes" in refuse()


# -- hostile tokens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "no JSON",
        '{"a":NaN}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        '{"a":{"~uuid":"x"}}',
        '{"a":' + "9" * 5000 + "}",
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":"' + "a" * MAX_PAYLOAD_BYTES + '"}',
    ],
    ids=lambda text: text[:12],
)
def test_payload_that_is_none(inspect: Inspect, text: str, key: str) -> None:
    """A payload that cannot be one is not shown, signed or not, and bombs are not unpacked."""
    for result in (inspect("--json", sign(text, key=key)), inspect("--json", f"session={sign(text, key=key)}")):
        assert (result.status, result.cookie["payload"]) == (1, None)


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_deep_payload(inspect: Inspect, depth: int) -> None:
    """A payload of the greatest depth is shown in either form, a deeper one is refused."""
    token = sign('{"a":' + "[" * depth + "]" * depth + "}")
    good = depth < MAX_DEPTH
    assert [result.status == 0 for result in (inspect(token), inspect("--json", token))] == [good, good]
    assert (re.sub(r"\s", "", inspect(token).out).count("[") == depth) == good


@pytest.mark.parametrize("created", ["-1", "1.5", "true", '"x"', "null", str(2**64), "9" * 2000])
def test_created_that_is_no_time(inspect: Inspect, monkeypatch: pytest.MonkeyPatch, created: str) -> None:
    """A time of creation that is none is not shown, and the token is refused."""
    monkeypatch.setenv("SESSION_ABSOLUTE_LIFETIME", "3600")
    token = sign(f'{{"_created":{created}}}')
    cookie = inspect("--json", token).cookie
    assert (cookie["reason"], cookie["created"], cookie["absolute_end"]) == ("malformed", None, None)
    assert "created " not in inspect(token).out


@signed_only
def test_unpacking_is_bounded(inspect: Inspect) -> None:
    """Of a header full of packed junk no more is shown than of one token; of the rest the size."""
    bomb = sign('{"a":"' + "a" * 100_000 + '"}', key=OTHER_KEY)
    header = "; ".join(f"session={bomb}" for _ in range(20))
    result = inspect("--json", header)
    shown = [cookie["payload"] is not None for cookie in result.cookies]
    assert (result.status, shown) == (1, [True] * 2 + [False] * 18)
    assert [cookie["payload_size"] for cookie in result.cookies] == [100_008] * 20
    assert inspect(header).out.count("  payload  left out: 100008 bytes; all ") == 18


@signed_only
def test_verified_payloads_come_first(inspect: Inspect) -> None:
    """Whatever stands before it, what a key has signed is shown, and the order stays the header's."""
    bomb = sign('{"a":"' + "a" * 200_000 + '"}', key=OTHER_KEY)
    full = sign('{"a":"' + "b" * 200_000 + '"}')
    cookies = inspect("--json", f"session={bomb}; session={full}; session={good()}").cookies
    assert [cookie["payload"] is not None for cookie in cookies] == [False, True, True]
    assert [cookie["verified"] for cookie in cookies] == [False, True, True]


@signed_only
@pytest.mark.parametrize("number", [1, 30, 300])
def test_lines_are_bounded(inspect: Inspect, number: int) -> None:
    """What would take many deep lines is written on one."""
    inner = ",".join(["0"] * (MAX_PAYLOAD_BYTES // 2 // number - 110))
    token = sign('{"a":' + "[" * 90 + inner + "]" * 90 + "}")
    header = "; ".join(f"session={token}" for _ in range(number))[:MAX_INPUT]
    out = inspect(header).out
    assert len(out) < 4 * MAX_PAYLOAD_BYTES + 10 * len(header)
    assert re.search(r"  payload  \{.*\[\[\[0, 0, ", out)


def test_what_fits_has_its_lines(inspect: Inspect) -> None:
    """What is small is written on as many lines as it takes, however many tokens there are."""
    out = inspect("; ".join(f"session={good()}" for _ in range(200))).out
    assert out.count('             "visits": 3,\n') == 200


# -- server-side sessions ---------------------------------------------------------------------------------------------


class Shelf(NamedTuple):
    """A site that keeps sessions in a store, and the cookie of one of them."""

    site: Site
    token: str


@pytest.fixture
def shelf() -> Shelf:
    """Begin a session in a store."""
    site = Site(interface=ServerSideSessionInterface(MemoryStore()))
    return Shelf(site, site.visit(lambda session: session.update(visits=3)).token)


@signed_only
def test_server_side(inspect: Inspect, shelf: Shelf) -> None:
    """A server-side cookie is good as far as the token goes, is called what it is, and shows its handle alone."""
    handle = shelf.site.visit(lambda session: session.handle).result
    assert inspect(shelf.token, at=START + HOUR) == (
        0,
        "session: good, if the store still has its session\n"
        f"  kind     {KINDS['serverside']}\n"
        "  key      current\n"
        "  issued   2023-11-14 22:13:20 UTC (1 h ago)\n"
        f"  handle   {handle}\n"
        f"  size     {len('session') + len(shelf.token)} of 4096 bytes\n",
    )


@signed_only
def test_server_side_in_json(inspect: Inspect, shelf: Shelf) -> None:
    """Machines see the kind and the handle, and nothing of the secret."""
    cookie = inspect("--json", shelf.token).cookie
    assert (cookie["good"], cookie["kind"], cookie["payload"]) == (True, "serverside", None)
    assert len(cookie["handle"]) == 22


@signed_only
def test_server_side_of_another_key(inspect: Inspect, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server-side cookie that no key fits is rejected, and what it looks like is said."""
    monkeypatch.setenv("SECRET_KEY", OTHER_KEY)
    cookie = inspect("--json", shelf.token).cookie
    assert (cookie["reason"], cookie["kind"], cookie["verified"]) == ("bad_signature", "serverside", False)


@signed_only
@pytest.mark.parametrize("setting", ["SESSION_IDLE_LIFETIME", "SESSION_ABSOLUTE_LIFETIME"])
def test_server_side_too_old(inspect: Inspect, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """A token that is older than any limit is rejected, and one within the longer limit may have a session."""
    monkeypatch.setenv("PERMANENT_SESSION_LIFETIME", "7200")
    monkeypatch.setenv(setting, "3600")
    ends = 7200 if setting == "SESSION_IDLE_LIFETIME" else 3600
    assert [inspect(shelf.token, at=START + age).status for age in (ends, ends + 1)] == [0, 1]


@signed_only
def test_server_side_content_that_is_none(inspect: Inspect) -> None:
    """A token that a key signed for a server-side session, and that holds no session's id, is rejected."""
    token = cookie_kinds.current().seal(
        cookie_kinds.encode(b"x" * 31).decode().encode(), START, KEY, "handstamp.serverside:7:session"
    )
    cookie = inspect("--json", token).cookie
    assert (cookie["reason"], cookie["kind"], cookie["handle"]) == ("malformed", "serverside", None)


@signed_only
def test_payload_as_long_as_an_id(inspect: Inspect) -> None:
    """A signed cookie of another key whose payload is as long as a session's id is still called a signed one."""
    text = '{"n":1000,"_created":1700000000}'
    cookie = inspect("--json", sign(text, key=OTHER_KEY)).cookie
    assert (len(text), cookie["kind"], cookie["reason"]) == (32, "signed", "bad_signature")


def test_kind(inspect: Inspect) -> None:
    """Whatever a cookie is, its kind is said; what is no token has none."""
    assert inspect("--json", good()).cookie["kind"] == kind_name()
    assert inspect("--json", forged()).cookie["kind"] == kind_name()
    assert inspect("--json", "junk").cookie["kind"] is None


@signed_only
def test_every_kind_in_one_header(inspect: Inspect, shelf: Shelf) -> None:
    """The three kinds may stand in one header, each under its name."""
    with cookie_kinds.testing("encrypted"):
        encrypted = sign('{"a":1}', name="b")
    header = f"a={sign('{}', name='a')}; b={encrypted}; session={shelf.token}"
    cookies = inspect("--json", header).cookies
    assert [(cookie["kind"], cookie["good"]) for cookie in cookies] == [
        ("signed", True),
        ("encrypted", True),
        ("serverside", True),
    ]


# -- a live token in an argument --------------------------------------------------------------------------------------


def complaint_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what the command says of its use."""
    main(["inspect", *shield(arguments)], clock=FrozenClock(START))
    return capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_live_token_as_an_argument(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """A cookie that is, or may be, live is warned of where others see it, with the way that nobody sees."""
    for token in (good(), forged(), stamp({}, at=START + 99)):
        complaint = complaint_of(capsys, *arguments, token)
        assert complaint == LIVE_WARNING
        assert token not in complaint
    assert "list of processes" in LIVE_WARNING
    assert "inspect < FILE" in LIVE_WARNING


def test_live_token_without_a_key(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no key that could tell, it may be live."""
    monkeypatch.delenv("SECRET_KEY")
    assert complaint_of(capsys, good()) == LIVE_WARNING


def test_dead_token_as_an_argument(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What opens nothing is no secret."""
    monkeypatch.setenv("SESSION_ABSOLUTE_LIFETIME", "3600")
    ended = stamp({}, at=START - 99 * DAY, created=START - 99 * DAY)
    beyond = stamp({}, created=START - DAY)
    assert [complaint_of(capsys, token) for token in ("junk", ended, beyond)] == ["", "", ""]


def test_live_token_on_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From standard input nobody else sees it, and there is nothing to say."""
    send(monkeypatch, good().encode())
    assert complaint_of(capsys) == ""


# -- another interface ------------------------------------------------------------------------------------------------


class HexCodec:
    """Tokens without dots: a key, the time and the payload in hexadecimal digits."""

    def pack(self, payload: bytes) -> bytes:
        return payload

    def seal(self, content: bytes, issued: int) -> str:
        return f"K{issued:016x}{content.hex()}"

    def unseal(self, token: str) -> tuple[bytes, int, int]:
        if not re.fullmatch("[KX][0-9a-f]{16,}", token):
            raise BadToken(RejectReason.MALFORMED)
        if token[0] == "X":
            raise BadToken(RejectReason.BAD_SIGNATURE)
        return bytes.fromhex(token[17:]), int(token[1:17], 16), 0

    def unpack(self, content: bytes) -> bytes:
        return content


class HexInterface(SecureCookieSessionInterface):
    """An interface that differs in its codec, as that of encrypted cookies does."""

    def make_codec(self, settings: Settings, name: str) -> HexCodec:
        return HexCodec()


@signed_only
def test_form_tells_the_interface() -> None:
    """Of several interfaces each takes the tokens of its form; what it does not open cannot be read."""
    token = HexCodec().seal(b'{"a":1}', START)
    found = inspect_cookies(
        [SecureCookieSessionInterface(), HexInterface()],
        Settings({"SECRET_KEY": KEY}),
        f"a={token}; b=X{token[1:]}; session={good()}",
        START,
        named=False,
    )
    assert [(finding.name, finding.reason, finding.payload) for finding in found] == [
        ("a", None, {"a": 1}),
        ("b", "bad_signature", None),
        ("session", None, {"visits": 3, "_created": START}),
    ]


# -- the whole command ------------------------------------------------------------------------------------------------


def test_subprocess() -> None:
    """The command runs as a program of its own, on a header from standard input."""
    answer = Site(clock=FrozenClock(time.time())).visit(lambda session: session.update(visits=1))
    command = [sys.executable, "-W", "ignore", "-m", "handstamp", "inspect", "--json"]
    environ = {**os.environ, "SECRET_KEY": KEY}
    pipes: dict[str, Any] = {"capture_output": True, "text": True, "env": environ}
    result = subprocess.run(command, input=f"Cookie: {answer.cookie}", check=True, **pipes)
    assert result.stderr == ""
    assert (result.returncode, json.loads(result.stdout)["cookies"][0]["payload"]["visits"]) == (0, 1)


def test_token_that_looks_like_an_option(inspect: Inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted token may begin with a dash: it is taken behind two of them, and from standard input."""
    with cookie_kinds.testing("encrypted"):
        tokens = (sign('{"a":1}') for _ in count())
        # Before an h it is a call for help, and before a digit, from Python 3.14 on, a number.
        token = next(token for token in tokens if re.match("-[^h0-9]", token))
    assert shield([token]) == ["--", token]
    assert inspect("--json", token).cookie["payload"] == {"a": 1}
    send(monkeypatch, token.encode())
    assert inspect("--json").cookie["payload"] == {"a": 1}
    with pytest.raises(SystemExit) as exit_info:
        main(["inspect", token])
    assert exit_info.value.code == 2


@signed_only
def test_encrypted_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the extra an encrypted cookie cannot be read, and the command says what it takes; signed ones can."""
    with cookie_kinds.testing("encrypted"):
        token = sign('{"a":1}')
    monkeypatch.setitem(sys.modules, "handstamp.encrypted", None)
    assert main(["inspect", *shield([token])], clock=FrozenClock(START)) == 1
    assert capsys.readouterr().err.startswith("only signed and server-side cookies can be read: ")
    assert main(["inspect", good()], clock=FrozenClock(START)) == 0
    assert capsys.readouterr().err == LIVE_WARNING


@signed_only
def test_encrypted_without_the_cipher(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where OpenSSL lacks the cipher, the command says so, and signed cookies are read all the same."""
    with cookie_kinds.testing("encrypted"):
        token = sign('{"a":1}')
        from cryptography.exceptions import UnsupportedAlgorithm

        from handstamp import _encryption

    def refuse(key: bytes) -> None:
        raise UnsupportedAlgorithm("no AES-GCM-SIV")

    monkeypatch.setattr(_encryption, "AESGCMSIV", refuse)
    assert main(["inspect", *shield([token])], clock=FrozenClock(START)) == 1
    assert "OpenSSL 3.2" in capsys.readouterr().err
    assert main(["inspect", good()], clock=FrozenClock(START)) == 0
    assert capsys.readouterr().err == LIVE_WARNING


def test_help_says_what_to_do_with_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says what to do with a token that looks like an option."""
    with pytest.raises(SystemExit):
        main(["inspect", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert 'begins with - looks like an option: write "inspect -- TOKEN", or send it to standard input' in shown


def test_help_says_what_the_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says what each status means, and that an unverified cookie is none that is good."""
    with pytest.raises(SystemExit) as exit_info:
        main(["inspect", "--help"])
    assert exit_info.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 if a cookie is good, 1 if no cookie is good, and 2 for wrong usage" in shown


@pytest.mark.parametrize("write", ['"{}"', 'session="{}"', "a=1,session={},b=2", "a=1, other={}"])
def test_quoted_and_joined(inspect: Inspect, write: str) -> None:
    """A token in quotes, and one in a header that a server has joined with commas, are found as the middleware does."""
    name = "other" if "other" in write else "session"
    token = sign('{"_created":1700000000}', name=name)
    result = inspect("--json", write.format(token))
    assert (result.status, result.cookie["name"], result.cookie["key"]) == (0, name, "current")
