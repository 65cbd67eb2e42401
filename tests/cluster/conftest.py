"""The database of the cluster tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import PostgreSQL


@pytest.fixture(scope="session")
def durable_postgresql() -> Iterator[PostgreSQL]:
    """A server that keeps every commit that it has acknowledged."""
    folder = Path(tempfile.mkdtemp(prefix="zaiko-cluster-"))
    server = PostgreSQL(folder / "data", durable=True)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
