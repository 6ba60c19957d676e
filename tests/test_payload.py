"""Session data comes back exactly as it went, and whatever cannot is refused with its path."""

from __future__ import annotations

import copy
import json
import sys
from collections import OrderedDict, UserDict, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from enum import IntEnum, StrEnum
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from handstamp.exceptions import UnserializableValue
from handstamp.payload import MAX_DEPTH, dump_fields, dumps, fingerprint, load_fields, loads

# -- what exactly the same means --------------------------------------------------------------------------------------


def exact(value: Any, ordered: bool = True) -> Any:
    """Return a text, number or tuple that is equal for values that are exactly the same, types and all.

    :param ordered: whether the order of a dict's keys counts
    """
    kind = type(value)
    if kind is dict:
        pairs = [(key, exact(item, ordered)) for key, item in value.items()]
        return kind, tuple(pairs) if ordered else frozenset(pairs)
    if kind in (list, tuple):
        return kind, tuple(exact(item, ordered) for item in value)
    if kind is set:
        return kind, frozenset(exact(item, ordered) for item in value)
    return kind, _WHAT_COUNTS.get(kind, lambda atom: atom)(value)


#: What else than ``==`` tells two values of a type apart.
_WHAT_COUNTS: dict[type, Any] = {
    float: float.hex,  # -0.0 is not 0.0
    Decimal: Decimal.as_tuple,  # 1.0 is not 1.00
    datetime: lambda value: (value.replace(tzinfo=None), value.utcoffset()),
    time: lambda value: (value.replace(tzinfo=None), value.utcoffset()),
}

