"""What belongs to no merchant."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from zaiko_core.storage.schema.columns import JSON_VALUE, id_, maybe_time, metadata, string, time

system = Table(
    "system", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False)
)

accounts = Table(
    "accounts",  # which account of a platform is which shop (ADR 0040). Of the whole installation: two merchants must not have one account.  # noqa: E501
    metadata,
    id_("connector"),
    id_("account"),
    id_("merchant"),
    id_("shop"),
    PrimaryKeyConstraint("connector", "account"),
    Index("ix_accounts_shop", "merchant", "shop"),
)

tokens = Table(
    "tokens",  # who may call (ADR 0015). Of the whole installation: a token may be good for many merchants.  # noqa: E501
    metadata,
    id_("token"),
    Column("hash", LargeBinary),  # SHA-256 of the secret; null: a certificate instead
    string("certificate"),
    string("display_name"),
    id_("role"),
    Column("merchants", JSON_VALUE),  # null: all
    string("created_by"),
    time("created_at"),
    maybe_time("expires_at"),
    maybe_time("revoked_at"),
    maybe_time("last_used_at"),
    PrimaryKeyConstraint("token"),
    Index("ix_tokens_certificate", "certificate"),
)
