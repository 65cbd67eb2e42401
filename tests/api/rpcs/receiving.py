"""Receiving-only products: the switch, their additions and the cut-over."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.requests import furnish
from api.rpcs import happy
from api.rpcs.links import linked
from zaiko.v1 import (
    addition_pb2,
    link_pb2,
    link_service_pb2,
    operation_pb2,
    product_pb2,
    receiving_service_pb2,
    stock_service_pb2,
)


@happy("ReceivingService.SetReceivingOnly")
async def set_receiving_only(api: Api, world: World) -> None:
    await linked(api, world, sync=False)
    request = receiving_service_pb2.SetReceivingOnlyRequest(
        product=world("products/apple"), enabled=True
    )

    product = (await api.call("ReceivingService.SetReceivingOnly", request)).product

    assert product.receiving_only == product_pb2.Product.RECEIVING_ONLY_ON
    listed = (
        await api.call(
            "LinkService.ListLinks", link_service_pb2.ListLinksRequest(parent=world("shops/one"))
        )
    ).links
    assert [link.mode for link in listed] == [link_pb2.Link.MODE_RECEIVING_ONLY]
    assert (await api.call("ReceivingService.SetReceivingOnly", request)).product == product


@happy("ReceivingService.ListAdditions")
@happy("ReceivingService.GetAddition")
async def a_receipt_of_a_receiving_only_product(api: Api, world: World) -> None:
    await linked(api, world, sync=False)
    switch = receiving_service_pb2.SetReceivingOnlyRequest(
        product=world("products/apple"), enabled=True
    )
    await api.call("ReceivingService.SetReceivingOnly", switch)
    receipt = stock_service_pb2.RecordReceiptRequest(
        product=world("products/apple"),
        warehouse=world("warehouses/tokyo"),
        quantity=4,
        cause_key="r-1",
    )
    movement = (await api.call("StockService.RecordReceipt", receipt)).movement

    async def found(**wanted: Any) -> list[addition_pb2.Addition]:
        request = receiving_service_pb2.ListAdditionsRequest(parent=world.name, filter=wanted)
        return list((await api.call("ReceivingService.ListAdditions", request)).additions)

    (addition,) = await found()
    assert (addition.product, addition.units) == (world("products/apple"), 4)
    assert addition.listing == world("shops/one/listings/l1")
    assert addition.state == addition_pb2.Addition.STATE_QUEUED
    assert addition.movement == movement.name
    assert await found(product=world("products/pear")) == await found(shop=world("shops/two")) == []
    assert await found(states=[addition_pb2.Addition.STATE_ADDED]) == []
    assert await found(states=[addition_pb2.Addition.STATE_QUEUED], shop=world("shops/one")) == [
        addition
    ]
    request = receiving_service_pb2.GetAdditionRequest(name=addition.name)
    assert (await api.call("ReceivingService.GetAddition", request)).addition == addition


@happy("ReceivingService.ResolveAddition")
async def resolve_addition(api: Api, world: World) -> None:
    await world.write(furnish)
    request = receiving_service_pb2.ResolveAdditionRequest(
        name=world("additions/77"),
        outcome=receiving_service_pb2.ResolveAdditionRequest.OUTCOME_NOT_ADDED,
    )

    addition = (await api.call("ReceivingService.ResolveAddition", request)).addition

    assert addition.state == addition_pb2.Addition.STATE_QUEUED
    assert not addition.HasField("settle_time")


@happy("ReceivingService.CutOver")
async def cut_over(api: Api, world: World) -> None:
    request = receiving_service_pb2.CutOverRequest(parent=world("shops/one"), dry_run=True)

    operation = (await api.call("ReceivingService.CutOver", request)).operation

    assert operation.kind == operation_pb2.Operation.KIND_CUT_OVER
    assert operation.state == operation_pb2.Operation.STATE_QUEUED
    assert operation.cut_over.dry_run
    assert operation.cut_over.shop == world("shops/one")
