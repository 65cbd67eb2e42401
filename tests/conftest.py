"""Fixtures that every folder may use."""

from collections.abc import AsyncIterator

import pytest
from support.stores import db, postgresql, sqlite_template, sqlite_url, store_url

__all__ = ["db", "postgresql", "sqlite_template", "sqlite_url", "store_url"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps one event loop for the whole session: grpc.aio polls for every loop that it has met, also for closed ones."""
    yield  # noqa: PT022 - the loop lives until a generator fixture ends


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker is left with one of them at the end."""
    slow = ("/tests/e2e/", "/tests/sync/", "/tests/store/")
    items.sort(key=lambda item: next((n for n, part in enumerate(slow) if part in item.path.as_posix()), len(slow)))
