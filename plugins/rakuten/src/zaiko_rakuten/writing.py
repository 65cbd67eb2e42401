"""Changing the numbers that the shop shows: relative changes by inventories.bulk.upsert. RMS does
not say clearly how much of a refused call it applied (UNCONFIRMED: nothing).

RMS has no idempotency keys, so a call whose outcome is not certain is never repeated. After a
refused call all its SKUs are read back, and only entries that are certainly unchanged are sent
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_sdk import (
    ConnectorError,
    InventoryWrite,
    ItemRefused,
    ListingGone,
    ShopContext,
    Skip,
    Timeout,
    WriteOutcome,
    WriteResult,
)

from zaiko_rakuten.catalogue import Catalogue, Pair
from zaiko_rakuten.client import Client
from zaiko_rakuten.functions import SET_STOCK
from zaiko_rakuten.refusals import CONFLICT, NOT_MIGRATED, READ_ONLY, refusal
from zaiko_rakuten.replies import Reply
from zaiko_rakuten.stock import Stock, not_ours, pair_of

WRITE_AT_MOST, MAX_QUANTITY = 400, 99_999
OUT_OF_RANGE, NO_STOCK_DATA, TOO_MANY_SKUS = "IE0117", "IE0500", "IE0121"
_OF_THE_CALL = frozenset({NOT_MIGRATED, READ_ONLY, "GE0007", "GE0011", "IE1101", "IE1102"})
"""Codes about the call as a whole: nothing of it was applied, and no single entry is wrong."""
_CHECK_TIME, _WRITE_TIME = 20.0, 30.0
"""Seconds for finding out which new SKUs exist, and for the whole of one call."""
_CONFLICT_WAIT, _CONFLICTS = 1.0, 2


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of a call. `expected` None: the first registration, ABSOLUTE; else RELATIVE by
    `change`."""

    external_id: str
    pair: Pair
    expected: int | None
    change: int

    def body(self) -> dict[str, object]:
        """Return the row as RMS expects it."""
        mode = "ABSOLUTE" if self.expected is None else "RELATIVE"
        return {
            "manageNumber": self.pair[0],
            "variantId": self.pair[1],
            "mode": mode,
            "quantity": self.change,
        }


class Writing:
    """Writes to one shop."""

    def __init__(
        self, context: ShopContext, client: Client, stock: Stock, catalogue: Catalogue
    ) -> None:
        self._context, self._client, self._stock, self._catalogue = (
            context,
            client,
            stock,
            catalogue,
        )

    async def write(self, writes: Sequence[InventoryWrite]) -> list[WriteResult]:
        """Return one result per write. Raises only when nothing of `writes` was applied, or
        Timeout(sent=None) when nothing is known about any that was sent."""
        call = _Call(self._context, self._client, self._stock, self._catalogue)
        await call.run(writes)
        return [call.results[write.ref.external_id] for write in writes]


