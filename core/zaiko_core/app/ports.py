"""What the use cases need from a store. One unit of work is one transaction of one merchant.

In a unit of work made by `Database.write` the merchant's row is locked, so nothing of this merchant changes beside it, and
`revision` is the revision that its changes will carry. In one made by `Database.read` everything is one snapshot and `revision` is
the newest that it shows; writing there is a bug. Lookups answer a mapping that lacks what does not exist. All writes are set-based.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from zaiko_core.app.records import (
    AdditionRecord,
    ChangeKind,
    ClearedRecord,
    DriftRecord,
    DueLink,
    GivenBack,
    Holding,
    JobClaim,
    LinkRecord,
    LinkState,
    ListingRecord,
    MerchantRecord,
    OperationRecord,
    OversellRecord,
    Page,
    PlaceRecord,
    ProductRecord,
    Promise,
    PushRecord,
    PushResult,
    Renewal,
    RunRecord,
    Shelf,
    ShopRecord,
    ShownLink,
    StockRecord,
    StockSettings,
    StoredOrder,
    TokenRecord,
    Trigger,
    WarehouseRecord,
)
from zaiko_core.domain.addition import AdditionState, ReceivingOnly, Sale
from zaiko_core.domain.demand import Demand, OrderRecord
from zaiko_core.domain.fence import Fence
from zaiko_core.domain.links import Part
from zaiko_core.domain.oversell import Taken
from zaiko_core.domain.stock import Balance, Delta, DemandRef, Entry, Movement, MovementKind


class Directory(Protocol):
    """The merchants, outside of any merchant's unit of work."""

    def create(self, record: MerchantRecord) -> None:
        """Insert; raises ResourceExists."""
        ...

    def ensure(self, record: MerchantRecord) -> bool:
        """Insert unless it is there; whether it was inserted."""
        ...

    def get(self, merchant: str) -> MerchantRecord | None: ...
    def page(self, page: Page, *, among: Collection[str] | None = None) -> list[MerchantRecord]:
        """By id; only these, when they are given."""
        ...


class Tokens(Protocol):
    """Who may call, outside of any merchant's unit of work."""

    now: int

    def insert(self, record: TokenRecord) -> None: ...
    def get(self, token: str) -> TokenRecord | None: ...
    def of_certificates(self, identities: Collection[str]) -> list[TokenRecord]:
        """Also those that have been revoked."""
        ...

    def page(self, page: Page) -> list[TokenRecord]:
        """By id."""
        ...

    def end(self, token: str) -> None:
        """Revoke now; one that was revoked keeps its time."""
        ...

    def used(self, token: str) -> None:
        """It was used now."""
        ...


class Warehouses(Protocol):
    def insert(self, record: WarehouseRecord) -> None: ...
    def get(self, ids: Collection[str]) -> dict[str, WarehouseRecord]: ...
    def page(self, page: Page) -> list[WarehouseRecord]: ...


class Products(Protocol):
    def insert(self, records: Sequence[ProductRecord]) -> None:
        """Insert with an empty balance each. The caller has checked ids and codes."""
        ...

    def update(self, record: ProductRecord) -> None: ...
    def get(self, ids: Collection[str]) -> dict[str, ProductRecord]: ...
    def by_code(self, codes: Collection[str]) -> dict[str, ProductRecord]: ...
    def match(self, codes: Collection[str], barcodes: Collection[str]) -> list[ProductRecord]:
        """Products, not archived, that have one of the codes or one of the barcodes."""
        ...

    def page(self, page: Page, *, codes: Collection[str], prefix: str, archived: bool | None) -> list[ProductRecord]:
        """By id."""
        ...


