"""The judge of a recorded history, on histories that were made up: each thing that is wrong is
found, and nothing else is."""

from __future__ import annotations

import pytest
from cluster.histories import CLAIM, Told, overlapping_runs

RIGHT = [
    Told("m", "a", 1, CLAIM),
    Told("m", "a", 1, "INSERT runs"),
    Told("m", "b", 1, CLAIM),
    Told("m", "a", 2, CLAIM, held_for=-1),
    Told("m", "b", 1, "INSERT pushes"),
    Told("m", "a", 2, "UPDATE links"),
    Told("n", "a", 1, CLAIM),
]


def test_runs_one_after_the_other_are_right() -> None:
    assert overlapping_runs(RIGHT) == []


@pytest.mark.parametrize(
    ("item", "word"),
    [
        (Told("m", "a", 1, "INSERT orders"), "under 1 after 2"),
        (Told("m", "a", 2, CLAIM), "claimed under token 2 after 2"),
        (Told("m", "a", 3, CLAIM, held_for=1_500_000), "1.500 s of its lease to go"),
        (Told("n", "a", 0, "DELETE demands"), "under 0 after 1"),
    ],
)
def test_a_stale_write_a_token_given_twice_and_a_claim_of_what_is_held_are_found(
    item: Told, word: str
) -> None:
    (found,) = overlapping_runs([*RIGHT, item])

    assert word in found
