"""Convert warehouses."""

from __future__ import annotations

from zaiko.v1 import warehouse_pb2
from zaiko_core.app.records import WarehouseRecord

from zaiko_server import names
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp


def warehouse(merchant: str, record: WarehouseRecord) -> warehouse_pb2.Warehouse:
    """Return a warehouse."""
    return warehouse_pb2.Warehouse(
        name=names.WAREHOUSE(merchant, record.warehouse),
        display_name=record.display_name,
        create_time=nonzero_timestamp(record.created_at),
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )
