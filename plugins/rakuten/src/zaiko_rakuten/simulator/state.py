"""The state of the simulated shop: its records, Rakuten's own rules of stock, and what buyers and
staff do there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk.testing.simulator import NewListing, SimulatedShop, SimulationError

from zaiko_rakuten.simulator.notices import order_placed
from zaiko_rakuten.simulator.quotas import Quotas
from zaiko_rakuten.simulator.records import (
    Key,
    Pair,
    SimItem,
    SimLine,
    SimOrder,
    SimStock,
    SimVariant,
)
from zaiko_rakuten.times import JAPAN

SERVICE_SECRET, FIRST_KEY = "SP987001_sim0service0se", "SL987001_sim0licence0key"
KEY_LIFE = timedelta(days=90)
MOST = 99_999
"""The largest number that the platform keeps."""
_SHOP = 987001


class RakutenShop(SimulatedShop):
    """One shop. `extra` of a NewListing: `manage_number` (SKUs of one item share it), `variant_id`,
    `code` (the システム連携用SKU番号; None for none, the sku by default), `item_number`, `choice`,
    `hidden`, `hide_item`, `back_order`, `restock_on_cancel`, `unlimited`, `item_type`, `registered`
    (false: no stock row), `searchable_after` (seconds). Options of an order: `visible_after`,
    `progress` (100), `packages` (number of addresses that the lines are spread over), `placed_ago`
    (seconds), `force` (sell below zero: the number stays 0)."""

    def __init__(self) -> None:
        super().__init__(
            {
                "all_visible_after": 0.0,
                "auth_error_shape": "errors",
                "bulk_upsert_atomic": True,
                "clock_skew_seconds": 0.0,
                # 商品一括編集 costs extra; most shops have not booked it.
                "disabled_functions": ["items.get", "items.bulk.get"],
                "last_cursor": "same",
                "maintenance": "",
                "migrated": True,
                "old_key_dies": True,
                "orders_need_charset": True,
                "orphans_live_hours": 24.0,
                "pages": "right",
                "property_path": True,
                "removed_lines": "gone",
                "restore_at": 900,
                "retry_after": None,
                "throttle_shape": "429",
                "unknown_orders": "warning",
            }
        )
        self.items: dict[str, SimItem] = {}
        self.variants: dict[Pair, SimVariant] = {}
        self.stock_rows: dict[Pair, SimStock] = {}
        self.orders: dict[str, SimOrder] = {}
        self.quotas = Quotas()
        self.service_secret = SERVICE_SECRET
        self.keys = [
            Key(
                FIRST_KEY,
                datetime(2020, 1, 1, tzinfo=UTC),
                self._end_of_day(datetime.now(UTC) + KEY_LIFE),
            )
        ]
        self._pairs: dict[str, Pair] = {}
        self._searchable_at: dict[str, datetime] = {}
        self._number, self._detail = 412_300_000, 950_100_000
        self._registered: dict[str, int] = {}
        self._orphans: set[Pair] = set()

    # What buyers and staff do.

    def add_listings(self, listings: Sequence[NewListing]) -> list[str]:
        with self.lock:
            return [self._add(listing) for listing in listings]

    def set_stock(self, sku: str, quantity: int) -> None:
        with self.lock:
            pair = self._pair(sku)
            row = self.stock_rows.get(pair) or self.new_stock(pair, quantity)
            row.quantity, row.updated = quantity, self.now()

    def stock(self) -> dict[str, int]:
        with self.lock:
            return {
                sku: self.stock_rows[pair].quantity
                for sku, pair in self._pairs.items()
                if pair in self.stock_rows
            }

    def place_order(self, lines: Mapping[str, int], **options: Any) -> str:
        with self.lock:
            taken = [(sku, self._pair(sku), units) for sku, units in lines.items()]
            for sku, pair, units in taken:
                if units < 1:
                    raise SimulationError(f"{sku}: units must be ≥ 1")
                if not self._sells(pair, units) and not options.get("force"):
                    raise SimulationError(f"{sku} is sold out")
            now = self.now()
            placed_at = now - timedelta(
                days=float(options.get("days_ago", 0)),
                seconds=float(options.get("placed_ago", 0)),
            )
            # The number falls when the order number is created (UNCONFIRMED).
            for _, pair, units in taken:
                self._move(pair, -units)
            self._number += 1
            number = f"{self.account}-{placed_at.astimezone(JAPAN):%Y%m%d}-{self._number:010d}"
            hidden = max(
                float(options.get("visible_after", 0)), float(self.behaviour["all_visible_after"])
            )
            packages = max(1, int(options.get("packages", 1)))
            self.orders[number] = SimOrder(
                number,
                placed_at,
                now + timedelta(seconds=hidden),
                [
                    self._line(sku, pair, units, index % packages)
                    for index, (sku, pair, units) in enumerate(taken)
                ],
                progress=int(options.get("progress", 100)),
            )
            return number

    def edit_order(self, order: str, lines: Mapping[str, int]) -> None:
        """Change units, as the shop's staff does. Removed units return to the stock only where the
        SKU has 在庫戻し."""
        with self.lock:
            found = self._order(order)
            for sku, units in lines.items():
                line = next(
                    (line for line in found.lines if line.sku == sku and not line.removed), None
                )
                if line is None:
                    line = self._line(sku, self._pair(sku), 0, 0)
                    found.lines.append(line)
                change = units - line.units
                if change > 0 or self._restocks(line.pair):
                    self._move(line.pair, -change)
                if units:
                    line.units = units
                elif self.behaviour["removed_lines"] == "flagged":
                    line.removed = True
                else:
                    found.lines.remove(line)

    def cancel_order(self, order: str, *, restock: bool | None) -> None:
        """Cancel as the order API does: `restock` is its inventoryRestoreType 1 or 2; None follows
        the SKU's 在庫戻し (0)."""
        with self.lock:
            self.set_progress(order, 800)
            found = self._order(order)
            self._restore(found, restock, at=800)
            found.progress = 900
            self._restore(found, restock, at=900)

    def fulfil_order(self, order: str, lines: Mapping[str, int] | None = None) -> None:
        with self.lock:
            found = self._order(order)
            whole: dict[str, int] = {}
            for line in found.lines:
                whole[line.sku] = whole.get(line.sku, 0) + line.units
            if lines is not None and dict(lines) != whole:
                raise SimulationError("Rakuten ships an order as a whole")
            found.progress = 500

    def archive_order(self, order: str) -> None:
        raise SimulationError("Rakuten has no archive")

    def delete_order(self, order: str) -> None:
        """Remove an order now. RMS itself removes orders by age only (730 days)."""
        with self.lock:
            self._order(order).deleted = True

    def set_progress(self, order: str, progress: int) -> None:
        """Move the order to another state, and change nothing else."""
        with self.lock:
            self._order(order).progress = progress

    def remove_listing(self, sku: str) -> None:
        """Delete the item, and what RMS would keep of it for a day."""
        self.delete_item(sku)
        self.delete_stock_row(sku)

    def close_for_maintenance(self, closed: bool) -> None:
        self.switch("maintenance", "json" if closed else "")

    def exhaust_quota(self) -> None:
        with self.lock:
            self.quotas.enforced = self.quotas.exhausted = True

    def notification(self, order: str) -> tuple[dict[str, str], bytes]:
        with self.lock:
            return {"Content-Type": "text/xml; charset=UTF-8"}, order_placed(self._order(order))

    def delete_item(self, sku: str) -> None:
        """Delete an item, as the staff does. Its stock rows stay as orphans, and search still shows
        its number."""
        with self.lock:
            item = self.items[self._pair(sku)[0]]
            item.deleted = True
            self._orphans |= {(item.manage_number, variant_id) for variant_id in item.variants}

    def delete_stock_row(self, sku: str) -> None:
        """Remove the stock row: RMS then keeps no number for this SKU."""
        with self.lock:
            self.drop_stock(self._pair(sku))

    def issue_key(self, *, live_after: float = 0.0) -> str:
        """Issue a new licence key. By the switch `old_key_dies`, the old one ends at once."""
        with self.lock:
            now = self.now()
            if self.behaviour["old_key_dies"]:
                self.keys[-1].dies_at = now
            text = f"SL{_SHOP}_sim0licence0{len(self.keys):03d}"
            self.keys.append(
                Key(text, now + timedelta(seconds=live_after), self._end_of_day(now + KEY_LIFE))
            )
            return text

    # What the platform does.

    def is_live(self, key: str) -> bool:
        """Return whether this licence key works now."""
        now = self.now()
        return any(
            known.text == key and known.live_from <= now < known.dies_at for known in self.keys
        )

    def searchable(self) -> list[SimItem]:
        """Return the items that a search finds."""
        if not self._searchable_at:
            return list(self.items.values())
        now = self.now()
        return [
            item
            for item in self.items.values()
            if self._searchable_at.get(item.manage_number, now) <= now
        ]

    def new_stock(self, pair: Pair, quantity: int) -> SimStock:
        """Register a SKU's stock, whether or not there is such a SKU."""
        now = self.now()
        row = self.stock_rows[pair] = SimStock(quantity, now, now)
        self._registered[pair[0]] = self._registered.get(pair[0], 0) + 1
        if pair not in self.variants:
            self._orphans.add(pair)
        return row

    def drop_stock(self, pair: Pair) -> bool:
        """Remove a SKU's stock, and return whether there was any."""
        if self.stock_rows.pop(pair, None) is None:
            return False
        self._registered[pair[0]] -= 1
        return True

    def registered(self, manage_number: str) -> int:
        """Return how many stock rows an item has."""
        return self._registered.get(manage_number, 0)

    def orphans(self) -> list[Pair]:
        """Return the stock rows without a SKU."""
        return sorted(pair for pair in self._orphans if pair in self.stock_rows)

    def purge_orphans(self) -> None:
        """Remove orphans some time after their last change."""
        oldest = self.now() - timedelta(hours=self.behaviour["orphans_live_hours"])
        for pair in self.orphans():
            if self.stock_rows[pair].updated < oldest:
                self.drop_stock(pair)

    def switches(self) -> dict[str, Any]:
        return super().switches() | {
            "quotas": self.quotas.enforced,
            "license_days_left": self._days_left(),
            "new_key_live_after": None,
        }

    def switch(self, name: str, value: Any) -> None:
        """Set a switch. `new_key_live_after` issues a new licence key that works after so many
        seconds; `license_days_left` moves the end of the present key."""
        if name == "quotas":
            self.quotas.enforced, self.quotas.exhausted = bool(value), False
        elif name == "license_days_left":
            self.keys[-1].dies_at = self.now() + timedelta(days=float(value))
        elif name == "new_key_live_after":
            self.issue_key(live_after=float(value))
        else:
            super().switch(name, value)

    def counters(self) -> dict[str, int]:
        throttled = {f"throttled {name}": count for name, count in self.quotas.throttled.items()}
        return super().counters() | throttled | {"throttled": sum(throttled.values())}

    def _add(self, listing: NewListing) -> str:
        extra, now = dict(listing.extra), self.now()
        slug = re.sub(r"[^A-Za-z0-9_-]", "-", listing.sku)[:32]
        manage_number = str(extra.get("manage_number", slug)).lower()
        pair = manage_number, str(extra.get("variant_id", slug))
        if pair in self.variants:
            raise SimulationError(f"there is a SKU {pair[1]} of {manage_number} already")
        item = self.items.get(manage_number)
        if item is None:
            item = self.items[manage_number] = SimItem(
                manage_number,
                str(extra.get("item_number", "")),
                listing.title or listing.sku,
                20_000_000 + len(self.items),
                now,
                item_type=str(extra.get("item_type", "NORMAL")),
            )
            if extra.get("searchable_after"):
                self._searchable_at[manage_number] = now + timedelta(
                    seconds=float(extra["searchable_after"])
                )
        item.hide_item = item.hide_item or bool(extra.get("hide_item"))
        item.unlimited = item.unlimited or bool(extra.get("unlimited"))
        self.variants[pair] = item.variants[pair[1]] = SimVariant(
            extra.get("code", listing.sku),
            listing.barcode,
            str(extra.get("choice", "")),
            bool(extra.get("hidden")),
            bool(extra.get("back_order")),
            bool(extra.get("restock_on_cancel")),
        )
        self._orphans.discard(pair)
        if extra.get("registered", True):
            self.new_stock(pair, listing.quantity)
        self._pairs[listing.sku] = pair
        return f"{pair[0]}/{pair[1]}"

    def _line(self, sku: str, pair: Pair, units: int, package: int) -> SimLine:
        self._detail += 1
        return SimLine(self._detail, pair, units, self.items[pair[0]], sku, package)

    def _sells(self, pair: Pair, units: int) -> bool:
        row = self.stock_rows.get(pair)
        unbound = self.items[pair[0]].unlimited or self.variants[pair].back_order
        return unbound or (row is not None and row.quantity >= units)

    def _move(self, pair: Pair, units: int) -> None:
        """Move a number. It never falls below 0, and an item without stock control has none to
        move."""
        row = self.stock_rows.get(pair)
        if row is not None and not self.items[pair[0]].unlimited:
            row.quantity, row.updated = (
                min(MOST, max(0, row.quantity + units)),
                self.now(),
            )

    def _restocks(self, pair: Pair) -> bool:
        variant = self.variants.get(pair)
        return variant is not None and variant.restock_on_cancel

    def _restore(self, order: SimOrder, restock: bool | None, *, at: int) -> None:
        if order.restored or self.behaviour["restore_at"] != at:
            return
        order.restored = True
        for line in order.lines:
            if not line.removed and (self._restocks(line.pair) if restock is None else restock):
                self._move(line.pair, line.units)

    def _pair(self, sku: str) -> Pair:
        pair = self._pairs.get(sku)
        if pair is None:
            raise SimulationError(f"no SKU {sku!r}")
        return pair

    def _order(self, number: str) -> SimOrder:
        order = self.orders.get(number)
        if order is None:
            raise SimulationError(f"no order {number!r}")
        return order

    def _days_left(self) -> int:
        return (self.keys[-1].dies_at - self.now()) // timedelta(days=1)

    @staticmethod
    def _end_of_day(moment: datetime) -> datetime:
        return moment.astimezone(JAPAN).replace(hour=23, minute=59, second=59, microsecond=0)
