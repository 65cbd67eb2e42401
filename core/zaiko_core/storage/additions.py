"""Units that are added to the numbers of shops, and the listings that they are added to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import and_, case, delete, func, or_, select, update

from zaiko_core.app.records import AdditionRecord, Page, PlaceRecord
from zaiko_core.domain.addition import AdditionState, ReceivingOnly, Sale
from zaiko_core.domain.demand import DemandState
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import insert_rows, rowset, typed_columns, update_rows
from zaiko_core.storage.scope import Scope, after

_OPEN = (AdditionState.QUEUED.value, AdditionState.SENT.value)
_ADDITIONS = Codec(schema.additions, AdditionRecord)
_PLACES = Codec(
    schema.addition_places,
    PlaceRecord,
    columns={
        "under_way.base.quantity": "base",
        "under_way.base.at": "base_at",
        "under_way.base.until": "base_until",
        "under_way.units": "units",
        "under_way.sent_at": "sent_at",
        "under_way.answered_at": "answered_at",
        "seen": "",
        "seen.quantity": "seen",
    },
)


class AdditionRows(Scope):
    """Units that are added to the numbers of shops (ADR 0017)."""

    def insert(self, records: Sequence[AdditionRecord]) -> None:
        rows = [self.stamp(_ADDITIONS.write(record)) for record in records]
        insert_rows(self.connection, schema.additions, rows)

    def get(self, addition: str) -> AdditionRecord | None:
        table = schema.additions
        row = self.execute(
            select(table).where(self.mine(table), table.c.addition == addition)
        ).one_or_none()
        return None if row is None else _ADDITIONS.read(row)

    def page(
        self, page: Page, *, product: str, shop: str, states: Collection[AdditionState]
    ) -> list[AdditionRecord]:
        """Return a page, oldest first; the key is (created_at, addition)."""
        table = schema.additions
        query = select(table).where(
            self.mine(table), after(page, table.c.created_at, table.c.addition)
        )
        if product:
            query = query.where(table.c.product == product)
        if shop:
            query = query.where(table.c.shop == shop)
        if states:
            query = query.where(table.c.state.in_([state.value for state in states]))
        query = query.order_by(table.c.created_at, table.c.addition).limit(page.size)
        return [_ADDITIONS.read(row) for row in self.execute(query)]

    def of_places(self, shop: str, listings: Collection[str]) -> dict[str, list[AdditionRecord]]:
        """Return the additions that are QUEUED or SENT, by listing, oldest first."""
        table = schema.additions
        query = select(table).where(
            self.mine(table),
            table.c.shop == shop,
            table.c.listing.in_(list(listings)),
            table.c.state.in_(_OPEN),
        )
        found: dict[str, list[AdditionRecord]] = defaultdict(list)
        for row in self.execute(query.order_by(table.c.created_at, table.c.addition)):
            found[row.listing].append(_ADDITIONS.read(row))
        return found

    def queued(self, products: Collection[str]) -> list[AdditionRecord]:
        table = schema.additions
        query = select(table).where(
            self.mine(table),
            table.c.product.in_(list(products)),
            table.c.state == AdditionState.QUEUED.value,
        )
        return [
            _ADDITIONS.read(row)
            for row in self.execute(query.order_by(table.c.created_at, table.c.addition))
        ]

    def put(self, records: Sequence[AdditionRecord]) -> None:
        """Update units, place and state of existing additions. One that ends gets the present
        time."""
        rows = [
            {
                "merchant": self.merchant,
                "addition": record.addition,
                "units": record.units,
                "shop": record.shop,
                "listing": record.listing,
                "state": record.state.value,
                "settled_at": None if record.state.value in _OPEN else self.now,
                "updated_at": self.now,
                "revision": self.revision,
            }
            for record in records
        ]
        update_rows(self.connection, schema.additions, rows, keys=("merchant", "addition"))

    def supersede(self, products: Collection[str]) -> list[str]:
        """End the additions of products that are synced now, and forget their places. Return the
        shops concerned."""
        table, places = schema.additions, schema.addition_places
        mine = (self.mine(table), table.c.product.in_(list(products)))
        unsettled = table.c.state.in_((*_OPEN, AdditionState.UNDECIDED.value))
        where = self.execute(
            select(table.c.shop, table.c.listing).where(*mine, table.c.state.in_(_OPEN)).distinct()
        )
        self.execute(
            update(table)
            .where(*mine, unsettled)
            .values(
                state=AdditionState.SUPERSEDED.value,
                settled_at=self.now,
                updated_at=self.now,
                revision=self.revision,
            )
        )
        for row in where:
            self.execute(
                delete(places).where(
                    self.mine(places), places.c.shop == row.shop, places.c.listing == row.listing
                )
            )
        shops = sorted({row.shop for row in where if row.shop})
        for shop in shops:
            self._note_due(shop)
        return shops

    def give_up(self, shop: str, *, queued: bool = False) -> None:
        """Mark additions of the shop UNDECIDED: what became of what was sent is unknown. With
        `queued`, also those that were not sent. The shop then has no places."""
        table, places = schema.additions, schema.addition_places
        states = _OPEN if queued else (AdditionState.SENT.value,)
        self.execute(
            update(table)
            .where(self.mine(table), table.c.shop == shop, table.c.state.in_(states))
            .values(
                state=AdditionState.UNDECIDED.value,
                settled_at=self.now,
                updated_at=self.now,
                revision=self.revision,
            )
        )
        self.execute(delete(places).where(self.mine(places), places.c.shop == shop))
        self._note_due(shop)

    def first_links(self, products: Collection[str]) -> dict[str, tuple[str, str]]:
        """Return for each product the (shop, listing) of its oldest link, among those that are of
        one unit of the product and nothing else."""
        links, parts = schema.links, schema.link_parts
        others = parts.alias("others")
        alone = ~(
            select(others.c.product)
            .where(
                others.c.merchant == parts.c.merchant,
                others.c.shop == parts.c.shop,
                others.c.listing == parts.c.listing,
                others.c.product != parts.c.product,
            )
            .exists()
        )
        query = (
            select(parts.c.product, links.c.shop, links.c.listing)
            .join(
                links,
                and_(
                    links.c.merchant == parts.c.merchant,
                    links.c.shop == parts.c.shop,
                    links.c.listing == parts.c.listing,
                ),
            )
            .where(
                self.mine(parts),
                self.mine(links),
                parts.c.product.in_(list(products)),
                parts.c.units == 1,
                alone,
            )
            .order_by(links.c.created_at, links.c.shop, links.c.listing)
        )
        found: dict[str, tuple[str, str]] = {}
        for row in self.execute(query):
            found.setdefault(row.product, (row.shop, row.listing))
        return found

    def places(self, shop: str, listings: Collection[str]) -> dict[str, PlaceRecord]:
        table = schema.addition_places
        query = select(table).where(
            self.mine(table), table.c.shop == shop, table.c.listing.in_(list(listings))
        )
        return {row.listing: _PLACES.read(row) for row in self.execute(query)}

    def due(self, shop: str, *, limit: int) -> list[PlaceRecord]:
        """Return the places that are due now, longest due first."""
        table = schema.addition_places
        query = select(table).where(
            self.mine(table), table.c.shop == shop, table.c.due_at <= self.now
        )
        return [
            _PLACES.read(row)
            for row in self.execute(query.order_by(table.c.due_at, table.c.listing).limit(limit))
        ]

    def next_due(self, shop: str) -> int | None:
        """Return when the shop's next place is due, or None."""
        table = schema.addition_places
        due_at: int | None = self.execute(
            select(func.min(table.c.due_at)).where(self.mine(table), table.c.shop == shop)
        ).scalar()
        return due_at

    def save_places(
        self, shop: str, records: Sequence[PlaceRecord], *, done: Collection[str] = ()
    ) -> None:
        """Insert or replace places, forget those of the listings in `done`, and record in the shop
        when the next one is due."""
        table = schema.addition_places
        insert_rows(
            self.connection,
            table,
            [{"merchant": self.merchant} | _PLACES.write(record) for record in records],
            update=_PLACES.columns,
        )
        if done:
            batch = rowset(
                self.connection,
                typed_columns(table, "listing"),
                [{"listing": item} for item in set(done)],
            )
            self.execute(
                delete(table).where(
                    self.mine(table),
                    table.c.shop == shop,
                    table.c.listing.in_(select(batch.c.listing)),
                )
            )
        self._note_due(shop)

    def sales(self, shop: str, listing: str, *, since: int) -> list[Sale]:
        """Return the lines of the listing in orders of the shop that were placed or changed at or
        after `since`."""
        orders, lines = schema.orders, schema.order_lines
        gone = orders.c.state.in_([DemandState.CANCELLED.value, DemandState.DELETED.value])
        cancelled = case((gone, lines.c.ordered), else_=lines.c.cancelled).label("cancelled")
        query = (
            select(lines.c.ordered, cancelled, orders.c.placed_at, orders.c.version)
            .join(
                orders,
                and_(
                    orders.c.merchant == lines.c.merchant,
                    orders.c.shop == lines.c.shop,
                    orders.c.order_id == lines.c.order_id,
                ),
            )
            .where(
                self.mine(lines),
                self.mine(orders),
                lines.c.shop == shop,
                lines.c.listing == listing,
                or_(orders.c.updated_at >= since, orders.c.placed_at >= since),
            )
        )
        return [
            Sale(row.ordered, row.cancelled, row.placed_at, row.version)
            for row in self.execute(query)
        ]

    def modes(self, products: Collection[str]) -> dict[str, ReceivingOnly]:
        """Return the products that are not OFF, with their modes."""
        table = schema.products
        query = select(table.c.product, table.c.receiving_only).where(
            self.mine(table),
            table.c.product.in_(list(products)),
            table.c.receiving_only != ReceivingOnly.OFF.value,
        )
        return {row.product: ReceivingOnly(row.receiving_only) for row in self.execute(query)}

    def _note_due(self, shop: str) -> None:
        shops, places = schema.shops, schema.addition_places
        earliest = (
            select(func.min(places.c.due_at))
            .where(self.mine(places), places.c.shop == shop)
            .scalar_subquery()
        )
        self.execute(
            update(shops)
            .where(self.mine(shops), shops.c.shop == shop)
            .values(additions_due_at=earliest)
        )
