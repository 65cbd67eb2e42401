"""The judge of a recorded history, on invented histories: it finds each violation, and nothing
else."""

from __future__ import annotations

import pytest
from cluster.histories import CLAIM, HistoryEntry, overlapping_runs

RIGHT = [
    HistoryEntry("m", "a", 1, CLAIM),
    HistoryEntry("m", "a", 1, "INSERT runs"),
    HistoryEntry("m", "b", 1, CLAIM),
    HistoryEntry("m", "a", 2, CLAIM, held_for=-1),
    HistoryEntry("m", "b", 1, "INSERT pushes"),
    HistoryEntry("m", "a", 2, "UPDATE links"),
    HistoryEntry("n", "a", 1, CLAIM),
]


def test_runs_one_after_the_other_are_right() -> None:
    assert overlapping_runs(RIGHT) == []


@pytest.mark.parametrize(
    ("item", "word"),
    [
        (HistoryEntry("m", "a", 1, "INSERT orders"), "under 1 after 2"),
        (HistoryEntry("m", "a", 2, CLAIM), "claimed under token 2 after 2"),
        (HistoryEntry("m", "a", 3, CLAIM, held_for=1_500_000), "1.500 s of its lease to go"),
        (HistoryEntry("n", "a", 0, "DELETE demands"), "under 0 after 1"),
    ],
)
def test_a_stale_write_a_token_given_twice_and_a_claim_of_what_is_held_are_found(
    item: HistoryEntry, word: str
) -> None:
    (found,) = overlapping_runs([*RIGHT, item])

    assert word in found
