"""Units that are added to the numbers of shops, and the places where."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, text

from zaiko_core.storage.schema.columns import (
    JSON_VALUE,
    UNITS,
    count,
    id_,
    maybe_time,
    metadata,
    string,
    time,
    units,
)

additions = Table(
    "additions",  # receipts whose units are added to one shop's number (ADR 0017)
    metadata,
    id_("merchant"),
    id_(
        "addition"
    ),  # the receipt's movement, or r… for units that an addition overwrote and that are taken off again  # noqa: E501
    id_("product"),
    units("units"),
    string("shop"),  # empty: no listing of the product is linked
    string("listing"),
    id_("state"),
    maybe_time("settled_at"),
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "addition"),
    Index(None, "merchant", "product"),
    Index(
        "ix_additions_open",
        "merchant",
        "shop",
        "listing",
        postgresql_where=text("state IN ('QUEUED', 'SENT')"),
        sqlite_where=text("state IN ('QUEUED', 'SENT')"),
    ),
)

addition_places = Table(
    "addition_places",  # listings that units are to be added to, with the one attempt that each may have under way  # noqa: E501
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("listing"),
    time("due_at"),
    count("attempt"),
    Column("key", Text),  # null: none under way
    Column("base", UNITS),
    Column("units", UNITS),
    maybe_time("base_at"),
    maybe_time("base_until"),
    maybe_time("sent_at"),
    maybe_time("answered_at"),
    Column("seen", UNITS),
    maybe_time("seen_at"),
    maybe_time("seen_until"),
    Column("problem", JSON_VALUE),
    PrimaryKeyConstraint("merchant", "shop", "listing"),
)
