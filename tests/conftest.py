"""What holds for every test."""

from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support import cookie_kinds, missing_programs

# A law is not a race: how long an example takes, or is made, depends on the machine.
settings.register_profile("handstamp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("handstamp")

# The steps of the examples assert as tests do.
pytest.register_assert_rewrite("tests.support.framework_steps", "tests.support.wsgi")


@pytest.hookimpl(wrapper=True, trylast=True)  # inside of what pytest-cov does there: counting is its last step
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Leave modules out of the coverage, by name, whose tests were skipped for want of a program."""
    result = yield
    plugins = session.config.pluginmanager
    cov, reporter = plugins.get_plugin("_cov"), plugins.get_plugin("terminalreporter")
    is_worker = hasattr(session.config, "workerinput")  # pytest-xdist's, which sees a part
    uncovered = missing_programs.find_uncovered(skipped(reporter)) if reporter and not is_worker else {}
    if uncovered and cov and cov.cov_controller:
        cov.cov_controller.combining_cov.set_option("report:omit", [f"*/{module}" for module in uncovered])
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was skipped, a line for each reason, and what therefore does not count."""
    reports = skipped(terminalreporter)
    for line in missing_programs.tell_skipped(reports):
        terminalreporter.write_line(line, yellow=True)
    if terminalreporter.config.pluginmanager.has_plugin("_cov"):
        for module, reason in missing_programs.find_uncovered(reports).items():
            terminalreporter.write_line(f"{reason}: {module} is left out of the coverage", yellow=True)


def skipped(reporter: pytest.TerminalReporter) -> missing_programs.Reports:
    """Return the reports of what was skipped."""
    reports: missing_programs.Reports = reporter.stats.get("skipped", ())
    return reports


@pytest.fixture(scope="module", params=cookie_kinds.KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[cookie_kinds.Kind]:
    """Run a test once for signed cookies and once for encrypted ones."""
    with cookie_kinds.testing(request.param) as kind:
        yield kind
