"""Warehouses."""

from __future__ import annotations

from zaiko.v1 import warehouse_pb2
from zaiko_core.app.records import WarehouseRecord

from zaiko_server import names
from zaiko_server.convert.times import set_time
from zaiko_server.etags import etag


def warehouse(merchant: str, record: WarehouseRecord) -> warehouse_pb2.Warehouse:
    """A warehouse."""
    return warehouse_pb2.Warehouse(
        name=names.WAREHOUSE(merchant, record.warehouse),
        display_name=record.display_name,
        create_time=set_time(record.created_at),
        update_time=set_time(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )
