"""Nothing is parsed before it is verified, secrets are compared in constant time, and every failure looks alike."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import pytest

from handstamp import SecureCookieSessionInterface, Settings, payload
from handstamp._rejection import BadToken
from handstamp._tokens import Codec
from tests.support.constants import DAY, HOUR, KEY, OLD_KEY, START
from tests.support.cookie_kinds import Kind, current, make_interface, make_salt, sign, stamp
from tests.support.site import Site
from tests.support.wsgi import Answer

pytestmark = pytest.mark.usefixtures("kind")
signed_only = pytest.mark.parametrize("kind", ["signed"], indirect=True)
encrypted_only = pytest.mark.parametrize("kind", ["encrypted"], indirect=True)

DATA = {"user": "Ada"}


def _change(token: str, at: int) -> str:
    """Change one character of a token to another of the alphabet."""
    index = at % len(token)
    return token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]


#: Whatever must be refused before its payload is so much as unpacked.
UNVERIFIED: dict[str, Callable[[], str]] = {
    "malformed": lambda: stamp(DATA) + "=",
    "too long": lambda: stamp(DATA) + "x" * 4096,
    "changed at its beginning": lambda: _change(stamp(DATA), 0),
    "changed at its end": lambda: _change(stamp(DATA), -2),
    "another key": lambda: stamp(DATA, key=OLD_KEY),
    "another name": lambda: sign(payload.dumps(DATA), name="other"),
    "another purpose": lambda: current().write(payload.dumps(DATA), START, KEY, "handstamp.other:7:session"),
    "future": lambda: stamp(DATA, at=START + 61),
    "idle": lambda: stamp(DATA, at=START - 32 * DAY),
}

#: Whatever is found out only then.
VERIFIED: dict[str, Callable[[], str]] = {
    "absolute": lambda: stamp(DATA, created=START - 2 * DAY),
    "no JSON": lambda: sign("user=Ada"),
    "another type": lambda: sign("[]"),
    "an unknown tag": lambda: sign('{"a":{"~pickle":"x"}}'),
    "no payload": lambda: current().seal(b"e", START, KEY, make_salt()),
}


class Recording(SecureCookieSessionInterface):
    """Keep a note of all that is unpacked and parsed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.serializer = self

    def _find_codec(self, settings: Settings, name: str) -> Codec:
        codec = super()._find_codec(settings, name)
        unpack = codec.unpack

        def record(packed: bytes) -> bytes:
            self.seen.append("unpacked")
            return unpack(packed)

        codec.unpack = record  # type: ignore[method-assign]  # a spy
        return codec

    @staticmethod
    def dumps(data: Any) -> str:
        return payload.dumps(data)

    def loads(self, text: str) -> dict[str, Any]:
        self.seen.append(f"parsed {text}")
        return payload.loads(text)


@pytest.mark.parametrize("make_token", UNVERIFIED.values(), ids=UNVERIFIED)
def test_nothing_is_parsed_unverified(make_token: Callable[[], str]) -> None:
    """Nothing of a cookie is unpacked or parsed unless its signature or tag holds, and its age is good."""
    interface = make_interface(Recording)
    assert Site(interface=interface).visit(dict, HTTP_COOKIE=f"session={make_token()}").result == {}
    assert interface.seen == []


def test_what_is_verified_is_parsed() -> None:
    """What holds is unpacked and parsed, once: the test above means something."""
    interface = make_interface(Recording)
    assert Site(interface=interface).visit(dict, HTTP_COOKIE=f"session={stamp(DATA)}").result == DATA
    assert interface.seen == ["unpacked", 'parsed {"user":"Ada","_created":1700000000}']


@pytest.mark.parametrize("make_token", [*UNVERIFIED.values(), *VERIFIED.values()], ids=[*UNVERIFIED, *VERIFIED])
@pytest.mark.parametrize("action", [dict, lambda session: session.update(n=1)], ids=["read", "written"])
def test_failures_look_alike(make_token: Callable[[], str], action: Callable[[Any], object]) -> None:
    """Whyever a cookie is refused, the answer is the one that a visitor without a cookie gets."""

    def show(answer: Answer) -> object:
        # An encrypted cookie never comes twice.
        written = [current().open(answer.token, (KEY,), make_salt())] if answer.cookies else []
        fields = [field for field in answer.headers if field[0] != "Set-Cookie"]
        return answer.status, answer.body, fields, answer.result, written

    refused, nothing = (Site({"SESSION_ABSOLUTE_LIFETIME": HOUR}).visit(action, **extra) for extra in (
        {"HTTP_COOKIE": f"session={make_token()}"}, {},
    ))  # fmt: skip
    assert show(refused) == show(nothing)


# -- comparing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What was given to the comparison in constant time."""
    found: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    def record(one: Any, other: Any) -> bool:
        found.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", record)
    return found


@signed_only
@pytest.mark.parametrize("at", range(-43, 0))
def test_compared_whole(kind: Kind, at: int, compared: list[tuple[Any, Any]]) -> None:
    """Wherever a signature is wrong, it is compared whole with the right one of each key, in constant time."""
    keys = [KEY, OLD_KEY, "the key of the year before"]
    codec = kind.interface().get_codec(Settings({"SECRET_KEY": keys[0], "SECRET_KEY_FALLBACKS": keys[1:]}), "session")
    token = _change(stamp(DATA), at)
    with pytest.raises(BadToken):
        codec.unseal(token)
    signature = token.rpartition(".")[2].encode()
    assert [given for given, _ in compared] == [signature] * len(keys)
    assert [len(right) for _, right in compared] == [len(signature)] * len(keys)


# -- nonces -----------------------------------------------------------------------------------------------------------


@encrypted_only
def test_equal_saves_differ(kind: Kind) -> None:
    """Two saves of equal data at one moment are two tokens that have no long piece in common, and open alike."""
    one, other = (Site(interface=kind.interface()).visit(lambda s: s.update(DATA)).token for _ in range(2))
    pieces = {one[at : at + 8] for at in range(len(one) - 7)}
    assert not any(other[at : at + 8] in pieces for at in range(len(other) - 7))
    assert kind.open(one, (KEY,), make_salt()) == kind.open(other, (KEY,), make_salt())


@encrypted_only
def test_no_nonce_twice(kind: Kind) -> None:
    """Ten thousand saves repeat no nonce, across interfaces too."""
    codecs = [kind.interface().get_codec(Settings({"SECRET_KEY": KEY}), "session") for _ in range(2)]
    content = codecs[0].pack(b'{"user":"Ada"}')
    nonces = {codec.seal(content, START)[:16] for codec in codecs for _ in range(5000)}
    assert len(nonces) == 10_000
