"""The tables. Every one leads with the merchant. Times are µs since 1970 (BIGINT) on both stores; `revision` is the merchant's
revision of the last change. Changes to this file need a migration (`migrations/README.md`)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_JSON = JSON(none_as_null=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _id(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _count(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _maybe_time(name: str) -> Column[int]:
    return Column(name, BigInteger)


system = Table("system", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

merchants = Table(
    "merchants",
    metadata,
    _id("merchant"),
    _text("display_name"),
    Column("sync_available", Boolean, nullable=False, server_default=true()),
    _time("head"),  # the merchant's newest revision; its row lock orders all writers of the merchant
    _time("compacted"),  # revisions up to this one are no longer in the change feed
    _time("last_movement"),
    _time("explained_from"),  # numbers of earlier revisions cannot be explained any more (ADR 0011)
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant"),
)

tokens = Table(
    "tokens",  # who may call (ADR 0015). Of the whole installation: a token may be good for many merchants.
    metadata,
    _id("token"),
    Column("hash", LargeBinary),  # SHA-256 of the secret; null: a certificate instead
    _text("certificate"),
    _text("display_name"),
    _id("role"),
    Column("merchants", _JSON),  # null: all
    _text("created_by"),
    _time("created_at"),
    _maybe_time("expires_at"),
    _maybe_time("revoked_at"),
    _maybe_time("last_used_at"),
    PrimaryKeyConstraint("token"),
    Index("ix_tokens_certificate", "certificate"),
)

warehouses = Table(
    "warehouses",
    metadata,
    _id("merchant"),
    _id("warehouse"),
    _text("display_name"),
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "warehouse"),
)

products = Table(
    "products",
    metadata,
    _id("merchant"),
    _id("product"),
    _id("code"),
    _text("barcode"),
    _text("display_name"),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("receiving_only", Text, nullable=False, server_default="OFF"),  # ADR 0017
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "product"),
    UniqueConstraint("merchant", "code"),
    Index(None, "merchant", "barcode"),
)

stock = Table(
    "stock",
    metadata,
    _id("merchant"),
    _id("product"),
    _count("physical"),
    _count("allocated"),
    _count("ordered"),
    _count("unallocated"),
    _count("reserve"),
    _count("escrow_below"),  # in escrow while synced is at most this; 0: never (ADR 0012)
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "product"),
    CheckConstraint("ordered = allocated + unallocated", name="both_forms_of_free_agree"),
    CheckConstraint("physical >= 0 AND allocated >= 0 AND unallocated >= 0 AND reserve >= 0", name="not_negative"),
)

shop_states = Table(
    "shop_states",  # what a shop's connector remembers over restarts, sealed like credentials
    metadata,
    _id("merchant"),
    _id("shop"),
    Column("sealed", LargeBinary, nullable=False),
    _time("updated_at"),
    PrimaryKeyConstraint("merchant", "shop"),
)

webhook_deliveries = Table(
    "webhook_deliveries",  # notifications of platforms that have come, kept for a while (ADR 0014)
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("delivery"),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("merchant", "shop", "delivery"),
    Index(None, "merchant", "at"),
)

warehouse_stock = Table(
    "warehouse_stock",
    metadata,
    _id("merchant"),
    _id("product"),
    _id("warehouse"),
    _count("physical"),
    _count("allocated"),
    PrimaryKeyConstraint("merchant", "product", "warehouse"),
    CheckConstraint("physical >= 0 AND allocated >= 0", name="not_negative"),
)

movements = Table(
    "movements",
    metadata,
    _id("merchant"),
    Column("seq", BigInteger, nullable=False),
    _id("product"),
    _text("warehouse"),
    _id("kind"),
    _count("physical"),
    _count("allocated"),
    _count("ordered"),
    _count("unallocated"),
    _text("shop"),
    _text("order_id"),
    _id("cause"),
    _text("note"),
    _time("occurred_at"),
    _time("recorded_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "seq"),
    UniqueConstraint("merchant", "cause"),
    Index(None, "merchant", "product", "seq"),
)

demands = Table(
    "demands",
    metadata,
    _id("merchant"),
    _text("shop"),  # empty for a warehouse's own shipment
    _id("order_id"),
    _id("product"),
    _count("wanted"),
    _count("fulfilled"),
    _count("shipped"),
    _count("alloc"),
    PrimaryKeyConstraint("merchant", "shop", "order_id", "product"),
    Index(None, "merchant", "product"),
)

allocations = Table(
    "allocations",
    metadata,
    _id("merchant"),
    _text("shop"),
    _id("order_id"),
    _id("product"),
    _id("warehouse"),
    _count("alloc"),
    PrimaryKeyConstraint("merchant", "shop", "order_id", "product", "warehouse"),
    CheckConstraint("alloc >= 0", name="not_negative"),
)

shops = Table(
    "shops",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("connector"),
    _text("display_name"),
    Column("settings", _JSON, nullable=False),
    Column("secrets", LargeBinary),  # encrypted (storage/secrets.py)
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("interval", BigInteger, nullable=False),
    # Order ingestion.
    Column("order_cursor", Text),
    _maybe_time("orders_complete_until"),
    _maybe_time("reread_at"),  # when open orders were last read again
    _maybe_time("ordered_at"),  # when fetching last brought something new (ADR 0010)
    # The drift audit (ADR 0013).
    _maybe_time("audited_at"),
    _maybe_time("checked_at"),
    _maybe_time("credentials_expire_at"),
    _maybe_time("additions_due_at"),  # the earliest of its addition_places (ADR 0017)
    Column("hold_drift", Boolean, nullable=False, server_default=false()),
    Column("shadow", Boolean, nullable=False, server_default=false()),  # ADR 0018
    # What becomes of suspect demand, in days (ADR 0022); null: held.
    Column("release_archived", Integer),
    Column("release_vanished", Integer),
    Column("release_unpaid", Integer),
    _count("unpaid_after", 14),
    # Status.
    Column("problem", _JSON),
    _text("last_run"),
    _maybe_time("last_run_at"),
    _maybe_time("last_success_at"),
    _time("status_revision"),  # apart from `revision`, so that a run does not make the settings look changed
    # The job (ADR 0005).
    _maybe_time("due_at"),  # null: never by itself (paused, deleted, held)
    Column("wanted", BigInteger, nullable=False, server_default="0"),
    Column("taken", BigInteger, nullable=False, server_default="0"),
    _count("triggered"),  # the strongest trigger since the last run began (storage/triggers.py)
    _time("cancelled"),  # the token of the last run that was asked to end
    Column("owner", Text),
    _maybe_time("lease_until"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    _count("attempt"),
    Column("cause", Text),  # the trace of the newest change that made it due (ADR 0019)
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "shop"),
    Index("ix_shops_due", "due_at", postgresql_where=text("due_at IS NOT NULL"), sqlite_where=text("due_at IS NOT NULL")),
    Index(None, "lease_until", postgresql_where=text("owner IS NOT NULL"), sqlite_where=text("owner IS NOT NULL")),
)

listings = Table(
    "listings",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("listing"),
    _id("external_id"),
    Column("data", _JSON, nullable=False),  # the connector's own
    _text("sku"),
    _text("barcode"),
    _text("title"),
    _text("group_id"),
    Column("quantity", Integer),
    Column("warnings", _JSON, nullable=False),
    Column("vanished", Boolean, nullable=False, server_default=false()),
    _time("seen_at"),
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "listing"),
    Index(None, "merchant", "shop", "sku"),
)

links = Table(
    "links",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("listing"),
    Column("sync_enabled", Boolean, nullable=False),
    # The fence (domain/fence.py).
    Column("expected", Integer),
    _count("suspected"),
    _time("suspected_since"),
    _count("doubt"),
    _count("released"),
    _time("taken_over_at"),
    Column("must_read", Boolean, nullable=False, server_default=true()),
    Column("flight_key", Text),
    Column("flight_quantity", Integer),
    Column("flight_absolute", Integer),
    _maybe_time("flight_at"),
    Column("replaced", Integer),
    _time("read_at"),  # when the shop's number was last read and settled (ADR 0013)
    _maybe_time("differ_since"),  # in shadow (ADR 0018)
    # What the shop sold lately: units of the present period and of the one before (domain/escrow.py).
    _time("sold_period"),
    _count("sold_now"),
    _count("sold_before"),
    # Work: when the link is to be handled next (null: nothing to do), and the revision of the change that asked for it.
    _maybe_time("due_at"),
    _time("touched"),
    _count("attempt"),
    # Status.
    _id("state"),
    Column("target", Integer),
    Column("confirmed", Integer),
    _maybe_time("last_success_at"),
    _maybe_time("last_attempt_at"),
    Column("problem", _JSON),
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "listing"),
    Index(
        "ix_links_audit",
        "merchant",
        "shop",
        "read_at",
        postgresql_where=text("sync_enabled"),
        sqlite_where=text("sync_enabled"),
    ),
    Index(
        "ix_links_due",
        "merchant",
        "shop",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
)

link_parts = Table(
    "link_parts",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("listing"),
    _id("product"),
    _count("units", 1),
    PrimaryKeyConstraint("merchant", "shop", "listing", "product"),
    Index("ix_link_parts_product", "merchant", "product", "shop", "listing"),  # covers what is asked of a product
    CheckConstraint("units >= 1", name="at_least_one"),
)

pushes = Table(
    "pushes",  # every write that was about to be sent (ADR 0011)
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("listing"),
    Column("at", BigInteger, nullable=False),
    _id("key"),
    Column("believed", Integer),  # what the shop was taken to show
    Column("target", Integer, nullable=False),
    Column("terms", _JSON, nullable=False),  # [[label, units], …]: target − Σ units = quantity
    Column("quantity", Integer, nullable=False),
    _id("outcome"),
    _maybe_time("settled_at"),
    Column("settled_revision", BigInteger),
    Column("shown", Integer),  # what a reading that settled it showed
    _time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "listing", "at", "key"),
    Index(None, "merchant", "at"),
)

additions = Table(
    "additions",  # receipts whose units are added to one shop's number (ADR 0017)
    metadata,
    _id("merchant"),
    _id("addition"),  # the receipt's movement, or r… for units that an addition overwrote and that are taken off again
    _id("product"),
    _count("units"),
    _text("shop"),  # empty: no listing of the product is linked
    _text("listing"),
    _id("state"),
    _maybe_time("settled_at"),
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
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
    "addition_places",  # listings that units are to be added to, with the one attempt that each may have under way
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("listing"),
    _time("due_at"),
    _count("attempt"),
    Column("key", Text),  # null: none under way
    Column("base", Integer),
    Column("units", Integer),
    _maybe_time("base_at"),
    _maybe_time("base_until"),
    _maybe_time("sent_at"),
    _maybe_time("answered_at"),
    Column("seen", Integer),
    _maybe_time("seen_at"),
    _maybe_time("seen_until"),
    Column("problem", _JSON),
    PrimaryKeyConstraint("merchant", "shop", "listing"),
)

stock_settings = Table(
    "stock_settings",  # changes of what people set per product
    metadata,
    _id("merchant"),
    _id("product"),
    Column("revision", BigInteger, nullable=False),
    _time("at"),
    _count("reserve_before"),
    _count("reserve"),
    _count("escrow_before"),
    _count("escrow_below"),
    PrimaryKeyConstraint("merchant", "product", "revision"),
    Index(None, "merchant", "at"),
)

oversells = Table(
    "oversells",  # one row per movement that sold what is not there
    metadata,
    _id("merchant"),
    Column("seq", BigInteger, nullable=False),  # of the movement
    _id("product"),
    Column("at", BigInteger, nullable=False),
    _count("units"),
    _count("short"),
    _id("cause"),
    Column("evidence", _JSON, nullable=False),
    _maybe_time("cleared_at"),
    Column("cleared_by", BigInteger),  # seq of a movement
    _time("revision"),
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

drifts = Table(
    "drifts",
    metadata,
    _id("merchant"),
    Column("at", BigInteger, nullable=False),
    _id("shop"),
    _id("listing"),
    _id("cause"),
    Column("expected", Integer, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("held", Boolean, nullable=False),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "at", "shop", "listing"),
    Index(None, "merchant", "shop", "listing", "at"),
)

orders = Table(
    "orders",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("order_id"),
    _text("number"),
    _time("version"),
    _time("read_at"),
    _id("state"),
    Column("state_known", Boolean, nullable=False, server_default=true()),
    _text("platform_state"),
    Column("archived", Boolean, nullable=False, server_default=false()),
    Column("paid", Boolean),
    _time("placed_at"),
    _maybe_time("vanished_at"),
    _maybe_time("archived_at"),
    _maybe_time("released_at"),  # ADR 0022
    _text("released_for"),
    Column("kept", Boolean, nullable=False, server_default=false()),
    _count("applied"),
    _count("holds"),  # units still open by the shop's account
    Column("uncounted", Boolean, nullable=False, server_default=false()),  # has a line that is counted for no product
    _time("created_at"),
    _time("updated_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "order_id"),
    Index(
        "ix_orders_holding",
        "merchant",
        "shop",
        "order_id",
        postgresql_where=text("holds > 0"),
        sqlite_where=text("holds > 0"),
    ),
)

order_lines = Table(
    "order_lines",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("order_id"),
    _id("line"),
    _text("listing"),
    _text("sku"),
    _text("title"),
    _count("ordered"),
    _count("cancelled"),
    _count("fulfilled"),
    Column("parts", _JSON),  # null: not counted; [[product, count], …]
    PrimaryKeyConstraint("merchant", "shop", "order_id", "line"),
    Index(None, "merchant", "shop", "listing"),
)

runs = Table(
    "runs",
    metadata,
    _id("merchant"),
    _id("shop"),
    _id("run"),
    _id("state"),
    _id("trigger"),
    Column("token", BigInteger, nullable=False),
    _time("started_at"),
    _time("started_revision"),
    _maybe_time("ended_at"),
    Column("counts", _JSON, nullable=False),
    Column("problem", _JSON),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "run"),
    Index(None, "merchant", "shop", postgresql_where=text("state = 'RUNNING'"), sqlite_where=text("state = 'RUNNING'")),
)

operations = Table(
    "operations",
    metadata,
    _id("merchant"),
    _id("operation"),
    _id("kind"),
    _id("state"),
    _text("shop"),
    Column("arguments", _JSON, nullable=False),
    _count("done"),
    _count("total"),
    Column("result", _JSON),
    Column("problem", _JSON),
    Column("cancel_asked", Boolean, nullable=False, server_default=false()),
    Column("owner", Text),
    _maybe_time("lease_until"),
    _time("created_at"),
    _maybe_time("started_at"),
    _maybe_time("ended_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "operation"),
    Index(
        "ix_operations_open",
        "state",
        postgresql_where=text("ended_at IS NULL"),
        sqlite_where=text("ended_at IS NULL"),
    ),
)

requests = Table(
    "requests",
    metadata,
    _id("merchant"),
    _id("principal"),
    _id("method"),
    _id("request_id"),
    Column("digest", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    _time("created_at"),
    _time("revision"),
    PrimaryKeyConstraint("merchant", "principal", "method", "request_id"),
    Index(None, "merchant", "created_at"),
)

changes = Table(
    "changes",
    metadata,
    _id("merchant"),
    Column("revision", BigInteger, nullable=False),
    _id("kind"),
    _id("name"),
    _time("at"),
    PrimaryKeyConstraint("merchant", "revision", "kind", "name"),
)
