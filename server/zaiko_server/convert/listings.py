"""Convert listings."""

from __future__ import annotations

from zaiko.v1 import listing_pb2
from zaiko_core.app.records import ListingRecord
from zaiko_core.domain.errors import ServiceError

from zaiko_server import names
from zaiko_server.convert.problems import reason
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp


def listing(
    merchant: str, record: ListingRecord, error: ServiceError | None
) -> listing_pb2.Listing:
    """Return a listing. `error` is why its sync cannot be enabled, or None."""
    known = listing_pb2.Listing.Warning.keys()
    return listing_pb2.Listing(
        name=names.LISTING(merchant, record.shop, record.listing),
        external_id=record.external_id,
        external_product_id=record.group_id,
        sku=record.sku,
        barcode=record.barcode,
        title=record.title,
        link=names.LINK(merchant, record.shop, record.listing) if record.linked else "",
        warnings=[
            listing_pb2.Listing.Warning.Value(f"WARNING_{warning}")
            for warning in record.warnings
            if f"WARNING_{warning}" in known
        ],
        vanished=record.vanished,
        quantity=record.quantity,
        read_time=nonzero_timestamp(record.seen_at),
        sync_refusal=reason(error.reason if error else "UNSPECIFIED"),
        create_time=nonzero_timestamp(record.created_at),
        update_time=nonzero_timestamp(record.updated_at),
        revision=record.revision,
        etag=etag(record.revision),
    )