class Stocks(Protocol):
    def get(self, products: Collection[str]) -> dict[str, StockRecord]: ...
    def page(self, page: Page, *, products: Collection[str], oversold: bool) -> list[StockRecord]:
        """By product id."""
        ...

    def count_oversold(self) -> int:
        """Products of which more was promised than there is."""
        ...

    def set_reserves(self, reserves: Mapping[str, int]) -> None: ...
    def set_escrow(self, product: str, below: int) -> None: ...
    def in_escrow(self, products: Collection[str]) -> set[str]:
        """Those of these products that are in escrow now (domain.stock.Balance.in_escrow)."""
        ...

    def exceeding(self, most: Mapping[str, int]) -> set[str]:
        """Those of these products that have more physical units than given for each; that may be below 0."""
        ...

    def post(self, entries: Sequence[Entry]) -> list[Movement]:
        """Write entries into the journal and add their deltas to the balances; the caller has checked that no cause is known."""
        ...

    def by_cause(self, causes: Collection[str]) -> dict[str, Movement]: ...
    def movements(
        self, page: Page, *, products: Collection[str], warehouse: str, kinds: Collection[MovementKind]
    ) -> list[Movement]:
        """Newest first; the key is (seq,)."""
        ...

    def recompute(self) -> dict[str, tuple[Delta, Balance]]:
        """Products whose journal does not add up to their balance, with both: empty, always."""
        ...


class Demands(Protocol):
    def get(self, shop: str, orders: Collection[str]) -> dict[tuple[str, str], Demand]:
        """By (order, product)."""
        ...

    def put(self, shop: str, demands: Mapping[tuple[str, str], Demand]) -> None: ...
    def allocated(self, ref: DemandRef, product: str) -> dict[str, int]:
        """Units that each warehouse holds for it."""
        ...

    def set_allocated(self, ref: DemandRef, product: str, warehouse: str, units: int) -> None: ...


class Orders(Protocol):
    def get(self, shop: str, orders: Collection[str]) -> dict[str, OrderRecord]: ...
    def stored(self, shop: str, orders: Collection[str]) -> dict[str, StoredOrder]:
        """As `get`, with what is shown to people."""
        ...

    def put(self, shop: str, records: Sequence[OrderRecord], *, known: Collection[str]) -> None:
        """Insert or replace orders with all their lines; `known` are those that are stored already."""
        ...

    def seen(self, shop: str, records: Sequence[OrderRecord]) -> None:
        """Only note a newer version and reading of orders that say the same."""
        ...

    def sold_unlinked(self, shop: str, *, since: int) -> bool:
        """Whether an order of the shop that was changed at or after `since` has a line that is counted for no product."""
        ...

    def with_listings(self, shop: str, listings: Collection[str], *, counted: bool, limit: int, after: str) -> list[str]:
        """Ids of orders that have a line of one of these listings which is (not) counted, by id, after `after`."""
        ...

    def holding(self, shop: str, *, limit: int, after: str) -> list[str]:
        """Ids of orders that hold units by the shop's account, by id."""
        ...

    def suspect(self, shop: str, *, limit: int, after: str) -> list[StoredOrder]:
        """Orders of the shop that something is odd about (`domain.suspicion`), by id."""
        ...

    def count(self, *, suspect: bool = False, uncounted: bool = False) -> int:
        """Orders with open units; only those that `page` would give."""
        ...

    def page(self, page: Page, *, shop: str, states: Collection[str], suspect: bool, uncounted: bool) -> list[StoredOrder]:
        """By (shop, order). Suspect: holding units while archived, vanished or of an unknown state."""
        ...


