"""Merchants, warehouses and products."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, and_, insert, select
from sqlalchemy.exc import IntegrityError

from zaiko_core.app.records import MerchantRecord, Page, ProductRecord, WarehouseRecord
from zaiko_core.domain.errors import ResourceExists
from zaiko_core.storage import schema
from zaiko_core.storage.codec import Codec
from zaiko_core.storage.rowset import insert_rows, lookup, rowset
from zaiko_core.storage.scope import Scope, after
from zaiko_core.storage.sql import execute

MERCHANTS = Codec(schema.merchants, MerchantRecord)
_WAREHOUSES = Codec(schema.warehouses, WarehouseRecord)
_PRODUCTS = Codec(schema.products, ProductRecord)


class MerchantDirectory:
    """The merchants, outside of any unit of work."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection, self.now = connection, now

    def create(self, record: MerchantRecord) -> None:
        """Insert a merchant. Raises ResourceExists."""
        if not self.ensure(record):
            raise ResourceExists(f"merchants/{record.merchant}")

    def ensure(self, record: MerchantRecord) -> bool:
        """Insert a merchant unless it exists. Return whether it was inserted."""
        created = {"head": 1, "created_at": self.now, "updated_at": self.now, "revision": 1}
        try:
            with self._connection.begin_nested():
                row = MERCHANTS.write(record) | created
                execute(self._connection, insert(schema.merchants).values(row))
        except IntegrityError:
            return False
        return True

    def get(self, merchant: str) -> MerchantRecord | None:
        row = execute(
            self._connection,
            select(schema.merchants).where(schema.merchants.c.merchant == merchant),
        ).one_or_none()
        return None if row is None else MERCHANTS.read(row)

    def heads(self, merchants: Collection[str]) -> dict[str, int]:
        """Return the newest revision of each of these merchants that exists."""
        table = schema.merchants
        query = select(table.c.merchant, table.c.head).where(table.c.merchant.in_(list(merchants)))
        return {row.merchant: row.head for row in execute(self._connection, query)}

    def page(self, page: Page, *, among: Collection[str] | None = None) -> list[MerchantRecord]:
        """Return a page by id; `among`: only of these merchants."""
        table = schema.merchants
        query = select(table).order_by(table.c.merchant).limit(page.size)
        if among is not None:
            query = query.where(table.c.merchant.in_(sorted(among)))
        if page.after is not None:
            query = query.where(table.c.merchant > page.after[0])
        return [MERCHANTS.read(row) for row in execute(self._connection, query)]


class WarehouseRows(Scope):
    """A merchant's warehouses."""

    def insert(self, record: WarehouseRecord) -> None:
        row = self.stamp(_WAREHOUSES.write(record))
        self.execute(insert(schema.warehouses).values(row))

    def get(self, ids: Collection[str]) -> dict[str, WarehouseRecord]:
        rows = [{"warehouse": item} for item in set(ids)]
        found = lookup(self.connection, schema.warehouses, {"merchant": self.merchant}, rows)
        return {row.warehouse: _WAREHOUSES.read(row) for row in found}

    def page(self, page: Page) -> list[WarehouseRecord]:
        table = schema.warehouses
        query = (
            select(table)
            .where(self.mine(table), after(page, table.c.warehouse))
            .order_by(table.c.warehouse)
        )
        return [_WAREHOUSES.read(row) for row in self.execute(query.limit(page.size))]


class ProductRows(Scope):
    """A merchant's products."""

    def insert(self, records: Sequence[ProductRecord]) -> None:
        """Insert products, each with an empty balance. The caller has checked ids and codes."""
        insert_rows(
            self.connection,
            schema.products,
            [self.stamp(_PRODUCTS.write(record)) for record in records],
        )
        stamp = {"merchant": self.merchant, "updated_at": self.now, "revision": self.revision}
        insert_rows(
            self.connection,
            schema.stock,
            [stamp | {"product": record.product} for record in records],
        )

    def update(self, record: ProductRecord) -> None:
        table = schema.products
        values = _PRODUCTS.write(record) | {"updated_at": self.now, "revision": self.revision}
        del values["created_at"]
        self.execute(
            table.update().where(self.mine(table), table.c.product == record.product).values(values)
        )

    def get(self, ids: Collection[str]) -> dict[str, ProductRecord]:
        rows = [{"product": item} for item in set(ids)]
        found = lookup(self.connection, schema.products, {"merchant": self.merchant}, rows)
        return {row.product: _PRODUCTS.read(row) for row in found}

    def by_code(self, codes: Collection[str]) -> dict[str, ProductRecord]:
        found = lookup(
            self.connection,
            schema.products,
            {"merchant": self.merchant},
            [{"code": code} for code in set(codes)],
        )
        return {row.code: _PRODUCTS.read(row) for row in found}

    def match(self, codes: Collection[str], barcodes: Collection[str]) -> list[ProductRecord]:
        """Return the products that have one of the codes or one of the barcodes and are not
        archived."""
        table = schema.products
        found: dict[str, ProductRecord] = {}
        for column, wanted in ((table.c.code, codes), (table.c.barcode, barcodes)):
            batch = rowset(
                self.connection,
                {"wanted": column.type},
                [{"wanted": item} for item in set(wanted) if item],
            )
            query = (
                select(table)
                .join(batch, and_(self.mine(table), column == batch.c.wanted))
                .where(~table.c.archived)
            )
            found |= {row.product: _PRODUCTS.read(row) for row in self.execute(query)}
        return list(found.values())

    def page(
        self, page: Page, *, codes: Collection[str], prefix: str, archived: bool | None
    ) -> list[ProductRecord]:
        """Return a page by id."""
        table = schema.products
        query = (
            select(table)
            .where(self.mine(table), after(page, table.c.product))
            .order_by(table.c.product)
        )
        if codes:
            query = query.where(table.c.code.in_(list(codes)))
        if prefix:
            query = query.where(table.c.code.startswith(prefix, autoescape=True))
        if archived is not None:
            query = query.where(table.c.archived == archived)
        return [_PRODUCTS.read(row) for row in self.execute(query.limit(page.size))]
