"""Stores with many links, filled by plain inserts. Through the API a million links would take
longer than the measurements."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zaiko_core.domain.ids import listing_id

from benchmarks.speed.bare_store import connected
from benchmarks.speed.buyers import written
from benchmarks.speed.instant import CONNECTOR, SHOWN
from benchmarks.speed.stores import Store

MERCHANT, WAREHOUSE = "acme", "tokyo"
LINES = 3
"""The lines of an order."""
INTERVAL = 600_000_000
"""The time between two fetches of a shop's orders, in µs."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`links` links in `shops` shops of one merchant. The first `hot` products are listed only in
    the first shop, so a change of each makes one link due. All others are listed in every shop.
    Every link is synced, and nothing is due."""

    links: int
    shops: int = 10
    hot: int = 1_000

    @property
    def products(self) -> int:
        """The number of products."""
        return self.hot + (self.links - self.hot) // self.shops

    def page(self, first: int, orders: int) -> str:
        """Return a page of `orders` orders with three lines each, of listings that every shop has.
        Their numbers start at `first`."""
        draw, everywhere = random.Random(first), range(self.hot, self.products)
        numbers = range(first, first + orders)
        return written(
            [
                (f"o{number}", [product_name(item) for item in draw.sample(everywhere, LINES)])
                for number in numbers
            ]
        )

    def listed(self) -> Iterator[tuple[str, str]]:
        """Yield (shop, product) of every link. A listing's external id is its product's."""
        for shop in range(self.shops):
            for number in range(0 if shop == 0 else self.hot, self.products):
                yield shop_name(shop), product_name(number)


def shop_name(number: int) -> str:
    """Return the id of a shop."""
    return f"s{number:05d}"


def product_name(number: int) -> str:
    """Return the id of a product, which is also its code."""
    return f"p{number:07d}"


def filled(store: Store, catalogue: Catalogue) -> str:
    """Return the URL of a store with this catalogue. Several figures share it, because they add
    little to it."""
    if catalogue not in store.kept:
        url = store.fresh()
        fill(url, catalogue)
        store.kept[catalogue] = url
    return store.kept[catalogue]


def fill(url: str, catalogue: Catalogue, *, due_in: int = INTERVAL) -> None:
    """Fill an empty, migrated store. Shops are next due in `due_in` µs, and their audits and daily
    checks have just run."""
    now = time.time_ns() // 1000
    names = [product_name(number) for number in range(catalogue.products)]
    shops = [shop_name(number) for number in range(catalogue.shops)]
    listing = {name: listing_id(name) for name in names}
    job = (INTERVAL, "here", now, now, now, now, now + due_in, now)
    # In key order: at random places, the index of a million rows would be written
    # repeatedly.
    listed = sorted((shop, listing[name], name) for shop, name in catalogue.listed())
    with connected(url) as connection:
        if url.startswith("sqlite"):
            connection.execute("PRAGMA cache_size = -1000000")
        for table, columns, rows in (
            ("merchants", "merchant head", [(MERCHANT, 1)]),
            ("warehouses", "merchant warehouse revision", [(MERCHANT, WAREHOUSE, 1)]),
            (
                "products",
                "merchant product code revision",
                ((MERCHANT, name, name, 1) for name in names),
            ),
            (
                "stock",
                "merchant product physical revision",
                ((MERCHANT, name, SHOWN, 1) for name in names),
            ),
            (
                "warehouse_stock",
                "merchant product warehouse physical",
                ((MERCHANT, name, WAREHOUSE, SHOWN) for name in names),
            ),
            (
                "shops",
                "merchant shop connector settings"
                " interval order_cursor reread_at ordered_at audited_at checked_at due_at "
                "created_at",
                ((MERCHANT, shop, CONNECTOR, f'{{"shop": "{shop}"}}', *job) for shop in shops),
            ),
            (
                "listings",
                "merchant shop listing external_id data sku warnings seen_at revision",
                (
                    (MERCHANT, shop, key, name, "{}", name, "[]", now, 1)
                    for shop, key, name in listed
                ),
            ),
            (
                "links",
                (
                    "merchant shop listing sync_enabled expected must_read read_at due_revision "
                    "state target confirmed created_at revision"
                ),
                (
                    (
                        MERCHANT,
                        shop,
                        key,
                        True,
                        SHOWN,
                        False,
                        now,
                        1,
                        "SYNCED",
                        SHOWN,
                        SHOWN,
                        now,
                        1,
                    )
                    for shop, key, _ in listed
                ),
            ),
            (
                "link_parts",
                "merchant shop listing product",
                ((MERCHANT, shop, key, name) for shop, key, name in listed),
            ),
        ):
            insert(connection, table, columns, rows, sqlite=url.startswith("sqlite"))
        # Autovacuum does this after some minutes; SQLite has nothing like it.
        connection.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)" if url.startswith("sqlite") else "ANALYZE"
        )


def insert(
    connection: Any, table: str, columns: str, rows: Iterable[Sequence[Any]], *, sqlite: bool
) -> None:
    """Insert rows into a table in one transaction. `columns` are separated by spaces."""
    names = ", ".join(f'"{column}"' for column in columns.split())
    if sqlite:
        connection.execute("BEGIN")
        marks = ", ".join("?" * len(columns.split()))
        connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        connection.execute("COMMIT")
        return
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
