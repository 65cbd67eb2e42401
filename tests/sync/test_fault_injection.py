"""The whole system on virtual time, by seeds: crashes at every await of a run, every reply, buyers,
staff and proxies at once.

`pytest tests/sync/test_fault_injection.py --seeds 2000 -n auto` runs many; a failing seed is in the
test's name and repeats.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from support.storm import storm_run

STEPS = 25


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))


@pytest.fixture
def fast_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A store in memory where the machine has such a folder: what is tested here is not the
    disk."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else tmp_path))
    shutil.copy(sqlite_template, folder / "zaiko.db")
    yield f"sqlite:///{folder}/zaiko.db"  # type: ignore[misc]
    shutil.rmtree(folder)


def test_whatever_breaks_nothing_is_lost_counted_twice_or_overwritten(
    seed: int,
    fast_url: str,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    storm = storm_run(fast_url, seed, STEPS)
    try:
        assert storm.wrong() == [], f"seed {seed}"
        record_property("faults", json.dumps(storm.met))
    finally:
        storm.close()
