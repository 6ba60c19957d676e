"""No change of a token opens: each test makes every change of a sort, and none may be taken.

The changes are made of the text of a token and of the bytes that it spells; the codec is called directly, to be fast.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import permutations, product

import pytest

from handstamp import Settings
from handstamp._cookies import MAX_COOKIE_BYTES
from handstamp._rejection import BadToken
from handstamp._tokens import Codec
from tests.support.constants import OLD_KEY, SETTINGS, START
from tests.support.cookie_kinds import Kind, decode, encode
from tests.support.site import Site

NAME = "session"
FITTING = MAX_COOKIE_BYTES - len(NAME)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

#: What some decoder of base64 or some parser of headers skips.
SKIPPED = "= \t\r\n\v\f\x00\"\\,;:!*$%'()"


# -- tokens of each sort ----------------------------------------------------------------------------------------------

_NOISE = random.Random(0).randbytes(8 * MAX_COOKIE_BYTES)

#: A payload of each sort, at a length. (Signed ones are packed by zlib where that saves bytes.)
PAYLOADS: dict[str, Callable[[int], bytes]] = {
    "plain": lambda length: b'{"user":7,"name":"Ada","_created":1700000000}',
    "zlib": lambda length: b'{"cart":[' + b'"apple",' * 40 + b'"pear"],"_created":1700000000}',
    "tiny": lambda length: b"{}",
    "near 4096 bytes, plain": lambda length: _NOISE[:length],
    "near 4096 bytes, zlib": lambda length: _NOISE[:length].hex().encode(),
}


def make_token(codec: Codec, sort: str) -> str:
    """Return a token of a sort; of those near 4096 bytes, the longest that fits into a cookie."""
    for length in range(MAX_COOKIE_BYTES, 0, -1):
        content = codec.pack(PAYLOADS[sort](length))
        if len(content) <= FITTING and len(token := codec.seal(content, START)) <= FITTING:
            return token
    raise AssertionError(f"nothing of the sort {sort!r} fits")


# -- changes: of the text, and of the bytes that it spells ------------------------------------------------------------


def take_apart(token: str) -> list[bytes]:
    """Return the bytes of each segment; those of an encrypted token are nonce, text and tag."""
    if "." in token:
        return [decode(segment) for segment in token.split(".")]
    sealed = decode(token)
    return [sealed[:12], sealed[12:-16], sealed[-16:]]


def put_together(segments: Sequence[bytes], token: str) -> str:
    """Write segments as a token like this one, in canonical base64."""
    pieces = segments if "." in token else [b"".join(segments)]
    return ".".join(encode(piece).decode() for piece in pieces)


def change_bytes(token: str, change: int | None) -> Iterator[str]:
    """Yield the token with each byte that it spells changed by XOR, or zeroed."""
    segments = take_apart(token)
    for index, segment in enumerate(segments):
        for at, byte in enumerate(segment):
            changed = bytearray(segment)
            changed[at] = 0 if change is None else byte ^ change
            if changed != segment:
                yield put_together([*segments[:index], bytes(changed), *segments[index + 1 :]], token)


def flip_bits(token: str) -> Iterator[str]:
    """Yield the token with each single bit flipped, of its text and of the bytes that it spells."""
    for at, character in enumerate(token):
        for bit in range(8):
            yield token[:at] + chr(ord(character) ^ (1 << bit)) + token[at + 1 :]
    for bit in range(8):
        yield from change_bytes(token, 1 << bit)


def zero_bytes(token: str) -> Iterator[str]:
    """Yield the token with each byte zeroed: by NUL, by the zero of base64, and among the bytes that it spells."""
    for at, character in enumerate(token):
        yield from (token[:at] + zero + token[at + 1 :] for zero in "\x00A" if zero != character)
    yield from change_bytes(token, None)


def truncate(token: str) -> Iterator[str]:
    """Yield the token cut at each place, at its end and at its beginning, and with each of its bytes left out."""
    yield from (token[:at] for at in range(len(token)))
    yield from (token[at:] for at in range(1, len(token)))
    yield from (token[:at] + token[at + 1 :] for at in range(len(token)))
    segments = take_apart(token)
    for index, segment in enumerate(segments):
        for at in range(len(segment)):
            yield put_together([*segments[:index], segment[:at], *segments[index + 1 :]], token)


def swap_segments(token: str, other: str) -> Iterator[str]:
    """Yield the token's segments in every other order, and with those of another token in every mixture."""
    segments, others = take_apart(token), take_apart(other)
    for order in permutations(range(len(segments))):
        yield put_together([segments[index] for index in order], token)
    if len(segments) == len(others):
        for mixture in product(*zip(segments, others, strict=True)):
            yield put_together(mixture, token)


