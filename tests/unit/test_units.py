"""Sums of units are not bounded, so wherever a sum is kept or sent there are 64 bits."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import zaiko.v1
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from sqlalchemy.dialects import postgresql
from zaiko.v1 import options_pb2
from zaiko_core.storage.schema import metadata

BOUNDED = {
    "page_size",
    "promise_limit",
    "watch_id",
    "delivery",
    "count",
    "counted",
    "delta",
    "quantity",
    "reserve",
    "escrow_below",
}
"""Numbers of one request, and settings that one request gave."""
COUNTS = (
    "_count",
    "_days",
    "done",
    "total",
    "code",
    "_fetched",
    "_changed",
    "_computed",
    "_pushed",
    "_confirmed",
    "_failed",
    "_retries",
)
"""Ends of the names of what counts something other than units."""
STATES = {"disabled", "pending", "syncing", "synced", "failed", "held", "shadow"}
"""Links by state (LinkCounts)."""
UNITS = frozenset(
    [
        "physical",
        "allocated",
        "ordered",
        "unallocated",
        "wanted",
        "fulfilled",
        "shipped",
        "alloc",
        "cancelled",
        "holds",
        "units",
        "short",
        "expected",
        "unexplained",
        "uncertain",
        "target",
        "confirmed",
        "quantity",
        "shown",
        "sold_now",
        "sold_before",
    ]
)
"""Columns with units."""


def _fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    yield from message.fields
    for nested in message.nested_types:
        yield from _fields(nested)


def _messages() -> Iterator[Descriptor]:
    for module in pkgutil.iter_modules(zaiko.v1.__path__, "zaiko.v1."):
        if module.name.endswith("_pb2") and module.name != options_pb2.__name__:
            found = importlib.import_module(module.name).DESCRIPTOR
            yield from found.message_types_by_name.values()


def test_every_sum_of_units_has_64_bits_on_the_wire() -> None:
    narrow = {
        f"{field.containing_type.name}.{field.name}"
        for message in _messages()
        for field in _fields(message)
        if field.type == FieldDescriptor.TYPE_INT32
        and field.name not in BOUNDED
        and not field.name.endswith(COUNTS)
        and not (field.containing_type.name == "LinkCounts" and field.name in STATES)
    }
    assert narrow == set(), "make it int64; or say above that it is bounded, or counts no units"


def test_every_column_of_units_has_64_bits_in_the_store() -> None:
    kinds = {
        (table.name, column.name): column.type.compile(dialect=postgresql.dialect())
        for table in metadata.sorted_tables
        for column in table.columns
        if column.name in UNITS
    }
    assert {name for name, kind in kinds.items() if kind != "BIGINT"} == set()
    assert len(kinds) > 30
