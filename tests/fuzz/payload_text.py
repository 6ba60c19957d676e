"""Any text -> session data: nothing but a ValueError comes out, and what is read is written and read to the same."""

from __future__ import annotations

from handstamp import payload

from .target import Target, assert_same


def run(data: bytes) -> None:
    """Read a text; if it is a payload, go round once more."""
    text = data.decode("utf-8", "replace")
    try:
        values = payload.loads(text)
    except ValueError:
        return
    again = payload.dumps(values)
    if again != text:
        values_again = payload.loads(again)
        assert_same(values_again, values)
        assert payload.dumps(values_again) == again
    payload.fingerprint(values)


def _nest(depth: int, inner: str) -> str:
    return '{"a":' + "[" * depth + inner + "]" * depth + "}"


_TEXTS = (
    "{}",
    '{"a":null,"b":true,"c":-1,"d":1.5e3,"e":"x","f":[1,[]],"g":{"h":{}},"_permanent":true,"_created":1700000000}',
    '{"a":{"~tuple":[1,{"~tuple":[]}]},"b":{"~dict":{"~x":1}},"c":{"~set":[1,"a",{"~tuple":[2]}]}}',
    '{"a":{"~bytes":"AAH/"},"b":{"~uuid":"12345678-1234-5678-1234-567812345678"},"c":{"~decimal":"-0E+3"}}',
    '{"a":{"~datetime":"2023-11-14T22:13:20.000001+05:30"},"b":{"~date":"2023-11-14"},"c":{"~time":"22:13:20"}}',
    '{"a":{"~timedelta":[-1,86399,999999]},"b":{"~decimal":"1E-28"},"c":{"~unknown":1}}',
    '{"a":-0.0,"b":1e-7,"c":1e999,"d":NaN,"e":-Infinity,"f":0.1}',
    '{"a":"\\ud83d\\ude00","b":"\\ud800","\\u007e":"\\u0000","c":"\u00e9\u20ac"}',
    '{"a":1,"a":2,"~tuple":[1]}',
    '{"a":123456789012345678901234567890,"b":-0}',
    '{"a":{"~set":[1,true,1.0]}}',
    '{"a":{"~set":[[1]]},"b":{"~tuple":{"~tuple":[]}}}',
    '{"a":{"~timedelta":[1e9,0,true]},"b":{"~decimal":"sNaN"},"c":{"~bytes":"AA=="}}',
    _nest(100, "{}"),
    _nest(100, '{"~tuple":[]}'),
)

TARGET = Target(
    run=run,
    seeds=tuple(text.encode() for text in _TEXTS),
    words=(
        *(f'{{"~{name}":' for name in ("tuple", "set", "dict")),
        *(f'{{"~{name}":"' for name in ("bytes", "datetime", "date", "time", "decimal", "uuid")),
        '{"~timedelta":[',
        '"_created":',
        '"_permanent":true',
        "\\u",
        "\\ud800",
        "null",
        "true",
        "false",
        "NaN",
        "Infinity",
        "-0.0",
        "1e5",
        "+00:00",
        "2023-11-14",
        "22:13:20.000001",
    ),
    longest=512,
)
