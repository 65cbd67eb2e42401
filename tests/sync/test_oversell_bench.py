"""The oversell bench, played for an hour: what its table claims for whole days holds in the small
(benchmarks/oversell)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.thorough
ROOT = Path(__file__).parents[2]
PEER, OURS = "overwrite", ("zaiko-polling", "zaiko-webhooks")


@pytest.fixture(scope="module")
def scores() -> dict[str, dict[str, Any]]:
    """One hour with a flash sale, by strategy, as the command prints it."""
    ways = [word for way in (PEER, *OURS) for word in ("--way", way)]
    day = ("--scenario", "rush", "--first", "4", "--seeds", "1")
    command = [sys.executable, "-m", "benchmarks.oversell", *day, *ways, "--jobs", "2", "--json"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {row["strategy"]: row for row in json.loads(printed)["rush"]["summary"]}


def test_the_sale_is_one_that_overwriting_sells_twice(scores: dict[str, dict[str, Any]]) -> None:
    assert scores[PEER]["oversold"] > 0


@pytest.mark.parametrize("way", OURS)
def test_zaiko_never_oversells_more_than_overwriting(
    scores: dict[str, dict[str, Any]], way: str
) -> None:
    assert scores[way]["oversold"] < scores[PEER]["oversold"]


@pytest.mark.parametrize("way", OURS)
def test_zaiko_overwrites_no_order_where_writes_can_be_conditional_or_relative(
    scores: dict[str, dict[str, Any]], way: str
) -> None:
    assert scores[way]["orders"] > 0
    assert scores[way]["overwritten"] == 0


@pytest.mark.parametrize("way", OURS)
def test_zaiko_brings_all_shops_to_agree_when_it_is_quiet(
    scores: dict[str, dict[str, Any]], way: str
) -> None:
    assert scores[way]["astray"] == 0
