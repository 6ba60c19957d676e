"""A token is what stock itsdangerous makes of text and time, both ways; every other text is refused."""

from __future__ import annotations

import hashlib
import json
import random
import tracemalloc
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadSignature, Signer, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import want_bytes

from handstamp import RejectReason, SettingsError
from handstamp._rejection import BadToken
from handstamp._tokens import MAX_PAYLOAD_BYTES, SigningCodec

NEW = "the newest key of them all"
OLD = "the key of last year, still good"
OLDEST = b"\xff\x00 the key of the year before"
SALT = b"handstamp.signed:7:session"
NOW = 1_700_000_000


def make_codec(
    *keys: str | bytes, salt: bytes = SALT, digest_method: Any = hashlib.sha256, key_derivation: str = "hmac"
) -> SigningCodec:
    """Return a codec, with the newest key if none is given."""
    return SigningCodec(keys or (NEW,), salt, digest_method, key_derivation)


def make_stock(
    *keys: str | bytes,
    at: int = NOW,
    salt: bytes = SALT,
    digest_method: Any = hashlib.sha256,
    key_derivation: str = "hmac",
) -> URLSafeTimedSerializer:
    """Return the serializer of itsdangerous, stock but for a clock that stands still; it wants the oldest key first."""

    class StandingSigner(TimestampSigner):
        def get_timestamp(self) -> int:
            return at

    return URLSafeTimedSerializer(
        [want_bytes(key) for key in reversed(keys)] or [want_bytes(NEW)],
        salt=salt,
        signer=StandingSigner,
        signer_kwargs={"key_derivation": key_derivation, "digest_method": digest_method},
    )


def write(codec: SigningCodec, data: Any, issued: int = NOW) -> str:
    """Make a token of data."""
    return codec.seal(codec.pack(json.dumps(data).encode()), issued)


def read(codec: SigningCodec, token: str) -> tuple[Any, int]:
    """Return the data and the time of a token."""
    content, issued, _ = codec.unseal(token)
    return json.loads(codec.unpack(content)), issued


def why_refused(open_token: Callable[[], object]) -> RejectReason:
    """Return the reason for which a token is refused."""
    with pytest.raises(BadToken) as caught:
        open_token()
    return caught.value.reason


# -- known answers ----------------------------------------------------------------------------------------------------


class Vector(NamedTuple):
    """A token made once by itsdangerous 2.2, and what it holds."""

    token: str
    payload: str
    issued: int
    key: int


VECTORS = {
    "plain": Vector(
        "eyJ1c2VyIjo0MiwibmFtZSI6Ilpvw6siLCJfY3JlYXRlZCI6MTcwMDAwMDAwMH0"
        ".ZVPxAA.tyelV5bWzAaaqEmhq0vBl-g-T6GaBWPAeimtYoMDHMk",
        '{"user":42,"name":"Zoë","_created":1700000000}',
        1_700_000_000,
        0,
    ),
    "zlib": Vector(
        ".eJyrVipJrShRslJKzilNUhglRhShVAsA5Cm02A.ZVPxAA.GT8_c0yQw1Adlb1himoAvSytM8sczNaK0nDJgpANuw4",
        '{"text":"' + "club " * 100 + '"}',
        1_700_000_000,
        0,
    ),
    "fallback key": Vector(
        "eyJ1c2VyIjo0Mn0.X14QAA.8W5LP0nVEoSakNne3UoV3-hokQTNrV5PTgJ-nr7PlwE",
        '{"user":42}',
        1_600_000_000,
        1,
    ),
    "tiny, in 1970": Vector(
        "e30.AQ.2RG25_ig1onQ7jFAzvHOBz7QyMfzhuJyTgWHW7v5J7M",
        "{}",
        1,
        0,
    ),
    "in 9999": Vector(
        "eyJhIjpbMSxudWxsXX0.Ov_0QX8.M6clfnnrhtOpNDDJxXdOEEVirE4LtTz1bgJnLQEhp60",
        '{"a":[1,null]}',
        253_402_300_799,
        0,
    ),
}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_known_answers_open(vector: Vector) -> None:
    """A token that itsdangerous made once opens: payload, time and key are known."""
    codec = make_codec(NEW, OLD)
    content, issued, key = codec.unseal(vector.token)
    assert (codec.unpack(content).decode(), issued, key) == (vector.payload, vector.issued, vector.key)


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "zlib"])
def test_known_answers_are_made(name: str) -> None:
    """The same payload, time and key make the same token, byte for byte."""
    vector = VECTORS[name]
    codec = make_codec((NEW, OLD)[vector.key])
    assert codec.seal(codec.pack(vector.payload.encode()), vector.issued) == vector.token


