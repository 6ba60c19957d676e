"""The benchmark compares like with like: every contestant really does the work. Nothing here looks at a clock."""

from __future__ import annotations

import json
import re
import textwrap
import zlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from tests.support.missing_programs import skip_or_fail
from tests.support.paths import ROOT

from . import chart, growth, report, targets, threads
from .application import Action, bare, cookie_pair, request
from .cases import CASES, LARGE, NEW, SMALL, WRITTEN, does_the_work, look
from .contestants import BARE, CONTESTANTS, Contestant, available
from .measure import Results, make_cells, measure

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.filterwarnings("ignore")  # the contestants' own warnings are not ours to mend

KEEPERS = [contestant for contestant in CONTESTANTS if contestant.keeps_sessions]
LOSES_TO_JUNK = {"beaker", "bottle"}  # the standard library's SimpleCookie stops at the junk


@pytest.fixture(params=CONTESTANTS, ids=lambda contestant: contestant.key)
def contestant(request: pytest.FixtureRequest) -> Contestant:
    """Give every contestant whose packages are installed."""
    return installed(request.param)


@pytest.fixture(params=KEEPERS, ids=lambda contestant: contestant.key)
def keeper(request: pytest.FixtureRequest) -> Contestant:
    """Give every contestant that keeps sessions and whose packages are installed."""
    return installed(request.param)


def installed(contestant: Contestant) -> Contestant:
    """Skip a contestant, with a word, whose packages are missing; in CI that is an error."""
    try:
        contestant.build(Action())
    except ImportError as error:
        skip_or_fail(error.name or contestant.title)
    return contestant


def header(contestant: Contestant, letter: str) -> str:
    """Make the Cookie header of a case, or skip a case that the contestant does not know."""
    if letter not in contestant.cases:
        pytest.skip(f"{contestant.title} does not know this case")
    return CASES[letter].cookie_header(contestant)


def test_sizes_of_sessions() -> None:
    """The small session is 82 bytes of JSON; the large one is 2,452, and zlib takes it to a good 1,000."""
    small, large = (json.dumps(session, separators=(",", ":")).encode() for session in (SMALL, LARGE))
    assert (len(small), len(large)) == (82, 2452)
    assert 1000 < len(zlib.compress(large)) < 1150


@pytest.mark.parametrize("letter", "bcfj")
def test_finds_what_the_visitor_carries(keeper: Contestant, letter: str) -> None:
    """A valid cookie brings its session, small or large, alone or behind twenty others."""
    assert look(keeper, header(keeper, letter)) == CASES[letter].seen != {}


@pytest.mark.parametrize("letter", "dg")
def test_keeps_what_is_written(keeper: Contestant, letter: str) -> None:
    """A written value comes back with the next request, and everything else is still there."""
    case = CASES[letter]
    pair = cookie_pair(request(keeper.build(case.action), header(keeper, letter)))
    assert look(keeper, pair) == {**(case.carried or {}), "visits": WRITTEN}


def test_new_session_holds_its_data(keeper: Contestant) -> None:
    """A session that begins without a cookie comes back whole."""
    assert look(keeper, cookie_pair(request(keeper.build(CASES["e"].action)))) == NEW


@pytest.mark.parametrize("letter", "hi")
def test_refuses_what_is_no_longer_good(keeper: Contestant, letter: str) -> None:
    """A cookie with one changed character, and one past its lifetime, bring an empty session."""
    assert look(keeper, header(keeper, letter)) == {}


def test_junk_cookies(keeper: Contestant) -> None:
    """Behind 16 KB of junk the session is found, except by those of whom the report says so."""
    if keeper.key.startswith("pyramid"):
        pytest.skip("takes seconds over this header")
    assert does_the_work(keeper, CASES["k"]) == (keeper.key not in LOSES_TO_JUNK)


def test_untouched_session_sets_no_cookie(contestant: Contestant) -> None:
    """An application that leaves its session alone sends the bare answer, whatever carries the session."""
    headers = request(contestant.build(Action()), header(contestant, "b" if "b" in contestant.cases else "j"))
    assert cookie_pair(headers) == ""


def test_bare_application_has_no_session() -> None:
    """The cost that is subtracted holds none of the work."""
    assert BARE.build(CASES["d"].action) is bare


@pytest.fixture(scope="module")
def results() -> Results:
    """Measure two yardsticks for two rounds."""
    yardsticks, _ = available(["limit", "pass-through"])
    return measure(make_cells(yardsticks, {letter: CASES[letter] for letter in "bd"}), rounds=2)


def test_every_cell_is_visited_in_every_round(results: Results) -> None:
    """A round leaves out nobody, and nobody plays a case that is not its own."""
    assert {key: len(values) for key, values in results.overheads.items()} == {
        ("b", "limit"): 2,
        ("b", "pass-through"): 2,
        ("d", "limit"): 2,
    }


def test_limit_and_closure_leave_no_garbage(results: Results) -> None:
    """What the count of garbage shows is not the harness's own."""
    assert set(results.garbage.values()) == {0}


def made_up() -> Results:
    """Make results in which handstamp costs 2 us and everybody else 10, in every case."""
    keys = [(letter, contestant.key) for contestant in CONTESTANTS for letter in contestant.cases]
    return Results({key: [2.0 if key[1] == "handstamp" else 10.0] * 3 for key in keys}, dict.fromkeys(keys, 0.0))


SVG = "{http://www.w3.org/2000/svg}"
TABLE = {contestant.key: contestant for contestant in CONTESTANTS}


def test_targets_are_ratios() -> None:
    """Every target is judged by the ratio to its opponent; a fifth meets all but those that ask for more."""
    verdicts = list(targets.judge(made_up(), TABLE))
    assert {round(verdict.ratio, 3) for verdict in verdicts} == {0.2, 1.0}
    assert [verdict.title for verdict in verdicts if not verdict.met] == ["webob's parser"]


