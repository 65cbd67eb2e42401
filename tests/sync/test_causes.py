"""The causes that the audit and the oversells name are true: a storm knows what it did."""

from __future__ import annotations

from support import causes

WRONG = 0.1
"""The share of findings that may name a wrong cause in so few storms. benchmarks/README.md has the
share over many."""


def test_causes_that_are_named_are_true() -> None:
    matrix = causes.run(range(4))
    wrong, unknown = matrix.shares()
    assert wrong <= WRONG, matrix.text()
    assert unknown < 1, matrix.text()
