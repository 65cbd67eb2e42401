"""Reading and changing what the shop shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from zaiko_sdk import (
    ContractBroken,
    InventoryLevel,
    InventoryWrite,
    ListingRef,
    WriteOutcome,
    WriteResult,
    read_row,
)

from zaiko_example.change import change_from
from zaiko_example.client import Client
from zaiko_example.mapping import level_from, result_from
from zaiko_example.rows import ResultRow, Rows, StockRow

_PATH = "/api/stock"


class Stock:
    """The numbers of one shop."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, refs: Sequence[ListingRef]) -> list[InventoryLevel]:
        """See Connector.read_inventory."""
        if not refs:
            return []
        body = await self._client.get(_PATH, ids=",".join(ref.external_id for ref in refs))
        reply = read_row(Rows, body, what=_PATH)
        # A row that cannot be understood stops the call: a missing level would mean that the
        # listing is gone.
        shown = _by_id([read_row(StockRow, row, what="a stock row") for row in reply.rows])
        return [level_from(ref, shown.get(ref.external_id)) for ref in refs]

    async def write(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        """See Connector.set_inventory."""
        if not writes:
            return []
        body = await self._client.post(_PATH, {"changes": [change_from(write) for write in writes]})
        reported: dict[str, ResultRow] = {}
        try:
            reply = read_row(Rows, body, what=_PATH)
            reported = dict(
                _by_id([read_row(ResultRow, row, what="a result row") for row in reply.rows])
            )
        except ContractBroken as error:
            # The platform may have applied it all, so this must not be raised: it would say that
            # nothing was.
            self._client.log.error("write_reply_not_understood", problem=str(error))
            return [WriteResult(write.ref.external_id, WriteOutcome.UNKNOWN) for write in writes]
        return [
            result_from(write.ref.external_id, reported.get(write.ref.external_id))
            for write in writes
        ]


T = TypeVar("T", StockRow, ResultRow)


def _by_id(rows: Sequence[T]) -> Mapping[str, T]:
    return {row.id: row for row in rows}