def test_known_answer_packed() -> None:
    """A packed token opens as well sealed anew: what zlib makes of a payload may differ from build to build."""
    codec = make_codec()
    vector = VECTORS["zlib"]
    content, issued, _ = codec.unseal(vector.token)
    assert codec.seal(content, issued) == vector.token


# -- stock itsdangerous, both ways ------------------------------------------------------------------------------------

data_of_any_size = st.dictionaries(st.text(), st.text() | st.integers() | st.text().map(lambda text: text * 100))
times = st.integers(min_value=1, max_value=2**63 - 1)
datable = st.integers(min_value=1, max_value=253_402_300_799)
keys = st.text(min_size=16) | st.binary(min_size=16)


@given(data_of_any_size, datable, keys, st.binary())
def test_stock_opens_ours(data: Any, issued: int, key: str | bytes, salt: bytes) -> None:
    """Stock itsdangerous opens whatever we make, under any key and salt."""
    stock = make_stock(key, at=issued, salt=salt)
    back, when = stock.loads(write(make_codec(key, salt=salt), data, issued), max_age=0, return_timestamp=True)
    assert (back, int(when.timestamp())) == (data, issued)


@given(data_of_any_size, times, keys, st.binary())
def test_we_open_stocks(data: Any, issued: int, key: str | bytes, salt: bytes) -> None:
    """We open whatever stock itsdangerous makes, under any key and salt."""
    token = make_stock(key, at=issued, salt=salt).dumps(data)
    assert read(make_codec(key, salt=salt), str(token)) == (data, issued)


@given(st.binary(min_size=1), times)
def test_round_trip(payload: bytes, issued: int) -> None:
    """Any payload and time come back as they went."""
    codec = make_codec()
    content, when, key = codec.unseal(codec.seal(codec.pack(payload), issued))
    assert (codec.unpack(content), when, key) == (payload, issued, 0)


@pytest.mark.parametrize("digest_method", [hashlib.sha1, hashlib.sha256, hashlib.sha512])
@pytest.mark.parametrize("key_derivation", ["hmac", "concat", "django-concat", "none"])
def test_other_ways_to_sign(digest_method: Any, key_derivation: str) -> None:
    """Hash and key derivation may be any that itsdangerous has, Flask's among them."""
    ways = {"digest_method": digest_method, "key_derivation": key_derivation}
    ours, stock = make_codec(**ways), make_stock(**ways)
    assert stock.loads(write(ours, {"a": 1})) == {"a": 1}
    assert read(ours, str(stock.dumps({"a": 1}))) == ({"a": 1}, NOW)


@pytest.mark.parametrize("length", [1, 16, 63, 64, 65, 127, 128, 129, 1000])
@pytest.mark.parametrize("digest_method", [hashlib.sha1, hashlib.sha256, hashlib.sha512])
def test_keys_of_any_length(digest_method: Any, length: int) -> None:
    """A key that is used as it is may be shorter or longer than a block of the hash (RFC 2104)."""
    ways = {"digest_method": digest_method, "key_derivation": "none"}
    assert make_stock("k" * length, **ways).loads(write(make_codec("k" * length, **ways), 1)) == 1


def test_unknown_key_derivation() -> None:
    """A key derivation that itsdangerous does not have is an error at once, without the frames that hold the key."""
    with pytest.raises(SettingsError, match=r"key_derivation: 'rot13' .* use 'hmac'") as caught:
        make_codec(key_derivation="rot13")
    assert caught.value.__context__ is None


def test_equal_content_and_time_make_equal_tokens() -> None:
    """Signing adds nothing of its own: a token stays stable."""
    assert write(make_codec(), {"a": 1}) == write(make_codec(), {"a": 1})


# -- keys and purposes ------------------------------------------------------------------------------------------------


def test_the_first_key_signs() -> None:
    """The current key signs: itsdangerous opens the token with that key alone."""
    assert make_stock(NEW).loads(write(make_codec(NEW, OLD, OLDEST), {"a": 1})) == {"a": 1}