class Shops(Protocol):
    def insert(self, record: ShopRecord) -> None: ...
    def get(self, ids: Collection[str]) -> dict[str, ShopRecord]: ...
    def used(self, shop: str) -> bool:
        """Whether a shop has, or once had, this id: ids are never used again."""
        ...

    def page(self, page: Page) -> list[ShopRecord]:
        """By id, without deleted ones."""
        ...

    def update(self, record: ShopRecord) -> None:
        """Everything but ingestion progress and the job; a shop that is not paused any more is due at once."""
        ...

    def give_back(self, shop: str, token: int, end: GivenBack) -> int | None:
        """The run under `token` has ended: status, lease and next turn at once; the settings' revision stays. When the shop is due
        again (µs); None: paused. Raises LeaseLost when the shop is no longer held under it. Locks the shop's row."""
        ...

    def save_progress(self, shop: str, *, cursor: str, complete_until: int | None, news: bool = False) -> None:
        """`news`: the orders up to the cursor brought something new."""
        ...

    def in_shadow(self, shop: str) -> bool:
        """Whether it is in shadow mode; False for a shop that is not there."""
        ...

    def difference_counts(self, shops: Collection[str]) -> dict[str, int]:
        """Links in shadow whose shop shows another number than the target, by shop; shops without any are left out."""
        ...

    def save_reread(self, shop: str) -> None: ...
    def ask_reread(self, shop: str) -> None:
        """The next run reads open orders again, whenever it did last."""
        ...

    def cancel(self, shop: str, token: int) -> None:
        """The run under `token` is to end, if it holds the shop; what has asked for a run until now does not ask for another. A
        second call changes nothing."""
        ...

    def save_audited(self, shop: str) -> None: ...
    def save_check(self, shop: str, expire_at: int | None, *, status_changed: bool) -> None: ...
    def forget_check(self, shop: str) -> None:
        """Other credentials: what was found about the old ones says nothing."""
        ...

    def load_state(self, shop: str) -> bytes | None:
        """What the shop's connector remembers, sealed, or None."""
        ...

    def save_state(self, shop: str, sealed: bytes) -> None: ...
    def sealed(self) -> list[tuple[str, bytes | None, bytes | None]]:
        """Each shop's credentials and its connector's state, as they are stored."""
        ...

    def save_sealed(self, shop: str, secrets: bytes) -> None:
        """The same credentials under another key: neither the revision nor what the connector remembers changes."""
        ...

    def forget_state(self, shop: str) -> None: ...
    def link_counts(self, shops: Collection[str]) -> dict[str, dict[LinkState, int]]: ...


class Listings(Protocol):
    def upsert(self, shop: str, records: Sequence[ListingRecord]) -> None: ...
    def get(self, shop: str, listings: Collection[str]) -> dict[str, ListingRecord]: ...
    def forget(self, shop: str) -> None:
        """Delete all listings of a shop that has no links."""
        ...

    def vanish(self, shop: str, *, not_seen_since: int) -> int:
        """Mark listings that a full reading did not deliver; how many."""
        ...

    def page(self, page: Page, *, shop: str, linked: bool | None, sku: str, vanished: bool | None) -> list[ListingRecord]:
        """By (shop, listing); an empty shop means all."""
        ...


class Links(Protocol):
    def insert(self, records: Sequence[LinkRecord]) -> None: ...
    def delete(self, shop: str, listings: Collection[str]) -> None: ...
    def get(self, shop: str, listings: Collection[str]) -> dict[str, LinkRecord]: ...
    def parts_of(self, shop: str, listings: Collection[str]) -> dict[str, tuple[Part, ...]]: ...
    def page(
        self,
        page: Page,
        *,
        shop: str,
        products: Collection[str],
        states: Collection[LinkState],
        sync_enabled: bool | None,
        differing: bool = False,
    ) -> list[LinkRecord]:
        """By (shop, listing); an empty shop means all. `differing`: only those in shadow whose shop shows another number."""
        ...

    def of_products(self, products: Collection[str]) -> int:
        """How many links have one of these products as a part."""
        ...

    def synced(self, products: Collection[str]) -> dict[str, int]:
        """How many links with sync enabled have each of these products."""
        ...

    def touch(self, products: Collection[str]) -> list[tuple[str, str]]:
        """Mark the enabled links of these products due; their (shop, listing). One that is backing off after a failure stays so."""
        ...

    def touch_listings(self, shop: str, listings: Collection[str]) -> list[tuple[str, str]]:
        """Mark these links due if they are enabled, also when they are backing off; their (shop, listing)."""
        ...

    def touch_shop(self, shop: str) -> list[tuple[str, str]]:
        """As `touch_listings`, for every link of the shop."""
        ...

    def due(self, shop: str, *, limit: int) -> list[DueLink]:
        """Enabled links that are to be handled now, longest due first, with listing and balances."""
        ...

    def next_due(self, shop: str) -> int | None:
        """When the shop's next link becomes due, or None."""
        ...

    def fences(self, shop: str, listings: Collection[str]) -> dict[str, Fence]: ...
    def save_sold(self, shop: str, fences: Mapping[str, Fence], units: Mapping[str, int]) -> None:
        """The fences after orders of the shop, and how many units (≥ 0, of the listing) it sold now through these links, for the
        quotas of an escrow. No revision; nobody is told."""
        ...

    def save(self, records: Sequence[LinkRecord]) -> None:
        """Fence and status. `due_at` is taken over only where the stored `touched` equals the record's: a later change that marked
        the link due is never lost."""
        ...

    def look_again(self, shop: str) -> list[tuple[str, str]]:
        """Every enabled link of the shop is due, and read before anything is sent; their (shop, listing)."""
        ...

    def start_over(self) -> list[tuple[str, str]]:
        """Every link as if it had just been created: nothing is known of what its shop shows, nothing is in flight, and the enabled
        ones are due; their (shop, listing)."""
        ...

    def save_verified(self, records: Sequence[LinkRecord]) -> None:
        """Fence, due time and time of reading of links that are as they were: no revision, nobody is told."""
        ...

    def audit(self, shop: str, *, period: int, interval: int, least: int) -> int:
        """Make the synced links that were read longest ago due with a reading: as many as make all enabled ones once in `period`
        when done every `interval` (µs), at least `least`. How many."""
        ...

    def verified(self, shop: str, *, since: int) -> tuple[int, int, int | None]:
        """Enabled links of the shop (empty: of all), those read at or after `since`, and when the one read longest ago was read
        (0: never; None: no links)."""
        ...

    def holders(self, products: Collection[str]) -> list[Holding]:
        """Every enabled link that has one of these products as a part, once per product."""
        ...

    def hold(self, shop: str, held: bool) -> list[tuple[str, str]]:
        """Show the enabled links of a shop as HELD, or as PENDING again; those that changed, as (shop, listing)."""
        ...


