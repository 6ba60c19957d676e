"""What an encrypted session costs, beside peers, beside the limit, and beside other ciphers.

``python -m tests.benchmarks --encrypted`` runs it. Four tables, all from one process, interleaved as in `measure`:

- data <-> token: what a codec does and nothing else, since the peers are codecs without a middleware of WSGI. The limit
  is the same token made of the bare calls of cryptography, base64 and json. This is what the target holds.
- bytes <-> token: the same without JSON, where handstamp does more than the limit (exact types).
- whole requests: handstamp with encrypted cookies, and the limit of `limit` with encrypted tokens in it.
- ciphers: AES-GCM-SIV, AES-GCM and Fernet as cryptography has them, a message to base64url and back.
"""

from __future__ import annotations

import gc
import json
import os
import random
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from types import FunctionType
from typing import TYPE_CHECKING, Any

from . import limit
from .application import COOKIE_NAME, LIFETIME, SECRET_KEY, Action, in_environ
from .cases import CASES, LARGE, NEW, SMALL, WRITTEN
from .contestants import Contestant, Kind, versions
from .measure import SLICE, WARM_UP, Results, make_cells, measure
from .report import figure, row, stage

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

AT_MOST = 1.3
SIZES = (128, 512, 2048)  # bytes of a message, in the comparison of ciphers
SETTINGS = {"SECRET_KEY": SECRET_KEY, "SESSION_COOKIE_NAME": COOKIE_NAME, "PERMANENT_SESSION_LIFETIME": LIFETIME}
PURPOSE = f"handstamp.encrypted:{len(COOKIE_NAME)}:{COOKIE_NAME}".encode()
DISTRIBUTIONS = ("handstamp", "cryptography", "aiohttp-session", "pyramid_nacl_session", "pynacl", "starsessions")


@dataclass(frozen=True)
class Codec:
    """What turns something into a token and back."""

    seal: Callable[[Any], Any]
    unseal: Callable[[Any], Any]


# -- contestants ------------------------------------------------------------------------------------------------------


def handstamp_bytes() -> Codec:
    """Take handstamp's codec, as its interface uses it, with the check of the token's age."""
    from handstamp import Settings
    from handstamp.encrypted import EncryptedCookieSessionInterface

    settings = Settings(SETTINGS)
    codec = EncryptedCookieSessionInterface().get_codec(settings, COOKIE_NAME)

    def seal(text: bytes) -> str:
        return codec.seal(codec.pack(text), int(time.time()))

    def unseal(token: str) -> bytes:
        content, issued, _ = codec.unseal(token)
        if settings.lifetimes.find_reason(issued, int(time.time())) is not None:
            raise ValueError("expired")
        return codec.unpack(content)

    return Codec(seal, unseal)


def handstamp() -> Codec:
    """Put handstamp's payload with its exact types before that."""
    from handstamp import payload

    codec = handstamp_bytes()
    return Codec(
        lambda data: codec.seal(payload.dumps(data).encode()), lambda token: payload.loads(codec.unseal(token).decode())
    )


def limit_bytes() -> Codec:
    """Make the same token by bare calls: a random nonce, padding, AES-256-GCM-SIV, base64url, and the time inside."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    cipher = AESGCMSIV(HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(SECRET_KEY.encode()))

    def seal(text: bytes) -> str:
        plain = int(time.time()).to_bytes(8) + text + b"\x80"
        nonce = os.urandom(12)
        box = cipher.encrypt(nonce, plain + bytes(-len(plain) % 64), PURPOSE)
        return urlsafe_b64encode(nonce + box).rstrip(b"=").decode()

    def unseal(token: str) -> bytes:
        sealed = urlsafe_b64decode(token + "==")
        plain = cipher.decrypt(sealed[:12], sealed[12:], PURPOSE)
        if time.time() - int.from_bytes(plain[:8]) > LIFETIME:
            raise ValueError("expired")
        return plain[8:].rstrip(b"\0")[:-1]

    return Codec(seal, unseal)


def bare_json(codec: Codec) -> Codec:
    """Put the standard library's JSON before a codec of bytes."""
    return Codec(
        lambda data: codec.seal(json.dumps(data, separators=(",", ":")).encode()),
        lambda token: json.loads(codec.unseal(token)),
    )


def aiohttp_session() -> Codec:
    """Take what EncryptedCookieStorage does in load_session and save_session: JSON and Fernet, with its max_age."""
    from aiohttp_session.cookie_storage import EncryptedCookieStorage

    storage: Any = EncryptedCookieStorage(SECRET_KEY.encode(), max_age=LIFETIME)
    return Codec(
        lambda data: storage._fernet.encrypt(storage._encoder(data).encode()).decode(),
        lambda token: storage._decoder(storage._fernet.decrypt(token.encode(), ttl=LIFETIME).decode()),
    )


class JSONBytes:
    """The serializer that pyramid_nacl_session is given in the place of pickle."""

    dumps = staticmethod(lambda data: json.dumps(data, separators=(",", ":")).encode())
    loads = staticmethod(json.loads)