def test_pyramid_is_not_raced_where_it_does_nothing() -> None:
    """A peer that only makes its request object is shown, and is nobody's opponent in that case."""
    results = made_up()
    results.overheads["a", "pyramid"] = [0.1] * 3
    assert "pyramid" not in {verdict.opponent for verdict in targets.judge(results, TABLE) if verdict.letter == "a"}


def test_report_names_everybody() -> None:
    """The report has a row for each contestant, and says how many targets are met."""
    written = report.text(made_up(), TABLE, CASES, {"handstamp": "1"})
    assert all(contestant.title in written for contestant in CONTESTANTS)
    assert "targets: 32 of 33 met" in written
    json.dumps(report.document(made_up(), TABLE, CASES, {}))


def test_excerpt_has_everybody() -> None:
    """The README's table has a row for each contestant that keeps sessions, and a figure or a dash in each cell."""
    head, *rows = report.excerpt(made_up(), TABLE, CASES).splitlines()
    assert head.split()[:3] == ["untouched", "read", "write"]
    assert [row[: report.LABEL].strip() for row in rows] == [keeper.title for keeper in KEEPERS]
    assert {cell for row in rows for cell in row[report.LABEL :].split()} == {"2.0", "10", "-"}


def test_chart_is_svg() -> None:
    """The chart is well-formed SVG with a row for each contestant that keeps sessions, the limit last."""
    root = ElementTree.fromstring(chart.draw(made_up(), TABLE, CASES, "CPython 3"))
    labels = [element.text for element in root.iter(f"{SVG}text") if element.get("class") == "label"]
    assert (labels[0], labels[-1], len(labels)) == ("handstamp", chart.LIMIT_TITLE, len(KEEPERS))


def test_chart_tells_its_figures_in_words() -> None:
    """Whoever cannot see the chart hears what it shows."""
    root = ElementTree.fromstring(chart.draw(made_up(), TABLE, CASES, "CPython 3"))
    assert "handstamp 2.0, 2.0, 2.0; Beaker cookie session 10, 10, 10" in str(root.findtext(f"{SVG}title"))


CHAPTER = "What it costs\n-------------\n"


def test_readme_is_of_one_run() -> None:
    """The chart and the table of the examples' page were written by one run, and name everybody who keeps sessions."""
    chapter = (ROOT / "examples" / "README.rst").read_text(encoding="utf-8").partition(CHAPTER)[2]
    table = re.findall(r"^((?: {4}.*\n)+)", chapter, re.MULTILINE)[0]
    title = ElementTree.parse(ROOT / "examples/benchmark.svg").findtext(f"{SVG}title") or ""
    head, *rows = textwrap.dedent(table).splitlines()
    assert head.split()[:3] == ["untouched", "read", "write"]
    shown = {row[: report.LABEL].strip(): row[report.LABEL :].split()[:3] for row in rows}
    assert set(shown) == {keeper.title for keeper in KEEPERS}
    for keeper in KEEPERS:
        assert f"{chart.name(keeper)} {', '.join(shown[keeper.title])};" in title.removesuffix(".") + ";"


# -- the other parts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", growth.SIZES)
def test_sizes_of_growing_sessions(size: int) -> None:
    """A curve's session has exactly as many bytes of JSON as the curve says."""
    assert len(json.dumps(growth.of_size(size), separators=(",", ":"))) == size


def test_straightness() -> None:
    """Points on a line are not off it; where one leaves it, the point counts that lies worst off the best line."""
    assert growth.straightness({1: 3.0, 2: 5.0, 3: 7.0}) == pytest.approx((2, 1, 0))
    _, _, off = growth.straightness({1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0})
    assert off == pytest.approx(2 / 7)


def test_hostile_headers_make_no_work() -> None:
    """Whatever the size of a hostile header, it makes at most eight loads of the store and a line for each reason."""
    work = [(int(loads), int(lines)) for line in growth.hostile_headers() for loads, lines in read_work(line)]
    one, many = work[: len(growth.HEADER_SIZES)], work[len(growth.HEADER_SIZES) :]
    assert one == [(1, 2)] * len(growth.HEADER_SIZES)
    assert many == [(8, 2)] * len(growth.HEADER_SIZES)


def read_work(line: str) -> list[tuple[str, str]]:
    """Return the loads and lines that a line of the report tells of."""
    return re.findall(r"(\d+) loads, (\d+) lines", line)


def test_memory_names_each() -> None:
    """The sessions of three are weighed, and one of ours that was read weighs more than an untouched one."""
    weights = {line.partition(":")[0]: re.findall(r"\d+(?= bytes)", line) for line in growth.memory()}
    assert set(weights) == {"handstamp", "beaker", "flask"}
    untouched, live = map(int, weights["handstamp"])
    assert 0 < untouched < live


def test_marathon_is_run() -> None:
    """The resident memory is looked at after the warm-up and after each tenth."""
    sizes, more = growth.marathon(100)
    assert sizes.startswith("100 requests, each writing: ")
    assert len(re.findall(r"\d+(?=,| KiB)", sizes.partition(": ")[2])) == 11
    assert more.endswith(" KiB more")


def test_threads_mix_nothing_up() -> None:
    """Eight threads at one middleware each find the session that they left."""
    _, mixed = threads.run(threads.make_app(), threads.THREADS, 800)
    assert mixed == 0


def test_mixed_sessions_are_counted() -> None:
    """An application that answers everybody with one visitor's session is found out."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return [b"visitor-0 1"]

    _, mixed = threads.run(app, threads.THREADS, 800)
    assert mixed == 799
