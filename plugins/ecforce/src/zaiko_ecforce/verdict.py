"""What a number that was read back after an acknowledged write says about the write. Pure
functions.

ecforce drops what it does not accept and still answers 200, and meanwhile orders lower the number.
The number can only have come from one of two: what was shown before (`expected`), or what was
written. Orders lower it, so it came from the smaller of the two that is not below it.
"""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """What became of the write."""

    APPLIED = enum.auto()
    """The number is the written one, or can only have come from it."""
    UNCHANGED = enum.auto()
    """The number is still the one before: not applied, unless exactly the difference was sold
    since."""
    UNCLEAR = enum.auto()


def verdict(*, expected: int | None, written: int, shown: int | None) -> Verdict:
    """Judge one write."""
    if shown == written:
        return Verdict.APPLIED
    if shown == expected:
        return Verdict.UNCHANGED
    if shown is None or shown > written:
        return Verdict.UNCLEAR
    if expected is None or expected < shown or expected > written:
        return Verdict.APPLIED
    return Verdict.UNCLEAR