def pyramid_nacl_session() -> Codec:
    """Take its EncryptedSerializer (XSalsa20-Poly1305, no time), with JSON in the place of its default, pickle."""
    from pyramid_nacl_session.serializer import EncryptedSerializer

    serializer = EncryptedSerializer(SECRET_KEY.encode(), JSONBytes)
    return Codec(serializer.dumps, serializer.loads)


def starsessions_fernet() -> Codec:
    """Take its serializer and its encryptor, without the age and without the store, which would sign this once more."""
    from starsessions.encryptors import FernetEncryptor
    from starsessions.serializers import JsonSerializer

    serializer, encryptor = JsonSerializer(), FernetEncryptor(urlsafe_b64encode(SECRET_KEY.encode()))
    return Codec(
        lambda data: encryptor.encrypt(serializer.serialize(data)).decode(),
        lambda token: serializer.deserialize(encryptor.decrypt(token.encode())),
    )


def starsessions_gcm() -> Codec:
    """Take its other encryptor, whose bytes need base64url to be a cookie."""
    from starsessions.encryptors import AESGCMEncryptor
    from starsessions.serializers import JsonSerializer

    serializer, encryptor = JsonSerializer(), AESGCMEncryptor(SECRET_KEY.encode())
    return Codec(
        lambda data: urlsafe_b64encode(encryptor.encrypt(serializer.serialize(data))).decode(),
        lambda token: serializer.deserialize(encryptor.decrypt(urlsafe_b64decode(token))),
    )


OURS, LIMIT = "handstamp", "the limit"
OF_DATA: dict[str, Callable[[], Codec]] = {
    OURS: handstamp,
    "aiohttp-session": aiohttp_session,
    "pyramid_nacl_session": pyramid_nacl_session,
    "starsessions, Fernet": starsessions_fernet,
    "starsessions, GCM": starsessions_gcm,
    LIMIT: lambda: bare_json(limit_bytes()),
}
OF_BYTES: dict[str, Callable[[], Codec]] = {OURS: handstamp_bytes, LIMIT: limit_bytes}


def request_ours(action: Action) -> WSGIApplication:
    """Stand inside our middleware with encrypted cookies."""
    from handstamp import SessionMiddleware
    from handstamp.encrypted import EncryptedCookieSessionInterface

    return SessionMiddleware(in_environ(action), SETTINGS, session_interface=EncryptedCookieSessionInterface())


def request_limit(action: Action) -> WSGIApplication:
    """Stand inside the least that carries a session, with encrypted tokens in the place of signed ones."""
    codec = bare_json(limit_bytes())
    return limit.limit(action, codec.unseal, codec.seal)


REQUESTS = {
    OURS: Contestant(OURS, "handstamp", Kind.OURS, request_ours),
    LIMIT: Contestant(
        LIMIT, "the limit", Kind.WSGI, request_limit
    ),  # a keeper of sessions, which mints its own cookies
}

# -- data and bytes <-> token -----------------------------------------------------------------------------------------

Job = Callable[[], object]


def make_jobs(codec: Codec, write: Callable[[dict[str, Any]], Any] = dict) -> dict[str, Job]:
    """Make what is timed: read and write the small session, begin a new one, read and write the large one."""
    small, large = codec.seal(write(SMALL)), codec.seal(write(LARGE))
    new, other, more = write(NEW), write(SMALL | {"visits": WRITTEN}), write(LARGE | {"visits": WRITTEN})
    seal, unseal = codec.seal, codec.unseal
    return {
        "read": lambda: unseal(small),
        "write": lambda: (unseal(small), seal(other)),
        "new": lambda: seal(new),
        "2.5 KB read": lambda: unseal(large),
        "2.5 KB write": lambda: (unseal(large), seal(more)),
    }


def to_json(data: dict[str, Any]) -> bytes:
    """Write JSON as the limit does."""
    return json.dumps(data, separators=(",", ":")).encode()


def time_job(job: Job, calls: int) -> float:
    """Return the microseconds of one call."""
    begin = time.perf_counter_ns()
    for _ in repeat(None, calls):
        job()
    return (time.perf_counter_ns() - begin) / calls / 1000


class Stopwatch:
    """One job with a copy of `time_job` of its own, for the interpreter adapts a function to what it is called with."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.time_job: Callable[[Job, int], float] = FunctionType(time_job.__code__.replace(), time_job.__globals__)
        cost = min(self.time_job(job, 1) for _ in range(WARM_UP))
        self.calls = max(1, round(SLICE / 1000 / cost))

    def sample(self) -> float:
        """Time one slice, without the cyclic collector."""
        gc.disable()
        try:
            return self.time_job(self.job, self.calls)
        finally:
            gc.enable()


def race(codecs: Mapping[str, Codec], rounds: int, make: Callable[[Codec], Mapping[str, Job]] = make_jobs) -> Results:
    """Time all jobs of all codecs, in random order in each round."""
    watches = {(name, key): Stopwatch(job) for key, codec in codecs.items() for name, job in make(codec).items()}
    times: dict[tuple[str, str], list[float]] = {key: [] for key in watches}
    for _ in range(rounds):
        for key in random.sample(list(watches), len(watches)):
            times[key].append(watches[key].sample())
    return Results(times, {})


# -- ciphers ----------------------------------------------------------------------------------------------------------


def gcm_siv() -> Codec:
    """Take the cipher that handstamp uses."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

    return with_nonce(AESGCMSIV(os.urandom(32)))


