"""What the demo does: calls of zaiko over gRPC, sales in the shops over the control API of their
simulators, and checks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from zaiko.v1 import (
    link_service_pb2,
    merchant_pb2,
    merchant_service_pb2,
    operation_pb2,
    product_pb2,
    product_service_pb2,
    shop_pb2,
    shop_service_pb2,
    stock_pb2,
    stock_service_pb2,
    sync_service_pb2,
    warehouse_pb2,
    warehouse_service_pb2,
)
from zaiko_cli.client import ApiClient
from zaiko_cli.show import last, part, trouble, word
from zaiko_sdk.testing.simulator import SimulatorClient

from zaiko_server.demo.screen import DemoScreen

MERCHANT, WAREHOUSE = "demo", "tokyo"
_NUMBERS = ("physical", "ordered", "free", "oversold", "reserve", "sent")
_POLL = 0.02
_PATIENCE = 20.0


class CheckFailed(Exception):
    """A number is wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class DemoShop:
    """A simulated shop and its name in zaiko."""

    name: str
    connector: str
    simulator: SimulatorClient


class DemoShops:
    """Makes changes, and compares the numbers of zaiko and of the shops with the expected ones."""

    def __init__(self, client: ApiClient, shops: Sequence[DemoShop], screen: DemoScreen) -> None:
        self.client, self.shops, self.screen = client, shops, screen
        self.parent = f"merchants/{MERCHANT}"
        self.watched: list[str] = []
        self.checks = 0

    # Changes

    def create(self, products: Mapping[str, int]) -> None:
        """Create a merchant, a warehouse, and products with stock."""
        client = self.client
        merchant = merchant_pb2.Merchant(display_name="Demo")
        client.call(
            client.merchants.CreateMerchant,
            merchant_service_pb2.CreateMerchantRequest(merchant_id=MERCHANT, merchant=merchant),
        )
        warehouse = warehouse_pb2.Warehouse(display_name="Tokyo")
        client.call(
            client.warehouses.CreateWarehouse,
            warehouse_service_pb2.CreateWarehouseRequest(
                parent=self.parent, warehouse_id=WAREHOUSE, warehouse=warehouse
            ),
        )
        for sku, units in products.items():
            request = product_service_pb2.CreateProductRequest(
                parent=self.parent, product_id=sku.lower(), product=product_pb2.Product(code=sku)
            )
            client.call(client.products.CreateProduct, request)
            self.watched.append(sku)
            if units:
                self.receive(sku, units)

    def open_shop(self, shop: DemoShop) -> None:
        """Create a shop with the settings of its simulator, and read its catalogue."""
        settings = shop.simulator.settings()
        made = shop_pb2.Shop(connector=f"connectors/{shop.connector}", display_name=shop.name)
        # The server separates the secrets.
        made.settings.update(settings)
        client = self.client
        request = shop_service_pb2.CreateShopRequest(
            parent=self.parent, shop_id=shop.name, shop=made
        )
        client.call(client.shops.CreateShop, request)
        refresh = shop_service_pb2.RefreshListingsRequest(parent=self.name(shop))
        self._ended(client.call(client.shops.RefreshListings, refresh).operation)

    def link_all(self, shop: DemoShop) -> int:
        """Link a shop's listings in bulk with sync enabled, and return how many."""
        client = self.client
        request = link_service_pb2.BulkLinkRequest(parent=self.name(shop), enable_sync=True)
        report = self._ended(client.call(client.links.BulkLink, request).operation).bulk_link_report
        return int(report.matched_count)

    def receive(self, sku: str, units: int) -> None:
        """Record a receipt."""
        request = stock_service_pb2.RecordReceiptRequest(
            product=self.product(sku),
            warehouse=f"{self.parent}/warehouses/{WAREHOUSE}",
            quantity=units,
        )
        self.client.call(self.client.stocks.RecordReceipt, request)

    def reserve(self, sku: str, units: int) -> None:
        """Set the reserve."""
        request = stock_service_pb2.SetReserveRequest(product=self.product(sku), reserve=units)
        self.client.call(self.client.stocks.SetReserve, request)

    def notify(self, shop: DemoShop) -> None:
        """Notify zaiko of a change in a shop, as the shop's webhook would."""
        self.client.call(
            self.client.syncs.SyncNow, sync_service_pb2.SyncNowRequest(shop=self.name(shop))
        )

    # State

    def stock(self, sku: str) -> stock_pb2.Stock:
        """Return zaiko's numbers of a product."""
        request = stock_service_pb2.GetStockRequest(name=self.product(sku) + "/stock")
        return self.client.call(self.client.stocks.GetStock, request).stock

    def shown(self) -> dict[str, dict[str, int]]:
        """Return what each shop shows now: units by shop and SKU."""
        return {shop.name: shop.simulator.stock() for shop in self.shops}

    def problems(self) -> list[str]:
        """Return what zaiko reports as wrong with shops and links."""
        client = self.client
        status = client.call(
            client.syncs.GetSyncStatus, sync_service_pb2.GetSyncStatusRequest(parent=self.parent)
        )
        found = [
            f"{last(shop.shop)}: {trouble(shop)}" for shop in status.shop_statuses if trouble(shop)
        ]
        request = sync_service_pb2.ListLinkStatusesRequest(parent=f"{self.parent}/shops/-")
        links = client.pages(client.syncs.ListLinkStatuses, request, "link_statuses")
        waiting = [link for link in links if word(link, "state") != "SYNCED"]
        return found + [
            (
                f"{part(link.link, 'shops')}/{link.sku} is {word(link, 'state')} {trouble(link)}"
            ).rstrip()
            for link in waiting
        ]

    def picture(self, shown: Mapping[str, Mapping[str, int]] | None = None) -> None:
        """Show all current numbers."""
        shown = shown if shown is not None else self.shown()
        rows = {}
        for sku in self.watched:
            stock = self.stock(sku)
            ours = {name: int(getattr(stock, name)) for name in _NUMBERS}
            rows[sku] = (
                ours,
                {shop: numbers[sku] for shop, numbers in shown.items() if sku in numbers},
            )
        self.screen.numbers([shop.name for shop in self.shops], rows)

    # Checks

    def expect_shown(self, sku: str, units: int, since: float | None = None) -> dict[str, float]:
        """Wait until every shop shows `units` of a product. Return the milliseconds that each took
        since `since` (time.monotonic). Raises CheckFailed, naming the shop that does not show
        them."""
        begun = time.monotonic() if since is None else since
        arrived: dict[str, float] = {}
        shown: dict[str, dict[str, int]] = {}
        self.screen.doing(f"waiting until every shop shows {units} × {sku}")
        painted, deadline = 0.0, time.monotonic() + _PATIENCE
        while len(arrived) < len(self.shops) and (not shown or time.monotonic() < deadline):
            for shop in self.shops:
                numbers = shop.simulator.stock()
                shown[shop.name] = numbers
                if numbers.get(sku) == units:
                    arrived.setdefault(shop.name, (time.monotonic() - begun) * 1000)
                else:
                    # A number that the shop showed only for a moment does not count.
                    arrived.pop(shop.name, None)
            if time.monotonic() > painted + 0.15 and self.screen.live:
                self.picture(shown)
                painted = time.monotonic()
            time.sleep(_POLL)
        for shop in self.shops:
            self.checks += 1
            if shop.name not in arrived:
                raise CheckFailed(
                    f"{shop.name} shows {shown[shop.name].get(sku)} × {sku}, not {units}, "
                    f"after {_PATIENCE:.0f} s. "
                    f"zaiko says: {'; '.join(self.problems()) or 'nothing is wrong'}"
                )
        self.picture(shown)
        return arrived

    def expect_stock(self, sku: str, **expected: int) -> None:
        """Compare zaiko's numbers of a product with the expected ones. Raises CheckFailed, naming
        the first that differs."""
        stock = self.stock(sku)
        for name, units in expected.items():
            self.checks += 1
            if getattr(stock, name) != units:
                raise CheckFailed(
                    f"zaiko says {name} = {getattr(stock, name)} of {sku}, not {units}"
                )

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds. Raises CheckFailed."""
        self.screen.doing(f"waiting until {what}")
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise CheckFailed(
                    f"it is not so after {_PATIENCE:.0f} s that {what}. zaiko says: "
                    f"{'; '.join(self.problems())}"
                )
            time.sleep(_POLL * 2)
        self.checks += 1

    def name(self, shop: DemoShop) -> str:
        """Return a shop's resource name."""
        return f"{self.parent}/shops/{shop.name}"

    def product(self, sku: str) -> str:
        """Return a product's resource name."""
        return f"{self.parent}/products/{sku.lower()}"

    def _ended(self, operation: operation_pb2.Operation) -> operation_pb2.Operation:
        done = operation
        for done in self.client.wait(operation, seconds=_PATIENCE):
            self.screen.doing(
                f"{word(done, 'kind').lower().replace('_', ' ')}: {done.progress.done}"
            )
        if done.state != operation_pb2.Operation.STATE_SUCCEEDED:
            raise CheckFailed(f"{word(done, 'kind')} is {word(done, 'state')}: {trouble(done)}")
        return done
