"""Runs a claimed shop from its claim to its release: opens the connector, lets the run go, checks
once a day, records how it ended, and tells observers and metrics."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from structlog.contextvars import bind_contextvars
from zaiko_sdk import SettingsInvalid

from zaiko_core import tracing
from zaiko_core.app.records import JobClaim, RunResult, RunState
from zaiko_core.domain.errors import (
    AccountChanged,
    AccountTaken,
    ConnectorNotLoaded,
    LeaseLost,
    NotFound,
    SecretKeyMissing,
    ServiceError,
    Unavailable,
    WriteConflict,
)
from zaiko_core.domain.problem import Problem
from zaiko_core.metrics import Metrics, measure
from zaiko_core.plugin_host.adjusters import HOOK, Adjusters
from zaiko_core.plugin_host.announcements import announce
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.plugin_host.observers import Observers
from zaiko_core.storage.database import Database
from zaiko_core.supervision.checks import ShopChecks
from zaiko_core.supervision.connector_factory import ConnectorFactory
from zaiko_core.sync import backoff
from zaiko_core.sync.connectors import Connectors
from zaiko_core.sync.environment import Environment
from zaiko_core.sync.guard import ConnectorBug
from zaiko_core.sync.leased_run import LeasedRun
from zaiko_core.sync.run_context import RunContext
from zaiko_core.sync.shop_accounts import ShopAccounts
from zaiko_core.sync.shop_run import ShopRun

Refused = (
    ConnectorNotLoaded
    | SettingsInvalid
    | ConnectorBug
    | SecretKeyMissing
    | AccountChanged
    | AccountTaken
)
"""Why a shop's connector cannot be used before a person has acted."""
_REFUSED = get_args(Refused)
IsCancelled = Callable[[], bool]
"""Whether a person asked this run to end."""


@dataclass(frozen=True, slots=True)
class RunSupervisor:
    """One per process; runs of different shops go on concurrently."""

    db: Database
    registry: Registry
    factory: ConnectorFactory
    connectors: Connectors
    checks: ShopChecks
    accounts: ShopAccounts
    observers: Observers
    metrics: Metrics
    environment: Environment

    async def run(self, claim: JobClaim, is_cancelled: IsCancelled) -> None:
        """Run the shop and release it. A run that answers changes begins a trace of its own, linked
        to the newest of them (ADR 0019). Raises LeaseLost, NotFound, Unavailable and
        WriteConflict, without having released the shop."""
        run = LeasedRun(self.db, claim, self.environment.run_id())
        links = tracing.caused(claim.cause)
        about = {
            "zaiko.merchant": claim.merchant,
            "zaiko.shop": claim.shop,
            "zaiko.run": run.id,
            "zaiko.trigger": claim.trigger,
        }
        with tracing.span(self.environment.tracer, "run", about, links=links, root=True) as span:
            cause = {"cause": tracing.ids(links[0].context)["trace_id"]} if links else {}
            bind_contextvars(run=run.id, **tracing.ids(), **cause)
            result = await self._run(run, is_cancelled)
            span.set_attributes(
                {
                    "zaiko.run.state": result.state.value,
                    "zaiko.run.confirmed": result.counts.confirmed,
                }
            )
            if result.problem is not None:
                tracing.failed(span, result.problem.reason)

    async def _run(self, run: LeasedRun, is_cancelled: IsCancelled) -> RunResult:
        claim, shop, clock = run.claim, run.found.shop, self.environment.clock
        if run.begins_at_once:
            await run.begin()
        try:
            result = await self._execute(run, is_cancelled)
        except _REFUSED as error:
            # It could not be opened, or is another account; what a connector does wrong in a run,
            # the run handles.
            result = _not_opened(claim, error)
        except (LeaseLost, NotFound, Unavailable, WriteConflict):
            # The shop is another run's, or gone, or nothing can be written now: the scheduler goes
            # on.
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, people see it at the shop
            result = _crashed(claim, run.id, error)
            self.environment.log.error(
                "run_crashed",
                merchant=claim.merchant,
                shop=claim.shop,
                error=repr(error),
                trace=traceback.format_exc(),
            )
        written = await run.end(result)
        measure(self.metrics, shop, run.record, result, self.environment.now)
        if written:
            announce(self.observers, claim.merchant, shop, run.record, result, clock.now())
        return result

    async def _execute(self, run: LeasedRun, is_cancelled: IsCancelled) -> RunResult:
        claim, shop, environment = run.claim, run.found.shop, self.environment
        async with self.connectors.use(claim.merchant, shop) as connector:
            kind = self.factory.kind(shop)
            context = RunContext(
                run,
                kind,
                connector,
                environment.clock,
                environment.log,
                environment.jitter,
                is_cancelled,
            )
            adjust = Adjusters(self.registry.hooks(HOOK), claim.merchant, kind.id, environment.log)
            confirm = functools.partial(self.accounts.confirm, claim.merchant, shop, connector)
            result = await ShopRun(context, adjust, environment.tracer, confirm).execute()
            await self.checks.after_run(claim, connector, result)
            return result


def _not_opened(claim: JobClaim, error: Refused) -> RunResult:
    """Return the result of a run whose connector cannot be used: a person must act."""
    metadata = error.metadata if isinstance(error, ServiceError) else {}
    retry = backoff.after_refused_opening(error)
    return RunResult(
        RunState.FAILED,
        problem=Problem(error.reason, error.message, metadata=metadata),
        held=retry.holds,
        retry_in=retry.wait,
        attempt=claim.attempt + 1,
    )


def _crashed(claim: JobClaim, run: str, error: Exception) -> RunResult:
    """Return the result of a run that a fault of ours broke off: people see it, and it is repeated,
    less and less often."""
    attempt = claim.attempt + 1
    if isinstance(error, ServiceError):
        problem = Problem(error.reason, error.message, metadata=error.metadata)
    else:
        message = f"the run failed unexpectedly; tell the operator the incident {run}"
        problem = Problem("INTERNAL", message, metadata={"incident": run})
    return RunResult(
        RunState.FAILED,
        problem=problem,
        retry_in=backoff.after_crash(attempt).wait,
        attempt=attempt,
    )
