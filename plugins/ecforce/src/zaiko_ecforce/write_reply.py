"""The reply to a stock update: which rows were refused, and why (FACTS.md §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zaiko_sdk import ItemRefused, ListingGone, Skip

from zaiko_ecforce.replies import ReportedError, reported_errors

_UNKNOWN_SKU, _NO_RECORD = "ASI2001", "ASI2002"


@dataclass(frozen=True, slots=True)
class WriteReply:
    """`refused` holds the rows that certainly failed, by SKU. Reading back decides about all other
    rows: those that the reply does not mention, mentions on both sides, or reports as the
    platform's own trouble."""

    refused: Mapping[str, Skip] = field(default_factory=dict)
    tells_of_rows: bool = False

    def problem(self, sku: str) -> Skip | None:
        """Return why this row was refused, or None."""
        return self.refused.get(sku)


def read_write_reply(body: Any) -> WriteReply:
    """Parse a reply. Any key may be missing, and no value has a certain type."""
    if not isinstance(body, dict):
        return WriteReply()
    succeeded, failed = _skus(body.get("success")), _skus(body.get("failure"))
    causes = _causes(body)
    if not succeeded and not failed and not causes:
        return WriteReply()
    refused: dict[str, Skip] = {}
    for sku in (failed | causes.keys()) - succeeded:
        problem = _problem(sku, causes.get(sku, []))
        if problem is not None:
            refused[sku] = problem
    return WriteReply(refused, tells_of_rows=True)


def _skus(rows: Any) -> set[str]:
    skus = (
        (_text(row.get("variant_sku")) for row in rows if isinstance(row, dict))
        if isinstance(rows, list)
        else ()
    )
    return {sku for sku in skus if sku}


def _causes(body: Mapping[str, Any]) -> dict[str, list[ReportedError]]:
    """Return the errors of each row, by the SKU that ecforce puts into `id`. An entry without one
    concerns the whole request."""
    entries = body.get("errors")
    causes: dict[str, list[ReportedError]] = {}
    for entry in entries if isinstance(entries, list) else []:
        sku = _text(entry.get("id")) if isinstance(entry, dict) else ""
        if sku:
            inner = reported_errors(entry)
            causes.setdefault(sku, []).extend(inner or reported_errors({"errors": [entry]}))
    return causes


def _problem(sku: str, causes: list[ReportedError]) -> Skip | None:
    codes = {cause.code for cause in causes}
    words = " / ".join(f"{cause.code} {cause.message}".strip() for cause in causes)
    if any(code.endswith("9999") for code in codes):
        return None
    if _UNKNOWN_SKU in codes:
        return ListingGone(f"ecforce knows no variant with the SKU {sku!r}", platform_message=words)
    if _NO_RECORD in codes:
        return ItemRefused(
            f"{sku!r} has no stock record at the chosen location", platform_message=words
        )
    return ItemRefused(f"ecforce refused the stock of {sku!r}", platform_message=words)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
