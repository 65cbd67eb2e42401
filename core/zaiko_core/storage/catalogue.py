"""Merchants, warehouses and products."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select
from sqlalchemy.exc import IntegrityError

from zaiko_core.app.records import MerchantRecord, Page, ProductRecord, WarehouseRecord
from zaiko_core.domain.addition import ReceivingOnly
from zaiko_core.domain.errors import ResourceExists
from zaiko_core.storage import schema
from zaiko_core.storage.rowset import insert_rows, lookup, rowset
from zaiko_core.storage.scope import Scope, after
from zaiko_core.storage.sql import execute


def merchant_from(row: Row[Any]) -> MerchantRecord:
    """A merchant's row as a value."""
    return MerchantRecord(
        merchant=row.merchant,
        display_name=row.display_name,
        sync_available=row.sync_available,
        head=row.head,
        created_at=row.created_at,
        updated_at=row.updated_at,
        revision=row.revision,
    )


class MerchantDirectory:
    """The merchants, outside of any merchant's unit of work."""

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection, self.now = connection, now

    def create(self, record: MerchantRecord) -> None:
        """Insert; raises ResourceExists."""
        if not self.ensure(record):
            raise ResourceExists(f"merchants/{record.merchant}")

    def ensure(self, record: MerchantRecord) -> bool:
        """Insert unless it is there; whether it was inserted."""
        row = {
            "merchant": record.merchant,
            "display_name": record.display_name,
            "sync_available": record.sync_available,
            "head": 1,
            "created_at": self.now,
            "updated_at": self.now,
            "revision": 1,
        }
        try:
            with self._connection.begin_nested():
                execute(self._connection, insert(schema.merchants).values(row))
        except IntegrityError:
            return False
        return True

    def get(self, merchant: str) -> MerchantRecord | None:
        row = execute(
            self._connection,
            select(schema.merchants).where(schema.merchants.c.merchant == merchant),
        ).one_or_none()
        return None if row is None else merchant_from(row)

    def heads(self, merchants: Collection[str]) -> dict[str, int]:
        """Return the newest revision of each of these merchants that exists."""
        table = schema.merchants
        query = select(table.c.merchant, table.c.head).where(table.c.merchant.in_(list(merchants)))
        return {row.merchant: row.head for row in execute(self._connection, query)}

    def page(self, page: Page, *, among: Collection[str] | None = None) -> list[MerchantRecord]:
        """By id; only these, when they are given."""
        table = schema.merchants
        query = select(table).order_by(table.c.merchant).limit(page.size)
        if among is not None:
            query = query.where(table.c.merchant.in_(sorted(among)))
        if page.after is not None:
            query = query.where(table.c.merchant > page.after[0])
        return [merchant_from(row) for row in execute(self._connection, query)]


class WarehouseRows(Scope):
    """TODO WarehouseRows."""

    def insert(self, record: WarehouseRecord) -> None:
        row = self.stamp({"warehouse": record.warehouse, "display_name": record.display_name})
        self.execute(insert(schema.warehouses).values(row))

    def get(self, ids: Collection[str]) -> dict[str, WarehouseRecord]:
        rows = [{"warehouse": item} for item in set(ids)]
        found = lookup(self.connection, schema.warehouses, {"merchant": self.merchant}, rows)
        return {row.warehouse: _warehouse(row) for row in found}

    def page(self, page: Page) -> list[WarehouseRecord]:
        table = schema.warehouses
        query = (
            select(table)
            .where(self.mine(table), after(page, table.c.warehouse))
            .order_by(table.c.warehouse)
        )
        return [_warehouse(row) for row in self.execute(query.limit(page.size))]


class ProductRows(Scope):
    """TODO ProductRows."""

    def insert(self, records: Sequence[ProductRecord]) -> None:
        """Insert with an empty balance each. The caller has checked ids and codes."""
        insert_rows(
            self.connection,
            schema.products,
            [self.stamp(self._values(record)) for record in records],
        )
        stamp = {"merchant": self.merchant, "updated_at": self.now, "revision": self.revision}
        insert_rows(
            self.connection,
            schema.stock,
            [stamp | {"product": record.product} for record in records],
        )

    def update(self, record: ProductRecord) -> None:
        table = schema.products
        values = self._values(record) | {"updated_at": self.now, "revision": self.revision}
        self.execute(
            table.update().where(self.mine(table), table.c.product == record.product).values(values)
        )

    def get(self, ids: Collection[str]) -> dict[str, ProductRecord]:
        rows = [{"product": item} for item in set(ids)]
        found = lookup(self.connection, schema.products, {"merchant": self.merchant}, rows)
        return {row.product: _product(row) for row in found}

    def by_code(self, codes: Collection[str]) -> dict[str, ProductRecord]:
        found = lookup(
            self.connection,
            schema.products,
            {"merchant": self.merchant},
            [{"code": code} for code in set(codes)],
        )
        return {row.code: _product(row) for row in found}

    def match(self, codes: Collection[str], barcodes: Collection[str]) -> list[ProductRecord]:
        """Products, not archived, that have one of the codes or one of the barcodes."""
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
            found |= {row.product: _product(row) for row in self.execute(query)}
        return list(found.values())

    def page(
        self, page: Page, *, codes: Collection[str], prefix: str, archived: bool | None
    ) -> list[ProductRecord]:
        """By id."""
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
        return [_product(row) for row in self.execute(query.limit(page.size))]

    @staticmethod
    def _values(record: ProductRecord) -> dict[str, Any]:
        return {
            "product": record.product,
            "code": record.code,
            "barcode": record.barcode,
            "display_name": record.display_name,
            "archived": record.archived,
            "receiving_only": record.receiving_only.value,
        }


def _warehouse(row: Row[Any]) -> WarehouseRecord:
    return WarehouseRecord(
        row.warehouse, row.display_name, row.created_at, row.updated_at, row.revision
    )


def _product(row: Row[Any]) -> ProductRecord:
    return ProductRecord(
        product=row.product,
        code=row.code,
        barcode=row.barcode,
        display_name=row.display_name,
        archived=row.archived,
        receiving_only=ReceivingOnly(row.receiving_only),
        created_at=row.created_at,
        updated_at=row.updated_at,
        revision=row.revision,
    )