@pytest.mark.parametrize("fallback", [OLD, OLDEST])
def test_no_fallback_signs(fallback: str | bytes) -> None:
    """No fallback signs: with it alone the token does not open (CVE-2025-47278)."""
    with pytest.raises(BadSignature):
        make_stock(fallback).loads(write(make_codec(NEW, OLD, OLDEST), {"a": 1}))


@pytest.mark.parametrize(("key", "number"), [(NEW, 0), (OLD, 1), (OLDEST, 2)])
def test_every_key_opens(key: str | bytes, number: int) -> None:
    """The current key and every fallback open, and it is known which one did."""
    _, _, opened_by = make_codec(NEW, OLD, OLDEST).unseal(write(make_codec(key), {"a": 1}))
    assert opened_by == number


@pytest.mark.parametrize("left", [(NEW,), (NEW, OLDEST), (OLDEST, NEW)])
def test_a_key_taken_off_the_list(left: tuple[str | bytes, ...]) -> None:
    """A key that is taken off the list opens nothing from then on."""
    token = write(make_codec(OLD), {"a": 1})
    assert why_refused(lambda: make_codec(*left).unseal(token)) is RejectReason.BAD_SIGNATURE


def test_text_and_bytes_are_one_key() -> None:
    """A key as text is its UTF-8 bytes."""
    assert read(make_codec("ключ от всех дверей".encode()), write(make_codec("ключ от всех дверей"), 1)) == (1, NOW)


@pytest.mark.parametrize("salt", [b"", b"handstamp.signed:8:session2", b"handstamp.signed:7:sessioN"])
def test_another_purpose(salt: bytes) -> None:
    """A token does not open for another purpose."""
    token = write(make_codec(), {"a": 1})
    assert why_refused(lambda: make_codec(salt=salt).unseal(token)) is RejectReason.BAD_SIGNATURE


# -- what does not open -----------------------------------------------------------------------------------------------

TOKEN = VECTORS["plain"].token
PACKED = VECTORS["zlib"].token
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def sign(signed: str) -> str:
    """Return any text with a valid signature, as only we and itsdangerous can make it."""
    return Signer(NEW, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256).sign(signed).decode()


def test_signing_by_hand() -> None:
    """The signatures of these tests are valid, so that what follows is refused for what it holds."""
    assert sign(TOKEN.rpartition(".")[0]) == TOKEN


@pytest.mark.parametrize("token", [TOKEN, PACKED])
def test_every_character_counts(token: str) -> None:
    """A token with any one character changed, left out or doubled does not open."""
    codec = make_codec(NEW, OLD)
    for at, character in enumerate(token):
        others = ALPHABET[(ALPHABET.find(character) + 1) % 64], ".", "", character * 2, "=", "+", "/", " ", "ä"
        for other in set(others) - {character}:
            with pytest.raises(BadToken):
                codec.unseal(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "e30",
        "e30.AQ",
        "e30.AQ.",
        "e30..sig",
        ".AQ.sig",
        "..AQ.sig",
        "e30.A.sig",
        f"e30.{'A' * 12}.sig",
        "e30.AQ.sig.sig",
        "a.e30.AQ.sig",
        ".a.e30.AQ.sig",
        f'"{TOKEN}"',
        f" {TOKEN}",
        f"{TOKEN}\n",
        f"{TOKEN}\x00",
        f"{TOKEN}=",
        f"{TOKEN}==",
        TOKEN.replace(".", "=.", 1),
        TOKEN.replace(".", ".=", 1),
        TOKEN.replace("-", "+"),
        TOKEN.replace(".", ". "),
        TOKEN.replace(".", "%2E"),
        f"ä{TOKEN}",
        f"\ud800{TOKEN}",
    ],
)
def test_malformed(token: str) -> None:
    """What is not three parts in the alphabet, without padding or stray characters, costs no signature."""
    assert why_refused(lambda: make_codec().unseal(token)) is RejectReason.MALFORMED


@pytest.mark.parametrize(
    "token",
    [
        "e30.AQ.sig",
        "e30.AQ." + "A" * 43,
        TOKEN[:-1],
        TOKEN + "A",
        f".{TOKEN}",
        PACKED[1:],
        "A" + TOKEN,
        TOKEN.replace(".ZVPxAA.", ".ZVPxAB."),
    ],
)
def test_bad_signature(token: str) -> None:
    """What is well-formed, but was not signed as it is, is a bad signature."""
    assert why_refused(lambda: make_codec().unseal(token)) is RejectReason.BAD_SIGNATURE


