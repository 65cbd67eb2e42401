"""Claims due shops and runs them, at most `capacity` concurrently, one run per shop over all
replicas (ADR 0005)."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from structlog.contextvars import bound_contextvars, unbind_contextvars
from zaiko_sdk import Clock, Log

from zaiko_core.app.records import JobClaim, Renewal
from zaiko_core.domain.errors import LeaseLost, NotFound, ServiceError
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import Due, Jobs, OperationClaim, job_door
from zaiko_core.sync import backoff

T = TypeVar("T")

RunShop = Callable[[JobClaim, Callable[[], bool]], Awaitable[None]]
"""Runs a claimed shop, and ends by releasing it, or raises. The second argument says whether a
person asked the run to end: the run looks where it may end; nothing interrupts it in between."""
RunOperation = Callable[[OperationClaim], Awaitable[None]]


_SOON = 0.05
"""Seconds until the renewal of a lease is tried again whose row another transaction had locked."""
_RETRY_SHARE = 4
"""One in four places is for shops whose last run failed: a platform that is down occupies no more
of them with calls that time out."""


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """`owner` names this process; lease and poll in seconds; at most `capacity` shops run
    concurrently."""

    owner: str
    lease: float
    poll: float
    capacity: int


class Scheduler:
    """Runs until stopped. It claims when something is due that it knows of, and each `poll` seconds
    for what it does not know. `wake` may be called from any thread."""

    def __init__(
        self,
        db: Database,
        config: SchedulerConfig,
        *,
        run_shop: RunShop,
        run_operation: RunOperation,
        clock: Clock,
        log: Log,
    ) -> None:
        self._db, self._config, self._clock, self._log = db, config, clock, log
        self._run_shop, self._run_operation = run_shop, run_operation
        self._held: dict[tuple[str, str], tuple[JobClaim, asyncio.Task[None]]] = {}
        self._cancelled: set[JobClaim] = set()
        self._operations: dict[OperationClaim, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._alarm = asyncio.Event()
        self._look_at = 0.0
        """When it claims next, by the loop's clock."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._stopped = asyncio.Event()
        self._cancellation_poller: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """Shops that run now."""
        return len(self._held)

    def wake(self, due_in: float = 0.0) -> None:
        """Note that something is due in `due_in` seconds."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._expect, due_in)

    def _expect(self, due_in: float) -> None:
        look_at = asyncio.get_running_loop().time() + due_in
        if look_at < self._look_at:
            self._look_at = look_at
            self._alarm.set()

    async def start(self, connectors: Collection[str]) -> None:
        """Begin to claim, first the shops of these connectors that were backing off."""
        self._loop = asyncio.get_running_loop()
        await self._jobs(lambda jobs: jobs.retry(connectors))
        self._tasks = [
            asyncio.create_task(self._claiming(), name="zaiko scheduler"),
            asyncio.create_task(self._renewing(), name="zaiko leases"),
        ]
        self._cancellation_poller = asyncio.create_task(
            self._poll_cancellations(), name="zaiko cancelled runs"
        )

    def stop_accepting(self) -> None:
        """Claim nothing more; what runs goes on. A drain begins with this."""
        self._stopping = True
        self.wake()

    async def run_due(self) -> int:
        """Run what is due now, one after the other, without the scheduler's loops, so that a
        simulation on virtual time repeats itself exactly. Return how many shops and operations were
        run."""

        def take(jobs: Jobs) -> tuple[list[JobClaim], list[OperationClaim]]:
            claims = jobs.claim(1)
            return claims, [] if claims else jobs.claim_operations(1)

        done = 0
        while True:
            claims, operations = await self._jobs(take)
            for claim in claims:
                await self._run(claim)
            for operation in operations:
                await self._operate(operation)
            if not claims and not operations:
                return done
            done += len(claims) + len(operations)

    async def stop(self, *, grace: float) -> None:
        """Stop claiming, let runs finish for `grace` seconds, cancel the rest, release every lease.
        A cancelled run loses nothing: what it sent is recorded as pending."""
        self.stop_accepting()
        running = [task for _, task in self._held.values()] + list(self._operations.values())
        if running:
            _, late = await asyncio.wait(running, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        self._stopped.set()
        if self._cancellation_poller is not None:
            await self._cancellation_poller
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(ServiceError):
            await self._jobs(lambda jobs: jobs.release())

    async def _claiming(self) -> None:
        while not self._stopping:
            # A wake-up from now on is noticed after this claim.
            self._look_at = asyncio.get_running_loop().time() + self._config.poll
            try:
                self._expect(await self._claim())
            except ServiceError as error:
                self._log.error("claim_failed", reason=error.reason)
            await self._sleep_until_due()

    async def _sleep_until_due(self) -> None:
        while (
            not self._stopping and (left := self._look_at - asyncio.get_running_loop().time()) > 0
        ):
            self._alarm.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._alarm.wait()

    async def _claim(self) -> float:
        """Claim what is due and start it; return the delay in seconds until there is more."""
        room = self._config.capacity - len(self._held)
        if room <= 0:
            return self._config.poll
        retrying = sum(claim.attempt > 0 for claim, _ in self._held.values())
        retries = max(0, self._config.capacity // _RETRY_SHARE - retrying)

        def take(jobs: Jobs) -> tuple[list[JobClaim], list[OperationClaim], Due]:
            claims, due = jobs.claim(room, retries=retries), jobs.next_due()
            waiting = due.operations is not None and due.operations <= 0
            return claims, jobs.claim_operations(4) if waiting else [], due

        claims, operations, due = await self._jobs(take)
        for claim in claims:
            task = asyncio.create_task(self._run(claim), name=f"run {claim.merchant}/{claim.shop}")
            self._held[claim.merchant, claim.shop] = (claim, task)
        for operation in operations:
            if operation not in self._operations:
                self._operations[operation] = asyncio.create_task(
                    self._operate(operation), name=f"operation {operation.operation}"
                )
        if due.first is None or (due.first <= 0 and not claims and not operations):
            # Due but not claimable: locked by another replica, or over the quota of retries.
            return self._config.poll
        return max(0.001, due.first / 1_000_000)

    async def _run(self, claim: JobClaim) -> None:
        with bound_contextvars(merchant=claim.merchant, shop=claim.shop):
            try:
                await self._run_claimed(claim)
            finally:
                # What `run_shop` has bound for its log lines; simulations run one shop after the
                # other in one context.
                unbind_contextvars("run", "trace_id", "cause")

    async def _run_claimed(self, claim: JobClaim) -> None:
        crashed = False
        try:
            await self._run_shop(claim, lambda: claim in self._cancelled)
        except (LeaseLost, NotFound):
            self._log.warning(
                "run_lost", merchant=claim.merchant, shop=claim.shop, token=claim.token
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of one run must not end the scheduler
            self._log.error(
                "run_crashed",
                merchant=claim.merchant,
                shop=claim.shop,
                error=repr(error),
                trace=traceback.format_exc(),
            )
            crashed = True
        finally:
            if len(self._held) >= self._config.capacity:
                # A shop may have been waiting for this place.
                self._expect(0.0)
            self._held.pop((claim.merchant, claim.shop), None)
            self._cancelled.discard(claim)
        if crashed:
            attempt = claim.attempt + 1
            next_in = backoff.after_crash(attempt).wait
            with contextlib.suppress(ServiceError):
                await self._jobs(lambda jobs: jobs.finish(claim, next_in=next_in, attempt=attempt))
            self._expect(0.0)

    async def _operate(self, claim: OperationClaim) -> None:
        try:
            await self._run_operation(claim)
        except Exception as error:  # noqa: BLE001 - the lease expires and the operation is run again
            self._log.error(
                "operation_crashed",
                operation=claim.operation,
                error=repr(error),
                trace=traceback.format_exc(),
            )
            await self._clock.sleep(self._config.lease)
        finally:
            self._operations.pop(claim, None)

    async def _renewing(self) -> None:
        """Renew every lease each third of its length, and soon again those whose row another
        transaction had locked."""
        clock, third = asyncio.get_running_loop().time, self._config.lease / 3
        while True:
            next_at = clock() + third
            busy = await self._renew(
                [claim for claim, _ in self._held.values()], list(self._operations)
            )
            while busy and clock() + _SOON < next_at:
                await asyncio.sleep(_SOON)
                busy = await self._renew(
                    [claim for claim, _ in self._held.values() if claim in busy], []
                )
            await asyncio.sleep(max(0.0, next_at - clock()))

    async def _renew(
        self, claims: Sequence[JobClaim], operations: Sequence[OperationClaim]
    ) -> Sequence[JobClaim]:
        """Renew leases; return the claims whose rows were locked. A run whose lease was lost is
        cancelled: the database refuses its writes anyway."""
        if not claims and not operations:
            return ()

        def renew(jobs: Jobs) -> Renewal:
            if operations:
                jobs.renew_operations(operations)
            return jobs.renew(claims)

        try:
            renewal = await self._jobs(renew)
        except ServiceError as error:
            self._log.error("renew_failed", reason=error.reason)
            return ()
        for claim in renewal.lost:
            held = self._held.get((claim.merchant, claim.shop))
            if held is not None and held[0] == claim:
                held[1].cancel()
        return renewal.busy

    async def _poll_cancellations(self) -> None:
        """Read each `poll` seconds which runs of this process were asked to end, here or on another
        replica."""
        while not self._stopped.is_set():
            # Not cancelled from outside: a transaction that is cut off would go on in its thread
            # while the store is closed.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.poll):
                    await self._stopped.wait()
            claims = [claim for claim, _ in self._held.values()]
            if not claims:
                continue
            try:
                asked = await self._jobs(lambda jobs, claims=claims: jobs.cancelled(claims))  # type: ignore[misc]
            except ServiceError as error:
                self._log.error("cancel_not_read", reason=error.reason)
                continue
            self._cancelled |= {
                claim
                for claim in asked
                if self._held.get((claim.merchant, claim.shop), (None,))[0] == claim
            }

    async def _jobs(self, work: Callable[[Jobs], T]) -> T:
        lease = int(self._config.lease * 1_000_000)
        jobs = job_door(self._db.transactions, owner=self._config.owner, lease=lease)
        return await jobs.write(work)
