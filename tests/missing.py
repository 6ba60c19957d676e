"""What is not on this machine: its tests are skipped with a word, and in CI, where all is there, they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test; in CI let it fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
