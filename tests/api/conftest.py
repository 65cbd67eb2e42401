"""One server per module and store. Each test has its own merchants, which are isolated from each
other."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from api.bench import Api, World, served

# Failing assertions in these modules show both sides, as in test modules.
pytest.register_assert_rewrite("api.rpcs", "api.refusals")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Make a store for the tests of one module."""
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
