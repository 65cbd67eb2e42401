"""Links with what we believe that their shops show, and what is due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Executable,
    Integer,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from zaiko_core.app.records import (
    DueLink,
    Holding,
    LinkRecord,
    LinkState,
    Page,
    UnsettledLinks,
)
from zaiko_core.domain.escrow import PERIOD, Sales
from zaiko_core.domain.fence import InventoryBelief
from zaiko_core.domain.links import Part
from zaiko_core.domain.stock import Balance
from zaiko_core.storage import schema
from zaiko_core.storage.codec import TERMS, Codec
from zaiko_core.storage.rowset import (
    batch_params,
    batch_rows,
    insert_rows,
    looking,
    lookup,
    param,
    params,
    rowset,
    typed_columns,
    update_rows,
)
from zaiko_core.storage.schema.columns import UNITS
from zaiko_core.storage.scope import Scope, after
from zaiko_core.storage.stocks import BALANCES

_KEYS = ("merchant", "shop", "listing")
_STUCK = (LinkState.FAILED.value, LinkState.HELD.value)
LINKS = Codec(schema.links, LinkRecord, derived={"parts": ()}, conversions={"withheld": TERMS})
BELIEFS = Codec(schema.links, InventoryBelief)
_SAVED = [
    name for name in LINKS.columns if name not in (*_KEYS, "due_at", "due_revision", "created_at")
]
"""What `LinkRows.save` overwrites in any case."""
_DUE = (
    select(schema.links, schema.listings.c.external_id, schema.listings.c.data)
    .join(schema.listings, and_(*(schema.links.c[key] == schema.listings.c[key] for key in _KEYS)))
    .where(
        schema.links.c.merchant == param(schema.links.c.merchant),
        schema.links.c.shop == param(schema.links.c.shop),
        schema.links.c.sync_enabled,
        schema.links.c.due_at <= param(schema.links.c.due_at),
    )
    .order_by(schema.links.c.due_at, schema.links.c.listing)
    .limit(bindparam("most", type_=Integer))
)
_NEXT_DUE = select(func.min(schema.links.c.due_at)).where(
    schema.links.c.merchant == param(schema.links.c.merchant),
    schema.links.c.shop == param(schema.links.c.shop),
    schema.links.c.sync_enabled,
    schema.links.c.due_at.is_not(None),
)


@lru_cache
def _marking_products(dialect: str) -> Executable:
    links = schema.links
    # A list instead of a join, for which SQLite, which has no statistics, reads all links of the
    # merchant.
    concerned = looking(
        dialect, schema.link_parts, ("merchant",), ("product",), ("shop", "listing")
    )
    waiting = or_(*(links.c.state == state.value for state in (LinkState.FAILED, LinkState.HELD)))
    backing_off = and_(waiting, links.c.due_at.is_not(None))
    due_at = case((backing_off, links.c.due_at), else_=param(links.c.due_at))
    return _marking(tuple_(links.c.shop, links.c.listing).in_(concerned), due_at)


@lru_cache
def _marking_listings(dialect: str, unread: bool) -> Executable:
    links = schema.links
    batch = batch_rows(dialect, typed_columns(links, "listing"))
    return _marking(
        and_(links.c.shop == param(links.c.shop), links.c.listing == batch.c.listing),
        param(links.c.due_at),
        unread=unread,
    )


@lru_cache
def _marking_shop() -> Executable:
    links = schema.links
    return _marking(links.c.shop == param(links.c.shop), param(links.c.due_at), unread=True)


def _marking(condition: Any, due_at: Any, *, unread: bool = False) -> Executable:
    """Return the statement that marks links due. `unread`: their number is read first, and writes
    without effect are forgotten."""
    links = schema.links
    more = {"must_read": True, "ineffective": 0} if unread else {}
    calm = or_(*(links.c.state == state.value for state in (LinkState.SYNCED, LinkState.PENDING)))
    return (
        update(links)
        .where(links.c.merchant == param(links.c.merchant), links.c.sync_enabled, condition)
        .values(
            due_at=due_at,
            due_revision=param(links.c.due_revision),
            settled_revision=_settled(param(links.c.settled_revision)),
            state=case((calm, LinkState.PENDING.value), else_=links.c.state),
            updated_at=param(links.c.updated_at),
            revision=param(links.c.revision),
            **more,
        )
        .returning(links.c.shop, links.c.listing)
    )


def _settled(before: Any) -> Any:
    """Return what a link that is no longer SYNCED has: up to now (`before`) it had every change."""
    links = schema.links
    return case((links.c.state == LinkState.SYNCED.value, before), else_=links.c.settled_revision)


@lru_cache
def _saved(dialect: str, names: tuple[str, ...]) -> Executable:
    table = schema.links
    batch = batch_rows(dialect, typed_columns(table, *names))
    values: dict[str, Any] = {name: batch.c[name] for name in _SAVED}
    # If the link's product changed after this record was read, the link stays due and is shown as
    # pending.
    superseded = table.c.due_revision > batch.c.due_revision
    done = and_(superseded, batch.c.state == LinkState.SYNCED.value)
    values["due_at"] = case((superseded, table.c.due_at), else_=batch.c.due_at)
    values["state"] = case((done, LinkState.PENDING.value), else_=batch.c.state)
    return update(table).where(*(table.c[key] == batch.c[key] for key in _KEYS)).values(values)


@lru_cache
def _synced(dialect: str) -> Executable:
    parts, links = schema.link_parts, schema.links
    batch = batch_rows(dialect, typed_columns(parts, "product"))
    mine = (
        parts.c.merchant == param(parts.c.merchant),
        parts.c.product.in_(select(batch.c.product)),
        links.c.sync_enabled,
    )
    joined = select(parts.c.product, func.count().label("links")).join(
        links, and_(*(links.c[key] == parts.c[key] for key in _KEYS))
    )
    return joined.where(*mine).group_by(parts.c.product)


@lru_cache
def _sold(dialect: str) -> Executable:
    table = schema.links
    batch = batch_rows(dialect, typed_columns(table, *_KEYS, *BELIEFS.columns) | {"units": UNITS})
    period, last = (bindparam(name, type_=table.c.sold_period.type) for name in ("period", "last"))
    same, next_one = table.c.sold_period == period, table.c.sold_period == last
    return (
        update(table)
        .where(*(table.c[key] == batch.c[key] for key in _KEYS))
        .values({name: batch.c[name] for name in BELIEFS.columns})
        .values(
            sold_before=case((same, table.c.sold_before), (next_one, table.c.sold_now), else_=0),
            sold_now=case((same, table.c.sold_now), else_=0) + batch.c.units,
            sold_period=period,
        )
    )


_MISSING = text("links.unexplained_since > 0")
"""Of a link that misses units, or may; as its index says it."""


class LinkRows(Scope):
    """Links, and what is due."""

    def insert(self, records: Sequence[LinkRecord]) -> None:
        rows = [
            LINKS.write(record)
            | self.stamp({"due_revision": self.revision, "settled_revision": self.revision - 1})
            for record in records
        ]
        insert_rows(self.connection, schema.links, rows)
        insert_rows(
            self.connection,
            schema.link_parts,
            [
                self._key(record.shop, record.listing)
                | {"product": part.product, "units": part.count}
                for record in records
                for part in record.parts
            ],
        )

    def delete(self, shop: str, listings: Collection[str]) -> None:
        for table in (schema.link_parts, schema.links):
            batch = rowset(
                self.connection,
                typed_columns(table, "listing"),
                [{"listing": item} for item in set(listings)],
            )
            self.execute(
                delete(table).where(
                    self.mine(table),
                    table.c.shop == shop,
                    table.c.listing.in_(select(batch.c.listing)),
                )
            )

    def get(self, shop: str, listings: Collection[str]) -> dict[str, LinkRecord]:
        if not listings:
            return {}
        rows = [{"listing": item} for item in set(listings)]
        found = lookup(
            self.connection, schema.links, {"merchant": self.merchant, "shop": shop}, rows
        )
        return {record.listing: record for record in self._records(found)}

    def parts_of(self, shop: str, listings: Collection[str]) -> dict[str, tuple[Part, ...]]:
        found = self._parts((shop, listing) for listing in listings)
        return {listing: parts for (_, listing), parts in found.items()}

    def page(
        self,
        page: Page,
        *,
        shop: str,
        products: Collection[str],
        states: Collection[LinkState],
        sync_enabled: bool | None,
        differing: bool = False,
    ) -> list[LinkRecord]:
        """Return a page by (shop, listing); an empty shop means all. `differing`: only those in
        shadow whose shop shows another number."""
        table = schema.links
        query = select(table).where(self.mine(table), after(page, table.c.shop, table.c.listing))
        if shop:
            query = query.where(table.c.shop == shop)
        if products:
            query = query.where(self._has_part(products))
        if states:
            query = query.where(table.c.state.in_([state.value for state in states]))
        if sync_enabled is not None:
            query = query.where(table.c.sync_enabled == sync_enabled)
        if differing:
            query = query.where(table.c.differ_since.is_not(None))
        query = query.order_by(table.c.shop, table.c.listing).limit(page.size)
        return self._records(list(self.execute(query)))

    def of_products(self, products: Collection[str]) -> int:
        """Count the links that have one of these products as a part."""
        table = schema.link_parts
        query = select(func.count()).where(self.mine(table), table.c.product.in_(list(products)))
        return int(self.execute(query).scalar() or 0)

    def synced(self, products: Collection[str]) -> dict[str, int]:
        """Count for each of these products its links with sync enabled."""
        if not products:
            return {}
        found = self.execute(
            _synced(self.dialect),
            batch_params([{"product": product} for product in set(products)])
            | params(merchant=self.merchant),
        )
        return dict.fromkeys(products, 0) | {row.product: row.links for row in found}

    def differing_counts(self) -> int:
        """Count the links whose platform counts other open units than we do."""
        table = schema.links
        query = select(func.count()).where(self.mine(table), table.c.open_counts_is_found)
        return int(self.execute(query).scalar() or 0)

    def mark_due(self, products: Collection[str]) -> list[tuple[str, str]]:
        """Mark the enabled links of these products due, and return them as (shop, listing). One
        that backs off after a failure keeps its time."""
        return self._mark(
            _marking_products(self.dialect),
            [{"product": product} for product in set(products)],
        )

    def mark_listings_due(
        self, shop: str, listings: Collection[str], *, unread: bool = False
    ) -> list[tuple[str, str]]:
        """Mark these links due if they are enabled, even when they back off. `unread`: their number
        is read first, and writes without effect are forgotten. Return them as (shop, listing)."""
        if not listings:
            return []
        rows = [{"listing": item} for item in set(listings)]
        return self._mark(_marking_listings(self.dialect, unread), rows, shop=shop)

    def mark_shop_due(self, shop: str) -> list[tuple[str, str]]:
        """Mark every enabled link of the shop due to be read first, even when it backs off. Return
        them as (shop, listing)."""
        return self._mark(_marking_shop(), None, shop=shop)

    def _mark(
        self, statement: Executable, rows: Sequence[Mapping[str, Any]] | None, **more: Any
    ) -> list[tuple[str, str]]:
        stamp = params(
            merchant=self.merchant,
            due_at=self.now,
            updated_at=self.now,
            due_revision=self.revision,
            settled_revision=self.revision - 1,
            revision=self.revision,
        )
        found = self.execute(
            statement, ({} if rows is None else batch_params(rows)) | stamp | params(**more)
        )
        return [(row.shop, row.listing) for row in found]

    def due(self, shop: str, *, limit: int) -> list[DueLink]:
        """Return enabled links that are due now, longest due first, with their listings and
        balances."""
        rows = self.execute(
            _DUE, params(merchant=self.merchant, shop=shop, due_at=self.now) | {"most": limit}
        )
        records = self._records(rows)
        balances = self._balances({part.product for record in records for part in record.parts})
        return [
            DueLink(
                record,
                row.external_id,
                row.data,
                {part.product: balances[part.product] for part in record.parts},
            )
            for row, record in zip(rows, records, strict=True)
        ]

    def next_due(self, shop: str) -> int | None:
        """Return when the shop's next link becomes due, or None."""
        ((value,),) = self.execute(_NEXT_DUE, params(merchant=self.merchant, shop=shop))
        return None if value is None else int(value)

    def unsettled(
        self, upto: int, *, shops: Collection[str] = (), product: str = "", shadows: bool = False
    ) -> dict[str, UnsettledLinks]:
        """Return by shop the enabled links that lack a change up to `upto`: of these shops (none:
        of all), and of this product if one is given. `shadows`: instead, every enabled link of
        these shops, to which nothing is sent."""
        table = schema.links
        stuck = func.min(case((table.c.state.in_(_STUCK), table.c.listing)))
        query = select(
            table.c.shop,
            func.count().label("count"),
            func.min(table.c.settled_revision).label("settled_revision"),
            func.coalesce(stuck, func.min(table.c.listing)).label("listing"),
        ).where(self.mine(table), table.c.sync_enabled)
        if not shadows:
            # Every link that is not SYNCED is due at some time, by which an index finds it.
            query = query.where(
                table.c.due_at.is_not(None),
                table.c.state != LinkState.SYNCED.value,
                table.c.settled_revision < upto,
            )
        if shops or shadows:
            query = query.where(table.c.shop.in_(list(shops)))
        if product:
            query = query.where(self._has_part([product]))
        return {
            row.shop: UnsettledLinks(row.shop, row.count, row.settled_revision, row.listing)
            for row in self.execute(query.group_by(table.c.shop))
        }

    def beliefs(self, shop: str, listings: Collection[str]) -> dict[str, InventoryBelief]:
        """Return what we believe the shop shows for these listings."""
        if not listings:
            return {}
        rows = [{"listing": item} for item in set(listings)]
        mine = {"merchant": self.merchant, "shop": shop}
        found = lookup(
            self.connection, schema.links, mine, rows, columns=("listing", *BELIEFS.columns)
        )
        return {row.listing: BELIEFS.read(row) for row in found}

    def save_sold(
        self, shop: str, fence: Mapping[str, InventoryBelief], units: Mapping[str, int]
    ) -> None:
        """Save the beliefs after orders of the shop, and add the units (≥ 0, of the listing) that
        it sold now to the sales that decide escrow quotas. Uses no revision and notifies no
        watcher."""
        if not fence:
            return
        rows = [
            self._key(shop, listing) | BELIEFS.write(belief) | {"units": units[listing]}
            for listing, belief in fence.items()
        ]
        period = {"period": self.now // PERIOD, "last": self.now // PERIOD - 1}
        self.execute(_sold(self.dialect), batch_params(rows) | period)

    def save(self, records: Sequence[LinkRecord]) -> None:
        """Save beliefs and statuses. `due_at` is saved only where the stored `due_revision` equals
        the record's, so a later change that marked the link due is never lost."""
        if not records:
            return
        rows = [
            {name: value for name, value in LINKS.write(record).items() if name != "created_at"}
            | {"merchant": self.merchant, "updated_at": self.now, "revision": self.revision}
            for record in records
        ]
        self.execute(_saved(self.dialect, tuple(rows[0])), batch_params(rows))

    def holders(self, products: Collection[str]) -> list[Holding]:
        """Return every enabled link that has one of these products as a part, once per product."""
        links, parts, shops = schema.links, schema.link_parts, schema.shops
        batch = rowset(
            self.connection,
            typed_columns(parts, "product"),
            [{"product": product} for product in set(products)],
        )
        query = (
            select(links, parts.c.product, parts.c.units, shops.c.paused, shops.c.shadow)
            .select_from(parts)
            .join(links, and_(*(links.c[key] == parts.c[key] for key in _KEYS)))
            .join(shops, and_(shops.c.merchant == links.c.merchant, shops.c.shop == links.c.shop))
            .where(
                self.mine(parts), parts.c.product.in_(select(batch.c.product)), links.c.sync_enabled
            )
        )
        return [
            Holding(
                product=row.product,
                shop=row.shop,
                listing=row.listing,
                count=row.units,
                belief=BELIEFS.read(row),
                sales=Sales(row.sold_period, row.sold_now, row.sold_before),
                movable=not row.paused and not row.shadow and row.state not in _STUCK,
            )
            for row in self.execute(query)
        ]

    def missing(
        self, products: Collection[str]
    ) -> list[tuple[str, tuple[str, str], int, InventoryBelief]]:
        """Return each enabled link of one of these products whose shop misses units: the product,
        (shop, listing), the units of the product in one of the listing, and its belief."""
        links, parts = schema.links, schema.link_parts
        query = (
            select(links, parts.c.product, parts.c.units)
            .join(parts, and_(*(parts.c[key] == links.c[key] for key in _KEYS)))
            .where(self.mine(links), _MISSING, links.c.sync_enabled)
        )
        return [
            (row.product, (row.shop, row.listing), row.units, BELIEFS.read(row))
            for row in self.execute(query)
            if row.product in products
        ]

    def missing_in(self, shop: str) -> set[str]:
        """Return the products of enabled links of which the shop misses units, or may."""
        links, parts = schema.links, schema.link_parts
        query = (
            select(parts.c.product)
            .join(links, and_(*(parts.c[key] == links.c[key] for key in _KEYS)))
            .where(self.mine(links), links.c.shop == shop, _MISSING, links.c.sync_enabled)
        )
        return set(self.execute(query).scalars())

    def save_verified(self, records: Sequence[LinkRecord]) -> None:
        """Save belief, due time and time of reading of links that did not change otherwise. Uses no
        revision and notifies no watcher."""
        rows = [
            self._key(record.shop, record.listing)
            | BELIEFS.write(record.belief)
            | {"due_at": record.due_at, "read_at": record.read_at}
            for record in records
        ]
        update_rows(self.connection, schema.links, rows, keys=_KEYS)

    def audit(self, shop: str, *, period: int, interval: int, least: int) -> int:
        """Make the synced links that were read longest ago due with a reading. As many as it takes
        to read all enabled ones once in `period` when called every `interval` (µs), and at least
        `least`. Return how many."""
        table = schema.links
        mine = (self.mine(table), table.c.shop == shop, table.c.sync_enabled)
        enabled = self.execute(select(func.count()).select_from(table).where(*mine)).scalar() or 0
        settled = table.c.state.in_([LinkState.SYNCED.value, LinkState.SHADOW.value])
        resting = and_(settled, table.c.due_at.is_(None), table.c.read_at < self.now)
        oldest = (
            select(table.c.listing)
            .where(*mine, resting)
            .order_by(table.c.read_at)
            .limit(max(least, -(-enabled * interval // period)))
            .subquery("oldest")
        )
        done = self.execute(
            update(table)
            .where(
                self.mine(table),
                table.c.shop == shop,
                table.c.listing.in_(select(oldest.c.listing)),
            )
            .values(must_read=True, due_at=self.now)
        )
        return int(done.rowcount)

    def verified(self, shop: str, *, since: int) -> tuple[int, int, int | None]:
        """Return the number of enabled links of the shop (empty: of all), the number of those read
        at or after `since`, and when the one read longest ago was read (0: never; None: no
        links)."""
        table = schema.links
        mine = [self.mine(table), table.c.sync_enabled]
        if shop:
            mine.append(table.c.shop == shop)
        fresh = func.coalesce(func.sum(case((table.c.read_at >= since, 1), else_=0)), 0)
        row = self.execute(
            select(func.count(), fresh, func.min(table.c.read_at)).where(*mine)
        ).one()
        return int(row[0]), int(row[1]), row[2]

    def hold(self, shop: str, held: bool) -> list[tuple[str, str]]:
        """Show the enabled links of a shop as HELD, or as PENDING again. Return those that changed,
        as (shop, listing)."""
        table = schema.links
        state = LinkState.HELD if held else LinkState.PENDING
        changing = (
            table.c.state != LinkState.HELD.value if held else table.c.state == LinkState.HELD.value
        )
        rows = self.execute(
            update(table)
            .where(self.mine(table), table.c.shop == shop, table.c.sync_enabled, changing)
            .values(
                state=state.value,
                due_at=self.now,
                due_revision=self.revision,
                settled_revision=_settled(self.revision - 1),
                updated_at=self.now,
                revision=self.revision,
            )
            .returning(table.c.shop, table.c.listing)
        )
        return [(row.shop, row.listing) for row in rows]

    def mark_for_reading(self, shop: str) -> list[tuple[str, str]]:
        """Make every enabled link of the shop due, to be read before anything is sent. Return them
        as (shop, listing)."""
        table = schema.links
        calm = table.c.state.in_([LinkState.SYNCED.value, LinkState.SHADOW.value])
        changing = update(table).where(self.mine(table), table.c.shop == shop, table.c.sync_enabled)
        changing = changing.values(
            must_read=True,
            differ_since=None,
            due_at=self.now,
            attempt=0,
            due_revision=self.revision,
            settled_revision=_settled(self.revision - 1),
            state=case((calm, LinkState.PENDING.value), else_=table.c.state),
            updated_at=self.now,
            revision=self.revision,
        )
        return [
            (row.shop, row.listing)
            for row in self.execute(changing.returning(table.c.shop, table.c.listing))
        ]

    def _has_part(self, products: Collection[str]) -> Any:
        links, parts = schema.links, schema.link_parts
        return (
            select(parts.c.listing)
            .where(
                parts.c.merchant == links.c.merchant,
                parts.c.shop == links.c.shop,
                parts.c.listing == links.c.listing,
                parts.c.product.in_(list(products)),
            )
            .exists()
        )

    def _parts(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[Part, ...]]:
        rows = [{"shop": shop, "listing": listing} for shop, listing in set(keys)]
        found: dict[tuple[str, str], list[Part]] = defaultdict(list)
        for row in lookup(self.connection, schema.link_parts, {"merchant": self.merchant}, rows):
            found[row.shop, row.listing].append(Part(row.product, row.units))
        return {key: tuple(sorted(parts)) for key, parts in found.items()}

    def _balances(self, products: Collection[str]) -> dict[str, Balance]:
        rows = [{"product": product} for product in products]
        return {
            row.product: BALANCES.read(row)
            for row in lookup(self.connection, schema.stock, {"merchant": self.merchant}, rows)
        }

    def _records(self, rows: Sequence[Row[Any]]) -> list[LinkRecord]:
        parts = self._parts((row.shop, row.listing) for row in rows)
        return [LINKS.read(row, parts=parts.get((row.shop, row.listing), ())) for row in rows]

    def _key(self, shop: str, listing: str) -> dict[str, Any]:
        return {"merchant": self.merchant, "shop": shop, "listing": listing}

    def start_over(self) -> list[tuple[str, str]]:
        """Reset every link as if it had just been created: nothing is known of what its shop shows,
        no write is pending, and enabled links are due. Return them as (shop, listing)."""
        table = schema.links
        unknown = BELIEFS.write(InventoryBelief()) | {
            "confirmed": None,
            "differ_since": None,
            "attempt": 0,
            "settled_revision": 0,
        }
        unknown |= {"updated_at": self.now, "revision": self.revision}
        state = case((table.c.sync_enabled, LinkState.PENDING.value), else_=table.c.state)
        due = case((table.c.sync_enabled, self.now), else_=None)
        changing = (
            update(table)
            .where(self.mine(table))
            .values(unknown | {"state": state, "due_at": due, "due_revision": self.revision})
        )
        return [
            (row.shop, row.listing)
            for row in self.execute(changing.returning(table.c.shop, table.c.listing))
        ]
