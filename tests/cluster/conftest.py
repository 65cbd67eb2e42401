"""The database of the cluster tests, and the lines to it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.cable import CableError, Cables
from cluster.cut import Cuts
from cluster.lines import Lines
from support.stores import PostgreSQL


@pytest.fixture(scope="session")
def cables(request: pytest.FixtureRequest) -> Iterator[Cables | None]:
    """Yield the cables of this session, or None where cables are impossible or not wanted."""
    wanted = request.config.getoption("--lines")
    try:
        laid = None if wanted == "proxies" else Cables()
    except CableError:
        if wanted == "cables":
            raise
        laid = None
    yield laid
    if laid is not None:
        laid.close()


@pytest.fixture(scope="session")
def lines(cables: Cables | None) -> Lines:
    """Return cables where they are possible, otherwise proxies."""
    return Cuts() if cables is None else cables


@pytest.fixture(scope="session")
def durable_postgresql(cables: Cables | None) -> Iterator[PostgreSQL]:
    """Yield a server that keeps every commit that it has acknowledged."""
    folder = Path(tempfile.mkdtemp(prefix="zaiko-cluster-"))
    server = PostgreSQL(
        folder / "data", durable=True, inside=() if cables is None else cables.inside
    )
    if cables is not None:
        server.admit(f"{cables.network}.0/24")
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
