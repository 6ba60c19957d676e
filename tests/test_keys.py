"""Keys that can be guessed: those that everybody has read, and those with a pattern."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handstamp import Settings, SettingsError
from handstamp._command import main
from handstamp._keys import MIN_KEY_BYTES

CURE = "make one with: python -m handstamp secret"
KNOWN = f"a key from a manual or an example is the first that attackers try; {CURE}"
PATTERN = f"a key that repeats a few characters, or counts, can be guessed; {CURE}"


def problem_of(key: Any) -> str | None:
    """Return what is said of a key, which is said of a fallback too."""
    try:
        Settings({"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": [key]})
    except SettingsError as error:
        current, fallback = str(error).splitlines()[-2:]
        assert fallback.strip().removeprefix("SECRET_KEY_FALLBACKS: key 0: ") == current.strip().removeprefix(
            "SECRET_KEY: "
        )
        return current.strip().removeprefix("SECRET_KEY: ")
    return None


READ_BY_ALL: list[str | bytes] = [
    # what says of itself that it must go
    "changeme-please-now",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "please change this in production",
    "replace-me-with-a-real-key",
    "changeit-changeit-1",
    "django-insecure-w8g&3b)q5yz^2k!h7vj@9x#t4m$c6n*e0r(u1s_a",
    "ÄNDERN! Change-Me! ÄNDERN!",
    # what models are full of
    "your-secret-key-here",
    "YOUR_SECRET_KEY_HERE",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "dev-secret-key-change-in-production",
    "do-not-use-in-production",
    "your_jwt_secret_key",
    "my-super-secret-key",
    "supersecretkey123",
    "secret-key-1234567890",
    "This is a secret string!",
    # Flask's manual, as bytes, as text, and with its backslashes
    b'_5#y2L"F4Q8z\n\xec]/',
    '_5#y2L"F4Q8z\n\xec]/',
    r'_5#y2L"F4Q8z\n\xec]/',
    "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    # tutorials and manuals
    "hard to guess string",
    "you-will-never-guess",
    "your-256-bit-secret",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "\2\1thisismyscretkey\1\2\\e\\y\\y\\h",
    r"\2\1thisismyscretkey\1\2\e\y\y\h",
    "correct horse battery staple",
    # a word that is too short, made longer
    "dev-0123456789012345",
    "secret__________",
    "1234567890secret",
    "itsaseekreet!!!!",
    b"password12345678",
]


@pytest.mark.parametrize("key", READ_BY_ALL, ids=repr)
def test_keys_of_manuals(key: str | bytes) -> None:
    """A key that stands in manuals and examples is an error, in any case and spelling, and so is such a fallback."""
    assert problem_of(key) == KNOWN


GUESSED: list[str | bytes] = [
    "0" * 16,
    "a" * 500,
    bytes(32),
    b"\xff" * 16,
    "ä" * 8,
    "abababababababab",
    "aaaaaaaabbbbbbbb",
    "00000000000000000000000000000001",
    "0110100110010110",
    "old-key-" * 4,
    "old-key-old-key-old-key",
    "old key old key old key old key o",
    "abcdefghijklmno" * 2,
    "4f9Qz" * 4,
    "0123456789012345",
    "1234567890123456",
    "9876543210987654",
    "0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    bytes(range(32)),
    bytes(range(0, 64, 2)),
]


@pytest.mark.parametrize("key", GUESSED, ids=repr)
def test_keys_with_a_pattern(key: str | bytes) -> None:
    """A key of one or two characters, one that counts, and a short part over and over, is an error."""
    assert problem_of(key) == PATTERN


@pytest.mark.parametrize("key", [b"changemechangeme", "secretsecretsecret", "devdevdevdevdevdev"])
def test_well_known_over_and_over(key: str | bytes) -> None:
    """A word that everybody knows is no key, however often it stands there."""
    assert problem_of(key) in (KNOWN, PATTERN)


@pytest.mark.parametrize("key", [*READ_BY_ALL, *GUESSED], ids=repr)
def test_message_holds_no_part_of_the_key(key: str | bytes) -> None:
    """What is said of a key is one of two sentences, so it can hold nothing of the key."""
    assert problem_of(key) in (KNOWN, PATTERN)


@pytest.mark.parametrize(
    "key",
    [
        "k7Jx2mQ9vT4bW8zR",
        "the key of an example",
        "abcdefghijklmnop2" * 2,  # a part that is long enough by itself
        "development of tides",
        "a tester's own secrets",
        b"\x00\xff\x00\xff\x07" + b"\x00" * 12,
    ],
    ids=repr,
)
def test_other_keys(key: str | bytes) -> None:
    """A key that only looks a little like these is taken as it is."""
    assert Settings({"SECRET_KEY": key})["SECRET_KEY"] == key


@given(st.binary(min_size=32, max_size=32))
def test_random_keys(seed: bytes) -> None:
    """Random keys are taken, as bytes and as the texts that people make of them."""
    noise = bytes(a ^ b for a, b in zip(seed, secrets.token_bytes(32), strict=True))
    for key in (noise, noise[:MIN_KEY_BYTES], noise.hex(), secrets.token_urlsafe(32), secrets.token_hex(16)):
        assert Settings({"SECRET_KEY": key})["SECRET_KEY"] == key


def test_secret_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """What the command in the message prints is taken."""
    main(["secret"])
    assert problem_of(capsys.readouterr().out.strip()) is None