offsets = st.timedeltas(timedelta(hours=-24, microseconds=1), timedelta(hours=24, microseconds=-1))
whole_offsets = st.integers(-24 * 3600 + 1, 24 * 3600 - 1).map(lambda seconds: timedelta(seconds=seconds))
zones = st.none() | st.just(UTC) | st.builds(timezone, whole_offsets)
texts = st.text(max_size=8) | st.sampled_from(["~", "~tuple", '"', "\\", "\x00", "\u2028", "😀", "\\u007e"])
keys = texts | st.sampled_from(["~dict", "~set", "~bytes", "~decimal", "~~", "a"])

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.binary(max_size=8),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(timezones=zones),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
)
hashables = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return every container of values."""
    lists = st.lists(inner, max_size=4)
    dicts = st.dictionaries(keys, inner, max_size=3)
    return lists | lists.map(tuple) | dicts | dicts.map(lambda data: {"~dict": data}) | st.sets(hashables, max_size=4)


values = st.recursive(scalars, nest, max_leaves=12)
sessions = st.dictionaries(keys, values, max_size=5)


# -- there and back ---------------------------------------------------------------------------------------------------

A_UUID = UUID("12345678-1234-5678-1234-567812345678")
EAST = timezone(timedelta(hours=5, minutes=30))

#: Every type of the table, and how it is written.
FORMS = [
    (None, "null"),
    (True, "true"),
    (1, "1"),
    (-0.0, "-0.0"),
    (1.0, "1.0"),
    (1e22, "1e+22"),
    (10**40, "1" + "0" * 40),
    ("ä😀", '"ä😀"'),
    ([1, [2]], "[1,[2]]"),
    ({"a": {"b": 1}}, '{"a":{"b":1}}'),
    ({}, "{}"),
    ((1, (2,)), '{"~tuple":[1,{"~tuple":[2]}]}'),
    ((), '{"~tuple":[]}'),
    (b"\x00\xff", '{"~bytes":"AP8="}'),
    (b"", '{"~bytes":""}'),
    (datetime(2024, 2, 29, 12, 34, 56), '{"~datetime":"2024-02-29T12:34:56"}'),
    (datetime(2024, 2, 29, microsecond=1, tzinfo=UTC), '{"~datetime":"2024-02-29T00:00:00.000001+00:00"}'),
    (datetime(1, 1, 1, tzinfo=EAST), '{"~datetime":"0001-01-01T00:00:00+05:30"}'),
    (date(2024, 2, 29), '{"~date":"2024-02-29"}'),
    (time(12, 34, 56, 789), '{"~time":"12:34:56.000789"}'),
    (time(12, tzinfo=EAST), '{"~time":"12:00:00+05:30"}'),
    (timedelta(days=1, seconds=2, microseconds=3), '{"~timedelta":[1,2,3]}'),
    (timedelta(microseconds=-1), '{"~timedelta":[-1,86399,999999]}'),
    (Decimal("1.10"), '{"~decimal":"1.10"}'),
    (Decimal("-0E+3"), '{"~decimal":"-0E+3"}'),
    (A_UUID, '{"~uuid":"12345678-1234-5678-1234-567812345678"}'),
    ({"b", "a", 10, 9, None}, '{"~set":["a","b",10,9,null]}'),
    (set(), '{"~set":[]}'),
    ({"~tuple": [1]}, '{"~dict":{"~tuple":[1]}}'),
    ({"~": 1}, '{"~dict":{"~":1}}'),
    ({"~dict": {"~dict": 1}}, '{"~dict":{"~dict":{"~dict":{"~dict":1}}}}'),
    ({"~tuple": [1], "a": 2}, '{"~tuple":[1],"a":2}'),
]


@pytest.mark.parametrize(("value", "text"), FORMS)
def test_written_form(value: Any, text: str) -> None:
    """Each type has one form, without a space."""
    assert dumps({"key": value}) == f'{{"key":{text}}}'


@pytest.mark.parametrize(("value", "text"), FORMS)
def test_read_form(value: Any, text: str) -> None:
    """Each form is read back as exactly what was written."""
    assert exact(loads(f'{{"key":{text}}}')) == exact({"key": value})


@pytest.mark.parametrize("name", ["~tuple", "~dict", "~", "~nonsense"])
def test_a_session_is_no_tag(name: str) -> None:
    """A session whose only key looks like a tag is a session all the same."""
    assert loads(dumps({name: [1]})) == {name: [1]}


@given(sessions)
@example({"zeros": [0, 0.0, -0.0, False, Decimal("-0.0")]})
@example({"~set": {(1, "~tuple"), "~set"}})
def test_round_trip(data: dict[str, Any]) -> None:
    """Every session comes back exactly, types, signs of zero, offsets and the order of keys included."""
    assert exact(loads(dumps(data))) == exact(data)


@given(sessions)
@example({"~tuple": [1]})
@example({'"a":1,"b': 2, "\n": ":", "": '"'})
def test_fields(data: dict[str, Any]) -> None:
    """In parts a session comes back exactly too; each part is what stands in the whole, without a control character."""
    fields = dump_fields(data)
    assert "{" + ",".join(f"{name}:{text}" for name, text in fields.items()) + "}" == dumps(data)
    assert exact(load_fields(fields)) == exact(data)
    assert not [char for part in [*fields, *fields.values()] for char in part if char < " "]


@pytest.mark.parametrize("fields", [{"a": "1"}, {'"a"': ""}, {'"a"': "1}{"}, {"": "1"}, {'"a"': '{"~tuple":1}'}])
def test_damaged_fields(fields: dict[str, str]) -> None:
    """Parts that nobody wrote are refused."""
    with pytest.raises(ValueError):  # noqa: PT011
        load_fields(fields)


@given(sessions)
def test_writing_changes_nothing(data: dict[str, Any]) -> None:
    """Writing leaves the data as they are."""
    before = copy.deepcopy(data)
    dumps(data)
    assert exact(data) == exact(before)


@given(sessions)
def test_text_is_json(data: dict[str, Any]) -> None:
    """What is written is one JSON object that any library reads, and UTF-8 can carry."""
    text = dumps(data).encode()
    assert isinstance(json.loads(text), dict)


@given(st.lists(hashables, max_size=8))
def test_equal_sets_are_equal_text(items: list[Any]) -> None:
    """However a set came about, its text is the same."""
    backwards: set[Any] = {object()}
    for item in reversed(items):
        backwards.add(item)
    backwards = {item for item in backwards if type(item) is not object}
    forwards = set(items)
    assume(exact(forwards) == exact(backwards))  # of 1 and True, which are equal, each set keeps the one it saw first
    assert dumps({"key": forwards}) == dumps({"key": backwards})


class Summertime(tzinfo):
    """A zone whose offset depends on the month, as that of a ZoneInfo does, and which none has for a time of day."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None if when is None else timedelta(hours=2 if 3 < when.month < 11 else 1)

    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    def tzname(self, when: datetime | None) -> str:
        return "Summertime"


