"""Convert merchants."""

from __future__ import annotations

from zaiko.v1 import merchant_pb2
from zaiko_core.app.records import MerchantRecord

from zaiko_server import names
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp


def merchant(record: MerchantRecord) -> merchant_pb2.Merchant:
    """Return a merchant."""
    return merchant_pb2.Merchant(
        name=names.MERCHANT(record.merchant),
        display_name=record.display_name,
        inventory_sync_available=record.sync_available,
        create_time=nonzero_timestamp(record.created_at),
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )


def drafted(merchant_id: str, message: merchant_pb2.Merchant) -> MerchantRecord:
    """Return the record of a merchant to create."""
    available = (
        message.inventory_sync_available if message.HasField("inventory_sync_available") else True
    )
    return MerchantRecord(merchant_id, message.display_name, available)
