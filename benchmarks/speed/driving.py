"""An engine in this process whose shops run when the benchmark asks for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from cryptography.fernet import Fernet
from sqlalchemy import update
from zaiko_core.app import stock
from zaiko_core.bootstrap import Engine, EngineConfig
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage import schema
from zaiko_server import gc_tuning

from benchmarks.speed.catalogue import MERCHANT, WAREHOUSE


@contextlib.asynccontextmanager
async def driven(url: str, registry: Registry) -> AsyncIterator[Engine]:
    """Start an engine without a scheduler: `run_due` runs what is due. The garbage collector is
    tuned as in a server."""
    keys = [Fernet.generate_key().decode()]
    engine = Engine(EngineConfig(url, keys, run_shops=False), registry=registry, jitter=lambda: 0.0)
    await engine.start()
    gc_tuning.settle()
    try:
        yield engine
    finally:
        await engine.stop(grace=0)


async def receive(engine: Engine, products: Sequence[str]) -> None:
    """Receive one unit of each product, in one transaction."""
    cause = time.time_ns()
    receipts = [stock.Receipt(product, WAREHOUSE, 1, f"{cause}/{product}") for product in products]
    await engine.db.write(MERCHANT, lambda uow: stock.receive(uow, receipts))


def make_due(engine: Engine, shop: str) -> None:
    """Make the shop due, as after its interval of ten minutes."""
    table = schema.shops
    with engine.db.engine.connect() as connection, connection.begin():
        connection.execute(
            update(table).where(table.c.merchant == MERCHANT, table.c.shop == shop).values(due_at=0)
        )
