"""The quota bench with a small catalogue, so that it does not rot; its figures of 50,000 are in
benchmarks/README.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LISTINGS = 300
# The connectors' own tests hold the pace; this is the whole command.
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def phases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """What the command writes, by platform and phase."""
    file = tmp_path_factory.mktemp("quota") / "figures.json"
    given = (
        "--platform",
        "ecforce",
        "--platform",
        "rakuten",
        "--listings",
        str(LISTINGS),
        "--json",
        str(file),
    )
    subprocess.run(
        [sys.executable, "-m", "benchmarks.quota", *given],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {(row["platform"], row["phase"]): row for row in json.loads(file.read_text())}


def test_every_phase_covers_the_whole_catalogue(
    phases: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert len(phases) == 6
    assert {row["done"] for row in phases.values()} == {LISTINGS}


def test_every_number_was_read_and_every_write_applied(
    phases: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert sum(row["failed"] for row in phases.values()) == 0


def test_the_meter_counts_calls_and_never_more_than_the_quota_lets_through(
    phases: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert all(0 < row["used"] <= row["allowed"] for row in phases.values())
