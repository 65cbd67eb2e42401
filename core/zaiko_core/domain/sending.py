"""Whether numbers may be sent to a shop (docs/domain.md §4). Pure.

It is asked in the step that computes and in the step that sends, each time. A link's state shows
the answer and never is the answer.
"""

from __future__ import annotations

import enum


class Sending(enum.StrEnum):
    """What may be done with the numbers of a shop now."""

    ALLOWED = "ALLOWED"
    COMPARED = "COMPARED"
    """The shop is in shadow mode: numbers are read and computed, and nothing is sent."""
    HELD = "HELD"
    """Nothing is read, computed or sent. The links wait as they are."""


def sending(*, offered: bool, paused: bool, shadow: bool) -> Sending:
    """Return what may be done with a shop's numbers. `offered`: the merchant has inventory sync."""
    if paused or not offered:
        return Sending.HELD
    return Sending.COMPARED if shadow else Sending.ALLOWED
