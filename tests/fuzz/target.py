"""What a target is, and how it turns bytes into decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

Choice = TypeVar("Choice")


class Target(NamedTuple):
    """One room under attack.

    :ivar run: takes any bytes; whatever it raises is a finding
    :ivar seeds: bytes to begin with, each of which reaches another corner
    :ivar words: what the fuzzer would take long to guess
    :ivar longest: bytes of input at most
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...]
    longest: int


class Reader:
    """Take decisions from bytes, one after the other; where they end, each is the first of its choices.

    In place of atheris' own, so that the normal tests need no atheris, and so that seeds are written by hand.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """Take a number below 256."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """Take one of several."""
        return choices[self.byte() % len(choices)]

    def take(self) -> bytes:
        """Take a length, then so many bytes."""
        begin = self._at + 1
        self._at = begin + self.byte()
        return self._data[begin : self._at]

    def rest(self) -> bytes:
        """Take all that is left."""
        begin, self._at = self._at, len(self._data)
        return self._data[begin:]


def pack(*parts: int | bytes) -> bytes:
    """Write a seed: numbers as :meth:`Reader.byte` takes them, bytes as :meth:`Reader.take` does."""
    return b"".join(bytes([part]) if isinstance(part, int) else bytes([len(part)]) + part for part in parts)


def assert_same(value: Any, expected: Any) -> None:
    """Assert that two values are equal in every type, in the order of their keys, and to the sign of a zero."""
    pairs = [(value, expected)]  # no recursion: the data may be nested as deep as they like
    while pairs:
        left, right = pairs.pop()
        assert type(left) is type(right)
        if type(left) is dict:
            assert list(left) == list(right)
            pairs += zip(left.values(), right.values(), strict=True)
        elif type(left) in (list, tuple):
            pairs += zip(left, right, strict=True)
        elif type(left) is set:
            assert sorted(map(repr, left)) == sorted(map(repr, right))
        else:
            assert repr(left) == repr(right)