def spell_otherwise(text: str) -> list[str]:
    """Return every text that a lax decoder reads as the same bytes, for its unused bits differ."""
    unused = {0: 0, 2: 4, 3: 2}[len(text) % 4]
    first = ALPHABET.index(text[-1])
    return [text[:-1] + ALPHABET[first | bits] for bits in range(1, 2**unused)]


@pytest.mark.parametrize("token", [TOKEN, PACKED, VECTORS["tiny, in 1970"].token])
def test_unused_bits_of_the_signature(token: str) -> None:
    """No second spelling of a signature opens."""
    body, _, signature = token.rpartition(".")
    spellings = spell_otherwise(signature)
    assert len(spellings) == 3
    for spelling in spellings:
        assert why_refused(partial(make_codec().unseal, f"{body}.{spelling}")) is RejectReason.BAD_SIGNATURE


@pytest.mark.parametrize("time", [*spell_otherwise("AQ"), *spell_otherwise("ZVPxAA"), "ZVPxA", "ZVPxAAAAA"])
def test_odd_times(time: str) -> None:
    """A time with unused bits, or of a length that cannot be, is malformed even if it is signed."""
    assert why_refused(lambda: make_codec().unseal(sign(f"e30.{time}"))) is RejectReason.MALFORMED


def open_content(content: str) -> bytes:
    """Return the payload of a token with a valid signature around any content."""
    codec = make_codec()
    unsealed, _, _ = codec.unseal(sign(f"{content}.ZVPxAA"))
    return codec.unpack(unsealed)


@pytest.mark.parametrize("content", [*spell_otherwise("e30"), *spell_otherwise("eyJhIjoxfQ"), "e", "e30AA", ".e"])
def test_odd_contents(content: str) -> None:
    """A content with unused bits, or of a length that cannot be, is malformed even if it is signed."""
    assert why_refused(lambda: open_content(content)) is RejectReason.MALFORMED


def test_whole_contents() -> None:
    """The same contents in canonical base64 open."""
    assert (open_content("e30"), open_content("eyJhIjoxfQ")) == (b"{}", b'{"a":1}')


def test_time_ends_in_a_letter() -> None:
    """Of base64 the padding alone is cut: a time keeps its last letter."""
    codec = make_codec()
    token = codec.seal(b"e30", 0x100017)
    assert token.split(".")[1] == "EAAX"
    assert codec.unseal(token) == (b"e30", 0x100017, 0)


@given(st.text() | st.text(alphabet=ALPHABET + ".=").map(lambda text: f"{text}.ZVPxAA.x"))
def test_any_text(token: str) -> None:
    """No text that was not signed opens, and none raises anything else."""
    assert why_refused(lambda: make_codec().unseal(token)) in ("malformed", "bad_signature")


@given(st.text(alphabet=ALPHABET + ".", min_size=1))
def test_any_signed_content(content: str) -> None:
    """Even a validly signed content either is a payload or is refused."""
    try:
        payload = open_content(content)
    except BadToken:
        return
    # By chance it is never packed.
    assert content == urlsafe_b64encode(payload).rstrip(b"=").decode()


# -- packing ----------------------------------------------------------------------------------------------------------


def pack_by_hand(packed: bytes) -> bytes:
    """Return the content of a token that holds any bytes as packed."""
    return b"." + b64encode(packed).rstrip(b"=")


def noise(length: int) -> bytes:
    """Return text that zlib can save nothing of, the same at each call."""
    return random.Random(0).randbytes(length)


@pytest.mark.parametrize("length", [500, 2799, 2800, 2801, 4000])
def test_packed_where_it_saves(length: int) -> None:
    """A payload that zlib makes smaller is packed."""
    codec = make_codec()
    content = codec.pack(b"a" * length)
    assert content.startswith(b".")
    assert len(content) < length / 5
    assert codec.unpack(content) == b"a" * length


@pytest.mark.parametrize(("length", "packed"), [(127, False), (128, True)])
def test_short_payload_is_not_packed(length: int, packed: bool) -> None:
    """Below 128 bytes packing is not tried, whatever it would save."""
    assert make_codec().pack(b"a" * length).startswith(b".") is packed


