"""The state of the simulated account of Next Engine: its records, its own rules of stock, and what
buyers and staff do there."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from zaiko_sdk.testing.simulator import CallWindow, NewListing, SimulatedShop, SimulationError

from zaiko_nextengine.simulator.allocation import allocate
from zaiko_nextengine.simulator.grants import Grants
from zaiko_nextengine.simulator.queue import Queue
from zaiko_nextengine.simulator.records import SimGoods, SimLine, SimSlip

CALLS_PER_SECOND = 50
"""Next Engine publishes no limit. It answers 003002 when it is overloaded (FACTS.md §2 and §3)."""


class NextEngineAccount(SimulatedShop):
    """One account. `extra` of a NewListing: `parent` (代表商品コード), `type_id`, `managed`,
    `visible`, `parts` (of a set: code → units). Options of an order: `visible_after`, `status`,
    `days_ago`, `shop_number`, `force` (sell what is not free).

    Switches. UNCONFIRMED facts: `que_message_form` (code, row, none), `code_on_success`,
    `error_status`, `message_form` (text, list), `count_tells` (matching, returned), `deleted_slips`
    (flag, gone), `maintenance_code`. Others: `quotas`, `calls_per_second`, `page_size` (most rows
    of a reply), `queue_seconds`, `queue_stuck`, `queue_status` (an unknown one), `stocktaking`,
    `maintenance`, `access_life_seconds`, `clock_skew_seconds`. Acts, whatever their value:
    `end_access`, `end_login`, `log_in_elsewhere`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "code_on_success": False,
                "error_status": 200,
                "message_form": "text",
                "count_tells": "matching",
                "deleted_slips": "flag",
                "maintenance_code": "003004",
                "page_size": 10_000,
                "stocktaking": False,
                "maintenance": False,
                "clock_skew_seconds": 0,
            }
        )
        self.goods: dict[str, SimGoods] = {}
        self.sets: dict[str, dict[str, int]] = {}
        self.slips: dict[str, SimSlip] = {}
        self.grants, self.quotas = Grants(), CallWindow(most=CALLS_PER_SECOND)
        self.queue = Queue(self._add_units)
        self._numbers = itertools.count(5120)

    # What buyers and staff do.

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            codes = [listing.sku for listing in listings]
            if len({*codes}) < len(codes) or not self.goods.keys().isdisjoint(codes):
                raise SimulationError("Next Engine keeps one row per goods code")
            for listing in listings:
                self._add(listing)
            return codes

    def set_stock(self, sku: str, quantity: int) -> None:
        """Count so many units that this number is free (クイック棚卸), as the staff does."""
        with self.lock:
            goods = self._find(sku)
            goods.registered, goods.changed_at = goods.allocated + quantity, self.now()
            self._allocate(sku)

    def stock(self) -> dict[str, int]:
        with self.lock:
            self.queue.work(self.now())
            return {code: goods.free for code, goods in self.goods.items()}

    def remove_listing(self, sku: str) -> None:
        with self.lock:
            del self.goods[self._find(sku).code]

    def exhaust_quota(self) -> None:
        with self.lock:
            self.quotas.exhaust()

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        """Import an order of a mall: a slip, which takes what is free. A set is expanded into its
        parts."""
        with self.lock:
            self.queue.work(self.now())
            units = self._expanded(lines)
            for code, wanted in units.items():
                if wanted < 1:
                    raise SimulationError(f"{code}: units must be ≥ 1")
                if self._find(code).free < wanted and not options.get("force"):
                    raise SimulationError(f"{code} is sold out: {self._find(code).free} left")
            now = self.now()
            placed, number = (
                now - timedelta(days=float(options.get("days_ago", 0))),
                str(next(self._numbers)),
            )
            slip = SimSlip(
                number,
                str(options.get("shop_number", f"R-{number}")),
                placed,
                placed,
                now + timedelta(seconds=float(options.get("visible_after", 0))),
                str(options.get("status", "2")),
            )
            slip.lines = [
                SimLine(no, code, wanted, placed)
                for no, (code, wanted) in enumerate(units.items(), start=1)
            ]
            self.slips[number] = slip
            self._allocate(*units)
            return number

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """Change lines: 0 units cancel a line; a code that is not in the slip is a new line."""
        with self.lock:
            slip, now = self._holding(order), self.now()
            for code, units in lines.items():
                self._find(code)
                line = next(
                    (line for line in slip.lines if line.code == code and not line.cancelled), None
                )
                if line is None:
                    slip.lines.append(SimLine(len(slip.lines) + 1, code, units, now))
                    continue
                line.changed_at = now
                if units == 0:
                    line.cancelled = True
                else:
                    line.units = units
            self._allocate(*lines)

    def cancel_order(self, order: str, *, restock: bool) -> None:
        """Cancel the slip. Next Engine always returns the units: free is what no slip holds. A
        shipped slip keeps its status."""
        with self.lock:
            slip = self._slip(order)
            slip.cancel_type, slip.changed_at = "1", self.now()
            self._allocate(*(line.code for line in slip.lines))

    def merge_order(self, order: str, into: str) -> None:
        """Pack two orders together, as the staff does: the lines of one move into the other, and it
        is cancelled with type 3."""
        with self.lock:
            slip, heir, now = self._holding(order), self._holding(into), self.now()
            for line in slip.lines:
                if not (line.cancelled or line.deleted):
                    heir.lines.append(
                        SimLine(len(heir.lines) + 1, line.code, line.units, now, came_from=slip.id)
                    )
            slip.cancel_type, slip.merged_into, slip.changed_at = "3", heir.id, now
            self._allocate(*(line.code for line in slip.lines))

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        """Ship the slip (出荷確定), as a whole, when all of it is allocated."""
        with self.lock:
            slip = self._holding(order)
            kept = [line for line in slip.lines if not (line.cancelled or line.deleted)]
            if lines is not None and dict(lines) != {line.code: line.units for line in kept}:
                raise SimulationError("Next Engine ships a slip as a whole")
            if any(line.allocated < line.units for line in kept):
                raise SimulationError(f"{order} waits for stock (引当待ち)")
            for line in kept:
                self._find(line.code).registered -= line.units
            slip.status, slip.changed_at = "50", self.now()
            self._allocate(*(line.code for line in kept))

    def archive_order(self, order: str) -> None:
        raise SimulationError("Next Engine has no archive")

    def delete_order(self, order: str) -> None:
        """Delete the slip. UNCONFIRMED: it still shows, with its lines flagged, or is gone (switch
        `deleted_slips`)."""
        with self.lock:
            slip, now = self._slip(order), self.now()
            for line in slip.lines:
                line.deleted, line.changed_at = True, now
            if self.behaviour["deleted_slips"] == "gone":
                del self.slips[order]
            self._allocate(*(line.code for line in slip.lines))

    def switches(self) -> dict[str, Any]:
        return super().switches() | {
            "quotas": self.quotas.enforced,
            "calls_per_second": self.quotas.most,
            "que_message_form": self.queue.message_form,
            "queue_seconds": self.queue.seconds,
            "queue_stuck": self.queue.stuck,
            "queue_status": self.queue.unknown_status,
            "access_life_seconds": self.grants.access_life,
            "end_access": False,
            "end_login": False,
            "log_in_elsewhere": False,
        }

    def switch(self, name: str, value: Any) -> None:
        match name:
            case "quotas":
                self.quotas.enforce(bool(value))
            case "calls_per_second":
                self.quotas.most = int(value)
            case "que_message_form":
                self.queue.message_form = str(value)
            case "queue_seconds":
                self.queue.seconds = float(value)
            case "queue_stuck":
                self.queue.stuck = bool(value)
            case "queue_status":
                self.queue.unknown_status = value
            case "access_life_seconds":
                self.grants.access_life = float(value)
            case "end_access":
                self.grants.end_access(self.now())
            case "end_login":
                self.grants.end_all()
            case "log_in_elsewhere":
                self.grants.log_in(self.now())
            case _:
                super().switch(name, value)

    def counters(self) -> dict[str, int]:
        return super().counters() | {"throttled": self.quotas.throttled}

    # What Next Engine does.

    def _allocate(self, *codes: str) -> None:
        for code in dict.fromkeys(codes):
            allocate(code, self.goods.get(code), self.slips.values(), self.now())

    def _add_units(self, code: str, units: int) -> str:
        goods = self.goods.get(code)
        if goods is None:
            return "商品コードが存在しません。新規登録に必要な項目がありません"
        if units < 0 and -units > goods.free:
            return "フリー在庫数より多く減らすことはできません"
        goods.registered += units
        self._allocate(code)
        return ""

    def _add(self, listing: NewListing) -> None:
        extra = listing.extra
        if "parts" in extra:
            self.sets[listing.sku] = {
                str(code): int(units) for code, units in extra["parts"].items()
            }
            return
        self.goods[listing.sku] = SimGoods(
            listing.sku,
            listing.title or listing.sku,
            listing.barcode,
            str(extra.get("parent", "")),
            listing.quantity,
            self.now(),
            type_id=str(extra.get("type_id", "0")),
            managed=bool(extra.get("managed", True)),
            visible=bool(extra.get("visible", True)),
        )

    def _expanded(self, lines: Mapping[str, int]) -> dict[str, int]:
        units: dict[str, int] = {}
        for code, count in lines.items():
            for part, each in self.sets.get(code, {code: 1}).items():
                units[part] = units.get(part, 0) + each * count
        return units

    def _find(self, sku: str) -> SimGoods:
        if sku not in self.goods:
            raise SimulationError(f"nothing has the code {sku!r}")
        return self.goods[sku]

    def _slip(self, order: str) -> SimSlip:
        if order not in self.slips:
            raise SimulationError(f"no slip {order!r}")
        return self.slips[order]

    def _holding(self, order: str) -> SimSlip:
        slip = self._slip(order)
        if not slip.holds:
            raise SimulationError(f"{order} is shipped or cancelled")
        return slip
