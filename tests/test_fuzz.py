"""The fuzzer's targets are alive: each holds over its own seeds, and they reach what they are for.

The fuzzer itself needs atheris and runs apart: ``nox -s fuzz``.
"""

from __future__ import annotations

import pytest
from fuzz.target import Target
from fuzz.targets import TARGETS

SEEDS = [
    pytest.param(target, seed, id=f"{name}-{number}")
    for name, target in TARGETS.items()
    for number, seed in enumerate(target.seeds)
]


@pytest.mark.parametrize(("target", "seed"), SEEDS)
def test_target_holds(target: Target, seed: bytes) -> None:
    """A target finds nothing in a seed, nor in the seed cut short at any place."""
    for end in range(0, len(seed) + 1, max(1, len(seed) // 16)):
        target.run(seed[:end])
    target.run(seed)


@pytest.mark.parametrize(("target", "seed"), SEEDS)
def test_seed_is_short_enough(target: Target, seed: bytes) -> None:
    """The fuzzer takes every seed whole."""
    assert len(seed) <= target.longest