@pytest.mark.parametrize(("month", "hours"), [(1, 1), (7, 2)])
def test_zone_becomes_its_offset(month: int, hours: int) -> None:
    """Of a zone the offset is kept: the same moment, on the same clock."""
    moment = datetime(2024, month, 1, 12, tzinfo=Summertime())
    back = loads(dumps({"key": moment}))["key"]
    assert back == moment
    assert back.tzinfo == timezone(timedelta(hours=hours))


@given(offsets)
@example(timedelta(microseconds=1))  # Python reads it back as UTC
@example(timedelta(microseconds=-1))
@example(timedelta(seconds=-1, microseconds=1))
def test_offsets_of_part_of_a_second(offset: timedelta) -> None:
    """An offset that no zone on Earth has is refused when written, or comes back exactly."""
    data = {"day": datetime(2024, 1, 1, tzinfo=timezone(offset)), "clock": time(12, tzinfo=timezone(offset))}
    try:
        text = dumps(data)
    except UnserializableValue:
        assert offset.microseconds
    else:
        assert exact(loads(text)) == exact(data)


def test_decimals_keep_their_digits() -> None:
    """A Decimal keeps every digit, whatever precision the thread counts with."""
    number = Decimal("1." + "1234567890" * 10)
    with localcontext(prec=3):
        assert exact(loads(dumps({"key": number}))) == exact({"key": number})


# -- nesting ----------------------------------------------------------------------------------------------------------

WRAPPERS: list[Any] = [
    pytest.param(lambda inner: [inner], id="list"),
    pytest.param(lambda inner: (inner,), id="tuple"),
    pytest.param(lambda inner: {"a": inner}, id="dict"),
    pytest.param(lambda inner: {"~a": inner}, id="wrapped dict"),
]


def grow(wrap: Any, depth: int, core: Any = b"core") -> Any:
    """Return a value inside of so many others."""
    value = core
    for _ in range(depth):
        value = wrap(value)
    return value


def test_depth_limit() -> None:
    """A session has at most 100 levels of JSON, itself included."""
    assert MAX_DEPTH == 100


@pytest.mark.parametrize("wrap", [WRAPPERS[0], WRAPPERS[2]])
def test_the_deepest(wrap: Any) -> None:
    """A session of exactly so many levels comes back."""
    data = {"key": grow(wrap, MAX_DEPTH - 1, "core"), "beside": [[], []]}
    assert loads(dumps(data)) == data


@pytest.mark.parametrize("wrap", [WRAPPERS[0], WRAPPERS[2]])
def test_one_level_too_many(wrap: Any) -> None:
    """One of a level more is not written, nor is it read."""
    data = {"key": grow(wrap, MAX_DEPTH, "core")}
    with pytest.raises(UnserializableValue, match=r"^session is nested more than 100 levels deep; "):
        dumps(data)
    assert is_refused(json.dumps(data, separators=(",", ":")))


