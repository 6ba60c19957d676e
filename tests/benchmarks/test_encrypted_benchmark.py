"""The encrypted part compares like with like: every codec really does the work. Nothing here looks at a clock."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.missing_programs import need, skip_or_fail

from . import __main__, encrypted
from .cases import CASES, LARGE, NEW, SMALL, does_the_work
from .contestants import Contestant
from .encrypted import (
    CIPHERS,
    LIMIT,
    OF_DATA,
    OURS,
    REFERENCE,
    REQUESTS,
    SIZES,
    Codec,
    count_characters,
    judge,
    make_cipher_jobs,
    make_jobs,
    race,
    tabulate,
    to_json,
)
from .measure import Results

need("cryptography")

pytestmark = pytest.mark.filterwarnings("ignore")  # the contestants' own warnings are not ours to mend


@pytest.fixture(params=OF_DATA)
def codec(request: pytest.FixtureRequest) -> Codec:
    """Give every codec whose packages are installed."""
    return make(request.param)


def make(key: str) -> Codec:
    """Skip a codec, with a word, whose packages are missing; in CI that is an error."""
    try:
        return {**OF_DATA, **CIPHERS}[key]()
    except ImportError as error:
        skip_or_fail(error.name or key)


@pytest.mark.parametrize("data", [SMALL, NEW, LARGE], ids=["small", "new", "large"])
def test_opens_what_it_sealed(codec: Codec, data: dict[str, Any]) -> None:
    """What a codec seals it opens again, whole."""
    assert codec.unseal(codec.seal(data)) == data


def test_refuses_a_change(codec: Codec) -> None:
    """A token with one character changed does not open."""
    token = codec.seal(SMALL)
    text = token if isinstance(token, str) else token.decode()
    changed = f"{text[:60]}{'A' if text[60] != 'A' else 'B'}{text[61:]}"
    with pytest.raises(Exception):  # noqa: B017, PT011  # each has an error of its own
        codec.unseal(changed if isinstance(token, str) else changed.encode())


@pytest.mark.parametrize("sealer", [OURS, LIMIT])
def test_limit_does_our_work(sealer: str) -> None:
    """The limit opens what we seal and we open what the limit seals: it is the same token."""
    opener = LIMIT if sealer == OURS else OURS
    assert make(opener).unseal(make(sealer).seal(LARGE)) == LARGE


@pytest.mark.parametrize("contestant", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("letter", "cdefg")
def test_request_does_the_work(contestant: Contestant, letter: str) -> None:
    """In whole requests too, each finds what the visitor carries, and keeps what is written."""
    assert does_the_work(contestant, CASES[letter])


def test_jobs_do_something() -> None:
    """Every job calls the codec: once for reading or a new session, twice for writing."""
    calls: list[str] = []
    codec = Codec(lambda data: calls.append("seal"), lambda token: calls.append("unseal"))
    jobs = make_jobs(codec)
    calls.clear()
    assert {name: (job(), calls.copy(), calls.clear())[1] for name, job in jobs.items()} == {
        "read": ["unseal"],
        "write": ["unseal", "seal"],
        "new": ["seal"],
        "2.5 KB read": ["unseal"],
        "2.5 KB write": ["unseal", "seal"],
    }


def test_every_job_is_visited_in_every_round() -> None:
    """A round leaves out no job of any codec."""
    results = race({key: make(key) for key in (OURS, LIMIT)}, rounds=2)
    assert {len(times) for times in results.overheads.values()} == {2}
    assert len(results.overheads) == 2 * 5


def test_ciphers_are_whole() -> None:
    """Each cipher opens what it sealed."""
    text = to_json(LARGE)
    assert {codec.unseal(codec.seal(text)) for codec in map(make, CIPHERS)} == {text}


def test_report() -> None:
    """The report has a row for each codec, and says of each job whether the target is met."""
    results = Results({("read", OURS): [2.0], ("read", LIMIT): [1.0], ("new", OURS): [1.0], ("new", LIMIT): [1.0]}, {})
    assert [line.split()[0] for line in tabulate("title", results)[2::2]] == ["handstamp", "the"]
    assert [line.rpartition(": ")[2] for line in judge(results)] == ["MISSED", "met"]


def test_cipher_jobs() -> None:
    """Ciphers are measured by the race that measures codecs: each seals and opens each size, beside ours."""
    results = race({key: make(key) for key in CIPHERS}, 1, make_cipher_jobs)
    assert set(results.overheads) == {
        (f"{size} {verb}", key) for size in SIZES for verb in ("seal", "open") for key in CIPHERS
    }
    assert {results.ratio((job, REFERENCE), (job, REFERENCE)) for job, _ in results.overheads} == {1}


def test_characters() -> None:
    """The table of sizes has a row for each cipher; a nonce and a tag make 128 bytes 208 characters."""
    lines = count_characters({key: make(key) for key in CIPHERS})
    assert [line.split()[:2] for line in lines[2:]] == [["GCM-SIV", "208"], ["GCM", "208"], ["Fernet", "268"]]


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The benchmark's command measures encrypted cookies when it is told to, in as many rounds."""
    monkeypatch.setattr(__main__, "pin", lambda: None)
    monkeypatch.setattr(encrypted, "report", lambda rounds: iter([["a", f"{rounds} rounds"], ["b"]]))
    __main__.main(["--encrypted", "--rounds", "3"])
    assert capsys.readouterr().out == "a\n3 rounds\n\nb\n"


def test_whole_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run gives every table, the target and the versions."""
    monkeypatch.setattr(encrypted, "SIZES", (64,))
    *tables, stage = (table[0] for table in encrypted.report(1))
    assert tables == [
        "microseconds, data <-> token",
        "microseconds, bytes <-> token",
        "microseconds, whole requests (c to g) on top of the bare application",
        "microseconds, ciphers, by bytes of the message",
        "characters of a token, by bytes of the message",
        "target, data <-> token",
    ]
    assert "cryptography" in stage
