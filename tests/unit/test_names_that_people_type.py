"""The command line finds what a person means, and refuses where it could be two things."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from zaiko.v1 import listing_pb2, order_pb2, order_service_pb2
from zaiko_cli import find
from zaiko_cli.client import ApiClient
from zaiko_cli.failure import Failed

SHOP = "merchants/acme/shops/sp"
DEAD, LIVE, BARE = "a" * 26, "b" * 26, "c" * 26


class Server:
    """A shop in which a listing was deleted and made again under one SKU, and its orders."""

    def __init__(self, *, relinked: bool) -> None:
        self.shops = SimpleNamespace(ListListings="ListListings")
        self.orders = SimpleNamespace(ListOrders="ListOrders")
        self.links = {DEAD: True, LIVE: False, BARE: False}
        self.linked = {DEAD, LIVE} if relinked else {DEAD}

    def name(self, collection: str, item: str) -> str:
        return f"merchants/acme/{collection}/{item}"

    def pages(self, method: str, request: Any, field: str) -> Iterator[listing_pb2.Listing]:
        for listing, vanished in self.links.items():
            if not request.filter.HasField("linked") or (listing in self.linked):
                yield listing_pb2.Listing(
                    name=f"{SHOP}/listings/{listing}", sku="C", vanished=vanished
                )

    def call(self, method: str, request: Any) -> order_service_pb2.ListOrdersResponse:
        known = {"one": "#1", "two": "#2", "three": "#2"}
        wanted = request.filter
        found = [
            order_pb2.Order(name=f"{SHOP}/orders/{order}", external_id=order, number=number)
            for order, number in known.items()
            if order in wanted.external_ids or number in {f"#{n}" for n in wanted.numbers}
        ]
        return order_service_pb2.ListOrdersResponse(orders=found)


def server(*, relinked: bool = True) -> ApiClient:
    return cast(ApiClient, Server(relinked=relinked))


def test_of_two_links_with_one_sku_neither_is_chosen() -> None:
    with pytest.raises(Failed) as refusal:
        find.link(server(), SHOP, "C")
    assert f"{DEAD} (no longer in the shop), {LIVE} (in the shop)" in str(refusal.value)


def test_the_only_link_with_a_sku_is_meant_although_its_listing_is_gone() -> None:
    assert find.link(server(relinked=False), SHOP, "C") == f"{SHOP}/links/{DEAD}"


def test_a_link_is_named_by_the_id_of_its_listing() -> None:
    assert find.link(server(), SHOP, LIVE) == f"{SHOP}/links/{LIVE}"


@pytest.mark.parametrize("typed", ["sp/one", "sp/1"])
def test_an_order_is_named_by_its_id_or_its_number(typed: str) -> None:
    assert find.order(server(), typed) == f"{SHOP}/orders/one"


def test_a_number_of_two_orders_names_neither() -> None:
    with pytest.raises(Failed, match="one by its id: two, three"):
        find.order(server(), "sp/2")
    with pytest.raises(Failed, match="has been read"):
        find.order(server(), "sp/9")
