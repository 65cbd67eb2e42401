"""Merchants, warehouses and products."""

from __future__ import annotations

from dataclasses import dataclass

from zaiko_core.domain.addition import ReceivingOnly


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    merchant: str
    display_name: str = ""
    sync_available: bool = True
    head: int = 0
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class WarehouseRecord:
    warehouse: str
    display_name: str = ""
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ProductRecord:
    product: str
    code: str
    barcode: str = ""
    display_name: str = ""
    archived: bool = False
    receiving_only: ReceivingOnly = ReceivingOnly.OFF
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0
