"""Values as text, for comparisons that equality is too weak for."""

from __future__ import annotations


def exact(value: object) -> str:
    """Write a value so that its types show and its dicts keep their order; the order of a set shows nothing."""
    if isinstance(value, dict):
        parts = [f"{exact(key)}: {exact(item)}" for key, item in value.items()]
    elif isinstance(value, list | tuple):
        parts = [exact(item) for item in value]
    elif isinstance(value, set):
        parts = sorted(exact(item) for item in value)
    else:
        return repr(value)
    return f"{type(value).__name__}({', '.join(parts)})"
