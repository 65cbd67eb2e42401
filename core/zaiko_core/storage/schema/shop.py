"""Shops and their listings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

from zaiko_core.storage.schema.columns import (
    JSON_VALUE,
    UNITS,
    count,
    id_,
    maybe_time,
    metadata,
    string,
    time,
)

shops = Table(
    "shops",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("connector"),
    string("display_name"),
    Column("settings", JSON_VALUE, nullable=False),
    Column("secrets", LargeBinary),  # encrypted (storage/secrets.py)
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("interval", BigInteger, nullable=False),
    # Order ingestion.
    Column("order_cursor", Text),
    maybe_time("orders_complete_until"),
    maybe_time("orders_read_at"),  # when the last fetch that was ingested whole began
    maybe_time("reread_at"),  # when open orders were last read again
    maybe_time("ordered_at"),  # when fetching last brought something new (ADR 0010)
    # The drift audit (ADR 0013).
    maybe_time("audited_at"),
    maybe_time("checked_at"),
    maybe_time("credentials_expire_at"),
    count("unreadable_orders"),  # of its orders, how many may be open and cannot be read (ADR 0034)
    maybe_time("additions_due_at"),  # the earliest of its addition_places (ADR 0017)
    maybe_time("named_due_at"),  # the earliest of its named_orders (ADR 0040)
    # The account of the platform (ADR 0040). No time: ask before anything else.
    string("account"),
    string("account_name"),
    maybe_time("account_at"),
    Column("hold_drift", Boolean, nullable=False, server_default=false()),
    Column("shadow", Boolean, nullable=False, server_default=false()),  # ADR 0018
    # What becomes of suspect demand, in days (ADR 0022); null: held.
    Column("release_archived", Integer),
    Column("release_vanished", Integer),
    Column("release_unpaid", Integer),
    count("unpaid_after", 14),
    # What its own word counts for, and what becomes of new listings (ADR 0035).
    Column("shipped_frees", Text, nullable=False, server_default="AUTO"),
    Column("keeps_unrestocked", Boolean, nullable=False, server_default=false()),
    Column("auto_link", Text, nullable=False, server_default="OFF"),
    time("catalogue_asked_at"),  # when an order last asked for a reading of the catalogue
    count("catalogue_asks"),  # how often that has brought no new listing, one after another
    time("catalogue_due_at"),  # when it is asked for again
    # Status.
    Column("problem", JSON_VALUE),
    maybe_time("sending_retry_at"),  # until then only orders are read (ADR 0036)
    string("last_run"),
    maybe_time("last_run_at"),
    maybe_time("last_success_at"),
    time(
        "status_revision"
    ),  # apart from `revision`, so that a run does not make the settings look changed
    # The job (ADR 0005).
    maybe_time("due_at"),  # null: only on request (paused, deleted, held)
    Column("trigger_seq", BigInteger, nullable=False, server_default="0"),
    Column("claimed_seq", BigInteger, nullable=False, server_default="0"),
    count(
        "pending_trigger"
    ),  # the strongest trigger since the last run began (storage/triggers.py)
    time("cancelled_token"),  # the token of the last run that was asked to end
    Column("owner", Text),
    maybe_time("lease_until"),
    Column("lease_token", BigInteger, nullable=False, server_default="0"),
    count("attempt"),
    Column("trace_parent", Text),  # the trace of the newest change that made it due (ADR 0019)
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "shop"),
    Index(
        "ix_shops_due",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index(
        None,
        "lease_until",
        postgresql_where=text("owner IS NOT NULL"),
        sqlite_where=text("owner IS NOT NULL"),
    ),
)

shop_states = Table(
    "shop_states",  # what a shop's connector remembers over restarts, sealed like credentials
    metadata,
    id_("merchant"),
    id_("shop"),
    Column("sealed", LargeBinary, nullable=False),
    time("updated_at"),
    PrimaryKeyConstraint("merchant", "shop"),
)

listings = Table(
    "listings",
    metadata,
    id_("merchant"),
    id_("shop"),
    id_("listing"),
    id_("external_id"),
    Column("data", JSON_VALUE, nullable=False),  # the connector's own
    string("sku"),
    string("barcode"),
    string("title"),
    string("group_id"),
    Column("quantity", UNITS),
    Column("warnings", JSON_VALUE, nullable=False),
    Column("vanished", Boolean, nullable=False, server_default=false()),
    time("seen_at"),
    time("created_at"),
    time("updated_at"),
    time("revision"),
    PrimaryKeyConstraint("merchant", "shop", "listing"),
    Index(None, "merchant", "shop", "sku"),
)
