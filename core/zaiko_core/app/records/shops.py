"""Shops and their listings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zaiko_core.domain.matching import AutoLink
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.shop_word import ShippedFrees
from zaiko_core.domain.suspicion import SuspectPolicy


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """A shop. `secrets` are encrypted; they leave the storage only to open the connector."""

    shop: str
    connector: str
    display_name: str
    settings: Mapping[str, Any]
    interval: int
    secrets: bytes | None = field(default=None, repr=False)
    paused: bool = False
    deleted: bool = False
    order_cursor: str | None = None
    orders_complete_until: int | None = None
    orders_read_at: int | None = None
    """When the last fetch of orders began that was ingested whole."""
    reread_at: int | None = None
    ordered_at: int | None = None
    """When fetching orders last brought something new."""
    audited_at: int | None = None
    checked_at: int | None = None
    """When credentials and permissions were looked at last."""
    credentials_expire_at: int | None = None
    unreadable_orders: int = 0
    """Orders that may be open and cannot be read (ADR 0034)."""
    additions_due_at: int | None = None
    """When units are to be added to one of its numbers, or looked after (ADR 0017)."""
    named_due_at: int | None = None
    """When an order that a notification named is to be read (ADR 0040)."""
    account: str = ""
    """The platform's own id of its account (ADR 0040); empty: not known."""
    account_name: str = ""
    account_at: int | None = None
    """When that was found out; None: not since the settings last changed."""
    hold_drift: bool = False
    """Whether a number that was edited in the shop waits for a person instead of being set
    right."""
    shadow: bool = False
    """Everything but the write (ADR 0018)."""
    suspect_policy: SuspectPolicy = field(default_factory=SuspectPolicy)
    shipped_frees: ShippedFrees = ShippedFrees.AUTO
    """When its own «shipped» frees units (ADR 0035)."""
    keeps_unrestocked: bool = False
    """Whether units that it refunded without restocking stay off sale."""
    auto_link: AutoLink = AutoLink.OFF
    catalogue_asked_at: int = 0
    """When an order last asked for a reading of its catalogue."""
    catalogue_asks: int = 0
    """How often in sequence that has brought nothing new."""
    catalogue_due_at: int = 0
    """When a run is to ask for it again."""
    problem: Problem | None = None
    sending_retry_at: int | None = None
    """Until when orders are read and numbers are neither read nor sent, because of `problem`."""
    last_run: str = ""
    last_run_at: int | None = None
    last_success_at: int | None = None
    status_revision: int = 0
    """The revision of the last change of problem and last run; `revision` is that of the rest."""
    due_at: int | None = None
    running: bool = False
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ListingRecord:
    """A listing as it was last read. `linked`: it has a link."""

    shop: str
    listing: str
    external_id: str
    data: Mapping[str, str]
    sku: str = ""
    barcode: str = ""
    title: str = ""
    group_id: str = ""
    quantity: int | None = None
    warnings: tuple[str, ...] = ()
    vanished: bool = False
    seen_at: int = 0
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0
    linked: bool = False