class Pushes(Protocol):
    def insert(self, records: Sequence[PushRecord]) -> None: ...
    def settle(self, shop: str, results: Sequence[PushResult]) -> None:
        """Record outcomes, with this unit of work's time and revision. Pushes that are not there are left out."""
        ...

    def newest(
        self, links: Mapping[tuple[str, str], int], *, upto: int, acknowledged: bool = False
    ) -> dict[tuple[str, str], PushRecord]:
        """The last push of each link (shop, listing) since the given time that was recorded up to revision `upto`, as it was known
        then; or of those that had been acknowledged by then."""
        ...

    def forget(self, *, older_than: int) -> int:
        """Delete what was recorded before that time, apart from the last acknowledged push of each link and what followed it. The
        newest revision that this may concern, or 0."""
        ...


class Additions(Protocol):
    """Units that are added to the numbers of shops (ADR 0017)."""

    def insert(self, records: Sequence[AdditionRecord]) -> None: ...
    def get(self, addition: str) -> AdditionRecord | None: ...
    def page(self, page: Page, *, product: str, shop: str, states: Collection[AdditionState]) -> list[AdditionRecord]:
        """Oldest first; the key is (created_at, addition)."""
        ...

    def of_places(self, shop: str, listings: Collection[str]) -> dict[str, list[AdditionRecord]]:
        """Those QUEUED or SENT, by listing, oldest first."""
        ...

    def queued(self, products: Collection[str]) -> list[AdditionRecord]: ...
    def put(self, records: Sequence[AdditionRecord]) -> None:
        """Units, place and state of additions that exist; an end is stamped now."""
        ...

    def supersede(self, products: Collection[str]) -> list[str]:
        """Sync takes over: nothing of these products is open any more, and what was under way is forgotten; the shops concerned."""
        ...

    def give_up(self, shop: str, *, queued: bool = False) -> None:
        """Nobody will find out what became of what was sent to the shop: it is UNDECIDED, also what is `queued` if asked for. There
        are no places in it any more."""
        ...

    def first_links(self, products: Collection[str]) -> dict[str, tuple[str, str]]:
        """The link (shop, listing) of each product that was made first, among those that are of one unit of it and nothing else."""
        ...

    def places(self, shop: str, listings: Collection[str]) -> dict[str, PlaceRecord]: ...
    def due(self, shop: str, *, limit: int) -> list[PlaceRecord]:
        """Places that are to be looked after now, longest due first."""
        ...

    def next_due(self, shop: str) -> int | None:
        """When the shop's next place is due, or None."""
        ...

    def save_places(self, shop: str, records: Sequence[PlaceRecord], *, done: Collection[str] = ()) -> None:
        """Insert or replace places, and forget those of the listings in `done`; the shop then knows when the next is due."""
        ...

    def sales(self, shop: str, listing: str, *, since: int) -> list[Sale]:
        """Lines of the shop's orders that are of the listing, of orders that changed here at or after `since`."""
        ...

    def modes(self, products: Collection[str]) -> dict[str, ReceivingOnly]: ...


