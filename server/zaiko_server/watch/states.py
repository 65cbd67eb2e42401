"""Read the states that watches send, as messages, in one unit of work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from zaiko.v1 import link_pb2, shop_pb2, stock_pb2, sync_run_pb2
from zaiko_core.app.links import CanSync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import LinkRecord, Page

from zaiko_server import views
from zaiko_server.convert.runs import run as run_message
from zaiko_server.convert.stocks import stock as stock_message

_PAGE = 1000


def all_stocks(uow: UnitOfWork, products: Collection[str]) -> Iterator[stock_pb2.Stock]:
    """Yield the stocks of these products, or of all when there are none, by name."""
    page = Page(_PAGE)
    while records := uow.stocks.page(page, products=products, oversold=False):
        for record in records:
            yield stock_message(uow.merchant, record)
        page = Page(_PAGE, (records[-1].product,))


def stocks(uow: UnitOfWork, products: Collection[str]) -> dict[str, stock_pb2.Stock]:
    """Return the stocks of those products that exist."""
    return {
        product: stock_message(uow.merchant, record)
        for product, record in sorted(uow.stocks.get(products).items())
    }


def shop_ids(uow: UnitOfWork, wanted: Collection[str]) -> list[str]:
    """Return the ids of all shops, or of those in `wanted` that exist."""
    if wanted:
        return sorted(uow.shops.get(wanted))
    found: list[str] = []
    page = Page(_PAGE)
    while records := uow.shops.page(page):
        found += [record.shop for record in records]
        page = Page(_PAGE, (records[-1].shop,))
    return found


def shop_statuses(
    uow: UnitOfWork, shops: Collection[str], can_sync: CanSync
) -> dict[str, shop_pb2.ShopStatus]:
    """Return the statuses of those shops that exist."""
    records = [record for _, record in sorted(uow.shops.get(shops).items())] if shops else []
    messages = views.shop_statuses(uow, records, can_sync)
    return {record.shop: message for record, message in zip(records, messages, strict=True)}


def all_link_statuses(
    uow: UnitOfWork, shops: Sequence[str], can_sync: CanSync
) -> Iterator[link_pb2.LinkStatus]:
    """Yield the statuses of every link of these shops, by name."""
    for shop in shops:
        page = Page(_PAGE)
        while records := uow.links.page(page, shop=shop, products=(), states=(), sync_enabled=None):
            yield from views.link_statuses(uow, records, can_sync)
            page = Page(_PAGE, (records[-1].shop, records[-1].listing))


def link_statuses(
    uow: UnitOfWork, keys: Sequence[tuple[str, str]], can_sync: CanSync
) -> dict[tuple[str, str], link_pb2.LinkStatus]:
    """Return the statuses of those links (shop, listing) that exist."""
    by_shop: dict[str, list[str]] = defaultdict(list)
    for shop, listing in keys:
        by_shop[shop].append(listing)
    records: list[LinkRecord] = []
    for shop, ids in sorted(by_shop.items()):
        records += [record for _, record in sorted(uow.links.get(shop, ids).items())]
    messages = views.link_statuses(uow, records, can_sync)
    return {
        (record.shop, record.listing): message
        for record, message in zip(records, messages, strict=True)
    }


def last_runs(uow: UnitOfWork, shops: Sequence[str]) -> Iterator[sync_run_pb2.SyncRun]:
    """Yield each shop's current run, or its last one."""
    for shop in shops:
        for record in uow.runs.page(Page(1), shop=shop):
            yield run_message(uow.merchant, record)


def runs(
    uow: UnitOfWork, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], sync_run_pb2.SyncRun]:
    """Return those runs (shop, run) that exist."""
    found = {}
    for shop, run in keys:
        record = uow.runs.get(shop, run)
        if record is not None:
            found[shop, run] = run_message(uow.merchant, record)
    return found
