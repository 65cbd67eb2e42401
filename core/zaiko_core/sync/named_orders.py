"""Reads the orders that notifications have named, by id, before anything is searched (ADR 0040)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zaiko_sdk import Capability, ConnectorError, Pause, Throttled

from zaiko_core.app import named_orders
from zaiko_core.app.orders import Ingested
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.domain.named_orders import NamedOrder
from zaiko_core.sync import translation
from zaiko_core.sync.run_context import RunContext


@dataclass(frozen=True, slots=True)
class NamedOrders:
    """The named orders of one run's shop."""

    context: RunContext

    @property
    def is_due(self) -> bool:
        """Whether the claim found some to be read."""
        found = self.context.run.found
        return found.shop.named_due_at is not None and found.shop.named_due_at <= found.at

    async def read(self) -> bool:
        """Read and ingest them; return whether that brought something that may make links due. What
        the platform raises for these ids alone stops nothing else: they are read again later, and
        the search finds them. Raises Pause and Throttled, RunCancelled between batches,
        LeaseLost."""
        context, is_news = self.context, False
        shop, limit = context.shop.shop, context.kind.limits.order_batch
        if Capability.READ_ORDERS not in context.kind.capabilities:
            # Named while the connector had another version.
            await context.run.write(lambda uow: uow.named_orders.forget(shop))
            return False
        while named := await context.run.read(lambda uow: uow.named_orders.due(shop, limit=limit)):
            context.may_end()
            try:
                done = await self._read(named)
            except (Pause, Throttled):
                raise
            except ConnectorError as error:
                context.log.warning(
                    "named_orders_not_read", reason=error.reason, message=error.message
                )
                await self._later(named)
                continue
            context.counts.orders_changed += done.changed
            is_news = is_news or done.changed > 0
        return is_news

    async def _read(self, named: Sequence[NamedOrder]) -> Ingested:
        context, shop, token = self.context, self.context.shop.shop, self.context.run.claim.token
        read_at = context.clock.now()
        found = await context.connector.read_orders([each.order for each in named])
        readings, bad = translation.orders_from(found, read_at=read_at)
        for text in bad:
            context.log.error("order_not_understood", order=text)
        context.counts.orders_fetched += len(found)
        present = {order.external_id for order in found}

        def work(uow: UnitOfWork) -> Ingested:
            uow.hold_lease(shop, token)
            return named_orders.answered(uow, shop, named, readings, present)

        return await context.run.write(work)

    async def _later(self, named: Sequence[NamedOrder]) -> None:
        shop, token = self.context.shop.shop, self.context.run.claim.token

        def work(uow: UnitOfWork) -> None:
            uow.hold_lease(shop, token)
            named_orders.failed(uow, shop, named)

        await self.context.run.write(work)