def spell_otherwise(token: str) -> Iterator[str]:
    """Yield what a laxer reader takes for the same bytes.

    Unused bits, padding, the other alphabet of base64, and whatever is skipped, at each place.
    """
    segments = token.split(".")
    for index, segment in enumerate(segments):
        endings = [*(segment[:-1] + last for last in ALPHABET), f"{segment}=", f"{segment}==", f"{segment}==="]
        yield from (".".join([*segments[:index], ending, *segments[index + 1 :]]) for ending in endings if segment)
    for at in range(len(token) + 1):
        yield from (token[:at] + skipped + token[at:] for skipped in SKIPPED)
        if token[at : at + 1] in ("-", "_"):
            yield token[:at] + {"-": "+", "_": "/"}[token[at]] + token[at + 1 :]
        yield f"{token[:at]}%{ord(token[at : at + 1] or 'A'):02X}{token[at + 1 :]}"
    yield from (f'"{token}"', f"{token}.", token.replace(".", ","), token.replace(".", "%2E"))


# -- what holds for the tokens of every interface ---------------------------------------------------------------------


@pytest.fixture
def codec(kind: Kind) -> Codec:
    """What seals and unseals the tokens of a kind, with a current key and a fallback."""
    return kind.interface().get_codec(Settings({**SETTINGS, "SECRET_KEY_FALLBACKS": [OLD_KEY]}), NAME)


def is_taken(codec: Codec, token: str) -> bool:
    """Tell whether a token opens."""
    try:
        codec.unseal(token)
    except BadToken:
        return False
    return True


Record = Callable[[str, object], None]


def refuse_all(codec: Codec, token: str, changed: Iterable[str], record_property: Record) -> int:
    """Count the changes of a token, having asserted that none of them opens; the report of the run tells both."""
    tried = set(changed) - {token}
    accepted = [text for text in tried if is_taken(codec, text)]
    record_property("tried", len(tried))
    record_property("accepted", len(accepted))
    assert accepted == []
    return len(tried)


each_sort = pytest.mark.parametrize("sort", PAYLOADS)


@each_sort
def test_the_token_itself_opens(codec: Codec, sort: str) -> None:
    """The token that is changed below does open, with its payload and its time."""
    token = make_token(codec, sort)
    content, issued, key = codec.unseal(token)
    assert (codec.pack(codec.unpack(content)), issued, key) == (content, START, 0)
    assert put_together(take_apart(token), token) == token
    assert token.startswith(".") is ("zlib" in sort and "." in token)
    assert len(token) <= FITTING
    assert "4096" not in sort or len(token) > FITTING - 100


@each_sort
def test_every_bit_flipped(codec: Codec, sort: str, record_property: Record) -> None:
    """No token with one bit flipped opens, be it a bit of the text or of the bytes that the text spells."""
    token = make_token(codec, sort)
    assert refuse_all(codec, token, flip_bits(token), record_property) >= 8 * len(token)


@each_sort
def test_every_byte_zeroed(codec: Codec, sort: str, record_property: Record) -> None:
    """No token with one byte zeroed opens."""
    token = make_token(codec, sort)
    assert refuse_all(codec, token, zero_bytes(token), record_property) >= 2 * len(token) - token.count("A")


@each_sort
def test_every_truncation(codec: Codec, sort: str, record_property: Record) -> None:
    """No token that was cut opens, at whichever place, and none with a byte left out."""
    token = make_token(codec, sort)
    assert refuse_all(codec, token, truncate(token), record_property) >= 2 * len(token) - 1


@each_sort
@pytest.mark.parametrize("other", PAYLOADS)
def test_every_swap_of_segments(codec: Codec, sort: str, other: str, record_property: Record) -> None:
    """No token opens whose segments stand in another order, or were mixed with those of another valid token."""
    token = make_token(codec, sort)
    content, _, _ = codec.unseal(make_token(codec, other))
    later = codec.seal(content, START + 1)
    # Six orders and eight mixtures are as few as there can be; two of them are the tokens themselves.
    assert refuse_all(codec, token, set(swap_segments(token, later)) - {later}, record_property) >= 5


@each_sort
def test_every_other_spelling(codec: Codec, sort: str, record_property: Record) -> None:
    """No other base64 spelling of a token's bytes opens."""
    token = make_token(codec, sort)
    assert refuse_all(codec, token, spell_otherwise(token), record_property) >= len(SKIPPED) * len(token)


# -- through the middleware -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("change", [flip_bits, zero_bytes, truncate, spell_otherwise])
def test_through_the_middleware(change: Callable[[str], Iterator[str]]) -> None:
    """What the codec refuses is an empty session to the application, at every hundredth of the changes."""
    site = Site()
    token = site.visit(lambda session: session.update(user="Ada")).token
    site.visitor.jar.clear()
    # What no server takes for a header, or for one cookie, is left to the codec.
    # A change may change nothing: an encrypted token has no dot to replace.
    fitting = [text for text in change(token) if text.isprintable() and ";" not in text and text.strip() == text]
    changed = [text for text in fitting if text != token]
    seen = {site.visit(bool, HTTP_COOKIE=f"{NAME}={text}").result for text in changed[:: len(changed) // 100]}
    assert (seen, site.visit(bool, HTTP_COOKIE=f"{NAME}={token}").result) == ({False}, True)
