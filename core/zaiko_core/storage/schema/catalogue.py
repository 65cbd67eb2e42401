"""Merchants, warehouses and products."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

from zaiko_core.storage.schema.columns import id_, metadata, string, time

merchants = Table(
    "merchants",
    metadata,
    id_("merchant"),
    string("display_name"),
    Column("sync_available", Boolean, nullable=False, server_default=true()),
    time("head"),  # the merchant's newest revision; its row lock orders all writers of the merchant
    time("compacted"),  # revisions up to this one are no longer in the change feed
    time("last_movement"),
    time("explained_from"),  # the oldest revision whose numbers can be explained (ADR 0011)
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant"),
)

warehouses = Table(
    "warehouses",
    metadata,
    id_("merchant"),
    id_("warehouse"),
    string("display_name"),
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "warehouse"),
)

products = Table(
    "products",
    metadata,
    id_("merchant"),
    id_("product"),
    id_("code"),
    string("barcode"),
    string("display_name"),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("receiving_only", Text, nullable=False, server_default="OFF"),  # ADR 0017
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "product"),
    UniqueConstraint("merchant", "code"),
    Index(None, "merchant", "barcode"),
)