def gcm() -> Codec:
    """Take the plain mode."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return with_nonce(AESGCM(os.urandom(32)))


def fernet() -> Codec:
    """Take AES-128-CBC with HMAC-SHA256, whose token holds the time as well."""
    from cryptography.fernet import Fernet

    cipher = Fernet(Fernet.generate_key())
    return Codec(cipher.encrypt, cipher.decrypt)


def with_nonce(cipher: Any) -> Codec:
    """Put a random nonce before the box."""

    def seal(text: bytes) -> bytes:
        nonce = os.urandom(12)
        return urlsafe_b64encode(nonce + cipher.encrypt(nonce, text, PURPOSE))

    def unseal(token: bytes) -> bytes:
        sealed = urlsafe_b64decode(token)
        opened: bytes = cipher.decrypt(sealed[:12], sealed[12:], PURPOSE)
        return opened

    return Codec(seal, unseal)


REFERENCE = "GCM-SIV"
CIPHERS: dict[str, Callable[[], Codec]] = {REFERENCE: gcm_siv, "GCM": gcm, "Fernet": fernet}


def make_cipher_jobs(codec: Codec) -> dict[str, Job]:
    """Make what is timed: seal and open messages of each size."""
    jobs: dict[str, Job] = {}
    for size in SIZES:
        text = random.Random(size).randbytes(size)
        jobs |= {f"{size} seal": partial(codec.seal, text), f"{size} open": partial(codec.unseal, codec.seal(text))}
    return jobs


def count_characters(codecs: Mapping[str, Codec]) -> list[str]:
    """Tabulate the characters of a token by the bytes of its message."""
    lines = ["characters of a token, by bytes of the message", row("", map(str, SIZES))]
    return lines + [row(key, (str(len(codec.seal(bytes(size)))) for size in SIZES)) for key, codec in codecs.items()]


# -- the report -------------------------------------------------------------------------------------------------------


def tabulate(title: str, results: Results, under: str = LIMIT) -> list[str]:
    """Tabulate microseconds, and how many times those of one of them that is."""
    jobs = list(dict.fromkeys(job for job, _ in results.overheads))
    lines = [title, row("", (job.replace("2.5 KB", "2.5K") for job in jobs))]
    for key in dict.fromkeys(key for _, key in results.overheads):
        lines.append(row(key, (figure(results.overhead((job, key))) for job in jobs)))
        lines.append(row(f"  times {under}", (figure(results.ratio((job, key), (job, under))) for job in jobs)))
    return lines


def judge(results: Results) -> list[str]:
    """Say of each job whether handstamp keeps to the target."""
    lines = []
    for job in dict.fromkeys(job for job, _ in results.overheads):
        ratio = results.ratio((job, OURS), (job, LIMIT))
        word = "met" if ratio <= AT_MOST else "MISSED"
        lines.append(f"  {job:<14}{figure(ratio):>6} x the limit, at most {AT_MOST}: {word}")
    return lines


def available() -> dict[str, Codec]:
    """Make the codecs whose packages are installed; say of the others that they are missing."""
    codecs = {}
    for key, make in OF_DATA.items():
        try:
            codecs[key] = make()
        except ImportError as error:
            print(f"{key} takes no part: {error}")
    return codecs


def report(rounds: int) -> Iterator[list[str]]:
    """Measure; give the report, table by table."""
    codecs, ciphers = available(), {key: make() for key, make in CIPHERS.items()}
    cells = make_cells(REQUESTS, {letter: CASES[letter] for letter in "cdefg"})
    of_data = race(codecs, rounds)
    yield tabulate("microseconds, data <-> token", of_data)
    of_bytes = race({key: make() for key, make in OF_BYTES.items()}, rounds, lambda codec: make_jobs(codec, to_json))
    yield tabulate("microseconds, bytes <-> token", of_bytes)
    requests = measure(cells, rounds)
    yield tabulate("microseconds, whole requests (c to g) on top of the bare application", requests)
    of_ciphers = race(ciphers, rounds, make_cipher_jobs)
    yield tabulate("microseconds, ciphers, by bytes of the message", of_ciphers, REFERENCE)
    yield count_characters(ciphers)
    yield ["target, data <-> token", *judge(of_data)]
    yield [stage(versions({OURS: Contestant(OURS, OURS, Kind.OURS, request_ours, DISTRIBUTIONS)}))]
