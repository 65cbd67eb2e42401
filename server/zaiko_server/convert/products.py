"""Convert products."""

from __future__ import annotations

from zaiko.v1 import product_pb2
from zaiko_core.app.records import ProductRecord

from zaiko_server import names
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp


def product(merchant: str, record: ProductRecord) -> product_pb2.Product:
    """Return a product."""
    return product_pb2.Product(
        name=names.PRODUCT(merchant, record.product),
        code=record.code,
        barcode=record.barcode,
        display_name=record.display_name,
        state=product_pb2.Product.STATE_ARCHIVED
        if record.archived
        else product_pb2.Product.STATE_ACTIVE,
        receiving_only=product_pb2.Product.ReceivingOnly.Value(
            f"RECEIVING_ONLY_{record.receiving_only.value}"
        ),
        create_time=nonzero_timestamp(record.created_at),
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )


def drafted(product_id: str, message: product_pb2.Product) -> ProductRecord:
    """Return the record of a product to create."""
    return ProductRecord(product_id, message.code, message.barcode, message.display_name)