@pytest.mark.parametrize(("length", "level"), [(2799, 1), (2800, 9)])
def test_packed_well_where_it_counts(length: int, level: int) -> None:
    """A payload that would not fit into a cookie unpacked is packed as small as zlib can, a smaller one as fast."""
    choose = random.Random(0)
    words = [f"{choose.randrange(1000)} " for _ in range(60)]
    payload = "".join(choose.choices(words, k=length)).encode()[:length]
    assert zlib.compress(payload, 1) != zlib.compress(payload, 9)
    assert make_codec().pack(payload) == pack_by_hand(zlib.compress(payload, level))


def test_packed_where_it_saves_a_byte() -> None:
    """With its dot a packed payload is shorter than the payload, by one byte at least; else it stays plain."""
    gains = set()
    for more in range(40):
        payload = noise(200) + b"a" * more
        packed = zlib.compress(payload, 1)
        gains.add(gain := len(payload) - len(packed) - 1)
        assert make_codec().pack(payload) == (pack_by_hand(packed) if gain > 0 else b64encode(payload).rstrip(b"="))
    assert {-1, 0, 1} <= gains


@given(st.binary(min_size=1), st.integers(min_value=1, max_value=500))
def test_packing_never_makes_longer(piece: bytes, times: int) -> None:
    """A content is never longer than the plain base64 of its payload, and always holds it."""
    codec = make_codec()
    content = codec.pack(piece * times)
    assert len(content) <= len(b64encode(piece * times).rstrip(b"="))
    assert codec.unpack(content) == piece * times


@pytest.mark.parametrize("length", [10, 128, 2799, 2800, 4000])
def test_unpacked_where_it_does_not(length: int) -> None:
    """A payload that zlib makes no smaller stays as it is."""
    assert make_codec().pack(noise(length)) == b64encode(noise(length)).rstrip(b"=")


def test_payload_limit() -> None:
    """A payload is at most 256 KiB."""
    assert MAX_PAYLOAD_BYTES == 256 * 1024


@pytest.mark.parametrize("payload", [b"a" * MAX_PAYLOAD_BYTES, noise(MAX_PAYLOAD_BYTES)], ids=["flat", "noise"])
@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_the_biggest_payload(payload: bytes, level: int) -> None:
    """A payload of exactly the limit is unpacked, however it was packed."""
    assert make_codec().unpack(pack_by_hand(zlib.compress(payload, level))) == payload


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("excess", [1, 2, 1000, MAX_PAYLOAD_BYTES])
def test_a_payload_beyond(excess: int, level: int) -> None:
    """A packed payload of a byte more, or of many, is malformed."""
    content = pack_by_hand(zlib.compress(b"a" * (MAX_PAYLOAD_BYTES + excess), level))
    assert why_refused(lambda: make_codec().unpack(content)) is RejectReason.MALFORMED


def test_bomb() -> None:
    """A content that would unfold to 64 MB never takes more than some of the limit in memory."""
    content = pack_by_hand(zlib.compress(b"a" * 64_000_000, 9))
    codec = make_codec()
    tracemalloc.start()
    try:
        assert why_refused(lambda: codec.unpack(content)) is RejectReason.MALFORMED
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_PAYLOAD_BYTES


WHOLE = zlib.compress(b"a payload, packed by zlib")


@pytest.mark.parametrize(
    "packed",
    [
        b"no zlib at all",
        b"x",
        WHOLE[:-1],
        WHOLE[:-4],
        WHOLE[:8],
        WHOLE[:2],
        WHOLE + b"x",
        WHOLE + WHOLE,
        WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]),
        zlib.compress(b"a payload", wbits=31),
        zlib.compress(b"a payload", wbits=-15),
        b"\x78\xbb\x00\x00\x00\x01",  # wants a dictionary that nobody has
    ],
    ids=str,
)
def test_broken_packing(packed: bytes) -> None:
    """What is cut, longer than itself, broken, or no zlib is malformed."""
    assert why_refused(lambda: make_codec().unpack(pack_by_hand(packed))) is RejectReason.MALFORMED


def test_unsealing_does_not_unpack() -> None:
    """A token opens before its content is looked at, so that age can come before parsing."""
    token = sign(f"{pack_by_hand(b'no zlib').decode()}.ZVPxAA")
    assert tuple(make_codec().unseal(token)) == (pack_by_hand(b"no zlib"), NOW, 0)
