"""Junk with a valid signature, as a leaked key or a bug may make it, is read exactly or is an empty session.

Nothing raises, and work and memory stay within bounds that do not depend on what the junk would unfold to.
"""

from __future__ import annotations

import tracemalloc
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from webob import Request

from handstamp import SecureCookieSessionInterface, Settings
from handstamp._cookies import MAX_COOKIE_BYTES
from handstamp._tokens import MAX_PAYLOAD_BYTES
from handstamp.testing import FrozenClock
from tests.support import cookie_kinds
from tests.support.call_counts import count_calls
from tests.support.clock import on_clock
from tests.support.constants import SETTINGS, START
from tests.support.cookie_kinds import sign, stock_serializer
from tests.support.site import Site


def encode(content: bytes) -> bytes:
    """Write base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=")


def seal(content: bytes) -> str:
    """Sign any bytes in the place of a payload."""
    signer: Any = stock_serializer().make_signer("handstamp.signed:7:session")
    return str(signer.sign(content).decode())


def seal_packed(packed: bytes) -> str:
    """Sign any bytes in the place of a packed payload."""
    return seal(b"." + encode(packed))


def nest(depth: int, opening: str = "[", closing: str = "]") -> str:
    """Return the text of a session with a value that is nested so deep."""
    return f'{{"a":{opening * depth}{closing * depth}}}'


def take_out(session: Any) -> dict[str, Any]:
    """Do what applications do with what they find: look at each value, under its key."""
    return {key: session[key] for key in session} | {key: session.get(key) for key in dict(session)}


def visit(token: str) -> Any:
    """Return what an application takes out of a session."""
    assert len(f"session={token}") <= MAX_COOKIE_BYTES
    return Site().visit(take_out, HTTP_COOKIE=f"session={token}").result


# -- what is no session -----------------------------------------------------------------------------------------------

WHOLE = zlib.compress(b'{"a":1}')

#: Payloads that are none, by what is wrong.
TEXTS = {
    "bad text: a byte order mark": '\ufeff{"a":1}',
    "bad JSON: none": "a=1",
    "bad JSON: nothing": "",
    "bad JSON: cut": '{"a":',
    "bad JSON: two": "{}{}",
    "bad JSON: Python": "{'a':1}",
    "bad JSON: a comma": '{"a":1,}',
    "bad JSON: NaN": '{"a":NaN}',
    "bad JSON: Infinity": '{"a":-Infinity}',
    "bad JSON: a control character": '{"a":"\n"}',
    "another type: list": "[]",
    "another type: pairs": '[["a",1]]',
    "another type: null": "null",
    "another type: text": '"a"',
    "another type: number": "1",
    "nesting: lists, 100,000 deep": nest(100_000),
    "nesting: lists, never closed": '{"a":' + "[" * 100_000,
    "nesting: dicts, never closed": '{"a":' * 40_000,
    "nesting: tags, never closed": '{"a":' + '{"~tuple":[' * 20_000,
    "nesting: closed, never opened": "]" * 100_000,
    "a huge float": '{"a":1e999}',
    "a huge float of many digits": f'{{"a":{"1" * 100_000}.5}}',
    "a huge integer": f'{{"a":{"1" * 100_000}}}',
    "a huge integer in a tag": f'{{"a":{{"~timedelta":[{"1" * 4000},0,0]}}}}',
    "a lone surrogate": '{"a":"\\ud800"}',
    "a lone surrogate, the lower": '{"a":["\\udfff"]}',
    "a lone surrogate as a key": '{"\\ud800":1}',
    "surrogates in the wrong order": '{"a":"\\udc00\\ud800"}',
    "an unknown tag": '{"a":{"~pickle":"Y29zCnN5c3RlbQo="}}',
    "an unknown tag, nothing": '{"a":{"~":1}}',
    "a tag in another case": '{"a":{"~Tuple":[]}}',
    "a wrong value: tuple": '{"a":{"~tuple":"ab"}}',
    "a wrong value: set of lists": '{"a":{"~set":[[]]}}',
    "a wrong value: set with equals": '{"a":{"~set":[1,true]}}',
    "a wrong value: bytes": '{"a":{"~bytes":"é"}}',
    "a wrong value: bytes, padded": '{"a":{"~bytes":"QQ"}}',
    "a wrong value: datetime": '{"a":{"~datetime":"2023-02-30T00:00:00"}}',
    "a wrong value: date": '{"a":{"~date":"20230101"}}',
    "a wrong value: time": '{"a":{"~time":"25:00:00"}}',
    "a wrong value: timedelta": '{"a":{"~timedelta":[1e308,0,0]}}',
    "a wrong value: timedelta, endless": '{"a":{"~timedelta":[999999999,86400,0]}}',
    "a wrong value: decimal": '{"a":{"~decimal":"sNaN"}}',
    "a wrong value: decimal, endless": f'{{"a":{{"~decimal":"1E{"9" * 100_000}"}}}}',
    "a wrong value: uuid": '{"a":{"~uuid":"{00000000-0000-0000-0000-000000000000}"}}',
    "a wrong value: dict": '{"a":{"~dict":{"b":1}}}',
    "a wrong value: null": '{"a":{"~tuple":null}}',
    "a wrong value: _created": '{"a":1,"_created":"yesterday"}',
    "a wrong value: _created, a huge integer": f'{{"a":1,"_created":{"1" * 4000}}}',
    "a wrong value: _created, a tag": '{"a":1,"_created":{"~tuple":[1]}}',
}

#: What is wrong before there is a payload, in signed tokens.
TOKENS = {
    "bad base64: a length that cannot be": seal(b"eyJhI"),
    "bad base64: unused bits": seal(b"e31"),
    "bad base64: padding": seal(b"e30="),
    "bad base64: another alphabet": seal(b"e3+/"),
    "bad base64: nothing": seal(b""),
    "bad base64: nothing packed": seal(b"."),
    "bad base64: packed twice": seal(b".." + encode(WHOLE)),
    "bad zlib: none": seal_packed(b"no zlib"),
    "bad zlib: cut": seal_packed(WHOLE[:-1]),
    "bad zlib: a wrong sum": seal_packed(WHOLE[:-1] + b"\x00"),
    "bad zlib: and more": seal_packed(WHOLE + b"x"),
    "bad zlib: twice": seal_packed(WHOLE * 2),
    "bad zlib: packed inside": seal_packed(zlib.compress(WHOLE)),
    "bad zlib: gzip": seal_packed(zlib.compress(b'{"a":1}', wbits=31)),
    "bad zlib: bare": seal_packed(zlib.compress(b'{"a":1}', wbits=-15)),
    "a zip bomb": seal_packed(zlib.compress(b" " * 2_900_000 + b"{}", 9)),
    "a zip bomb, one byte over": seal_packed(zlib.compress(b'{"a":"' + b"x" * (MAX_PAYLOAD_BYTES - 7) + b'"}', 9)),
    "bad text: no UTF-8": seal(encode(b'{"a":"\xff"}')),
    "bad text: UTF-16": seal(encode('{"a":1}'.encode("utf-16"))),
    "bad text: a surrogate in UTF-8": seal(encode(b'{"a":"\xed\xa0\x80"}')),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_no_payload(token: str) -> None:
    """What holds no payload is an empty session."""
    assert visit(token) == {}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_session(text: str) -> None:
    """What is no session is an empty one."""
    assert visit(sign(text)) == {}


FITTING = {name: text for name, text in TEXTS.items() if len(text.encode()) < 2900}


@pytest.mark.parametrize("text", FITTING.values(), ids=FITTING)
def test_no_session_encrypted(text: str) -> None:
    """What is no session is an empty one when it is validly encrypted, too. (Nothing is packed there.)"""
    with cookie_kinds.testing("encrypted"):
        assert visit(sign(text)) == {}
        assert visit(sign('{"a":1}')) == {"a": 1}


# -- what is a session, of a kind -------------------------------------------------------------------------------------

ODD: dict[str, tuple[str, dict[str, Any]]] = {
    "a big integer": (f'{{"a":{"1" * 4300}}}', {"a": int("1" * 4300)}),
    "a negative one": (f'{{"a":-{"1" * 4300}}}', {"a": -int("1" * 4300)}),
    "a big decimal": (
        '{"a":{"~decimal":"1E+999999999999999999"}}',
        {"a": Decimal("1E+999999999999999999")},
    ),
    "a big decimal in a set": (
        '{"a":{"~set":[1,{"~decimal":"1E+999999999999999999"}]}}',
        {"a": {1, Decimal("1E+999999999999999999")}},
    ),
    "a long float": (f'{{"a":0.{"1" * 200_000}}}', {"a": 0.1111111111111111}),
    "a tiny float": (f'{{"a":1e-{"9" * 100_000}}}', {"a": 0.0}),
    "spaces": ('{ "a" : [ 1 ] }', {"a": [1]}),
    "duplicate keys": ('{"a":1,"a":2}', {"a": 2}),
    "duplicate keys, nested": ('{"a":{"b":1,"b":[2]}}', {"a": {"b": [2]}}),
    "duplicate tags": ('{"a":{"~tuple":[1],"~tuple":[2]}}', {"a": (2,)}),
    "two tags are none": ('{"a":{"~tuple":[1],"~set":[2]}}', {"a": {"~tuple": [1], "~set": [2]}}),
    "duplicate _created": ('{"a":1,"_created":-1,"_created":1700000000}', {"a": 1}),
    "a whole pair of surrogates": ('{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    "a NUL": ('{"\\u0000":"\\u0000"}', {"\x00": "\x00"}),
    "Python's names": ('{"__class__":1,"__reduce__":[],"":2}', {"__class__": 1, "__reduce__": [], "": 2}),
    "a foreign _permanent": ('{"_permanent":["no"]}', {"_permanent": ["no"]}),
    "the biggest": ('{"a":"' + "x" * (MAX_PAYLOAD_BYTES - 8) + '"}', {"a": "x" * (MAX_PAYLOAD_BYTES - 8)}),
}


@pytest.mark.parametrize(("text", "data"), ODD.values(), ids=ODD)
def test_exact_value(text: str, data: dict[str, Any]) -> None:
    """What is odd, but has one meaning to every reader of JSON, is read as exactly that; of equal keys the last."""
    found = visit(sign(text))
    assert (found, repr(found)) == (data, repr(data))


NESTS = {"lists": ("[", "]"), "dicts": ('{"b":', "}"), "tuples": ('{"~tuple":[', "]}"), "sets": ('{"~set":[', "]}")}


@pytest.mark.parametrize(
    "depth", [1, 10, 40, 99, 100, 101, 200, 300, 400, 500, 700, 900, 950, 1000, 2000, 5000, 10_000, 20_000]
)
@pytest.mark.parametrize(("opening", "closing"), NESTS.values(), ids=NESTS)
def test_nested(opening: str, closing: str, depth: int) -> None:
    """However deep a session is nested, the application finds all of it under its key, or an empty session."""
    text = nest(depth, opening, closing).replace('"b":}', '"b":1}')
    found = visit(sign(text))
    assert list(found) in (["a"], [])
    assert depth > 40 or "set" in opening or found


# -- how much work it makes -------------------------------------------------------------------------------------------

#: Junk that would grow, by the number of its pieces; as small as that in a cookie since zlib packs it.
GROWING: dict[str, Callable[[int], str]] = {
    "blanks": lambda n: " " * n,
    "one text": lambda n: '{"a":"' + "x" * n + '"}',
    "escapes": lambda n: '{"a":"' + "\\u0041" * (n // 6) + '"}',
    "surrogates": lambda n: '{"a":"' + "\\ud800" * (n // 6) + '"}',
    "empty lists": lambda n: '{"a":[' + ",".join(["[]"] * (n // 3)) + "]}",
    "empty tuples": lambda n: '{"a":[' + ",".join(['{"~tuple":[]}'] * (n // 14)) + "]}",
    "decimals": lambda n: '{"a":[' + ",".join(['{"~decimal":"1"}'] * (n // 17)) + "]}",
    "times": lambda n: '{"a":[' + ",".join(['{"~datetime":"2023-11-14T22:13:20"}'] * (n // 36)) + "]}",
    "sets": lambda n: '{"a":[' + ",".join(['{"~set":[1,2]}'] * (n // 15)) + "]}",
    "unknown tags": lambda n: '{"a":[' + ",".join(['{"~x":1}'] * (n // 9)) + "]}",
    "lists in lists": lambda n: '{"a":' + "[" * (n // 2) + "]" * (n // 2) + "}",
    "equal keys": lambda n: "{" + ",".join(['"a":1'] * (n // 6)) + "}",
    "digits": lambda n: '{"a":' + "1" * n + "}",
    "integers": lambda n: '{"a":[' + ",".join(["1" * 4300] * (n // 4301)) + "]}",
    "digits of a decimal": lambda n: '{"a":{"~decimal":"' + "1" * n + '"}}',
}


READY = Settings(SETTINGS)
INTERFACE = on_clock(SecureCookieSessionInterface(), FrozenClock(START))


def read(token: str) -> dict[str, Any]:
    """Read a session without a server, so that nothing else is counted."""
    request = Request({"HTTP_COOKIE": f"session={token}"})
    return dict(INTERFACE.open_session(READY, request) or {})


def measure_peak(token: str) -> int:
    """Return how many bytes are held at most while a session is read."""
    tracemalloc.start()
    try:
        read(token)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("grow", GROWING.values(), ids=GROWING)
def test_work_is_linear(grow: Callable[[int], str]) -> None:
    """Four times as much junk makes at most four times the calls, up to the biggest payload, and beyond it none."""
    sealed = [
        sign(grow(length))
        for length in (MAX_PAYLOAD_BYTES // 4 - 100, MAX_PAYLOAD_BYTES - 100, MAX_PAYLOAD_BYTES + 10_000)
    ]
    small, large, beyond = (count_calls(partial(read, token)) for token in sealed)
    assert large <= 4.1 * small
    assert large <= 3 * MAX_PAYLOAD_BYTES
    assert beyond < 200


@pytest.mark.parametrize("grow", GROWING.values(), ids=GROWING)
def test_memory_is_bounded(grow: Callable[[int], str]) -> None:
    """No junk takes more than 16 MB while it is read, however small its cookie is."""
    assert measure_peak(sign(grow(MAX_PAYLOAD_BYTES - 100))) < 64 * MAX_PAYLOAD_BYTES


@pytest.mark.parametrize("times", [2, 8, 64, 256])
def test_bomb_does_not_unfold(times: int) -> None:
    """However much a bomb would unfold to, no more than its bound is ever held."""
    bomb = seal_packed(zlib.compress(b" " * times * MAX_PAYLOAD_BYTES, 9))
    assert measure_peak(bomb) < 4 * MAX_PAYLOAD_BYTES
