"""Encrypted cookies: the box and its padding. What holds for every kind of cookie stands in the other files."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from webob import Request

from handstamp import (
    RejectReason,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMiddleware,
    Settings,
    SettingsError,
)
from handstamp._rejection import BadToken
from tests.support.missing_programs import need

need("cryptography")

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from handstamp import _encryption
from handstamp._encryption import EncryptingCodec
from handstamp.encrypted import EncryptedCookieSessionInterface

KEY = "the key of the tests, no secret"
OLD = "an older key of the tests, too"
SALT = b"handstamp.encrypted:7:session"
START = 1_700_000_000
NONCE = bytes(range(12))

#: The payload ``{"user":"ada","_created":1700000000}``, sealed with the nonce and the time above.
TEXT = b'{"user":"ada","_created":1700000000}'
VECTOR = (
    "AAECAwQFBgcICQoLXVA4agGPlhmDLPSx7gIsvmK1cFcAmf4H2vgICJsaw55LSvAn"
    "zKSNa4rBH6Q7UfeQiWzAzCC4fruP6pGcqJTdrhCN2DUlPILqnLYxSrvhPLA"
)

#: Payload, time, key and salt of tokens with that nonce.
VECTORS: dict[str, tuple[bytes, int, str | bytes, bytes]] = {
    VECTOR: (TEXT, START, KEY, SALT),
    "AAECAwQFBgcICQoLeLjghgRbm3a6ow0Cl6HO9fBfCpw649vj3jl7MpJ8P_KwXD4K"
    "HFhPjXs0dNkncSuxZVez1UQe6zjIeL3t0NdXGmQjMFU2envfHixXv5oRdsE": (b"{}", 0, KEY, SALT),
    "AAECAwQFBgcICQoL6BHve_CeFCXPM_HjETYLyjZg71X5dU_7UyShgBvMql0yfZf0"
    "v88jZsaImujL3ThTXRxwCA_h_BG6Wvy62XAMW-vPr4VD6Di8KMBo6GGfnhxPehjY"
    "rmy8oqLSxKE7stNDuPT_qbFezAjF62QO55NIJPYmZspWlKdlY-0S6wo9ODwByX00"
    "JmBkYXmItloVM_DY": (
        ('{"name":"' + "\u00e9" * 24 + '"}').encode(),
        1_767_225_600,
        bytes(range(32)),
        b"handstamp.encrypted:14:__Host-session",
    ),
}


def codec(*keys: str, salt: bytes = SALT) -> EncryptingCodec:
    return EncryptingCodec(keys or (KEY,), salt)


def seal(payload: bytes, **how: Any) -> str:
    made = codec(**how)
    return made.seal(made.pack(payload), START)


def reason_of(token: str, **how: Any) -> RejectReason:
    with pytest.raises(BadToken) as caught:
        codec(**how).unseal(token)
    return caught.value.reason


def spell(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


def by_hand(text: bytes, cipher: Any = AESGCMSIV, label: bytes | None = SALT) -> str:
    """Make a token with bare calls of cryptography, as the module's docstring says it is made, or nearly so."""
    key = HKDF(SHA256(), 32, salt=None, info=SALT).derive(KEY.encode())
    plain = START.to_bytes(8) + text + b"\x80"
    plain += bytes(-len(plain) % 64)
    return spell(NONCE + cipher(key).encrypt(NONCE, plain, label))


def fernet_by_hand(text: bytes) -> str:
    key = HKDF(SHA256(), 32, salt=None, info=SALT).derive(KEY.encode())
    return Fernet(urlsafe_b64encode(key)).encrypt_at_time(text, START).rstrip(b"=").decode()


#: Each is made with the right key, and of a form that costs a decryption where it can be.
OTHERS = {
    "AES-GCM": by_hand(TEXT, AESGCM),
    "AES-GCM, nothing bound": by_hand(TEXT, AESGCM, None),
    "ChaCha20-Poly1305": by_hand(TEXT, ChaCha20Poly1305),
    "nothing bound": by_hand(TEXT, label=None),
    "Fernet": fernet_by_hand(TEXT),
    "not encrypted": spell(NONCE + START.to_bytes(8) + TEXT + b"\x80" + bytes(19 + 16)),
}


@pytest.mark.parametrize("token", OTHERS.values(), ids=OTHERS)
def test_no_other_codec(token: str) -> None:
    """When decryption fails no other codec is tried, weaker or not, be it with the right key."""
    reason_of(token)