class Ledger(Protocol):
    """What a product's numbers were made of at the revision `upto`, from the journal."""

    def known_from(self) -> int:
        """Numbers of earlier revisions cannot be explained any more."""
        ...

    def shelves(self, product: str, *, upto: int) -> list[Shelf]:
        """By warehouse."""
        ...

    def promises(self, product: str, *, upto: int, limit: int) -> list[Promise]:
        """Demands that held units, the largest first."""
        ...

    def promised(self, product: str, *, upto: int) -> tuple[int, Delta]:
        """How many demands held units, and how many units."""
        ...

    def settings(self, product: str, *, upto: int) -> StockSettings: ...
    def forget(self, *, older_than: int, known_from: int) -> None:
        """Delete changes of settings made before that time; from now on `known_from` is at least the one given."""
        ...


class Oversells(Protocol):
    def concerned(self, products: Collection[str]) -> dict[str, Balance]:
        """Those of these products that are oversold, or that have an oversell which was not cleared."""
        ...

    def showing(self, products: Collection[str]) -> list[ShownLink]:
        """Every link of these products, once per product."""
        ...

    def taken(self, since: Mapping[str, int], *, limit: int) -> dict[str, list[tuple[int, Taken]]]:
        """Per product the movements after the given revision that took free units, the newest first, with their revisions; at most
        `limit` of each product."""
        ...

    def orders(self, refs: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, int]]:
        """Number and time of placing, by (shop, order)."""
        ...

    def insert(self, records: Sequence[OversellRecord]) -> None: ...
    def clear(self, products: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """What is open of these products has been ended by the movement with that number. What was open, by product."""
        ...

    def get(self, seq: int) -> OversellRecord | None: ...
    def page(self, page: Page, *, product: str, causes: Collection[str], open_only: bool) -> list[OversellRecord]:
        """Newest first; the key is (seq,)."""
        ...

    def forget(self, *, older_than: int) -> None:
        """Delete what was cleared before that time."""
        ...


class Drifts(Protocol):
    def insert(self, records: Sequence[DriftRecord]) -> None: ...
    def edits(self, shop: str, listings: Collection[str], *, since: int) -> dict[str, int]:
        """How many unexplained edits each of these links had since then; links without any are left out."""
        ...

    def counts(self, shop: str, *, since: int) -> dict[str, int]:
        """Differences by cause; an empty shop means all."""
        ...

    def page(self, page: Page, *, shop: str, listing: str, causes: Collection[str]) -> list[DriftRecord]:
        """Newest first; the key is (at, shop, listing)."""
        ...

    def forget(self, *, older_than: int) -> None: ...


class Runs(Protocol):
    def put(self, record: RunRecord) -> None: ...
    def abandon(self, shop: str, *, before_token: int) -> list[str]:
        """Runs of this shop that say RUNNING under an older token have died with their process; which."""
        ...

    def get(self, shop: str, run: str) -> RunRecord | None: ...
    def page(self, page: Page, *, shop: str, states: Collection[str] = ()) -> list[RunRecord]:
        """Newest first, of one shop or (empty) of all, in one of these states (empty: in any); the key is (run, shop)."""
        ...


class Operations(Protocol):
    def put(self, record: OperationRecord) -> None: ...
    def get(self, operation: str) -> OperationRecord | None: ...
    def page(self, page: Page, *, kinds: Collection[str] = (), states: Collection[str] = ()) -> list[OperationRecord]:
        """Newest first, of these kinds and in one of these states (empty: any)."""
        ...

    def active(self, kind: str, shop: str) -> OperationRecord | None: ...


class Requests(Protocol):
    def get(self, principal: str, method: str, request_id: str) -> tuple[bytes, bytes, int] | None:
        """(digest, response, revision)"""
        ...

    def put(self, principal: str, method: str, request_id: str, digest: bytes, response: bytes) -> None: ...
    def forget(self, *, older_than: int) -> None:
        """Delete answers given before that time."""
        ...


class Feed(Protocol):
    def between(self, after: int, upto: int, kinds: Collection[ChangeKind]) -> dict[ChangeKind, dict[str, int]]:
        """Names changed in (after, upto], each with the revision of its last change, by kind."""
        ...

    def compacted(self) -> int:
        """The newest revision that is no longer in the feed."""
        ...

    def compact(self, *, older_than: int, keep: int) -> int:
        """Drop rows that are both older than that time and beyond the newest `keep` revisions; the new watermark."""
        ...


class Webhooks(Protocol):
    def insert(self, shop: str, delivery: str) -> bool:
        """Write down that this notification has come; False when it had come before."""
        ...

    def forget(self, *, older_than: int) -> None: ...


class UnitOfWork(Protocol):
    """One transaction of one merchant."""

    merchant: str
    now: int
    revision: int

    @property
    def merchants(self) -> MerchantRecord:
        """The merchant's own row."""
        ...

    @property
    def warehouses(self) -> Warehouses: ...
    @property
    def products(self) -> Products: ...
    @property
    def stocks(self) -> Stocks: ...
    @property
    def demands(self) -> Demands: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def shops(self) -> Shops: ...
    @property
    def listings(self) -> Listings: ...
    @property
    def links(self) -> Links: ...
    @property
    def pushes(self) -> Pushes: ...
    @property
    def additions(self) -> Additions: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def oversells(self) -> Oversells: ...
    @property
    def drifts(self) -> Drifts: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def operations(self) -> Operations: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def feed(self) -> Feed: ...

    @property
    def answer_revision(self) -> int:
        """The revision that a reply reflects: `revision` when this unit of work has changed something, else the newest one."""
        ...

    def update_merchant(self, record: MerchantRecord) -> None: ...

    def advance(self) -> None:
        """Use up this unit of work's revision: something that carries a revision changes. `changed` does it as well. Whoever writes
        a product, warehouse, listing or operation, which no watch shows, calls it."""
        ...

    def changed(self, kind: ChangeKind, names: Iterable[str]) -> None:
        """Tell watchers, in this transaction's revision."""
        ...

    def tell(self, fact: OversellRecord | ClearedRecord) -> None:
        """Hand a fact to observers once this transaction is committed; nobody hears of one that is not."""
        ...

    def trigger(self, shops: Iterable[str], *, delay: int = 0, by: Trigger = Trigger.CHANGE) -> None:
        """Ask for a run of each shop `delay` µs from now, or earlier if one is due earlier. Ignored for shops that are paused. A
        shop that backs off after a failure keeps its time, however much changes, unless a person has asked for the run. `by`:
        REQUEST, WEBHOOK or CHANGE; the strongest since the last run began is the next run's."""
        ...

    def due(self, delay: int = 0) -> None:
        """The scheduler has something to do `delay` µs from now that was not triggered: an operation, or a shop that a run gives
        back. Other replicas may see it at their next poll only."""
        ...

    def hold_lease(self, shop: str, token: int) -> None:
        """Go on only while this process holds the shop under `token`: locks the shop's row; raises LeaseLost. From here on this
        unit of work is part of a run of the shop, which handles by itself what becomes due there: `trigger` leaves it out."""
        ...


class JobQueue(Protocol):
    """Which shops are to run now (ADR 0005). Each method is a transaction of its own."""

    def claim(self, limit: int, *, retries: int | None = None) -> list[JobClaim]:
        """Take up to `limit` due shops that nobody holds, oldest due first, each under a new token; among them at most `retries`
        whose last run failed, so that many dead shops do not take every place."""
        ...

    def renew(self, claims: Sequence[JobClaim]) -> Renewal:
        """Prolong leases. Waits for nobody: a lease whose row another transaction has is left for a renewal soon."""
        ...

    def cancelled(self, claims: Sequence[JobClaim]) -> list[JobClaim]:
        """Those of these runs that were asked to end (`sync.cancel_run`), also on another replica."""
        ...

    def finish(self, claim: JobClaim, *, next_in: int | None, attempt: int) -> None:
        """Give back a shop whose run could not end by itself (`Shops.give_back`), due again in `next_in` µs (None: at its
        interval), at once if it was triggered meanwhile. Without effect when the lease was lost."""
        ...
