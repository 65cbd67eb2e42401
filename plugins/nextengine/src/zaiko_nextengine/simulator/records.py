"""What the simulated Next Engine keeps, and the form in which its API shows it (FACTS.md §4, §5 and
§7): all values are text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

_JAPAN = timezone(timedelta(hours=9))
NO_TIME = "0000-00-00 00:00:00"
STATUS = {
    "0": "取込情報不足",
    "1": "受注メール取込済",
    "2": "起票済(CSV/手入力)",
    "20": "納品書印刷待ち",
    "30": "納品書印刷中",
    "40": "納品書印刷済み",
    "50": "出荷確定済(完了)",
}
CANCEL = {"0": "有効な受注です", "1": "顧客都合", "3": "他伝票へ統合", "5": "自社都合"}


def shown(moment: datetime | None) -> str | None:
    """Return a time as the API shows it."""
    return None if moment is None else moment.astimezone(_JAPAN).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(slots=True)
class SimGoods:
    """One goods code with its stock. `registered` is 在庫数, `allocated` 引当数, `short` 欠品数."""

    code: str
    name: str
    barcode: str
    parent: str
    registered: int
    changed_at: datetime
    allocated: int = 0
    short: int = 0
    type_id: str = "0"
    managed: bool = True
    visible: bool = True

    @property
    def free(self) -> int:
        """フリー在庫数."""
        return self.registered - self.allocated

    def document(self) -> dict[str, Any]:
        """Return the goods as goods and stock search show them, with all fields of both."""
        return {
            "goods_id": self.code,
            "goods_name": self.name,
            "goods_jan_code": self.barcode or None,
            "goods_representation_id": self.parent or None,
            "goods_type_id": self.type_id,
            "goods_stock_management_flag": str(int(self.managed)),
            "goods_visible_flag": str(int(self.visible)),
            "goods_selling_price": "1100.00",
            "goods_last_modified_null_safe_date": shown(self.changed_at),
            "stock_goods_id": self.code,
            "stock_quantity": str(self.registered),
            "stock_allocation_quantity": str(self.allocated),
            "stock_free_quantity": str(self.free),
            "stock_defective_quantity": "0",
            "stock_out_quantity": str(self.short),
            "stock_advance_order_quantity": "0",
            "stock_deleted_flag": "0",
            "stock_last_modified_null_safe_date": shown(self.changed_at),
        }


@dataclass(slots=True)
class SimLine:
    no: int
    code: str
    units: int
    changed_at: datetime
    allocated: int = 0
    cancelled: bool = False
    deleted: bool = False
    came_from: str = ""
    """The slip that was merged into this line's."""


@dataclass(slots=True)
class SimSlip:
    """受注伝票."""

    id: str
    shop_number: str
    placed_at: datetime
    changed_at: datetime
    visible_at: datetime
    status: str = "2"
    cancel_type: str = "0"
    merged_into: str = ""
    lines: list[SimLine] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether its lines hold stock."""
        return self.cancel_type == "0" and self.status != "50"

    def documents(self, names: dict[str, str]) -> list[dict[str, Any]]:
        """Return the slip's rows as the row search shows them. `names` are those of the goods by
        code."""
        return [self._document(line, names.get(line.code, "")) for line in self.lines]

    def _document(self, line: SimLine, name: str) -> dict[str, Any]:
        return {
            "receive_order_row_receive_order_id": self.id,
            "receive_order_row_shop_cut_form_id": self.shop_number,
            "receive_order_row_no": str(line.no),
            "receive_order_row_goods_id": line.code,
            "receive_order_row_goods_name": name,
            "receive_order_row_quantity": str(line.units),
            "receive_order_row_unit_price": "1100.00",
            "receive_order_row_cancel_flag": str(int(line.cancelled)),
            "receive_order_row_deleted_flag": str(int(line.deleted)),
            "receive_order_row_stock_allocation_quantity": str(line.allocated),
            "receive_order_row_returned_good_quantity": "0",
            "receive_order_include_from_order_id": line.came_from or None,
            "receive_order_row_last_modified_date": shown(line.changed_at),
            "receive_order_row_last_modified_newest_date": shown(
                max(self.changed_at, line.changed_at)
            ),
            "receive_order_shop_id": "1",
            "receive_order_date": shown(self.placed_at),
            "receive_order_import_date": shown(self.placed_at),
            "receive_order_send_date": shown(self.changed_at) if self.status == "50" else NO_TIME,
            "receive_order_order_status_id": self.status,
            "receive_order_order_status_name": STATUS.get(self.status, "?"),
            "receive_order_cancel_type_id": self.cancel_type,
            "receive_order_cancel_type_name": CANCEL.get(self.cancel_type, "?"),
            "receive_order_include_to_order_id": self.merged_into or None,
        }


@dataclass(slots=True)
class SimJob:
    """One upload in the queue."""

    id: str
    data: str
    created_at: datetime
    status: int = 0
    message: str = ""
    ended: bool = False

    def document(self) -> dict[str, Any]:
        """Return the job as the queue's search shows it."""
        return {
            "que_id": self.id,
            "que_method_name": "Tgoods::upload",
            "que_status_id": str(self.status),
            "que_message": self.message or None,
            "que_creation_date": shown(self.created_at),
        }