class CountingCipher:
    """The cipher, its decryptions counted."""

    count = 0

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCMSIV(key)

    def encrypt(self, *args: Any) -> bytes:
        return self._cipher.encrypt(*args)

    def decrypt(self, *args: Any) -> bytes:
        CountingCipher.count += 1
        return self._cipher.decrypt(*args)


@pytest.mark.parametrize(
    ("token", "count"),
    [
        (VECTOR, 2),
        (VECTOR[:-2] + "AA", 3),
        (VECTOR[:-1], 0),
        ("x", 0),
        pytest.param(VECTOR + "AAAA", 0, id="no whole blocks"),
        pytest.param("A" * 38, 0, id="no block"),
    ],
)
def test_one_decryption_a_key(monkeypatch: pytest.MonkeyPatch, token: str, count: int) -> None:
    """A candidate costs one decryption with each key until one fits, and none if it is not well-formed."""
    monkeypatch.setattr(_encryption, "AESGCMSIV", CountingCipher)
    monkeypatch.setattr(CountingCipher, "count", 0)
    made = codec(OLD, KEY, "the key of the year before")
    with suppress(BadToken):
        made.unseal(token)
    assert CountingCipher.count == count


@pytest.mark.parametrize("token", VECTORS, ids=len)
def test_known_answer(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """With its nonce and time fixed a token is known beforehand, byte by byte."""
    text, issued, key, salt = VECTORS[token]
    made = EncryptingCodec([key], salt)
    monkeypatch.setattr(_encryption, "token_bytes", lambda size: NONCE[:size])
    assert made.seal(made.pack(text), issued) == token


@pytest.mark.parametrize("token", VECTORS, ids=len)
def test_known_answer_opens(token: str) -> None:
    """The token that is known beforehand opens to its payload and its time."""
    text, issued, key, salt = VECTORS[token]
    made = EncryptingCodec([OLD, key], salt)
    content, *rest = made.unseal(token)
    assert (made.unpack(content), *rest) == (text, issued, 1)


def test_empty_box() -> None:
    """A nonce and a tag of zeros around nothing open no session, and the cipher takes them under no key.

    OpenSSL before 4.0.1 left such a tag unchecked (CVE-2026-45446).
    """
    assert reason_of(spell(NONCE + bytes(16))) is RejectReason.MALFORMED
    with pytest.raises(InvalidTag):
        AESGCMSIV(bytes(32)).decrypt(NONCE, bytes(16), SALT)


def test_by_hand() -> None:
    """What the tests make by bare calls is the token that is known beforehand, so that it is refused for its change."""
    assert by_hand(TEXT) == VECTOR


@pytest.mark.parametrize("size", [*range(130), 3000])
def test_round_trip(size: int) -> None:
    """A payload of any size comes back, whatever it ends with."""
    for payload in (os.urandom(size), bytes(size), b"\x80" * size):
        content, issued, _ = codec().unseal(seal(payload))
        assert (codec().unpack(content), issued) == (payload, START)


def test_equal_data_differ() -> None:
    """Two saves of equal data have nothing in common."""
    assert seal(TEXT)[:40] != seal(TEXT)[:40]


def test_no_nonce_repeats() -> None:
    """100,000 saves repeat no nonce."""
    made = codec()
    content = made.pack(TEXT)
    assert len({made.seal(content, START)[:16] for _ in range(100_000)}) == 100_000


def test_every_bit_flipped() -> None:
    """A token with any one bit flipped, of nonce, box or tag, is refused."""
    whole = bytes_of(seal(TEXT))
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        assert reason_of(spell(bytes(flipped))) == RejectReason.BAD_SIGNATURE


def test_every_truncation() -> None:
    """A token that is cut anywhere, at its end or its beginning, is refused."""
    token = seal(TEXT)
    for cut in range(1, len(token) + 1):
        reason_of(token[:-cut])
        reason_of(token[cut:])


def test_every_range_zeroed() -> None:
    """A token with any range of its bytes zeroed is refused."""
    whole = bytes_of(seal(TEXT))
    for start in range(len(whole)):
        for end in range(start + 1, len(whole) + 1):
            zeroed = whole[:start] + bytes(end - start) + whole[end:]
            if zeroed != whole:
                reason_of(spell(zeroed))


@pytest.mark.parametrize("token", ["", "a", "ä" * 123, "a.b.c", "=" * 123, "A" * 123, "A" * 122, " " + VECTOR])
def test_malformed(token: str) -> None:
    """What has not the form of a token costs no decryption, or does not open."""
    reason_of(token)


def test_unused_bits() -> None:
    """Another base64 spelling of the same bytes is refused."""
    token = seal(TEXT)
    others = [token[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert all(reason_of(other) for other in others if other != token)


@pytest.mark.parametrize("content", [b"", b"\x00" * 56, b"{}" + b"\x00" * 54, b"{}\x80" + bytes(52) + b"x",
                                     b"{}\x80" + bytes(64 + 53)])  # fmt: skip
def test_wrong_padding(content: bytes) -> None:
    """A payload whose padding is not what is written is refused, even when it was sealed with the key."""
    with pytest.raises(BadToken):
        codec().unpack(content)


def test_length_tells_the_size_class_alone() -> None:
    """The length of a token grows in blocks of 64 bytes, whatever the payload says: nothing is compressed."""
    lengths = {size: {len(seal(fill(size))) for fill in (os.urandom, bytes)} for size in range(512)}
    assert all(len(lengths[size]) == 1 for size in lengths)
    assert len({tuple(found) for found in lengths.values()}) == 9
    assert all(lengths[size] == lengths[size - (size + 9 - 1) % 64] for size in range(55 + 64, 512))


def test_current_key_encrypts() -> None:
    """The first key encrypts, and it alone opens what is new."""
    token = seal(TEXT)
    assert codec(KEY, OLD).unseal(token)[2] == 0
    assert codec(OLD, KEY).unseal(token)[2] == 1
    assert reason_of(codec(OLD, KEY).seal(codec().pack(TEXT), START)) == RejectReason.BAD_SIGNATURE


def test_another_name() -> None:
    """A value that is moved to another cookie name does not open."""
    assert reason_of(seal(TEXT), salt=b"handstamp.encrypted:5:other") == RejectReason.BAD_SIGNATURE


def ask(interface: SessionInterface, cookie: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ["session"])
        start_response("200 OK", [])
        return [b""]

    interface.now = lambda: float(START)  # type: ignore[method-assign]  # a clock for this one
    middleware = SessionMiddleware(app, {"SECRET_KEY": KEY}, session_interface=interface)
    Request.blank("/", headers={"Cookie": f"session={cookie}"}).get_response(middleware)
    return seen


def test_signed_and_encrypted_are_apart(caplog: pytest.LogCaptureFixture) -> None:
    """A signed cookie never opens as an encrypted one, nor the other way, under the same key and name."""
    caplog.set_level(logging.INFO, "handstamp")
    signing = SecureCookieSessionInterface().get_codec(Settings({"SECRET_KEY": KEY}), "session")
    signed = signing.seal(signing.pack(TEXT), START)
    assert ask(SecureCookieSessionInterface(), signed) == {"user": "ada"}
    assert ask(EncryptedCookieSessionInterface(), VECTOR) == {"user": "ada"}
    assert ask(EncryptedCookieSessionInterface(), signed) == {}
    assert ask(SecureCookieSessionInterface(), VECTOR) == {}
    assert [record.getMessage() for record in caplog.records] == ["session cookie rejected: malformed"] * 2


def test_forged_through_the_middleware() -> None:
    """A forged cookie is an empty session."""
    assert ask(EncryptedCookieSessionInterface(), VECTOR[:-2] + "AA") == {}


def test_without_the_extra() -> None:
    """Without cryptography handstamp imports, and importing encrypted cookies says which extra is missing."""
    program = (
        "import sys; sys.modules['cryptography.exceptions'] = None; import handstamp\n"
        "try: import handstamp.encrypted\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "encrypted cookies need an extra: pip install 'handstamp[encryption]'\n"


def test_import_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the import is an ImportError, as users of optional packages expect."""
    monkeypatch.delitem(sys.modules, "handstamp.encrypted")
    monkeypatch.delitem(sys.modules, "handstamp._encryption")
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ImportError, match=r"handstamp\[encryption\]"):
        import_module("handstamp.encrypted")


def test_without_the_cipher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenSSL has no AES-GCM-SIV, making the interface says so, with the cure."""

    def refuse(key: bytes) -> None:
        raise UnsupportedAlgorithm("no AES-GCM-SIV")

    monkeypatch.setattr(_encryption, "AESGCMSIV", refuse)
    with pytest.raises(SettingsError, match=r"OpenSSL 3\.2"):
        EncryptedCookieSessionInterface()
