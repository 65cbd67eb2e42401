"""One run of one shop: read, fetch, push, round after round until nothing is due (ADR 0004). The
table of phases in ARCHITECTURE.md says what may follow what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from opentelemetry.trace import Tracer
from zaiko_sdk import Capability, ConnectorError, errors

from zaiko_core import tracing
from zaiko_core.app import audit, suspects, sync
from zaiko_core.app.records import RunResult, RunState, Trigger
from zaiko_core.domain.decision import Policy
from zaiko_core.sync import backoff, translation
from zaiko_core.sync.addition_sender import AdditionSender
from zaiko_core.sync.link_pusher import LinkPusher
from zaiko_core.sync.named_orders import NamedOrders
from zaiko_core.sync.order_feed import OrderFeed
from zaiko_core.sync.read_phase import read_for_additions, read_links
from zaiko_core.sync.round import Round
from zaiko_core.sync.run_context import RunCancelled, RunContext, policy_of

_ROUNDS = 200
_DURATION = 60.0
"""Seconds after which a run releases the shop, to go on at once; keeps runs short for draining and
fairness."""


@dataclass(slots=True)
class ShopRun:
    """One run, used once. `adjust` asks the plugins. `confirm_account` is called first, and raises
    where the shop is not the account that it was. Reading orders and sending numbers are two
    abilities: what stops one does not stop the other (ADR 0036)."""

    context: RunContext
    adjust: sync.Adjust = sync.unadjusted
    tracer: Tracer = tracing.OFF
    confirm_account: Callable[[], Awaitable[None]] | None = None
    sending_trouble: ConnectorError | None = None
    """What stopped reading or sending numbers in this run."""

    async def execute(self) -> RunResult:
        """Run to the end, and return how it ended. Only LeaseLost, cancellation of the task,
        storage trouble and what `confirm_account` refuses are raised."""
        orders = OrderFeed(self.context)
        self.sending_trouble = None
        try:
            if self.confirm_account is not None:
                await self.confirm_account()
            is_finished = await self._rounds(orders)
        except ConnectorError as error:
            result = self._failed(error)
        except RunCancelled:
            result = RunResult(RunState.CANCELLED)
        else:
            if self.sending_trouble is not None:
                result = self._failed(self.sending_trouble, has_read_orders=True)
            elif self._is_sending_stopped:
                result = self._waiting()
            else:
                failed = self.context.counts.failed
                state = RunState.PARTIALLY_SUCCEEDED if failed else RunState.SUCCEEDED
                result = RunResult(state, is_unfinished=not is_finished)
        result = replace(result, counts=self.context.counts, orders_read_at=orders.read_at)
        if orders.unstored is None:
            return result
        progress = orders.unstored
        return replace(
            result, order_cursor=progress.cursor, orders_complete_until=progress.complete_until
        )

    async def _rounds(self, orders: OrderFeed) -> bool:
        """Return whether everything due was handled, rather than time being up."""
        context, policy = self.context, policy_of(self.context.kind)
        links = LinkPusher(context, self.adjust)
        started = context.clock.monotonic()
        named, is_named_news = NamedOrders(context), False
        if named.is_due:
            with tracing.part(self.tracer, "read named orders"):
                is_named_news = await named.read()
        with tracing.part(self.tracer, "reread orders"):
            await orders.reread()
        this, is_audited = Round(context.run.found.at), False
        for number in range(1, _ROUNDS + 1):
            context.may_end()
            context.counts.rounds += 1
            if policy is None or self._is_sending_stopped:
                await self._fetch(orders, this)
                return not await self._write_off()
            try:
                additions, this = await self._read(policy, this, is_first=number == 1)
            except ConnectorError as error:
                self.sending_trouble = error
            this = await self._fetch(orders, this)
            if self.sending_trouble is not None:
                return True
            if is_named_news and number == 1:
                this = replace(this, is_due=True)
            try:
                is_unfinished = additions is not None and await self._add(additions, this)
                # What becomes due after this look triggers the shop: another run begins when this
                # one has ended.
                if this.is_due:
                    with tracing.part(self.tracer, "push"):
                        this, is_more = await links.push(policy, this)
                    is_unfinished = is_more or is_unfinished
            except ConnectorError as error:
                self.sending_trouble = error
                return True
            if not is_unfinished:
                audits = not is_audited and self._is_audit_due()
                is_audited = is_audited or audits
                if not (audits and await self._audit()) and not await self._write_off():
                    return True
            if context.clock.monotonic() - started > _DURATION:
                return False
        return False

    async def _read(
        self, policy: Policy, this: Round, *, is_first: bool
    ) -> tuple[AdditionSender | None, Round]:
        """Read what links need, and what received units are to be added to, where there are
        any."""
        with tracing.part(self.tracer, "read"):
            this = await read_links(self.context, policy, this, is_first=is_first)
        return await read_for_additions(self.context, policy, this)

    async def _fetch(self, orders: OrderFeed, this: Round) -> Round:
        with tracing.part(self.tracer, "fetch"):
            fetched = await orders.fetch(this.began_at)
        return replace(
            this,
            sold=fetched.sold,
            orders_until=fetched.complete_until,
            is_due=this.is_due or fetched.is_news,
        )

    async def _add(self, additions: AdditionSender, this: Round) -> bool:
        """Add received units; return whether another round has more to do."""
        with tracing.part(self.tracer, "add"):
            return await additions.send(this.readings)

    @property
    def _is_sending_stopped(self) -> bool:
        """Whether numbers are neither read nor sent now: they could not be, and their back-off is
        not over. A person who asks for a run asks for another try."""
        retry_at = self.context.shop.sending_retry_at
        if retry_at is None or self.context.run.claim.trigger is Trigger.REQUEST:
            return False
        return self.context.run.found.at < retry_at

    # With nothing left to do

    def _is_audit_due(self) -> bool:
        shop = self.context.shop
        return shop.audited_at is None or self.context.now - shop.audited_at >= shop.interval

    async def _audit(self) -> int:
        """Make some links due that have not been compared with the shop for long; return how
        many. At most once per run."""
        shop, token = self.context.shop.shop, self.context.run.claim.token
        least = self.context.kind.limits.read_batch
        with tracing.part(self.tracer, "audit"):
            return await self.context.run.write(
                lambda uow: audit.begin(uow, shop, token, least=least)
            )

    async def _write_off(self) -> int:
        """Release the orders that the shop's policy no longer holds; return how many. Only where
        every order was fetched."""
        shop, token = self.context.shop.shop, self.context.run.claim.token
        policy = self.context.shop.suspect_policy
        if not policy.releases or Capability.FETCH_ORDERS not in self.context.kind.capabilities:
            return 0
        return await self.context.run.write(lambda uow: suspects.apply_policy(uow, shop, token))

    def _waiting(self) -> RunResult:
        """Return the result of a run that has read orders, while numbers cannot be sent."""
        shop = self.context.shop
        return RunResult(
            RunState.PARTIALLY_SUCCEEDED,
            problem=shop.problem,
            held=shop.problem is not None and shop.problem.reason in errors.waiting_reasons(),
            attempt=self.context.run.claim.attempt,
            sending_retry_at=shop.sending_retry_at,
        )

    def _failed(self, error: ConnectorError, *, has_read_orders: bool = False) -> RunResult:
        """Return the result of a run that the platform's trouble ended. `has_read_orders`: only the
        numbers wait for the end of the back-off."""
        context, attempt = self.context, self.context.run.claim.attempt + 1
        retry = backoff.after_error(error, attempt, self.context.shop.interval, context.jitter)
        problem = replace(translation.problem_of(error), retry_at=context.now + retry.wait)
        context.log.warning(
            "run_failed",
            reason=problem.reason,
            message=problem.message,
            retry_in_seconds=round(retry.wait / 1_000_000, 1),
        )
        return RunResult(
            RunState.FAILED,
            problem=problem,
            held=retry.holds,
            retry_in=retry.wait,
            attempt=attempt,
            sending_retry_at=context.now + retry.wait if has_read_orders else None,
        )
