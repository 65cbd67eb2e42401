"""Products."""

from __future__ import annotations

from zaiko.v1 import product_pb2
from zaiko_core.app.records import ProductRecord

from zaiko_server import names
from zaiko_server.convert.times import set_time
from zaiko_server.etags import etag


def product(merchant: str, record: ProductRecord) -> product_pb2.Product:
    """A product."""
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
        create_time=set_time(record.created_at),
        update_time=set_time(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )


def drafted(product_id: str, message: product_pb2.Product) -> ProductRecord:
    """A product that is to be created."""
    return ProductRecord(product_id, message.code, message.barcode, message.display_name)
