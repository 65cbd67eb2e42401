"""Which shops run now (ADR 0005)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zaiko_core.app.records import JobClaim, Renewal


class JobQueue(Protocol):
    """Which shops are to run now (ADR 0005). Each method is a transaction of its own."""

    def claim(self, limit: int, *, retries: int | None = None) -> list[JobClaim]:
        """Take up to `limit` due shops that nobody holds, oldest due first, each under a new token;
        among them at most `retries` whose last run failed, so that many dead shops do not take
        every place."""
        ...

    def renew(self, claims: Sequence[JobClaim]) -> Renewal:
        """Prolong leases. Waits for nobody: a lease whose row another transaction has is left for a
        renewal soon."""
        ...

    def cancelled(self, claims: Sequence[JobClaim]) -> list[JobClaim]:
        """Those of these runs that were asked to end (`runs.cancel_run`), also on another
        replica."""
        ...

    def finish(self, claim: JobClaim, *, next_in: int | None, attempt: int) -> None:
        """Give back a shop whose run could not end by itself (`Shops.release`), due again in
        `next_in` µs (None: at its interval), at once if it was triggered meanwhile. Without effect
        when the lease was lost."""
        ...
