"""kill -9 of a real server in the middle of a stream of facts: what was answered is in the journal,
and all may be sent again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
from zaiko.v1 import (
    merchant_pb2,
    merchant_service_pb2,
    product_pb2,
    product_service_pb2,
    stock_service_pb2,
    warehouse_pb2,
    warehouse_service_pb2,
)
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_server.demo.processes import DemoProcesses

FACTS = 1_000
MERCHANT = "merchants/acme"


def facts() -> list[stock_service_pb2.StreamMovementsRequest]:
    return [
        stock_service_pb2.StreamMovementsRequest(
            sequence=number,
            parent=MERCHANT,
            receipt=stock_service_pb2.RecordReceiptRequest(
                product=f"{MERCHANT}/products/tea",
                warehouse=f"{MERCHANT}/warehouses/tokyo",
                quantity=1,
                cause_key=f"fact-{number}",
            ),
        )
        for number in range(1, FACTS + 1)
    ]


@contextlib.contextmanager
def serving(folder: Path, name: str) -> Iterator[tuple[ApiClient, object]]:
    with DemoProcesses(folder) as processes:
        options = [
            "serve",
            "--db",
            "zaiko.db",
            "--secret-key-file",
            "zaiko.key",
            "--listen",
            "127.0.0.1:0",
        ]
        process = processes.start(name, options)
        with contextlib.closing(
            ApiClient(ServerConnection(processes.address(name)), "acme")
        ) as client:
            yield client, process


def journal(client: ApiClient) -> set[str]:
    request = stock_service_pb2.ListMovementsRequest(parent=MERCHANT)
    return {
        movement.cause_key
        for movement in client.pages(client.stocks.ListMovements, request, "movements")
    }


def furnish(client: ApiClient) -> None:
    merchant = merchant_pb2.Merchant(display_name="Acme")
    client.call(
        client.merchants.CreateMerchant,
        merchant_service_pb2.CreateMerchantRequest(merchant_id="acme", merchant=merchant),
    )
    warehouse = warehouse_pb2.Warehouse(display_name="Tokyo")
    client.call(
        client.warehouses.CreateWarehouse,
        warehouse_service_pb2.CreateWarehouseRequest(
            parent=MERCHANT, warehouse_id="tokyo", warehouse=warehouse
        ),
    )
    product = product_pb2.Product(code="TEA", display_name="Tea")
    client.call(
        client.products.CreateProduct,
        product_service_pb2.CreateProductRequest(
            parent=MERCHANT, product_id="tea", product=product
        ),
    )


def test_every_answered_fact_outlives_a_killed_server_and_the_rest_can_be_sent_again(
    tmp_path: Path,
) -> None:
    answered: list[int] = []
    ended = grpc.StatusCode.OK
    with serving(tmp_path, "first") as (client, process):
        furnish(client)
        try:
            for answer in client.stocks.StreamMovements(iter(facts()), timeout=120):
                assert answer.HasField("stock"), answer
                answered.append(answer.sequence)
                if len(answered) == 200:
                    # From a thread, so that answers go on coming while the process dies.
                    threading.Thread(target=process.kill).start()  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            ended = error.code()
    assert ended is grpc.StatusCode.UNAVAILABLE
    assert 200 <= len(answered) < FACTS
    assert answered == list(range(1, len(answered) + 1))

    with serving(tmp_path, "second") as (client, _):
        kept = journal(client)
        assert {f"fact-{number}" for number in answered} <= kept

        again = list(client.stocks.StreamMovements(iter(facts()), timeout=120))

        assert [answer.already_recorded for answer in again] == [
            f"fact-{number}" in kept for number in range(1, FACTS + 1)
        ]
        assert again[-1].stock.physical == FACTS
        assert len(journal(client)) == FACTS
