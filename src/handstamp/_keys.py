"""Secret keys: what may be one, and what can be guessed.

Whoever guesses the key forges every session. So a key is long enough, it is not one that the world has read
(CVE-2023-27524: many servers ran with Superset's example of a key), and it has no pattern. No message shows a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

#: A shorter key can be found by trying (ASVS 11.2.3).
MIN_KEY_BYTES = 16

#: The cure for a missing or a bad key.
NEW_KEY = "make one with: python -m handstamp secret"


# -- converters -------------------------------------------------------------------------------------------------------


def convert_key(value: Any) -> str | bytes | None:
    """A secret key: str or bytes, long enough, and hard to guess; None: there is none."""
    if value is None:
        return None
    if not isinstance(value, (str, bytes)):
        raise ValueError(f"a key must be str or bytes, not {type(value).__name__}; {NEW_KEY}")
    problem = _find_problem(_encode_key(value))
    if problem is not None:
        raise ValueError(f"{problem}; {NEW_KEY}")
    return value


def convert_keys(value: Any) -> tuple[str | bytes, ...]:
    """A list of older keys; None: an empty one.

    None of them may have leaked: a session that one verifies is reissued with the current key, a forged one too.
    """
    if value is None:
        return ()
    # A str is a sequence too: each of its characters would become a key.
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list of keys, not {type(value).__name__}; write [key]")
    return tuple(_convert_each_key(value))


def _convert_each_key(keys: list[Any] | tuple[Any, ...]) -> Iterator[str | bytes]:
    for index, value in enumerate(keys):
        try:
            key = convert_key(value)
        except ValueError as error:
            raise ValueError(f"key {index}: {error}") from None
        if key is None:
            raise ValueError(f"key {index} is None; remove it from the list")
        yield key


def _encode_key(value: str | bytes) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:  # its message holds the key
        raise ValueError(f"a key with a lone surrogate; {NEW_KEY}") from None


# -- what can be guessed ----------------------------------------------------------------------------------------------


def _find_problem(key: bytes) -> str | None:
    if len(key) < MIN_KEY_BYTES:
        return f"a key of {len(key)} bytes is too short, use at least {MIN_KEY_BYTES}"
    if _has_pattern(key):
        return "a key that repeats a few characters, or counts, can be guessed"
    if _is_known(key):
        return "a key from a manual or an example is the first that attackers try"
    return None


#: What no random key holds: eight letters come up once in 10**12 places of base64.
_PHRASES = (
    # what says itself that it must not stay
    "changeme", "changethis", "changeit", "replaceme", "replacethis", "notsecure",
    # what Django's startproject writes before the keys that it makes: they are in the repository
    "djangoinsecure",
    # a manual's key with binary characters around it
    "thisismyscretkey",
)  # fmt: skip

#: Words of which manuals and language models make keys. A key that has no others can be guessed.
_WORDS = (
    "a", "an", "app", "application", "auth", "change", "cookie", "default", "dev", "development", "django", "do",
    "enter", "fallback", "flask", "for", "generated", "goes", "here", "in", "insecure", "insert", "is", "jwt", "key",
    "keys", "local", "localhost", "long", "me", "my", "new", "not", "one", "only", "our", "own", "password", "phrase",
    "please", "precious", "prod", "production", "put", "random", "sample", "secret", "session", "sessions", "set",
    "some", "string", "super", "temporary", "test", "testing", "the", "this", "to", "token", "top", "use", "used",
    "value", "very", "web", "word", "your",
)  # fmt: skip

#: Whole keys, as :func:`_normalise` writes them.
_KNOWN_KEYS = frozenset({
    # Flask's manual: the quickstart of three ages, and the tutorial
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "5y2lf4q8z\xec", "5y2lf4q8z\xe3", "5y2lf4q8znxec",  # as bytes, as text, and with its backslashes
    "a0zr98j3yxrxhhjmnlwxrt",
    "dev", "devkey", "development", "developmentkey",
    # tutorials of Flask, and what generations copied from them
    "hardtoguessstring", "youwillneverguess", "youllneverguess", "arandomstring", "averylongrandomstring",
    "somerandomstring", "randomstring", "nevershareyourkey",
    # the manuals of Pyramid, Beaker, Bottle, web.py and others, whose keys are short: with something put behind them
    "secret", "itsaseekreet", "seekrit", "sosecret", "itsasecret", "key", "mykey", "thekey", "thisisakey", "abc",
    "test", "testing", "testkey", "example", "examplekey", "default", "defaultkey", "placeholder", "todo", "fixme",
    # what jwt.io shows, and the manual of FastAPI
    "your256bitsecret", "your384bitsecret", "your512bitsecret", "asecret", "astringsecretatleast256bitslong",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    # examples of programs that were attacked through them: Superset (CVE-2023-27524), Airflow, Redash
    "testnondev", "testnondevsecret", "yourownrandomgenerated", "temporarykey", "c292a0a3aa32397cdb050e233733900f",
    # what stands first in lists of passwords
    "password", "passw0rd", "passwordpassword", "letmein", "qwerty", "qwertyuiop", "qwertyuiopasdfgh",
    "qwertyuiopasdfghjklzxcvbnm", "1q2w3e4r5t6y7u8i", "1qaz2wsx3edc4rfv", "correcthorsebatterystaple",
    "deadbeef", "deadbeefcafebabe", "cafebabe",
})  # fmt: skip


def _is_known(key: bytes) -> bool:
    text = _normalise(key)
    letters = text.strip("0123456789")
    if text in _KNOWN_KEYS or letters in _KNOWN_KEYS:
        return True
    return any(phrase in text for phrase in _PHRASES) or re.fullmatch(f"(?:{'|'.join(_WORDS)})+", letters) is not None


def _normalise(key: bytes) -> str:
    """Return the letters and digits of a key in lower case."""
    return "".join(filter(str.isalnum, key.decode("latin-1").lower()))


def _has_pattern(key: bytes) -> bool:
    """Return whether a key has one or two characters, counts, or repeats a part that alone would be too short."""
    # Neighbours differ by two numbers at most in 0123456789012345, in abcdefghijklmnop and in bytes(range(32)).
    steps = {after - before for before, after in pairwise(key)}
    return len(set(key)) <= _FEW or len(steps) <= _FEW or any(_repeats(key, size) for size in range(MIN_KEY_BYTES))


_FEW = 2


def _repeats(key: bytes, size: int) -> bool:
    """Return whether a key is a part of this size, over and over; the last one may lack its last character."""
    return 0 < size <= (len(key) + 1) // 2 and key[size:] == key[:-size]
