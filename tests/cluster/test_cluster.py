"""Three replicas, a load, and faults, from a seed: nothing is lost, counted twice or written under
a lost lease, every shop converges, and every watch keeps its promises.

`pytest tests/cluster --thorough -s` plays two seeds, ZAIKO_CLUSTER_SEEDS=20 twenty,
ZAIKO_CLUSTER_SEEDS=7,11 those two.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cluster.lines import Lines
from cluster.storm import storm_run
from support.stores import PostgreSQL

pytestmark = pytest.mark.thorough


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    given = os.environ.get("ZAIKO_CLUSTER_SEEDS", "2")
    metafunc.parametrize(
        "seed", [int(seed) for seed in given.split(",")] if "," in given else range(int(given))
    )


def test_a_storm_over_three_replicas_breaks_nothing(
    durable_postgresql: PostgreSQL,
    lines: Lines,
    tmp_path: Path,
    seed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = storm_run(durable_postgresql, lines, tmp_path, seed)
    with capsys.disabled():
        print(f"\n{verdict}")
    assert verdict.wrong == []
