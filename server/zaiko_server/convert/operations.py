"""Convert operations, with their metadata and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zaiko.v1 import addition_pb2, bulk_link_pb2, operation_pb2
from zaiko_core.app.operations import BULK_LINK, CUT_OVER, REFRESH_LISTINGS
from zaiko_core.app.records import OperationRecord
from zaiko_core.domain.problem import Problem

from zaiko_server import names
from zaiko_server.convert.problems import problem
from zaiko_server.etags import etag
from zaiko_server.times import nonzero_timestamp, timestamp

CANDIDATES_SHOWN = 10
_ORDER = ("AMBIGUOUS", "REFUSED", "UNMATCHED", "MATCHED")


def operation(
    merchant: str, record: OperationRecord, *, rows: bool = True
) -> operation_pb2.Operation:
    """Return an operation. Lists leave out the rows of its report."""
    message = operation_pb2.Operation(
        name=names.OPERATION(merchant, record.operation),
        kind=operation_pb2.Operation.Kind.Value(f"KIND_{record.kind}"),
        state=operation_pb2.Operation.State.Value(f"STATE_{record.state.value}"),
        progress=operation_pb2.Operation.Progress(
            done=record.done, total=record.total or None, unit="listings"
        ),
        create_time=nonzero_timestamp(record.created_at),
        start_time=timestamp(record.started_at),
        end_time=timestamp(record.ended_at),
        revision=record.revision,
        etag=etag(record.revision),
    )
    shop = names.SHOP(merchant, record.shop)
    if record.kind == BULK_LINK:
        asked = dict(record.arguments)
        since = asked.pop("since", 0)
        message.bulk_link.CopyFrom(
            bulk_link_pb2.BulkLinkMetadata(shop=shop, automatic=since > 0, **asked)
        )
    elif record.kind == REFRESH_LISTINGS:
        message.refresh_listings.shop = shop
    elif record.kind == CUT_OVER:
        message.cut_over.CopyFrom(
            addition_pb2.CutOverMetadata(shop=shop, dry_run=record.arguments["dry_run"])
        )
    trouble = problem(record.problem)
    if trouble is not None:
        message.problem.CopyFrom(trouble)
    elif record.result is not None and record.kind == BULK_LINK:
        message.bulk_link_report.CopyFrom(_bulk_link(merchant, record, rows))
    elif record.result is not None and record.kind == CUT_OVER:
        message.cut_over_report.CopyFrom(_cut_over(merchant, record, rows))
    elif record.result is not None:
        message.refresh_listings_report.CopyFrom(_refresh(record.result))
    return message


def _refresh(result: Mapping[str, Any]) -> operation_pb2.RefreshListingsReport:
    return operation_pb2.RefreshListingsReport(
        listing_count=result.get("listings", 0),
        new_count=result.get("new", 0),
        changed_count=result.get("changed", 0),
        vanished_count=result.get("vanished", 0),
    )


def _bulk_link(merchant: str, record: OperationRecord, rows: bool) -> bulk_link_pb2.BulkLinkReport:
    result: Mapping[str, Any] = record.result or {}
    shown = (
        sorted(result["rows"], key=lambda row: (_ORDER.index(row["outcome"]), row["sku"]))
        if rows
        else []
    )
    return bulk_link_pb2.BulkLinkReport(
        dry_run=result["dry_run"],
        matched_count=result["matched"],
        ambiguous_count=result["ambiguous"],
        unmatched_count=result["unmatched"],
        refused_count=result["refused"],
        counted_units=result["counted_units"],
        rows=[_row(merchant, record.shop, row) for row in shown],
        rows_truncated=result["truncated"],
    )


def _row(merchant: str, shop: str, row: Mapping[str, Any]) -> bulk_link_pb2.BulkLinkReport.Row:
    kind = bulk_link_pb2.BulkLinkReport.Row
    candidates = [names.PRODUCT(merchant, product) for product in row["candidates"]]
    sure = len(candidates) == 1 and row["outcome"] != "AMBIGUOUS"
    why = Problem(row["reason"], row["message"]) if row["outcome"] == "REFUSED" else None
    return kind(
        listing=names.LISTING(merchant, shop, row["listing"]),
        sku=row["sku"][:100],
        barcode=row["barcode"][:100],
        title=row["title"][:200],
        outcome=kind.Outcome.Value(f"OUTCOME_{row['outcome']}"),
        matched_by=kind.MatchedBy.Value(f"MATCHED_BY_{row['matched_by'] or 'UNSPECIFIED'}"),
        product=candidates[0] if sure else "",
        candidates=[] if sure else candidates[:CANDIDATES_SHOWN],
        problem=problem(why),
    )


def _cut_over(merchant: str, record: OperationRecord, rows: bool) -> addition_pb2.CutOverReport:
    result: Mapping[str, Any] = record.result or {}
    return addition_pb2.CutOverReport(
        dry_run=result["dry_run"],
        switched_count=result["switched"],
        differing_count=result["differing"],
        refused_count=result["refused"],
        rows=[
            addition_pb2.CutOverReport.Row(
                link=names.LINK(merchant, record.shop, row["listing"]),
                shown=row["shown"],
                target=row["target"],
                problem=problem(Problem(row["reason"], row["message"]) if row["reason"] else None),
            )
            for row in (result["rows"] if rows else ())
        ],
        rows_truncated=result["truncated"],
    )
