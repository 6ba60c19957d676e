"""What holds for every test."""

from collections.abc import Iterator

import kinds
import pytest
from hypothesis import settings

# A law is not a race: how long an example takes depends on the machine.
settings.register_profile("handstamp", settings(), deadline=None)
settings.load_profile("handstamp")

# The steps of the examples assert as tests do.
pytest.register_assert_rewrite("scenario")


@pytest.fixture(scope="module", params=kinds.KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[kinds.Kind]:
    """Run a test once for signed cookies and once for encrypted ones."""
    with kinds.testing(request.param) as kind:
        yield kind
