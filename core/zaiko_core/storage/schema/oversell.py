"""What was sold and is not there."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, text

from zaiko_core.storage.schema.columns import JSON_VALUE, id_, maybe_time, metadata, time, units

oversells = Table(
    "oversells",  # one row per movement that sold what is not there
    metadata,
    id_("merchant"),
    Column("seq", BigInteger, nullable=False),  # of the movement
    id_("product"),
    Column("at", BigInteger, nullable=False),
    units("units"),
    units("short"),
    id_("cause"),
    Column("evidence", JSON_VALUE, nullable=False),
    maybe_time("cleared_at"),
    Column("cleared_by", BigInteger),  # seq of a movement
    time("revision"),
    PrimaryKeyConstraint("merchant", "seq"),
    Index(None, "merchant", "product", "seq"),
    Index(
        "ix_oversells_open",
        "merchant",
        "product",
        postgresql_where=text("cleared_at IS NULL"),
        sqlite_where=text("cleared_at IS NULL"),
    ),
)
