"""Convert stocks."""

from __future__ import annotations

from zaiko.v1 import stock_pb2
from zaiko_core.app.records import StockRecord

from zaiko_server import names
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp


def stock(merchant: str, record: StockRecord) -> stock_pb2.Stock:
    """Return a stock with all its numbers (docs/domain.md §2)."""
    balance = record.balance
    free, synced = balance.free, balance.synced
    return stock_pb2.Stock(
        name=names.STOCK(merchant, record.product),
        product=names.PRODUCT(merchant, record.product),
        physical=balance.physical,
        allocated=balance.allocated,
        deliverable=balance.deliverable,
        ordered=balance.ordered,
        unallocated=balance.unallocated,
        free=free,
        oversold=balance.oversold,
        reserve=balance.reserve,
        synced=synced,
        sent=balance.sent,
        warehouses=[
            stock_pb2.WarehouseStock(
                warehouse=names.WAREHOUSE(merchant, warehouse),
                physical=physical,
                allocated=allocated,
                deliverable=physical - allocated,
            )
            for warehouse, (physical, allocated) in sorted(record.warehouses.items())
        ],
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
        escrow_below=balance.escrow_below,
        in_escrow=balance.in_escrow,
    )
