"""A record comes back from its row as it was, and a field that has no column is noticed."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import Any

import pytest
from zaiko_core.app.records import LinkRecord, LinkState, PlaceRecord
from zaiko_core.domain.addition import Attempt, Reading
from zaiko_core.domain.fence import InventoryBelief, PendingWrite
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.stock import Delta, DemandRef, Entry, Movement, MovementKind
from zaiko_core.storage import additions, links, schema, stocks
from zaiko_core.storage.codec import Codec


def back(codec: Codec[Any], record: Any) -> Any:
    """What a row with the record's columns is read as."""
    row = codec.write(record)
    return codec.read(make_dataclass("Row", list(row))(**row))


PENDING = PendingWrite(key="k", quantity=3, at=7, absolute=None)
PROBLEM = Problem("PLATFORM_UNAVAILABLE", "It does not answer.")
LINK = LinkRecord("a", "tea", (), True, LinkState.FAILED, problem=PROBLEM)


@pytest.mark.parametrize(
    ("codec", "record"),
    [
        (links.LINKS, LINK),
        (links.BELIEFS, InventoryBelief(expected=0, pending=PENDING)),
        (links.BELIEFS, InventoryBelief(expected=5, pending=None, must_read=False)),
        (additions._PLACES, PlaceRecord("a", "tea", 1, seen=Reading(4, 5, 6))),
        (
            additions._PLACES,
            PlaceRecord("a", "tea", 1, key="k", under_way=Attempt(Reading(1, 2, 3), -4, 5)),
        ),
    ],
)
def test_a_record_comes_back_from_its_row(codec: Codec[Any], record: Any) -> None:
    assert back(codec, record) == record


@pytest.mark.parametrize("demand", [None, DemandRef("a", "1"), DemandRef("", "shipment")])
def test_an_embedded_record_that_is_none_is_empty_text_where_a_column_is_never_null(
    demand: DemandRef | None,
) -> None:
    entry = Entry("tea", MovementKind.RECEIVE, "c", Delta(physical=1), "tokyo", demand)
    movement = Movement(1, entry, 2, 3)
    row = stocks._MOVEMENTS.write(movement)
    assert (row["shop"], row["order_id"]) == ((demand.shop, demand.order) if demand else ("", ""))
    assert back(stocks._MOVEMENTS, movement) == movement


@dataclass(frozen=True)
class _Warehouse:
    warehouse: str
    colour: str = ""


def test_a_field_without_a_column_is_noticed_unless_it_is_derived() -> None:
    with pytest.raises(TypeError, match=r"warehouses has no column for _Warehouse\.colour"):
        Codec(schema.warehouses, _Warehouse)

    codec = Codec(schema.warehouses, _Warehouse, derived={"colour": "red"})
    assert codec.columns == ("warehouse",)
    assert back(codec, _Warehouse("tokyo", "blue")) == _Warehouse("tokyo", "red")