@pytest.mark.parametrize(("lists", "fits"), [(1, True), (2, False)])
@pytest.mark.parametrize("beside", [[], [{}, {}] * 100, ",{" * 200], ids=["nothing", "dicts", "text"])
def test_dicts_behind_commas(beside: Any, lists: int, fits: bool) -> None:
    """A dict in a list is a level wherever in the list it stands, and whatever stands beside it."""
    core = grow(lambda inner: [inner], lists, "core")
    data = {"key": grow(lambda inner: [0, {"a": inner}], 49, core), "beside": beside}
    assert is_refused(json.dumps(data, separators=(",", ":"))) is not fits
    if fits:
        assert loads(dumps(data)) == data
    else:
        with pytest.raises(UnserializableValue, match="nested more than 100 levels deep"):
            dumps(data)


@pytest.mark.parametrize("core", ["[" * 500, "{" * 500, [[]] * 500, [{}] * 500, [[1], {"a": [2]}] * 100, [()] * 500])
def test_wide_is_not_deep(core: Any) -> None:
    """Any number of values may stand beside each other, and any number of brackets in a text."""
    assert exact(loads(dumps({"key": core}))) == exact({"key": core})
    assert fingerprint(core) == fingerprint(copy.deepcopy(core))


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_what_is_written_can_be_read(wrap: Any) -> None:
    """However deeply values are nested: either writing refuses them, or reading takes them."""
    written = 0
    for depth in range(20, sys.getrecursionlimit(), 7):
        try:
            text = dumps({"key": grow(wrap, depth)})
        except UnserializableValue:
            continue
        written += 1
        assert dumps(loads(text)) == text
    assert written


@pytest.mark.parametrize("core", [1, b"core", (1, 2)])
@pytest.mark.parametrize("wrap", [*WRAPPERS, pytest.param(lambda inner: [1, inner], id="list with a sibling")])
def test_too_deep(wrap: Any, core: Any) -> None:
    """Values that are nested too deeply are refused as just that."""
    with pytest.raises(UnserializableValue, match="nested more than 100 levels deep"):
        dumps({"key": grow(wrap, 100_000, core)})


def is_refused(text: str) -> bool:
    """Tell whether reading a text is a ValueError."""
    try:
        loads(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 40_000, '{"key":' + '{"~tuple":[' * 20_000])
def test_reading_too_deep(text: str) -> None:
    """A text that nests without end is a ValueError, not the end of the process."""
    assert is_refused(text)


@pytest.mark.parametrize("pair", [("[", "]"), ('{"~tuple":[', "]}"), ('{"~dict":{"~":', "}}")])
def test_reading_far_too_deep_but_whole(pair: tuple[str, str]) -> None:
    """So is a text that is JSON, yet deeper than could be written."""
    assert is_refused(f'{{"key":{pair[0] * 20_000}"~"{pair[1] * 20_000}}}')


# -- what cannot be written -------------------------------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 1


class Markup(str):
    __slots__ = ()


class Stranger:
    """What JSON has no idea of."""

    def __repr__(self) -> str:
        return "Stranger()"  # as part of a test's name it must be the same in every process


Point = namedtuple("Point", "x y")


def make_cycle(kind: str) -> Any:
    """Return a value that contains itself."""
    inner: Any = {} if kind == "dict" else []
    if kind == "dict":
        inner["a"] = inner
    else:
        inner.append(inner if kind == "list" else (inner,))
    return inner if kind != "tuple" else inner[0]


