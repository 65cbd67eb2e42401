"""After one server has answered a write, every server shows it, under any load. A read begins after
its call and on the primary, so no client has to say which revision it wants."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e.test_kill_stream import MERCHANT, furnish
from support.stores import PostgreSQL
from zaiko.v1 import product_pb2, product_service_pb2, stock_pb2, stock_service_pb2, watch_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_server.demo.processes import DemoProcesses

CLIENTS, ROUNDS = 12, 25


@pytest.fixture(
    params=[
        "two servers, postgresql",
        pytest.param("one server, sqlite", marks=pytest.mark.thorough),
    ]
)
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Where servers of the same store answer."""
    with contextlib.ExitStack() as stack:
        if "sqlite" in request.param:
            shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "zaiko.db")
            database, names = "zaiko.db", ["one"]
        else:
            server: PostgreSQL = request.getfixturevalue("postgresql")
            database, names = server.new_url(), ["one", "two"]
            stack.callback(server.drop, database)
        processes = stack.enter_context(DemoProcesses(tmp_path))
        for name in names:
            processes.start(
                name,
                ["serve", "--db", database, "--listen", "127.0.0.1:0", "--quiet", "--answer-only"],
            )
        yield [processes.address(name) for name in names]


def test_what_was_answered_is_seen_by_the_next_read_on_every_server(addresses: list[str]) -> None:
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(contextlib.closing(ApiClient(ServerConnection(address), "acme")))
            for address in addresses
        ]
        furnish(clients[0])
        for number in range(CLIENTS):
            made = product_service_pb2.CreateProductRequest(
                parent=MERCHANT,
                product_id=f"p{number}",
                product=product_pb2.Product(code=f"P{number}"),
            )
            clients[0].call(clients[0].products.CreateProduct, made)

        with ThreadPoolExecutor(CLIENTS) as pool:
            behind = [
                late
                for found in pool.map(lambda number: _use(clients, number), range(CLIENTS))
                for late in found
            ]

    assert behind == []


def _use(clients: list[ApiClient], number: int) -> list[str]:
    """Write here and read there, again and again; what was not seen."""
    product, draw, behind = f"{MERCHANT}/products/p{number}", random.Random(number), []
    for written in range(1, ROUNDS + 1):
        writer, reader = draw.choice(clients), draw.choice(clients)
        receipt = stock_service_pb2.RecordReceiptRequest(
            product=product, warehouse=f"{MERCHANT}/warehouses/tokyo", quantity=1
        )
        revision = writer.call(writer.stocks.RecordReceipt, receipt).stock.revision
        for how, seen in (
            ("GetStock", _get(reader, product)),
            ("BatchGetStocks", _batch(reader, product)),
            *([("WatchStocks", _snapshot(reader, product))] if written % 5 == 0 else []),
        ):
            if seen.revision < revision or seen.physical < written:
                behind.append(
                    f"{how} after {written}: {seen.physical} of revision {seen.revision}, not "
                    f"of {revision}"
                )
    return behind


def _get(client: ApiClient, product: str) -> stock_pb2.Stock:
    return client.call(
        client.stocks.GetStock, stock_service_pb2.GetStockRequest(name=f"{product}/stock")
    ).stock


def _batch(client: ApiClient, product: str) -> stock_pb2.Stock:
    request = stock_service_pb2.BatchGetStocksRequest(parent=MERCHANT, names=[f"{product}/stock"])
    return client.call(client.stocks.BatchGetStocks, request).stocks[0]


def _snapshot(client: ApiClient, product: str) -> stock_pb2.Stock:
    request = stock_service_pb2.WatchStocksRequest(
        parent=MERCHANT, start=watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
    )
    request.filter.products.append(product)
    call = client.stocks.WatchStocks(request, timeout=30)
    try:
        return next(delivery.changes.stocks[0] for delivery in call if delivery.changes.stocks)
    finally:
        call.cancel()
