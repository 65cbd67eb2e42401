"""Fixtures that every folder may use."""

import pytest
from support.stores import db, postgresql, sqlite_template, sqlite_url, store_url

__all__ = ["db", "postgresql", "sqlite_template", "sqlite_url", "store_url"]


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"
