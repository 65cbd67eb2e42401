"""Reading and changing what the shop shows (FACTS.md §5 and §6): フリー在庫数, the number that Next
Engine sends to its malls."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ListingRef,
    Skip,
    WriteOutcome,
    WriteResult,
    read_row,
)

from zaiko_nextengine.client import Client
from zaiko_nextengine.mapping import SET
from zaiko_nextengine.report import complaints
from zaiko_nextengine.rows import StockRow, fields_of
from zaiko_nextengine.settings import NextEngineSettings
from zaiko_nextengine.uploads import Uploads

_PATH = "/api_v1_master_stock/search"
_MOST = 1000
"""Values in one condition, and rows in one reply, that certainly work."""


class Stock:
    """The numbers of one shop."""

    def __init__(self, client: Client, uploads: Uploads, settings: NextEngineSettings) -> None:
        self._client, self._uploads, self._settings = client, uploads, settings

    async def read(self, refs: Sequence[ListingRef]) -> list[InventoryLevel]:
        """See Connector.read_inventory. Waits for an upload of ours that is running: no number is
        valid before its end."""
        await self._uploads.settle()
        shown = await self._shown([ref.external_id for ref in refs if _trouble(ref) is None])
        return [_level(ref, shown) for ref in refs]

    async def write(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        """See Connector.set_inventory: one upload with a line per write."""
        if await self._uploads.settle():
            # The host may have read before that upload was applied, and computed these changes from
            # it.
            return [WriteResult(write.ref.external_id, WriteOutcome.STALE) for write in writes]
        results, lines = [], {}
        for write in writes:
            trouble = _trouble(write.ref)
            if trouble is not None:
                results.append(
                    WriteResult(write.ref.external_id, WriteOutcome.REFUSED, error=trouble)
                )
            elif write.delta == 0:
                results.append(WriteResult(write.ref.external_id, WriteOutcome.APPLIED))
            else:
                lines[write.ref.external_id] = write.delta
        return [*results, *(await self._change(lines) if lines else [])]

    async def _change(self, lines: Mapping[str, int]) -> list[WriteResult]:
        ended = await self._uploads.send(
            _csv((code, str(units), self._settings.reason) for code, units in lines.items())
        )
        if ended is None or not (ended.whole or ended.status_known):
            return [WriteResult(code, WriteOutcome.UNKNOWN) for code in lines]
        if ended.whole:
            return [WriteResult(code, WriteOutcome.APPLIED) for code in lines]
        named = complaints(ended.message, lines)
        if len(lines) == 1:
            # The only line of a file that failed.
            named = dict.fromkeys(lines, ended.message)
        self._client.log.warning("upload_failed", lines=len(lines), named=len(named))
        shown = await self._seen(list(named))
        # A line without a complaint was most likely applied. Reading decides.
        unnamed = [WriteResult(code, WriteOutcome.UNKNOWN) for code in lines if code not in named]
        return unnamed + [
            self._refused(code, lines[code], words, shown) for code, words in named.items()
        ]

    def _refused(
        self, code: str, units: int, words: str, shown: Mapping[str, int | Skip] | None
    ) -> WriteResult:
        number = None if shown is None else shown.get(code)
        if isinstance(number, int) and units < 0 and number < -units:
            # It would have fallen below what is free: an order came in between.
            return WriteResult(code, WriteOutcome.STALE, number)
        words = self._client.tokens.hide(words)
        if shown is not None and number is None:
            gone = ListingGone(
                "Next Engine no longer has goods with this code", platform_message=words
            )
            return WriteResult(code, WriteOutcome.REFUSED, error=gone)
        error = (
            number
            if isinstance(number, Skip)
            else ItemRefused("Next Engine refuses this line", platform_message=words)
        )
        return WriteResult(code, WriteOutcome.REFUSED, error=error)

    async def _seen(self, codes: Sequence[str]) -> Mapping[str, int | Skip] | None:
        """Return what `_shown` returns, or None when it cannot be read now: the outcome of the
        upload is known nevertheless."""
        try:
            return await self._shown(codes)
        except ConnectorError as error:
            self._client.log.warning("stock_not_read_after_upload", reason=error.reason)
            return None

    async def _shown(self, codes: Sequence[str]) -> dict[str, int | Skip]:
        """Return what is free of each code, without codes that Next Engine does not know. Raises
        ConnectorError."""
        shown: dict[str, int | Skip] = {}
        for first in range(0, len(codes), _MOST):
            asked = dict.fromkeys(codes[first : first + _MOST])
            form = {
                "fields": fields_of(StockRow),
                "stock_goods_id-in": ",".join(asked),
                "limit": str(_MOST),
            }
            rows, count = await self._client.search(_PATH, form)
            found = {_code(row): self._number(row) for row in rows}
            strange = found.keys() - asked.keys()
            if len(found) - len(strange) < len(asked) and (
                strange or (count is not None and count > len(rows))
            ):
                # A listing whose row was not understood, or cut off, would look as if it were gone.
                raise ContractBroken(
                    f"{_PATH} returned rows that were not asked for, or not all of them"
                )
            shown |= {code: number for code, number in found.items() if code in asked}
        return shown

    def _number(self, row: object) -> int | Skip:
        try:
            stock = read_row(StockRow, row, what="a stock row")
        except ContractBroken as error:
            self._client.log.error("stock_row_not_understood", problem=str(error))
            return ItemRefused(f"Next Engine's stock of this listing cannot be understood: {error}")
        if stock.stock_deleted_flag == "1":
            return ListingGone("Next Engine has deleted the stock of this code")
        return stock.stock_free_quantity


def _level(ref: ListingRef, shown: Mapping[str, int | Skip]) -> InventoryLevel:
    number = _trouble(ref) or shown.get(ref.external_id)
    if number is None:
        number = ListingGone("Next Engine no longer has goods with this code")
    return (
        InventoryLevel(ref.external_id, None, number)
        if isinstance(number, Skip)
        else InventoryLevel(ref.external_id, number)
    )


def _trouble(ref: ListingRef) -> Skip | None:
    """Return why the number of this listing can be neither read nor changed, or None."""
    if dict(ref.data) == SET:
        return ItemRefused(
            "A set has no stock of its own: Next Engine computes it from its parts. Link it as a "
            "bundle."
        )
    if "," in ref.external_id or not ref.external_id.isprintable():
        return ItemRefused("This code cannot be asked for: it holds a comma or a control character")
    return None


def _code(row: object) -> str:
    code = row.get("stock_goods_id") if isinstance(row, dict) else None
    return code if isinstance(code, str) else ""


def _csv(rows: Iterable[tuple[str, str, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("syohin_code", "zaiko_su", "nyusyukko_riyu"))
    writer.writerows(rows)
    return text.getvalue()
