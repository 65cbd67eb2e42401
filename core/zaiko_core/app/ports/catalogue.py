"""The merchants, and what each has: warehouses and products."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from zaiko_core.app.records import MerchantRecord, Page, ProductRecord, WarehouseRecord


class Directory(Protocol):
    """The merchants, outside of any merchant's unit of work."""

    def create(self, record: MerchantRecord) -> None:
        """Insert; raises ResourceExists."""
        ...

    def ensure(self, record: MerchantRecord) -> bool:
        """Insert unless it is there; whether it was inserted."""
        ...

    def get(self, merchant: str) -> MerchantRecord | None: ...
    def page(self, page: Page, *, among: Collection[str] | None = None) -> list[MerchantRecord]:
        """By id; only these, when they are given."""
        ...


class Warehouses(Protocol):
    def insert(self, record: WarehouseRecord) -> None: ...
    def get(self, ids: Collection[str]) -> dict[str, WarehouseRecord]: ...
    def page(self, page: Page) -> list[WarehouseRecord]: ...


class Products(Protocol):
    def insert(self, records: Sequence[ProductRecord]) -> None:
        """Insert with an empty balance each. The caller has checked ids and codes."""
        ...

    def update(self, record: ProductRecord) -> None: ...
    def get(self, ids: Collection[str]) -> dict[str, ProductRecord]: ...
    def by_code(self, codes: Collection[str]) -> dict[str, ProductRecord]: ...
    def match(self, codes: Collection[str], barcodes: Collection[str]) -> list[ProductRecord]:
        """Products, not archived, that have one of the codes or one of the barcodes."""
        ...

    def page(
        self, page: Page, *, codes: Collection[str], prefix: str, archived: bool | None
    ) -> list[ProductRecord]:
        """By id."""
        ...
