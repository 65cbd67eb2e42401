"""What a platform counts as open itself, compared with what zaiko counts (ADR 0037). Pure.

The platform's own count needs no theory: an order that was not read, was read wrongly or is counted
twice shows here, whatever the cause. Units are of the listing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenCounts:
    """Two counts of one listing's open units that differ."""

    committed: int
    """By the platform."""
    counted: int
    """By the orders of the shop that were read."""
    since: int
    """When these two numbers were first compared (µs since 1970)."""
    is_found: bool = False
    """Whether the difference was written down: no order in flight explains it any longer."""


def compared(
    before: OpenCounts | None, committed: int | None, counted: int, *, visibility: int, now: int
) -> OpenCounts | None:
    """Return what is known after a comparison at `now`; None: nothing differs, or the platform does
    not say (`committed` None). An order in flight is in one of the numbers only, and changes the
    other within `visibility` µs, so a difference is found when both stayed the same for longer."""
    if committed is None or committed == counted:
        return None
    if before is None or (before.committed, before.counted) != (committed, counted):
        return OpenCounts(committed, counted, now)
    is_found = before.is_found or now - before.since > visibility
    return OpenCounts(committed, counted, before.since, is_found)