NOT_EXACT: list[Any] = [
    (float("nan"), "float nan"),
    (float("inf"), "float inf"),
    (float("-inf"), "float -inf"),
    (Decimal("NaN"), "Decimal NaN"),
    (Decimal("sNaN"), "Decimal sNaN"),
    (Decimal("-Infinity"), "Decimal -Infinity"),
    ("\ud800", "str with a lone surrogate"),
    ("ok \udfff ok", "str with a lone surrogate"),
    ("\ud83d\ude00", "str with a lone surrogate"),  # two halves are no whole
    pytest.param(10**5000, "int with too many digits", id="huge"),
    (time(12, tzinfo=Summertime()), "time in a zone without an offset in whole seconds"),
    (Colour.RED, "Colour"),
    (Size.BIG, "Size"),
    (Markup("<b>"), "Markup"),
    (Point(1, 2), "Point"),
    (OrderedDict(a=1), "OrderedDict"),
    (UserDict(a=1), "UserDict"),
    (frozenset({1}), "frozenset"),
    (bytearray(b"a"), "bytearray"),
    (range(3), "range"),
    (1j, "complex"),
    (Stranger(), "Stranger"),
    (Stranger, "type"),
    (make_cycle, "function"),
]


@pytest.mark.parametrize(("value", "description"), NOT_EXACT)
def test_not_exact(value: Any, description: str) -> None:
    """What has no exact form is refused: the message names path, type and cure."""
    with pytest.raises(UnserializableValue) as caught:
        dumps({"good": [(1, 2)], "cart": [1, 2, value], "late": Stranger()})
    assert str(caught.value).startswith(f"session['cart'][2] ({description}) ")
    assert "convert it to one of: Decimal, NoneType, UUID, bool, bytes, " in str(caught.value)


class Nowhere(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, when: datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, when: datetime | None) -> str:
        return "Nowhere"


def test_error_leads_to_no_data() -> None:
    """No error behind the error holds the session's data: a reporter of errors may show them all."""
    with pytest.raises(UnserializableValue) as caught:
        dumps({"password": "hunter2", "note": "\ud800"})
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_datetime_without_offset() -> None:
    """A datetime whose zone has no offset would come back naive: it is refused."""
    with pytest.raises(
        UnserializableValue, match=r"^session\['when'\] \(datetime in a zone without an offset in whole seconds\) "
    ):
        dumps({"when": datetime(2024, 1, 1, tzinfo=Nowhere())})


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"a": Stranger()}, "session['a'] "),
        ({"a": [[{"b": Stranger()}]]}, "session['a'][0][0]['b'] "),
        ({"a": (1, Stranger())}, "session['a'][1] "),
        ({"a": {Stranger}}, "session['a'][0] "),
        ({"it's": {"~tuple": Stranger()}}, "session[\"it's\"]['~tuple'] "),
        ({"a": {"x": "\udc80"}}, "session['a']['x'] "),
    ],
)
def test_path(data: dict[str, Any], path: str) -> None:
    """The path is what one would write in Python to get there."""
    with pytest.raises(UnserializableValue) as caught:
        dumps(data)
    assert str(caught.value).startswith(path)


class Unprintable:
    """A key that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (1, "int"),
        (None, "NoneType"),
        (True, "bool"),
        (1.5, "float"),
        (b"k", "bytes"),
        ((1, 2), "tuple"),
        (date(2024, 1, 1), "date"),
        (Colour.RED, "Colour"),
        (Markup("k"), "Markup"),
        (Stranger(), "Stranger"),
        ("\ud800", "str with a lone surrogate"),
        pytest.param(10**5000, "int", id="huge"),
        pytest.param(Unprintable(), "Unprintable", id="unprintable"),
    ],
)
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        pytest.param(lambda key: {key: 1}, "session", id="top"),
        pytest.param(lambda key: {"cart": [{"good": 1, key: 1}]}, "session['cart'][0]", id="nested"),
    ],
)
def test_strange_keys(wrap: Any, path: str, key: Any, kind: str) -> None:
    """Keys are str, exactly: the message names the dict that has another, and the key's type."""
    with pytest.raises(UnserializableValue) as caught:
        dumps(wrap(key))
    assert str(caught.value).startswith(path + " ")
    assert kind in str(caught.value).partition(" has no exact form")[0]


