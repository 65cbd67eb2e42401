"""What is stored, as immutable values. Times are µs since 1970; `revision` is that of the last change."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zaiko_core.domain.addition import AdditionState, Attempt, Reading, ReceivingOnly
from zaiko_core.domain.demand import OrderRecord
from zaiko_core.domain.drift import Difference
from zaiko_core.domain.escrow import Sales
from zaiko_core.domain.fence import Fence
from zaiko_core.domain.links import Part
from zaiko_core.domain.oversell import Autopsy, Showing, Taken
from zaiko_core.domain.problem import Problem
from zaiko_core.domain.push import PushOutcome, Term
from zaiko_core.domain.stock import Balance, Delta, DemandRef
from zaiko_core.domain.suspicion import SuspectPolicy


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    merchant: str
    display_name: str = ""
    sync_available: bool = True
    head: int = 0
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Who may call. `hash` is of the secret, or None when `certificate`, an identity of a client certificate, stands for it;
    `merchants` None: all."""

    token: str
    role: str
    merchants: tuple[str, ...] | None
    display_name: str = ""
    certificate: str = ""
    expires_at: int | None = None
    hash: bytes | None = field(default=None, repr=False)
    created_by: str = ""
    created_at: int = 0
    revoked_at: int | None = None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class WarehouseRecord:
    warehouse: str
    display_name: str = ""
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ProductRecord:
    product: str
    code: str
    barcode: str = ""
    display_name: str = ""
    archived: bool = False
    receiving_only: ReceivingOnly = ReceivingOnly.OFF
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class StockRecord:
    """A product's balance over all warehouses, and per warehouse (physical, allocated)."""

    product: str
    balance: Balance
    warehouses: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """A shop. `secrets` are encrypted bytes; they leave the storage only to open the connector."""

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
    reread_at: int | None = None
    ordered_at: int | None = None
    """When fetching orders last brought something new."""
    audited_at: int | None = None
    checked_at: int | None = None
    """When credentials and permissions were looked at last."""
    credentials_expire_at: int | None = None
    additions_due_at: int | None = None
    """When units are to be added to one of its numbers, or looked after (ADR 0017)."""
    hold_drift: bool = False
    """Whether a number that was edited in the shop waits for a person instead of being set right."""
    shadow: bool = False
    """Everything but the write (ADR 0018)."""
    suspect_policy: SuspectPolicy = field(default_factory=SuspectPolicy)
    problem: Problem | None = None
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
    """A listing as last read. `linked` says whether a link binds it."""

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


class LinkState(enum.StrEnum):
    """What people are shown of a link."""

    DISABLED = "DISABLED"
    PENDING = "PENDING"
    SYNCING = "SYNCING"
    SYNCED = "SYNCED"
    FAILED = "FAILED"
    HELD = "HELD"
    SHADOW = "SHADOW"
    """Compared and not sent (ADR 0018): `confirmed` is what the shop was read to show."""


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A link with its fence and its status."""

    shop: str
    listing: str
    parts: tuple[Part, ...]
    sync_enabled: bool
    state: LinkState
    fence: Fence = field(default_factory=Fence)
    due_at: int | None = None
    touched: int = 0
    attempt: int = 0
    target: int | None = None
    confirmed: int | None = None
    last_success_at: int | None = None
    last_attempt_at: int | None = None
    problem: Problem | None = None
    read_at: int = 0
    """When the shop's number was last read and settled; 0 = never."""
    differ_since: int | None = None
    """In shadow: since when the shop shows another number than the target."""
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PushRecord:
    """A number that was sent to a shop: `target − Σ terms = quantity`. `revision` is the one that it was computed at, `believed`
    what the shop was taken to show before."""

    shop: str
    listing: str
    at: int
    key: str
    believed: int | None
    target: int
    terms: tuple[Term, ...]
    quantity: int
    outcome: PushOutcome = PushOutcome.SENT
    settled_at: int | None = None
    shown: int | None = None
    """What the reading that settled it showed."""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of the push of `listing` that was recorded at `at` under `key`."""

    listing: str
    at: int
    key: str
    outcome: PushOutcome
    shown: int | None = None


@dataclass(frozen=True, slots=True)
class AdditionRecord:
    """Units of one receipt that are added to the number of a shop; `shop` and `listing` are empty while the product has no link
    that takes them. Units < 0 are taken off again, because an addition overwrote orders."""

    addition: str
    product: str
    units: int
    shop: str = ""
    listing: str = ""
    state: AdditionState = AdditionState.QUEUED
    settled_at: int | None = None
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """A listing that units are to be added to. `under_way`, recorded as `key`, may have been applied; `seen` is what a reading
    after it showed."""

    shop: str
    listing: str
    due_at: int
    attempt: int = 0
    """How often in a row it did not succeed."""
    key: str | None = None
    under_way: Attempt | None = None
    seen: Reading | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """One product in one warehouse, as its movements add up: received + adjusted + shipped (≤ 0) = physical."""

    warehouse: str
    received: int
    adjusted: int
    shipped: int
    physical: int
    allocated: int


@dataclass(frozen=True, slots=True)
class Promise:
    """One demand as its movements add up. `number` is the shop's, empty where the order was never read; `since` is when it was
    placed, or first heard of."""

    demand: DemandRef
    number: str
    delta: Delta
    since: int


@dataclass(frozen=True, slots=True)
class StockSettings:
    """What people had set for a product, and since when (0: before anything that is kept)."""

    reserve: int
    escrow_below: int
    since: int = 0


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link of a product as it stands when the product is oversold, with what its shop was doing. `shop_read_at` is when the shop
    was last read to the end."""

    product: str
    count: int
    link: LinkRecord
    shop_problem: str
    shop_read_at: int | None
    interval: int


