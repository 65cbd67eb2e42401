"""The verdicts must notice servers that lack one rule, in the same storms.

With --mutants (as in .ci/run) every mutant of recorded.py is tried, otherwise the first: no
transaction of a run checks its token."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster.cluster import without
from cluster.lines import Lines
from cluster.recorded import MUTANTS
from cluster.storm import storm_run
from support.stores import PostgreSQL

pytestmark = pytest.mark.thorough
_SEEDS = 6


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = list(MUTANTS)
    metafunc.parametrize("mutant", names if metafunc.config.getoption("--mutants") else names[:1])


def test_a_server_without_one_rule_is_noticed(
    durable_postgresql: PostgreSQL,
    lines: Lines,
    tmp_path: Path,
    mutant: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed in range(_SEEDS):
        (folder := tmp_path / str(seed)).mkdir()
        verdict = storm_run(
            durable_postgresql, lines, folder, seed, program=without(mutant), patient=False
        )
        if verdict.wrong:
            with capsys.disabled():
                print(
                    f"\n{mutant}: seed {seed} over {verdict.lines}: {len(verdict.wrong)} "
                    f"violations, as {verdict.wrong[0]!r}"
                )
            return
    raise AssertionError(f"{_SEEDS} storms did not notice: {MUTANTS[mutant].__doc__}")
