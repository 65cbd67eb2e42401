"""The command `zaiko` with two changes. Every transaction of a run sets its token in the database,
so that triggers can record what was written under it (histories.py). And every platform promises to
show orders within `VISIBILITY`, so that a test sees the end of holding units back.

    python recorded.py MUTANT serve …

MUTANT removes one rule from the server (MUTANTS), or is `none`. The cluster tests must notice each
of them.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, or_, text
from zaiko_core.app.records import JobClaim
from zaiko_core.domain.decision import Policy
from zaiko_core.domain.errors import LeaseLost
from zaiko_core.storage import batching, jobs, schema
from zaiko_core.storage.batching import QueuedItem, Settled
from zaiko_core.storage.transactions import Transactions
from zaiko_core.storage.uow import StorageUnitOfWork
from zaiko_core.sync import shop_run
from zaiko_core.sync.scheduler import Scheduler
from zaiko_sdk import ConnectorType

VISIBILITY = 6_000_000
"""µs; the connectors say 60 s, which is longer than a seed may take."""
_RUN: ContextVar[str] = ContextVar("run", default="")
_SET_RUN = text("SELECT set_config('cluster.run', :run, true)")


def record() -> None:
    """Make every transaction of a run set its token, also one that forgets to check it."""
    begin, apply_commands, run_claimed, policy_of = (
        Transactions.begin,
        batching.apply_commands,
        Scheduler._run_claimed,
        shop_run.policy_of,
    )

    @contextlib.contextmanager
    def begun(self: Transactions, *, writing: bool) -> Iterator[Connection]:
        with begin(self, writing=writing) as connection:
            if writing and _RUN.get():
                connection.execute(_SET_RUN, {"run": _RUN.get()})
            yield connection

    def applied(uow: StorageUnitOfWork, group: Sequence[QueuedItem]) -> list[Settled]:
        # In a batch, each command is of a run of its own, or of none.
        uow._connection.execute(_SET_RUN, {"run": group[0].context.get(_RUN, "")})
        return apply_commands(uow, group)

    async def running(self: Scheduler, claim: JobClaim) -> None:
        # A run is a task of its own; its worker threads inherit the context.
        _RUN.set(f"{claim.merchant}/{claim.shop}/{claim.token}")
        await run_claimed(self, claim)

    def prompt(kind: ConnectorType) -> Policy | None:
        policy = policy_of(kind)
        return None if policy is None else replace(policy, visibility=VISIBILITY)

    Transactions.begin = begun  # type: ignore[method-assign]
    batching.apply_commands = applied
    Scheduler._run_claimed = running  # type: ignore[method-assign]
    shop_run.policy_of = prompt


def unfenced() -> None:
    """No transaction of a run checks its token."""

    def hold_lease(self: StorageUnitOfWork, shop: str, token: int) -> None:
        self._running = shop

    StorageUnitOfWork.hold_lease = hold_lease  # type: ignore[method-assign]


def held_by_anybody() -> None:
    """A transaction of a run checks that the shop is held, not under which token."""
    honest = StorageUnitOfWork.hold_lease

    def hold_lease(self: StorageUnitOfWork, shop: str, token: int) -> None:
        table = schema.shops
        row: Any = self._connection.execute(
            table.select()
            .where(table.c.merchant == self.merchant, table.c.shop == shop)
            .with_for_update()
        ).one()
        if row.owner is None:
            raise LeaseLost(f"shops/{shop}")
        honest(self, shop, row.lease_token)

    StorageUnitOfWork.hold_lease = hold_lease  # type: ignore[method-assign]


def greedy() -> None:
    """A claim takes some due shops that another replica holds. If it took all of them, no run of
    some seconds would ever end, and no storm would begin."""
    honest = jobs._unheld

    def unheld(table: Any, now: Any, **limits: Any) -> Any:
        return or_(honest(table, now, **limits), func.random() < 0.03)

    jobs._unheld = unheld


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant for mutant in (unfenced, held_by_anybody, greedy)
}

if __name__ == "__main__":
    from zaiko_cli import main

    record()
    if (name := sys.argv.pop(1)) != "none":
        MUTANTS[name]()
    main()