@dataclass(frozen=True, slots=True)
class OversellRecord:
    """One movement (`by`) that took `units` which are not there; `short` units were missing after it. `taken` are movements that
    took units since the seller's number was computed, the newest first. `cleared_by` is the movement that ended it."""

    product: str
    at: int
    units: int
    short: int
    by: Taken
    autopsy: Autopsy
    showings: tuple[Showing, ...]
    taken: tuple[Taken, ...]
    cleared_at: int | None = None
    cleared_by: int | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """A difference between what a shop showed and what was expected, and whether it was left for a person. `at` is when it was
    settled."""

    at: int
    shop: str
    listing: str
    difference: Difference
    held: bool = False
    revision: int = 0


@dataclass(frozen=True, slots=True)
class DueLink:
    """A link that a run is to handle, with what it needs to: the listing as the connector names it and the balances of its
    parts at this moment."""

    link: LinkRecord
    external_id: str
    data: Mapping[str, str]
    balances: Mapping[str, Balance]


@dataclass(frozen=True, slots=True)
class Holding:
    """An enabled link as a holder of one product: what decides its quota (ADR 0012). `count` units go into one of the listing."""

    product: str
    shop: str
    listing: str
    count: int
    fence: Fence
    sales: Sales
    movable: bool


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as listed for people."""

    shop: str
    record: OrderRecord
    holds: int
    uncounted: bool
    created_at: int
    updated_at: int
    revision: int


class RunState(enum.StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"
    CANCELLED = "CANCELLED"


class Trigger(enum.StrEnum):
    """What makes a run begin, the strongest first. Notifications and changes do not hasten a shop that backs off or whose run was
    abandoned, so such a run is RETRY or RECOVERY whatever came meanwhile; a person's request begins it at once."""

    REQUEST = "REQUEST"
    RECOVERY = "RECOVERY"
    RETRY = "RETRY"
    WEBHOOK = "WEBHOOK"
    CHANGE = "CHANGE"
    INTERVAL = "INTERVAL"


@dataclass(slots=True)
class RunCounts:
    """What a run did. Plain counts."""

    pages: int = 0
    orders_fetched: int = 0
    orders_changed: int = 0
    orders_outdated: int = 0
    computed: int = 0
    read: int = 0
    pushed: int = 0
    confirmed: int = 0
    stale: int = 0
    unknown: int = 0
    failed: int = 0
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    shop: str
    run: str
    state: RunState
    trigger: str
    token: int
    started_at: int
    started_revision: int = 0
    """The merchant's revision when it began: it takes account of every change up to it."""
    ended_at: int | None = None
    counts: RunCounts = field(default_factory=RunCounts)
    problem: Problem | None = None
    revision: int = 0


class OperationState(enum.StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class ClearedRecord:
    """The open oversells of a product that a movement has ended; `oversells` are the movements that made them."""

    product: str
    oversells: tuple[int, ...]
    at: int


@dataclass(frozen=True, slots=True)
class OperationRecord:
    operation: str
    kind: str
    state: OperationState
    shop: str
    arguments: Mapping[str, Any]
    done: int = 0
    total: int = 0
    result: Mapping[str, Any] | None = None
    problem: Problem | None = None
    cancel_asked: bool = False
    created_at: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    revision: int = 0


FEW = 20
"""Orders or links of a transaction of a run that others of the merchant need not be kept apart from: it is as short as a call's."""


@dataclass(frozen=True, slots=True)
class FoundShop:
    """What a claim found (ADR 0025), at `at` (µs): the shop, when the first of its links is due, and its place (0 …) among the
    merchant's shops that are not paused, of which there are `shops` (≥ 1)."""

    shop: ShopRecord
    at: int
    links_due_at: int | None
    reading_due: bool
    """Whether a link was due whose number in the shop must be read before it can go on."""
    many_due: bool
    """Whether more than FEW links were due."""
    place: int
    shops: int
    unended: bool
    """Whether a run of it is written as RUNNING, whose process has died."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What is kept of a run with the shop that it gives back. `next_in` µs (None: its interval) until it is due again, at once when
    it was triggered meanwhile, unless `attempt`, the runs that failed in a row, is more than 0."""

    next_in: int | None
    attempt: int
    problem: Problem | None
    succeeded: bool
    run: str | None = None
    """None: it did nothing, so it is not written down."""
    cursor: str | None = None
    complete_until: int | None = None
    """Of pages of orders that brought nothing new; None: as stored."""


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A shop that this process may run now, until its lease ends."""

    merchant: str
    shop: str
    token: int
    attempt: int
    found: FoundShop = field(compare=False)
    trigger: Trigger = Trigger.INTERVAL
    cause: str | None = None
    """The trace of the newest change that made it due, as a W3C `traceparent`; None where it was not traced."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Claims whose lease was lost, and those that could not be looked at in this moment."""

    lost: tuple[JobClaim, ...] = ()
    busy: tuple[JobClaim, ...] = ()


class ChangeKind(enum.StrEnum):
    """What a row of the change feed is about; its `name` is given in brackets."""

    LINK = "link"
    """[shop/listing]"""
    SHOP = "shop"
    """[shop]"""
    RUN = "run"
    """[shop/run]"""
    STOCK = "stock"
    """[product]"""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: at most `size` rows after the key `after` (the sort key of the last row seen)."""

    size: int
    after: tuple[Any, ...] | None = None
