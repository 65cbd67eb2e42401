"""Merchants."""

from __future__ import annotations

from zaiko.v1 import merchant_pb2
from zaiko_core.app.records import MerchantRecord

from zaiko_server import names
from zaiko_server.convert.times import set_time
from zaiko_server.etags import etag


def merchant(record: MerchantRecord) -> merchant_pb2.Merchant:
    """A merchant."""
    return merchant_pb2.Merchant(
        name=names.MERCHANT(record.merchant),
        display_name=record.display_name,
        inventory_sync_available=record.sync_available,
        create_time=set_time(record.created_at),
        update_time=set_time(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )


def drafted(merchant_id: str, message: merchant_pb2.Merchant) -> MerchantRecord:
    """A merchant that is to be created."""
    available = (
        message.inventory_sync_available if message.HasField("inventory_sync_available") else True
    )
    return MerchantRecord(merchant_id, message.display_name, available)