@pytest.mark.parametrize("kind", ["dict", "list", "tuple"])
def test_cycles(kind: str) -> None:
    """What contains itself is refused as just that."""
    with pytest.raises(UnserializableValue, match=r"^session\['a'\].* that contains itself"):
        dumps({"a": make_cycle(kind)})


def test_session_that_contains_itself() -> None:
    """So is a session that contains itself."""
    data: dict[str, Any] = {}
    data["me"] = data
    with pytest.raises(UnserializableValue, match=r"^session\['me'\] \(dict that contains itself\) "):
        dumps(data)


def test_twice_is_no_cycle() -> None:
    """A value that stands in two places is written twice."""
    shared = [1, (2,)]
    assert loads(dumps({"a": shared, "b": [shared]})) == {"a": [1, (2,)], "b": [[1, (2,)]]}


def test_a_value_twice_does_not_hide_the_culprit() -> None:
    """Nor does it lead the search for the culprit astray."""
    shared = [1]
    with pytest.raises(UnserializableValue, match=r"^session\['b'\]\[1\] \(Stranger\)"):
        dumps({"a": shared, "b": [shared, Stranger()]})


# -- another Python ---------------------------------------------------------------------------------------------------


#: A module, after those that it imports.
ROOMS = ("handstamp._json", "handstamp._payload_types", "handstamp.payload")


def import_afresh() -> SimpleNamespace:
    """Return the names of the payload's rooms as they are before anybody has used them."""
    kept = {name: sys.modules.pop(name) for name in ROOMS}
    package = sys.modules["handstamp"]
    attributes = {name.rpartition(".")[2]: module for name, module in kept.items()}
    try:
        modules = [import_module(name) for name in ROOMS]
        return SimpleNamespace(**{key: value for module in modules for key, value in vars(module).items()})
    finally:
        sys.modules.update(kept)
        vars(package).update(attributes)


@pytest.fixture
def slow_payload(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the module as it is where json is not written in C."""
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    return import_afresh()


@pytest.mark.parametrize("value", [value for value, _ in FORMS])
def test_without_the_accelerator(slow_payload: SimpleNamespace, value: Any) -> None:
    """Where json is not written in C, as on PyPy, every text is the same."""
    assert slow_payload.dumps({"key": value}) == dumps({"key": value})
    assert slow_payload.fingerprint(value) == fingerprint(value)


def test_refusals_without_the_accelerator(slow_payload: SimpleNamespace) -> None:
    """And so is what is refused."""
    with pytest.raises(UnserializableValue, match=r"^session\['a'\] \(float nan\)"):
        slow_payload.dumps({"a": float("nan")})


# -- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "nonsense",
            "null",
            "1",
            '"a"',
            "[]",
            "[{}]",
            "{",
            '{"a":1',
            "{}{}",
            "{} ",
            " {}",
            "{}\n",
            "\ufeff{}",
        ),
        *("{'a':1}", '{"a":}', '{"a":1,}', '{"a":"\n"}', "{a:1}", "{1:1}", '{"a":01}', '{"a":.5}', '{"a":True}'),
    ],
)
def test_not_one_object(text: str) -> None:
    """A text that is not one JSON object, and nothing else, is a ValueError."""
    assert is_refused(text)


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, r'"\ud800"', r'{"\udfff":1}', r'["\ude00\ud83d"]'],
)
def test_not_to_be_written_again(value: str) -> None:
    """What JSON libraries take, but could not be written again, is a ValueError."""
    assert is_refused(f'{{"key":{value}}}')


@pytest.mark.parametrize(
    "value",
    [
        '{"~":1}',
        '{"~frozenset":[]}',
        '{"~Tuple":[]}',
        '{"~tuple":{}}',
        '{"~tuple":"ab"}',
        '{"~tuple":null}',
        '{"~set":"ab"}',
        '{"~set":[[1]]}',
        '{"~set":[{"a":1}]}',
        '{"~set":[{"~set":[]}]}',
        '{"~set":[{"~tuple":[[1]]}]}',
        '{"~set":[2,1]}',
        '{"~set":[1,1]}',
        '{"~set":[1,true]}',
        '{"~bytes":"AP8"}',
        '{"~bytes":"AP9="}',
        '{"~bytes":"A P8="}',
        '{"~bytes":"ä"}',
        '{"~bytes":"_w=="}',
        '{"~bytes":1}',
        '{"~date":"20240229"}',
        '{"~date":"2024-W09-4"}',
        '{"~date":"2023-02-29"}',
        '{"~date":"2024-02-29T00:00:00"}',
        '{"~datetime":"2024-02-29"}',
        '{"~datetime":"2024-02-29 00:00:00"}',
        '{"~datetime":"2024-02-29T00:00:00Z"}',
        '{"~datetime":"2024-02-29T00:00:00.100"}',
        '{"~datetime":"now"}',
        '{"~datetime":1700000000}',
        '{"~time":"25:00:00"}',
        '{"~time":"12:00"}',
        '{"~timedelta":[]}',
        '{"~timedelta":[1,2]}',
        '{"~timedelta":[0,86400,0]}',
        '{"~timedelta":[1.0,0,0]}',
        '{"~timedelta":[true,0,0]}',
        '{"~timedelta":[0,0,0,1]}',
        '{"~timedelta":[1000000000,0,0]}',
        '{"~timedelta":["1",0,0]}',
        '{"~timedelta":[0,0,0,0,0,0,0,0]}',
        '{"~decimal":"NaN"}',
        '{"~decimal":"sNaN"}',
        '{"~decimal":"Infinity"}',
        '{"~decimal":"1e5"}',
        '{"~decimal":" 1"}',
        '{"~decimal":"1_000"}',
        '{"~decimal":"one"}',
        '{"~decimal":1}',
        '{"~uuid":"12345678123456781234567812345678"}',
        '{"~uuid":"{12345678-1234-5678-1234-567812345678}"}',
        '{"~uuid":"12345678-1234-5678-1234-56781234567A"}',
        '{"~uuid":""}',
        '{"~dict":[]}',
        '{"~dict":{}}',
        '{"~dict":{"a":1}}',
        '{"~dict":{"~a":1,"~b":2}}',
        r'{"\u007etuple":1}',
        r'{"\u007Etuple":1}',
    ],
)
@pytest.mark.parametrize("outer", ["{}", "[{}]", '{{"~tuple":[{}]}}', '{{"~dict":{{"~":{}}}}}'])
def test_tags_have_one_spelling(value: str, outer: str) -> None:
    """An unknown tag, a known one around the wrong type, or another spelling of a value is a ValueError."""
    assert is_refused(f'{{"key":{outer.format(value)}}}')


@given(
    st.text() | st.recursive(st.text(max_size=3), nest, max_leaves=5).map(lambda value: json.dumps(value, default=str))
)
def test_reading_any_text(text: str) -> None:
    """Any text is read or a ValueError; what is read can be written."""
    try:
        data = loads(text)
    except ValueError:
        return
    assert exact(loads(dumps(data))) == exact(data)


tag_names = st.sampled_from(
    ["~dict", "~tuple", "~set", "~bytes", "~datetime", "~date", "~time", "~timedelta", "~decimal", "~uuid", "~x"]
)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-2, 2)
    | st.sampled_from(["", "a", "AP8=", "1", "12:00:00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="a~", max_size=2), inner, max_size=2)
        | st.dictionaries(tag_names, inner, min_size=1, max_size=1)
    ),
    max_leaves=8,
)


@given(st.dictionaries(texts, plain, max_size=3))
def test_reading_is_as_strict_as_writing(tree: dict[str, Any]) -> None:
    """A text of JSON's own making is what would be written for what it is read as, or a ValueError."""
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    try:
        data = loads(text)
    except ValueError:
        return
    assert dumps(data) == text


# -- fingerprints -----------------------------------------------------------------------------------------------------

#: Values that are easily taken for one another.
ALIKE: list[Any] = [
    *(None, False, True, 0, 1, 0.0, -0.0, 1.0, Decimal(0), Decimal("-0"), Decimal("0.0"), timedelta(0)),
    *("", "0", "1", "null", "[]", '{"~tuple":[]}', "AA==", b"", b"\x00", "2024-01-01", date(2024, 1, 1)),
    *(datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 5, 30, tzinfo=EAST)),
    *(time(0), time(0, tzinfo=UTC), str(A_UUID), A_UUID, [], (), {}, set(), [0], (0,), {0}, {"a": 0}, {"~tuple": []}),
    *(
        {"~dict": {"~tuple": []}},
        {"~dict": {}},
        {"~set": [0]},
        {"~bytes": "AA=="},
        {"~decimal": "0"},
        [[]],
        [()],
        ((),),
    ),
    *({"a": 0, "b": 1}, {"b": 1, "a": 0}, {"~a": 0, "~b": 1}, {(0, 1), 0}, [0, 1], [1, 0]),
]
alike = st.recursive(st.sampled_from(ALIKE), nest, max_leaves=3)


@pytest.mark.parametrize("one", ALIKE, ids=repr)
def test_fingerprints_of_values_that_are_alike(one: Any) -> None:
    """No two values that differ have one fingerprint, however alike they are."""
    same = [other for other in ALIKE if fingerprint(other) == fingerprint(one)]
    assert [exact(other, ordered=False) for other in same] == [exact(one, ordered=False)] * len(same)


@given(alike, alike)
@example({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}})
def test_fingerprints(one: Any, other: Any) -> None:
    """Two values have one fingerprint exactly if they are the same, types and all, dicts in any order."""
    assert (fingerprint(one) == fingerprint(other)) is (exact(one, ordered=False) == exact(other, ordered=False))


def shuffle(value: Any) -> Any:
    """Return a copy of a value with the keys of every dict the other way round."""
    if type(value) is dict:
        return {key: shuffle(item) for key, item in reversed(value.items())}
    return type(value)(map(shuffle, value)) if type(value) in (list, tuple) else copy.deepcopy(value)


@given(values)
def test_fingerprint_of_a_copy(value: Any) -> None:
    """A copy has the same fingerprint, whatever the order of its keys."""
    assert fingerprint(shuffle(value)) == fingerprint(value)


@given(values)
def test_fingerprint_survives_the_cookie(value: Any) -> None:
    """What comes back from a cookie has the fingerprint of what went."""
    assert fingerprint(loads(dumps({"key": value}))["key"]) == fingerprint(value)


@pytest.mark.parametrize("value", [Stranger(), [Stranger()], {"a": ("\ud800",)}, float("nan"), {1: 1}], ids=ascii)
def test_fingerprint_refuses(value: Any) -> None:
    """What cannot be written has no fingerprint."""
    with pytest.raises(UnserializableValue):
        fingerprint(value)


# -- types that are imported late -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [Decimal("1.10"), UUID("12345678-1234-5678-1234-567812345678")])
def test_types_that_come_late(value: Any) -> None:
    """The first Decimal or UUID of a process is written and read as any later one, and then taken for immutable."""
    text = dumps({"key": value})
    assert import_afresh().dumps({"key": value}) == text
    assert import_afresh().fingerprint(value) == fingerprint(value)
    afresh = import_afresh()
    assert type(value) not in afresh.IMMUTABLE
    assert afresh.is_immutable(value)
    assert type(value) in afresh.IMMUTABLE
    assert not afresh.is_immutable([value])
    afresh = import_afresh()
    assert exact(afresh.loads(text)) == exact({"key": value})
    assert type(value) in afresh.IMMUTABLE
