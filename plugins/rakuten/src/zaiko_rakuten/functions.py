"""The functions (機能) of RMS that the connector calls: their paths, their limits, and their names
in the shop's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `rate` is RMS's own limit in calls a second; `api` is its name under
    利用機能編集. A function that `writes` is never repeated after an outcome that is not certain.
    """

    name: str
    method: str
    path: str
    rate: float
    api: str
    writes: bool = False


# UNCONFIRMED: the rate of the purchased-item API and of the licence API. Assumed to be the order
# API's, 1/s.
SEARCH_PURCHASES = Function(
    "purchaseItem.searchOrderItem",
    "POST",
    "/es/2.0/purchaseItem/searchOrderItem/",
    1,
    "購入商品API",
)
GET_PURCHASES = Function(
    "purchaseItem.getOrderItem", "POST", "/es/2.0/purchaseItem/getOrderItem/", 1, "購入商品API"
)
SEARCH_ORDERS = Function(
    "order.searchOrder", "POST", "/es/2.0/order/searchOrder/", 1, "楽天ペイ受注API"
)
GET_ORDERS = Function("order.getOrder", "POST", "/es/2.0/order/getOrder/", 1, "楽天ペイ受注API")
SEARCH_ITEMS = Function("items.search", "GET", "/es/2.0/items/search", 5, "商品API 2.0")
GET_ITEMS = Function(
    "items.bulk.get", "POST", "/es/2.0/items/bulk-get", 1, "商品API 2.0 + 商品一括編集"
)
# 2.0, not 2.1: a 2.1 write erases the lead times that it leaves out.
GET_STOCK = Function(
    "inventories.bulk.get", "POST", "/es/2.0/inventories/bulk-get", 5, "在庫API 2.0"
)
SET_STOCK = Function(
    "inventories.bulk.upsert",
    "POST",
    "/es/2.0/inventories/bulk-upsert",
    1,
    "在庫API 2.0",
    writes=True,
)
LICENCE_EXPIRY = Function(
    "licence.expiryDate",
    "GET",
    "/es/1.0/license-management/license-key/expiry-date",
    1,
    "ライセンス管理API",
)
