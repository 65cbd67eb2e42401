"""One run of one shop: read, fetch, ingest, compute what changed, push with the fence, record
(domain.md §3, ADR 0004)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from opentelemetry.trace import Tracer
from zaiko_sdk import (
    Capability,
    Clock,
    ConnectorError,
    ConnectorType,
    ContractBroken,
    InventoryWrite,
    ListingRef,
    Log,
    Skip,
    WriteOutcome,
    WriteResult,
)

from zaiko_core import tracing
from zaiko_core.app import audit, orders, suspects, sync
from zaiko_core.app.orders import Ingested
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import FEW, JobClaim, RunCounts, RunState, ShopRecord, Trigger
from zaiko_core.app.sync import Outcome, PlanRequest, PushPlan, RunEnd, Write
from zaiko_core.domain.decision import Observation, Policy
from zaiko_core.domain.demand import OrderRecord
from zaiko_core.domain.fence import WriteMode
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage.engine import Database
from zaiko_core.sync import translation
from zaiko_core.sync.adding import Adding
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.run import Run

T = TypeVar("T")

_SHARE, _SLICE = 2_000, 250
"""Due links that one round takes at the most, and one transaction: all other writers of the
merchant wait for it."""
_PUSHES = 5
"""How often one link is sent in one run on account of the same change before it waits a little."""
_OVERTAKEN = 2
"""How often in one run a reading is given up because an order overtook it."""
_WHOLE_SECOND = 1_000_000
"""Platforms cut the times of orders to whole seconds."""
_ROUNDS = 200
_DURATION = 60.0
"""Seconds after which a run gives the shop back, to go on at once; keeps runs short for draining
and fairness."""
_REREAD_FAST, _REREAD_SLOW = 300_000_000, 24 * 3_600_000_000
"""µs between readings of all open orders, where fetching tells of changes to older orders and where
it does not."""


def policy_of(kind: ConnectorType) -> Policy | None:
    """What the engine needs to know to push to this platform; None when its stock cannot be set."""
    if kind.inventory_mode is None or Capability.SET_INVENTORY not in kind.capabilities:
        return None
    return Policy(
        mode=WriteMode(kind.inventory_mode.value),
        maximum=kind.limits.max_quantity,
        visibility=int(kind.limits.order_visibility.total_seconds() * 1_000_000),
    )


class RunCancelled(Exception):
    """Raised where a run may end because somebody asked for it: every write that was recorded as
    about to be sent has its outcome, and the platform has answered every call."""


@dataclass(slots=True)
class Cycle:
    """One run. `jitter` gives a number in [0, 1)."""

    run: Run
    kind: ConnectorType
    connector: GuardedConnector
    shop: ShopRecord
    clock: Clock
    log: Log
    jitter: Callable[[], float]
    adjust: sync.Adjust = sync.unadjusted
    tracer: Tracer = tracing.OFF
    is_cancelled: Callable[[], bool] = lambda: False
    counts: RunCounts = field(default_factory=RunCounts)
    _audited: bool = False
    _observed: dict[str, Observation] = field(default_factory=dict)
    _sent: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The change that a link was last sent for, and how often."""
    _last_sold: dict[str, int] = field(default_factory=dict)
    """When the shop last sold a listing (µs, by its clock), of the orders that this round
    fetched."""
    _overtaken: dict[str, int] = field(default_factory=dict)
    _due: bool = True
    """Whether some link was due when this round began, or may have become so by what it fetched."""
    _many: bool = False
    """Whether those may be more than FEW."""
    _looked: bool = False
    """Whether this run has looked for due links. Before that it knows what the claim found."""
    _unstored: tuple[str, int | None] | None = None
    """Cursor and completeness of fetched pages that brought nothing new."""

    @property
    def db(self) -> Database:
        """For reading; what a run writes, it writes through `run`."""
        return self.run.db

    @property
    def claim(self) -> JobClaim:
        """The lease."""
        return self.run.claim

    async def execute(self) -> RunEnd:
        """Run to the end, and say how it ended; only LeaseLost, cancellation and storage trouble
        are raised."""
        try:
            finished = await self._rounds()
        except ConnectorError as error:
            return self._failed(error)
        except RunCancelled:
            return self._end(RunState.CANCELLED)
        state = RunState.PARTIALLY_SUCCEEDED if self.counts.failed else RunState.SUCCEEDED
        return replace(self._end(state), by_turn=finished, next_in=0)

    def _may_end(self) -> None:
        """Between two steps. A call to the platform is never cut off: it may be the one that renews
        credentials."""
        if self.is_cancelled():
            raise RunCancelled

    async def _rounds(self) -> bool:
        """Whether everything due was handled (rather than time being up)."""
        policy = policy_of(self.kind)
        started = self.clock.monotonic()
        with tracing.part(self.tracer, "reread orders"):
            await self._reread_open_orders()
        for _ in range(_ROUNDS):
            self._may_end()
            self.counts.rounds += 1
            if policy is not None:
                with tracing.part(self.tracer, "read"):
                    await self._read(policy)
            adding = None if policy is None else await self._begin_adding(policy)
            with tracing.part(self.tracer, "fetch"):
                await self._fetch()
            if policy is None:
                return True
            more = adding is not None and await self._add(adding)
            if self._due:
                with tracing.part(self.tracer, "push"):
                    unfinished = await self._push(policy) or more
            else:
                # What became due meanwhile has triggered the shop: another run begins when this one
                # has ended.
                unfinished = more
            if not unfinished and not await self._audit() and not await self._write_off():
                return True
            if self.clock.monotonic() - started > _DURATION:
                return False
        return False

    async def _begin_adding(self, policy: Policy) -> Adding | None:
        """Read the numbers that received units are to be added to; None when there is nothing to
        add."""
        due_at = self.shop.additions_due_at
        if due_at is None or due_at > translation.micros(self.clock.now()) + _WHOLE_SECOND:
            return None
        self._may_end()
        adding = Adding(
            self.run,
            self.kind.limits,
            policy,
            self.connector,
            self.clock,
            f"{self.run.id}-a{self.counts.rounds}",
        )
        for chunk in _chunks(await adding.to_read(), self.kind.limits.read_batch):
            await self._observe(chunk)
        return adding

    async def _add(self, adding: Adding) -> bool:
        """Add them; whether another round has more to do."""
        with tracing.part(self.tracer, "add"):
            again = await adding.send(self._observed)
        self.counts.pushed += adding.sent
        return again

    async def _audit(self) -> int:
        """With nothing left to do, make some links due that nobody has compared with the shop for
        long; how many. Once per run."""
        last = self.shop.audited_at
        if self._audited or (
            last is not None and translation.micros(self.clock.now()) - last < self.shop.interval
        ):
            return 0
        self._audited = True
        shop, token = self.shop.shop, self.claim.token
        with tracing.part(self.tracer, "audit"):
            return await self.run.write(
                lambda uow: audit.begin(uow, shop, token, least=self.kind.limits.read_batch)
            )

    async def _write_off(self) -> int:
        """With nothing left to do and every order fetched, release what the shop's policy does not
        hold any more; how many orders."""
        shop, token, policy = self.shop.shop, self.claim.token, self.shop.suspect_policy
        if not policy.releases or Capability.FETCH_ORDERS not in self.kind.capabilities:
            return 0
        return await self.run.write(lambda uow: suspects.apply_policy(uow, shop, token))

    async def _fetch(self) -> None:
        """Fetch what changed and take it in, page by page. A page's cursor is stored with what the
        page brought, and with the end of the run when it brought nothing."""
        if Capability.FETCH_ORDERS not in self.kind.capabilities:
            return
        self._may_end()
        async for page in self.connector.fetch_orders(self.shop.order_cursor):
            readings, bad = translation.orders_from(page.orders, read_at=page.read_at)
            for text in bad:
                self.log.error("order_not_understood", order=text)
            complete = (
                None if page.complete_until is None else translation.micros(page.complete_until)
            )
            self.counts.pages += 1
            self.counts.orders_fetched += len(page.orders)
            # A page that a notification has announced is news; whether others are is looked at
            # without the merchant's lock.
            if self.claim.trigger is not Trigger.WEBHOOK and not await self._is_news(readings):
                self._unstored = (page.cursor, complete)
                self.shop = replace(self.shop, order_cursor=page.cursor)
                self._may_end()
                continue

            def take(uow: UnitOfWork, readings: Sequence[OrderRecord] = readings) -> Ingested:
                uow.hold_lease(self.shop.shop, self.claim.token)
                done = orders.ingest(uow, self.shop.shop, readings)
                cursor = page.cursor  # noqa: B023 - awaited in this turn
                uow.shops.save_progress(
                    self.shop.shop,
                    cursor=cursor,
                    complete_until=complete,  # noqa: B023
                    news=done.changed > 0,
                )
                return done

            done = await self.run.write(take)
            self._unstored = None
            self._last_sold |= done.sold
            self.shop = replace(self.shop, order_cursor=page.cursor)
            self.counts.orders_changed += done.changed
            self.counts.orders_outdated += done.outdated
            self._due, self._many = True, self._many or len(readings) > FEW
            self._may_end()

    async def _is_news(self, readings: Sequence[OrderRecord]) -> bool:
        if not readings:
            return False
        shop = self.shop.shop
        return await self.db.read(
            self.claim.merchant, lambda uow: orders.is_news(uow, shop, readings)
        )

    async def _reread_open_orders(self) -> None:
        """Read every open order again, where that is due: for edits and cancels that fetching
        doesn't tell, and vanished ones."""
        if Capability.READ_ORDERS not in self.kind.capabilities:
            return
        every = (
            _REREAD_SLOW
            if Capability.ORDER_UPDATES in self.kind.capabilities
            else min(_REREAD_FAST, self.shop.interval)
        )
        shop, token, last = (
            self.shop.shop,
            self.claim.token,
            self.shop.reread_at or self.shop.created_at,
        )
        if translation.micros(self.clock.now()) - last < every:
            return
        after = ""
        while True:
            self._may_end()
            position = after
            ids = await self.db.read(
                self.claim.merchant,
                lambda uow, position=position: uow.orders.holding(  # type: ignore[misc]
                    shop, limit=self.kind.limits.order_batch, after=position
                ),
            )
            if not ids:
                break
            read_at = self.clock.now()
            found = await self.connector.read_orders(ids)
            readings, bad = translation.orders_from(found, read_at=read_at)
            missing = set(ids) - {order.external_id for order in found}
            for text in bad:
                self.log.error("order_not_understood", order=text)

            def take(
                uow: UnitOfWork,
                readings: Sequence[OrderRecord] = readings,
                missing: set[str] = missing,
            ) -> Ingested:
                uow.hold_lease(shop, token)
                orders.vanish(uow, shop, missing)
                return orders.ingest(uow, shop, readings)

            done = await self.run.write(take)
            self.counts.orders_fetched += len(found)
            self.counts.orders_changed += done.changed
            after = ids[-1]

        def done_rereading(uow: UnitOfWork) -> None:
            uow.hold_lease(shop, token)
            uow.shops.save_reread(shop)

        await self.run.write(done_rereading)

    async def _read(self, policy: Policy) -> None:
        """Read the numbers that the due links need, before orders are fetched."""
        shop, found, first = self.shop.shop, self.run.found, not self._looked
        self._looked = True
        if first and (found.links_due_at is None or found.links_due_at > found.at):
            self._due = False
            return
        self._many = found.many_due
        if (
            first
            and policy.mode is WriteMode.COMPARE_AND_SET
            and not self.shop.shadow
            and not found.reading_due
        ):
            return
        due, number = await self.db.read(
            self.claim.merchant, lambda uow: sync.needs_reading(uow, shop, policy, limit=_SHARE)
        )
        self._due, self._many = number > 0, number > FEW
        refs = {
            item.link.listing: ListingRef(item.external_id, item.data)
            for item in due
            if item.link.listing not in self._observed
        }
        for chunk in _chunks(list(refs.values()), self.kind.limits.read_batch):
            self._may_end()
            await self._observe(chunk)

    async def _observe(self, refs: Sequence[ListingRef]) -> None:
        """Read one batch. One that is refused without saying for which item is split."""
        at = translation.micros(self.clock.now())
        try:
            levels = {
                level.external_id: level for level in await self.connector.read_inventory(refs)
            }
        except Skip as error:
            if len(refs) == 1:
                self._observed[listing_id(refs[0].external_id)] = Observation(
                    at, problem=translation.problem_of(error)
                )
                return
            half = len(refs) // 2
            await self._observe(refs[:half])
            await self._observe(refs[half:])
            return
        until = translation.micros(self.clock.now())
        self.counts.read += len(refs)
        for ref in refs:
            level = levels.get(ref.external_id)
            if level is None:
                raise ContractBroken(f"read_inventory said nothing of {ref.external_id}")
            problem = None if level.error is None else translation.problem_of(level.error)
            self._observed[listing_id(ref.external_id)] = Observation(
                at, level.quantity, problem, until
            )

    async def _push(self, policy: Policy) -> bool:
        """Settle what was read, send what follows; whether a link needs another round: to be read,
        to be read back, to be sent again, or because there were more than one round takes."""
        observed, unfinished = self._in_time(), False
        for part in range(_SHARE // _SLICE):
            prepared, ended = await self._push_slice(
                policy, observed, f"{self.run.id}-{self.counts.rounds}-{part}"
            )
            # A reading is used once: what was sent since is not in it.
            observed = {
                listing: seen
                for listing, seen in observed.items()
                if listing not in prepared.handled
            }
            unfinished = unfinished or ended < len(prepared.handled)
            if len(prepared.handled) < _SLICE or prepared.unread == len(prepared.handled):
                return unfinished
        return True

    async def _push_slice(
        self, policy: Policy, observed: Mapping[str, Observation], key: str
    ) -> tuple[PushPlan, int]:
        """One slice of a round: what was prepared, and how many of its links are done with,
        confirmed or failed."""
        self._may_end()
        before = self.counts.confirmed + self.counts.failed
        shop, token = self.shop.shop, self.claim.token
        tired = {
            listing: change for listing, (change, times) in self._sent.items() if times >= _PUSHES
        }
        prepared = await self.run.write(
            lambda uow: sync.plan(
                uow,
                shop,
                token,
                PlanRequest(policy, observed, key, _SLICE, tired, self.adjust),
            ),
        )
        self.counts.computed += len(prepared.handled)
        self.counts.confirmed += prepared.confirmed
        self.counts.failed += prepared.failed
        chunks = list(_chunks(list(prepared.writes), self.kind.limits.write_batch))
        for number, chunk in enumerate(chunks):
            try:
                self._may_end()
            except RunCancelled:
                await self._settle(policy, _unsent(chunks[number:]))
                raise
            if await self.db.read(self.claim.merchant, lambda uow: sync.in_shadow(uow, shop)):
                # Since they were prepared; the next round compares.
                await self._settle(policy, _unsent(chunks[number:]))
                break
            try:
                await self._send(policy, chunk, f"{key}-{number}")
            except ConnectorError:
                # Nothing of what is left was sent.
                await self._settle(policy, _unsent(chunks[number + 1 :]))
                raise
        return prepared, self.counts.confirmed + self.counts.failed - before

    def _in_time(self) -> dict[str, Observation]:
        """What was read in this round, without numbers that an order has overtaken which was
        fetched after the reading: nobody can tell whether it is in them. They are read again, a few
        times: a link that sells all the time must go on."""
        read, self._observed = self._observed, {}
        sold, self._last_sold = self._last_sold, {}
        for listing, seen in list(read.items()):
            if (
                sold.get(listing, 0) + _WHOLE_SECOND > seen.at
                and self._overtaken.get(listing, 0) < _OVERTAKEN
            ):
                self._overtaken[listing] = self._overtaken.get(listing, 0) + 1
                del read[listing]
        return read

    async def _send(self, policy: Policy, writes: Sequence[Write], key: str) -> None:
        """Send one batch and record its outcomes. A batch refused without saying for which item is
        split."""
        for write in writes:
            change, times = self._sent.get(write.listing, (write.due_revision, 0))
            self._sent[write.listing] = (
                write.due_revision,
                times + 1 if change == write.due_revision else 1,
            )
        at = translation.micros(self.clock.now())
        asked = [
            InventoryWrite(ListingRef(w.external_id, w.data), w.quantity, w.expected)
            for w in writes
        ]
        try:
            results = {
                result.external_id: result
                for result in await self.connector.set_inventory(asked, key)
            }
        except Skip as error:
            if len(writes) == 1:
                await self._settle(
                    policy, [(writes[0], Outcome(problem=translation.problem_of(error)))]
                )
                return
            half = len(writes) // 2
            await self._send(policy, writes[:half], f"{key}a")
            await self._send(policy, writes[half:], f"{key}b")
            return
        except ConnectorError as error:
            ambiguous = translation.is_ambiguous(error)
            await self._settle(
                policy,
                [(write, Outcome(unknown=ambiguous, unsent=not ambiguous)) for write in writes],
            )
            raise
        outcomes = [
            (write, self._outcome(write, results.get(write.external_id), at)) for write in writes
        ]
        await self._settle(policy, outcomes)
        self.counts.pushed += len(writes)

    def _outcome(self, write: Write, result: WriteResult | None, at: int) -> Outcome:
        if result is None or result.outcome is WriteOutcome.UNKNOWN:
            self.counts.unknown += 1
            return Outcome(unknown=True)
        if result.quantity is not None:
            # Read by the connector after the write: settled in the next round, after orders were
            # fetched.
            self._observed[write.listing] = Observation(at, result.quantity)
        if result.outcome is WriteOutcome.APPLIED:
            return Outcome(applied=True)
        if result.outcome is WriteOutcome.STALE:
            self.counts.stale += 1
            return Outcome(stale=True)
        error = result.error or ContractBroken("the connector refused a write without saying why")
        return Outcome(problem=translation.problem_of(error))

    async def _settle(self, policy: Policy, outcomes: Sequence[tuple[Write, Outcome]]) -> None:
        if not outcomes:
            return
        shop, token = self.shop.shop, self.claim.token
        confirmed, failed = await self.run.write(
            lambda uow: sync.settle(uow, shop, token, policy, outcomes)
        )
        self.counts.confirmed += confirmed
        self.counts.failed += failed

    def _failed(self, error: ConnectorError) -> RunEnd:
        """Back off: what the platform asked for, else 1 s doubling up to the shop's interval; a
        held shop is tried hourly."""
        held = translation.waits_for_person(error)
        attempt = self.claim.attempt + 1
        asked = translation.retry_after(error)
        if held:
            wait = 3600.0
        elif asked is not None:
            wait = min(asked, 3600.0)
        else:
            wait = min(2.0 ** min(attempt - 1, 12), self.shop.interval / 1_000_000)
        wait *= 1 + self.jitter() / 5
        next_in = int(wait * 1_000_000)
        problem = replace(
            translation.problem_of(error), retry_at=translation.micros(self.clock.now()) + next_in
        )
        self.log.warning(
            "run_failed",
            reason=problem.reason,
            message=problem.message,
            retry_in_seconds=round(wait, 1),
        )
        return replace(
            self._end(RunState.FAILED), problem=problem, held=held, next_in=next_in, attempt=attempt
        )

    def _end(self, state: RunState) -> RunEnd:
        cursor, complete = self._unstored or (None, None)
        return RunEnd(state, self.counts, cursor=cursor, complete_until=complete)


def _unsent(chunks: Iterable[Sequence[Write]]) -> list[tuple[Write, Outcome]]:
    return [(write, Outcome(unsent=True)) for chunk in chunks for write in chunk]


def _chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    iterator = iter(items)
    return list(iter(lambda: list(islice(iterator, size)), []))
