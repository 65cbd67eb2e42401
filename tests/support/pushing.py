"""Runs of shops without a platform: numbers are planned, recorded and settled by the engine's own
transactions."""

from __future__ import annotations

import asyncio
from itertools import count

from zaiko_core.app import sync
from zaiko_core.app.records import PushRecord
from zaiko_core.app.sync import PlanRequest, PushPlan, SendOutcome
from zaiko_core.domain.decision import Observation, Policy
from zaiko_core.domain.fence import WriteMode
from zaiko_core.domain.ids import listing_id
from zaiko_core.storage.jobs import job_door

from support.world import MERCHANT, World

APPLIED = SendOutcome(applied=True)
POLICY = Policy(WriteMode.COMPARE_AND_SET, maximum=1_000, visibility=30_000_000)


class Pusher:
    """Holds every shop of `world` and pushes its numbers on request."""

    def __init__(self, world: World) -> None:
        self.world, self._keys = world, count(1)
        claims = asyncio.run(
            job_door(world.db.transactions, owner="test", lease=10**15).write(
                lambda jobs: jobs.claim(100)
            )
        )
        self._tokens = {claim.shop: claim.token for claim in claims}

    def push(
        self,
        shop: str,
        outcome: SendOutcome = APPLIED,
        *,
        shown: dict[str, int] | None = None,
        policy: Policy = POLICY,
    ) -> PushPlan:
        """One round of `shop`: links are read as showing `shown` by product (where they must be
        read and it says nothing: 0), what follows is sent, and answered with `outcome`."""
        prepared = self.prepare(shop, shown=shown, policy=policy)
        self.settle(shop, prepared, outcome, policy=policy)
        return prepared

    def prepare(
        self, shop: str, *, shown: dict[str, int] | None = None, policy: Policy = POLICY
    ) -> PushPlan:
        token, key = self._tokens[shop], f"run-{next(self._keys)}"

        def work(uow):
            asked, _ = sync.needs_reading(uow, shop, policy, limit=100)
            numbers = {item.link.listing: 0 for item in asked}
            numbers |= {listing_id(product): number for product, number in (shown or {}).items()}
            observed = {
                listing: Observation(uow.now, number) for listing, number in numbers.items()
            }
            return sync.plan(uow, shop, token, PlanRequest(policy, observed, key, 100))

        return self.world.db.write_sync(MERCHANT, work)

    def settle(
        self, shop: str, prepared: PushPlan, outcome: SendOutcome, *, policy: Policy = POLICY
    ) -> None:
        results = [(write, outcome) for write in prepared.writes]
        token = self._tokens[shop]
        self.world.db.write_sync(
            MERCHANT, lambda uow: sync.settle(uow, shop, token, policy, results)
        )

    def sent(
        self, shop: str, product: str, *, upto: int | None = None, acknowledged: bool = False
    ) -> PushRecord | None:
        """The last push of a link."""
        key = (shop, listing_id(product))

        def work(uow):
            limit = uow.revision if upto is None else upto
            return uow.pushes.newest({key: 0}, upto=limit, acknowledged=acknowledged).get(key)

        return self.world.db.read_sync(MERCHANT, work)
