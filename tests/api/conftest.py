"""One server per module and store; each test has merchants of its own, which see nothing of each other."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from api.bench import Api, World, served

LITTLE_STORE = {f"test_{name}" for name in ("authentication", "fuzz", "refusals", "validation", "masks", "status")}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store for the tests of one module. What hardly depends on the store is tried on PostgreSQL with --thorough only."""
    if request.param == "postgresql" and request.path.stem in LITTLE_STORE and not request.config.getoption("--thorough"):
        pytest.skip("hardly depends on the store: on PostgreSQL with --thorough, as .ci/run does")
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("api") / "zaiko.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgresql")
    url = server.new_url()
    yield url
    server.drop(url)


@pytest.fixture(scope="module")
async def api(module_store: str, anyio_backend: str) -> AsyncIterator[Api]:
    async with served(module_store) as running:
        yield running


@pytest.fixture
async def world(api: Api) -> World:
    return await api.merchant()
