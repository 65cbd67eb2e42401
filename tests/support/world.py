"""A merchant with products, a warehouse, shops and listings, built through the use cases; and
orders as connectors report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zaiko_core.app import links, orders, stock
from zaiko_core.app.records import (
    LinkRecord,
    ListingRecord,
    MerchantRecord,
    ProductRecord,
    ShopRecord,
    StockRecord,
    WarehouseRecord,
)
from zaiko_core.app.transfer import Transfer, transfer
from zaiko_core.domain.demand import DemandLine, DemandState, OrderRecord
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.links import Part
from zaiko_core.domain.stock import DemandRef
from zaiko_core.storage.database import Database

MERCHANT, WAREHOUSE, OTHER_WAREHOUSE = "acme", "tokyo", "osaka"


def can_sync(connector: str) -> None:
    """Allow sync for every connector."""


@dataclass
class World:
    """One merchant in one store. A product's code is its id. A shop's listing is named by the
    product's id, and its external id is its SKU."""

    db: Database
    causes: int = 0
    products: list[str] = field(default_factory=list)

    def begin(
        self, products: Sequence[str] = ("tea",), shops: Sequence[str] = ("a", "b", "c")
    ) -> World:
        """Create the merchant, a warehouse, products and shops that list every product."""
        self.db.directory.write_sync(lambda directory: directory.create(MerchantRecord(MERCHANT)))
        self.products = list(products)

        def build(uow):
            uow.warehouses.insert(WarehouseRecord(WAREHOUSE))
            uow.products.insert([ProductRecord(product, product) for product in products])
            for shop in shops:
                uow.shops.insert(ShopRecord(shop, "fake", shop, {}, 600_000_000))
                uow.listings.upsert(
                    shop,
                    [ListingRecord(shop, listing_id(p), p, {}, sku=p, title=p) for p in products],
                )
            uow.advance()

        self.db.write_sync(MERCHANT, build)
        return self

    def cause(self) -> str:
        """Return a new cause key."""
        self.causes += 1
        return f"cause-{self.causes}"

    def receive(self, product: str, units: int, cause: str = "") -> stock.Posting:
        receipt = stock.Receipt(product, WAREHOUSE, units, cause or self.cause())
        return self.db.write_sync(MERCHANT, lambda uow: stock.receive(uow, [receipt]))[0]

    def adjust(
        self, product: str, *, delta: int | None = None, counted: int | None = None, cause: str = ""
    ) -> stock.Posting:
        change = stock.Adjustment(
            product, WAREHOUSE, cause or self.cause(), delta=delta, counted=counted
        )
        return self.db.write_sync(MERCHANT, lambda uow: stock.adjust(uow, change))

    def counted_at(self, product: str) -> tuple[int, int]:
        """Begin a count: return the units on the shelf, and the revision that they are as of."""
        units, _ = self.stock(product).warehouses.get(WAREHOUSE, (0, 0))
        return units, self.db.read_sync(MERCHANT, lambda uow: uow.revision)

    def enter(self, product: str, counted: int, revision: int, cause: str = "") -> stock.Posting:
        """Enter what was counted as of a revision."""
        change = stock.Adjustment(
            product,
            WAREHOUSE,
            cause or self.cause(),
            counted=counted,
            as_of=stock.Moment(revision),
        )
        return self.db.write_sync(MERCHANT, lambda uow: stock.adjust(uow, change))

    def transfer(self, product: str, units: int) -> None:
        """Move as many of these units as there are to another warehouse."""
        physical, allocated = self.stock(product).warehouses.get(WAREHOUSE, (0, 0))
        quantity = min(units, physical - allocated)
        if quantity <= 0:
            return
        move = Transfer(product, WAREHOUSE, OTHER_WAREHOUSE, quantity, self.cause())

        def work(uow):
            if not uow.warehouses.get([OTHER_WAREHOUSE]):
                uow.warehouses.insert(WarehouseRecord(OTHER_WAREHOUSE))
            transfer(uow, move)

        self.db.write_sync(MERCHANT, work)

    def bind(
        self, verb: str, shop: str, order: str, product: str, units: int, cause: str = ""
    ) -> stock.Posting:
        """Allocate, deallocate or ship units of an order."""
        binding = stock.Binding(
            DemandRef(shop, order), product, WAREHOUSE, units, cause or self.cause()
        )
        return self.db.write_sync(MERCHANT, lambda uow: getattr(stock, verb)(uow, binding))

    def reserve(self, product: str, units: int) -> int:
        """Set a reserve, and return how many links became due."""
        return self.db.write_sync(MERCHANT, lambda uow: stock.set_reserves(uow, {product: units}))[
            1
        ]

    def ingest(self, shop: str, *readings: OrderRecord) -> orders.Ingested:
        return self.db.write_sync(MERCHANT, lambda uow: orders.ingest(uow, shop, readings))

    def link(
        self,
        shop: str,
        product: str,
        *,
        enabled: bool = True,
        parts: Mapping[str, int] | None = None,
    ) -> tuple[LinkRecord, list[orders.Counted]]:
        """Link the shop's listing of `product`."""
        built = tuple(Part(name, count) for name, count in (parts or {product: 1}).items())
        draft = links.LinkDraft(shop, listing_id(product), built, enabled)
        made, counted = self.db.write_sync(
            MERCHANT, lambda uow: links.create(uow, [draft], can_sync=can_sync)
        )
        return made[0], counted

    def unlink(
        self, shop: str, product: str, *, release_orders: bool = False
    ) -> list[orders.Counted]:
        key = (shop, listing_id(product))
        return self.db.write_sync(
            MERCHANT, lambda uow: links.delete(uow, [key], release_orders=release_orders)
        )

    def stock(self, product: str) -> StockRecord:
        return self.db.read_sync(MERCHANT, lambda uow: uow.stocks.get([product]))[product]

    def free(self, product: str) -> int:
        return self.stock(product).balance.free

    def link_of(self, shop: str, product: str) -> LinkRecord:
        listing = listing_id(product)
        return self.db.read_sync(MERCHANT, lambda uow: uow.links.get(shop, [listing]))[listing]

    def order(self, shop: str, order: str) -> OrderRecord | None:
        return self.db.read_sync(MERCHANT, lambda uow: uow.orders.get(shop, [order])).get(order)

    def assert_consistent(self) -> None:
        """Assert that the journal adds up to the balances, and the demands to what is ordered."""
        wrong = self.db.read_sync(MERCHANT, lambda uow: uow.stocks.recompute())
        assert wrong == {}


def order(
    number: str,
    units: Mapping[str, int],
    *,
    version: int = 1,
    read_at: int = 0,
    cancelled: Mapping[str, int] | None = None,
    fulfilled: Mapping[str, int] | None = None,
    state: DemandState = DemandState.OPEN,
    archived: bool = False,
    state_known: bool = True,
) -> OrderRecord:
    """Return one reading of an order, with a line per listing. `version` counts the shop's
    changes."""
    lines = tuple(
        DemandLine(
            line=f"{number}-{name}",
            listing=listing_id(name),
            ordered=count,
            cancelled=(cancelled or {}).get(name, 0),
            fulfilled=(fulfilled or {}).get(name, 0),
            sku=name,
        )
        for name, count in units.items()
    )
    return OrderRecord(
        number,
        f"#{number}",
        version,
        read_at or version,
        state,
        1,
        lines,
        archived=archived,
        state_known=state_known,
    )