class _Call:
    """One `set_inventory`."""

    def __init__(
        self, context: ShopContext, client: Client, stock: Stock, catalogue: Catalogue
    ) -> None:
        self._clock, self._log = context.clock, context.log
        self._client, self._stock, self._catalogue = client, stock, catalogue
        self._until = self._clock.monotonic() + _WRITE_TIME
        self._answered = False
        """Whether RMS has answered a call with an outcome: from then on no error may be raised."""
        self._conflicts = 0
        self.results: dict[str, WriteResult] = {}

    async def run(self, writes: Sequence[InventoryWrite]) -> None:
        """Fill `results`."""
        entries = [entry for write in writes if (entry := self._entry(write)) is not None]
        entries = await self._without_unknown_skus(entries)
        await self._send(entries)

    def _entry(self, write: InventoryWrite) -> _Entry | None:
        external_id = write.ref.external_id
        pair = pair_of(external_id)
        if pair is None:
            self._refuse(external_id, not_ours(external_id))
        elif not 0 <= write.quantity <= MAX_QUANTITY:
            self._refuse(
                external_id,
                ItemRefused(f"RMS takes quantities from 0 to {MAX_QUANTITY}, not {write.quantity}"),
            )
        elif write.expected is not None and write.delta == 0:
            self._say(external_id, WriteOutcome.APPLIED)
        else:
            return _Entry(external_id, pair, write.expected, write.delta)
        return None

    async def _without_unknown_skus(self, entries: Sequence[_Entry]) -> list[_Entry]:
        """Check that the SKUs of first registrations exist: RMS silently accepts a registration for
        any SKU."""
        new = [entry.pair for entry in entries if entry.expected is None]
        if not new:
            return list(entries)
        exists = await self._catalogue.which_exist(new, until=self._clock.monotonic() + _CHECK_TIME)
        known = []
        for entry in entries:
            if entry.expected is not None or exists[entry.pair]:
                known.append(entry)
            elif exists[entry.pair] is None:
                self._say(entry.external_id, WriteOutcome.STALE)  # not sent: the host asks again
            else:
                self._refuse(entry.external_id, _gone(entry))
        return known

    async def _send(self, entries: Sequence[_Entry]) -> None:
        """Send these rows as one call, and follow up until each has a result."""
        if not entries:
            return
        if self._clock.monotonic() > self._until:
            self._stale(entries)  # no longer sent in this call
            return
        try:
            reply = await self._client.call(
                SET_STOCK,
                body={"inventories": [entry.body() for entry in entries]},
                accept=(400, 409),
            )
            if reply.status not in (204, 400, 409):
                raise Timeout(
                    f"RMS answered a write with status {reply.status} instead of 204", sent=None
                )
            if reply.status != 204 and (
                reply.codes & _OF_THE_CALL or (reply.status == 400 and not reply.problems)
            ):
                raise refusal(reply, SET_STOCK, busy_wait=0)
        except ConnectorError as error:
            self._failed(entries, error)
            return
        self._answered = True
        if reply.status == 204:
            for entry in entries:
                self._say(entry.external_id, WriteOutcome.APPLIED)
            return
        self._log.warning(
            "write_refused",
            entries=len(entries),
            problem=reply.words(),
            request_id=reply.request_id,
        )
        await self._follow_up(entries, reply)

    def _failed(self, entries: Sequence[_Entry], error: ConnectorError) -> None:
        """Handle a call without an outcome. Raises its error, unless other writes of this call have
        an outcome that must not be lost."""
        if not self._answered:
            raise error
        self._log.warning(
            "write_failed", entries=len(entries), reason=error.reason, problem=error.message
        )
        if isinstance(error, Timeout) and error.sent is not False:
            for entry in entries:
                self._say(entry.external_id, WriteOutcome.UNKNOWN)
        else:
            self._stale(entries)

    async def _follow_up(self, entries: Sequence[_Entry], reply: Reply) -> None:
        """Settle a refused call: read back, settle what is certain, send again what was not
        changed."""
        try:
            shown = await self._stock.numbers([entry.pair for entry in entries])
        except ConnectorError as error:
            self._log.warning(
                "read_back_failed", entries=len(entries), reason=error.reason, problem=error.message
            )
            for entry in entries:
                self._say(entry.external_id, WriteOutcome.UNKNOWN)
            return
        conflict = reply.status == 409 or CONFLICT in reply.codes
        # A conflict does not name the entry that caused it.
        named = {} if conflict else _named(entries, reply)
        untouched, vanished = self._sort(entries, named, shown)
        await self._settle_vanished(vanished)
        if conflict:
            self._conflicts += 1
            if self._conflicts > _CONFLICTS:
                self._stale(untouched)
                return
            await self._clock.sleep(_CONFLICT_WAIT)
        elif len(untouched) == len(entries):
            # RMS does not say which entry it refuses: halve the call until the entry is alone.
            middle = len(untouched) // 2
            await self._send(untouched[:middle])
            await self._send(untouched[middle:])
            return
        await self._send(untouched)

    def _sort(
        self, entries: Sequence[_Entry], named: dict[int, str], shown: dict[Pair, int | None]
    ) -> tuple[list[_Entry], list[_Entry]]:
        """Set the results that are certain, and return the untouched entries and those whose stock
        data is gone."""
        # If not even one number is what its change would have made of it, then nothing of the call
        # was applied, and numbers that moved were moved by buyers.
        nothing_applied = not any(
            index not in named
            and entry.expected is not None
            and shown.get(entry.pair) == entry.expected + entry.change
            for index, entry in enumerate(entries)
        )
        untouched, vanished = [], []
        for index, entry in enumerate(entries):
            number, code = shown.get(entry.pair), named.get(index, "")
            if entry.pair in shown and number is None:
                self._say(entry.external_id, WriteOutcome.UNKNOWN)
            elif code and code not in (OUT_OF_RANGE, NO_STOCK_DATA):
                self._refuse(entry.external_id, _refused(entry, code))
            elif entry.expected is None:
                if number is None:
                    untouched.append(entry)
                else:
                    self._say(entry.external_id, WriteOutcome.UNKNOWN)
            elif number is None:
                vanished.append(entry)
            elif code in (OUT_OF_RANGE, NO_STOCK_DATA) or (
                number != entry.expected and nothing_applied
            ):
                self._say(entry.external_id, WriteOutcome.STALE, number, message=code)
            elif number == entry.expected:
                untouched.append(entry)
            else:
                self._say(entry.external_id, WriteOutcome.UNKNOWN)
        return untouched, vanished

    async def _settle_vanished(self, entries: Sequence[_Entry]) -> None:
        """Settle the writes of SKUs for which RMS no longer keeps a number: nothing was applied. If
        the SKU still exists, the host will find that there is no number and register it; if not,
        its link is wrong."""
        if not entries:
            return
        try:
            exists = await self._catalogue.which_exist(
                [entry.pair for entry in entries], until=self._until
            )
        except ConnectorError as error:
            self._log.warning("existence_unknown", entries=len(entries), reason=error.reason)
            exists = {}
        for entry in entries:
            if exists.get(entry.pair) is False:
                self._refuse(entry.external_id, _gone(entry))
            else:
                self._say(entry.external_id, WriteOutcome.STALE)

    def _stale(self, entries: Sequence[_Entry]) -> None:
        for entry in entries:
            self._say(entry.external_id, WriteOutcome.STALE)

    def _refuse(self, external_id: str, error: Skip) -> None:
        self._say(external_id, WriteOutcome.REFUSED, error=error)

    def _say(
        self,
        external_id: str,
        outcome: WriteOutcome,
        quantity: int | None = None,
        error: Skip | None = None,
        message: str = "",
    ) -> None:
        self.results[external_id] = WriteResult(
            external_id, outcome, quantity, error, message=message
        )


def _named(entries: Sequence[_Entry], reply: Reply) -> dict[int, str]:
    """Return the codes of the entries that RMS named. The only entry of a call needs no naming."""
    named = {problem.entry: problem.code for problem in reply.problems if problem.entry is not None}
    if len(entries) == 1 and reply.problems:
        return {0: reply.problems[0].code}
    return {index: code for index, code in named.items() if index < len(entries)}


def _gone(entry: _Entry) -> ListingGone:
    manage_number, variant_id = entry.pair
    return ListingGone(
        f"there is no SKU {variant_id} of the item {manage_number} in the shop (or no longer)"
    )


def _refused(entry: _Entry, code: str) -> ItemRefused:
    if code == TOO_MANY_SKUS:
        return ItemRefused(
            f"RMS keeps stock for at most 400 SKUs of one item, and {entry.pair[0]} has more",
            platform_message=code,
        )
    return ItemRefused(
        f"RMS refuses the change of {entry.external_id} ({code})", platform_message=code
    )
