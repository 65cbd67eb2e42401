"""Puts the engine together: the store, the connectors, the scheduler. The one place where
everything is known."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import secrets
import socket
import traceback
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

import httpx
import structlog
from opentelemetry.trace import TracerProvider
from pydantic import ValidationError
from structlog.contextvars import bind_contextvars, bound_contextvars
from zaiko_sdk import (
    Capability,
    Clock,
    ConnectorError,
    ConnectorType,
    Finding,
    Log,
    SettingsInvalid,
    ShopContext,
    SystemClock,
    WebhookReply,
)

from zaiko_core import tracing
from zaiko_core.app import checkups, resealing, webhooks
from zaiko_core.app.links import sync_refusal
from zaiko_core.app.records import (
    ClearedRecord,
    JobClaim,
    OversellRecord,
    Page,
    RunState,
    ShopRecord,
)
from zaiko_core.app.sync import RunEnd
from zaiko_core.domain.errors import (
    ConnectorNotLoaded,
    LeaseLost,
    NotFound,
    SecretKeyMissing,
    ServiceError,
    Unavailable,
    WriteConflict,
)
from zaiko_core.domain.problem import Problem
from zaiko_core.metrics import RUNNING, Metrics, measure
from zaiko_core.plugin_host.adjusters import HOOK, Adjusters
from zaiko_core.plugin_host.announcements import announce, announce_expiry, announce_oversell
from zaiko_core.plugin_host.loader import Registry, load
from zaiko_core.plugin_host.observers import Observers
from zaiko_core.storage.engine import Database, Now
from zaiko_core.storage.jobs import OperationClaim
from zaiko_core.storage.listener import NotificationListener
from zaiko_core.storage.secrets import SecretBox
from zaiko_core.sync import translation
from zaiko_core.sync.connectors import Connectors
from zaiko_core.sync.cycle import Cycle
from zaiko_core.sync.feed import ChangeFeed
from zaiko_core.sync.gauges import Gauges
from zaiko_core.sync.guard import ConnectorBug, GuardedConnector
from zaiko_core.sync.maintenance import Maintenance
from zaiko_core.sync.operations import Operations
from zaiko_core.sync.restore_detector import RestoreDetector, quarantine
from zaiko_core.sync.run import Run
from zaiko_core.sync.scheduler import Scheduler, SchedulerConfig
from zaiko_core.sync.state import StoredState

_SECOND, _MINUTE, _HOUR = 1_000_000, 60_000_000, 3_600_000_000
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`url` is a SQLAlchemy URL of SQLite or PostgreSQL; `secret_keys` seal shops' credentials
    (first seals, all open). Times in seconds. `capacity` is how many shops run at once."""

    url: str
    secret_keys: Sequence[str] = field(repr=False)
    lease: float = 5.0
    poll: float = 1.0
    capacity: int = 64
    http_timeout: float = 30.0
    run_shops: bool = True
    """False: answer calls, but run no shop (tests, and replicas that only serve)."""
    witness: Path | None = None
    """Where this host remembers how far the database has come (ADR 0023); None: nowhere."""


def default_transport() -> httpx.AsyncBaseTransport:
    """Real HTTP: connections are kept, redirects are not followed (a credential must not follow
    one)."""
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=4, keepalive_expiry=60))


class Engine:
    """The engine of one process. `start` before use, `stop` once."""

    def __init__(
        self,
        config: EngineConfig,
        *,
        registry: Registry | None = None,
        clock: Clock | None = None,
        now: Now | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] = default_transport,
        new_id: Callable[[], str] | None = None,
        jitter: Callable[[], float] = _random.random,
        log: Log | None = None,
        traces: TracerProvider | None = None,
    ) -> None:
        self.config = config
        self.tracer = tracing.tracer(traces)
        self.registry = registry if registry is not None else load()
        self.clock: Clock = clock or SystemClock()
        self.log: Log = log or structlog.get_logger("zaiko")
        self.secrets = SecretBox(config.secret_keys)
        self.db = Database(
            config.url,
            now=now,
            wake=self.wake,
            publish=self._tell,
            on_lost_commits=self._lose,
            tracer=self.tracer,
        )
        self._lookout = RestoreDetector(
            self.db, lambda: Database(config.url, now=now), rest=self.rest, log=self.log
        )
        self.feed = ChangeFeed(self.db, poll=config.poll)
        self.epoch = self.token_key = ""
        self.metrics = Metrics()
        self._gauges = Gauges(self.db, self.metrics, clock=self.clock, log=self.log)
        self._observers = Observers(self.registry.hooks, self.log)
        self._new_id = new_id or _random_id
        self._jitter, self._transport = jitter, transport
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._scheduler = Scheduler(
            self.db,
            SchedulerConfig(
                owner=owner, lease=config.lease, poll=config.poll, capacity=config.capacity
            ),
            run_shop=self._run_shop,
            run_operation=self._run_operation,
            clock=self.clock,
            log=self.log,
        )
        self.metrics.follow(RUNNING, lambda: self._scheduler.running)
        self._maintenance = Maintenance(self.db, clock=self.clock, log=self.log)
        self._operations = Operations(
            self.db, open_shop=self.open_shop, can_sync=self.can_sync, log=self.log
        )
        self.connectors = Connectors(self._connect, clock=self.clock)
        self._listener: NotificationListener | None = None

    async def start(self) -> None:
        """Migrate the store, then begin to follow changes and to run shops. Raises
        StorageUnavailable or what the database says."""
        identity = await self.db.migrate()
        self.epoch, self.token_key = identity["epoch"], identity["token_key"]
        self.epoch = await self._lookout.begin(self.epoch, self.config.witness)
        await self.feed.start()
        if self.db.is_postgresql:
            self._listener = NotificationListener(self.db.engine, self.wake, ours=self.db.backends)
            self._listener.start()
        if self.config.run_shops:
            await self._scheduler.start(self.registry.types)
            await self._maintenance.start()
            await self._gauges.start()

    def rest(self) -> None:
        """Begin no more runs: the first thing in a drain. `stop` follows."""
        self._scheduler.rest()

    async def stop(self, *, grace: float = 10.0) -> None:
        """Let runs end for `grace` seconds, give leases back, close connectors and the store."""
        if self.config.run_shops:
            await self._scheduler.stop(grace=grace)
            await self._maintenance.stop()
            await self._gauges.stop()
        await self._lookout.end()
        await self.feed.stop()
        if self._listener is not None:
            self._listener.stop()
        await self.connectors.aclose()
        await asyncio.to_thread(self._observers.close, grace=min(grace, 2.0))
        await asyncio.to_thread(self.db.close)

    async def reseal(self) -> int:
        """Seal everything with the first key again, merchant by merchant; how many were changed. A
        second call changes nothing. Raises SecretKeyMissing when no key opens something: then
        nothing of that merchant was changed."""
        changed, page = 0, Page(size=500)
        while merchants := await self.db.directory.read(
            lambda directory, page=page: directory.page(page)  # type: ignore[misc]
        ):
            for record in merchants:
                changed += await self.db.write(
                    record.merchant, lambda uow: resealing.reseal(uow, self.secrets.reseal)
                )
            page = Page(size=500, after=(merchants[-1].merchant,))
        return changed

    @property
    def replaced(self) -> asyncio.Event:
        """Set when the database was replaced under this process: stop, and start anew."""
        return self._lookout.replaced

    async def quarantine(self) -> int:
        """See lookout.distrust."""
        shops, self.epoch = await quarantine(self.db, self.epoch)
        return shops

    def _lose(self) -> None:
        self._lookout.lose()

    def _tell(self, merchant: str, fact: OversellRecord | ClearedRecord) -> None:
        announce_oversell(self._observers, merchant, fact)

    async def run_due(self) -> int:
        """Run what is due now, once (see Scheduler.run_due); with `run_shops` off."""
        return await self._scheduler.run_due()

    def wake(self, due_in: int | None) -> None:
        """Something was committed: watchers look at once, the scheduler in `due_in` µs, unless
        None. From any thread."""
        self.feed.wake()
        if due_in is not None:
            self._scheduler.wake(due_in / 1_000_000)

    def can_sync(self, connector: str) -> ServiceError | None:
        """Why shops of this connector cannot be synced, or None."""
        kind = self.registry.types.get(connector)
        can_set = kind is not None and Capability.SET_INVENTORY in kind.capabilities
        return sync_refusal(connector, loaded=kind is not None, can_set=can_set)

    async def check_shop(self, merchant: str, shop: str) -> Sequence[Finding]:
        """Let the connector try credentials and permissions. Raises ConnectorError, NotFound,
        ConnectorNotLoaded."""
        async with self.open_shop(merchant, shop) as connector:
            return await self._check(merchant, shop, connector)

    async def _check(
        self, merchant: str, shop: str, connector: GuardedConnector, *, token: int | None = None
    ) -> Sequence[Finding]:
        found = await connector.check()
        ends = [
            translation.micros(finding.expires_at)
            for finding in found
            if finding.expires_at is not None
        ]
        expire_at = min(ends, default=None)
        before = await self.db.write(
            merchant, lambda uow: checkups.record(uow, shop, expire_at, token=token)
        )
        if before is not None:
            announce_expiry(
                self._observers, merchant, before, expire_at, translation.micros(self.clock.now())
            )
        return found

    async def receive_webhook(
        self, merchant: str, shop: str, headers: Mapping[str, str], body: bytes
    ) -> WebhookReply:
        """Take in a platform's notification (ADR 0014); what to answer. Raises NotFound for a shop
        that is not there or takes none, CredentialsRejected without a good proof, other
        ConnectorErrors for what cannot be read, StorageUnavailable."""
        record = await self._shop(merchant, shop)
        async with self.connectors.use(merchant, record) as connector:
            kind = self._kind(record)
            if Capability.WEBHOOKS not in kind.capabilities:
                raise NotFound(f"merchants/{merchant}/shops/{shop}")
            hint = connector.parse_webhook(headers, body)
        if hint is not None:
            reread = Capability.ORDER_UPDATES not in kind.capabilities
            new = await self.db.write(
                merchant, lambda uow: webhooks.receive(uow, shop, hint.delivery_id, reread=reread)
            )
            self.log.info("webhook", merchant=merchant, shop=shop, topic=hint.topic, new=new)
        return kind.webhook_reply

    @contextlib.asynccontextmanager
    async def open_shop(self, merchant: str, shop: str) -> AsyncIterator[GuardedConnector]:
        """The shop's connector, shared with its runs. Raises NotFound, ConnectorNotLoaded,
        SettingsInvalid, ConnectorBug."""
        async with self.connectors.use(merchant, await self._shop(merchant, shop)) as connector:
            yield connector

    async def _shop(self, merchant: str, shop: str) -> ShopRecord:
        record = (await self.db.read(merchant, lambda uow: uow.shops.get([shop]))).get(shop)
        if record is None:
            raise NotFound(f"merchants/{merchant}/shops/{shop}")
        return record

    async def _run_shop(self, claim: JobClaim) -> None:
        """A run that answers changes begins a trace of its own, linked to the newest of them (ADR
        0019)."""
        run, links = Run(self.db, claim, self._run_id()), tracing.caused(claim.cause)
        about = {
            "zaiko.merchant": claim.merchant,
            "zaiko.shop": claim.shop,
            "zaiko.run": run.id,
            "zaiko.trigger": claim.trigger,
        }
        with tracing.span(self.tracer, "run", about, links=links, root=True) as span:
            cause = {"cause": tracing.ids(links[0].context)["trace_id"]} if links else {}
            bind_contextvars(run=run.id, **tracing.ids(), **cause)
            end = await self._run_claimed(run)
            span.set_attributes(
                {"zaiko.run.state": end.state.value, "zaiko.run.confirmed": end.counts.confirmed}
            )
            if end.problem is not None:
                tracing.failed(span, end.problem.reason)

    async def _run_claimed(self, run: Run) -> RunEnd:
        claim, shop, log = run.claim, run.found.shop, self.log
        if run.begins_at_once:
            await run.begin()
        try:
            async with self.connectors.use(claim.merchant, shop) as connector:
                kind = self._kind(shop)
                cycle = Cycle(run, kind, connector, shop, self.clock, log, self._jitter)
                cycle.adjust = Adjusters(
                    self.registry.hooks(HOOK), claim.merchant, kind.id, self.log
                )
                cycle.tracer = self.tracer
                cycle.is_cancelled = functools.partial(self._scheduler.is_cancelled, claim)
                end = await cycle.execute()
                await self._daily_check(claim, shop, connector, end)
        except (ConnectorNotLoaded, SettingsInvalid, ConnectorBug, SecretKeyMissing) as error:
            # It could not be opened; what a connector does wrong in a run, the cycle handles.
            varying = error.metadata if isinstance(error, ServiceError) else {}
            problem = Problem(error.reason, error.message, metadata=varying)
            # Another server, or this one when it is started anew, may have the key.
            next_in = _MINUTE if isinstance(error, SecretKeyMissing) else _HOUR
            end = RunEnd(
                RunState.FAILED,
                problem=problem,
                held=True,
                next_in=next_in,
                attempt=claim.attempt + 1,
            )
        except (LeaseLost, NotFound, Unavailable, WriteConflict):
            # The shop is another run's, or gone, or nothing can be written now: the scheduler goes
            # on.
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, people see it at the shop
            end = self._crashed(claim, run.id, error)
            log.error(
                "run_crashed",
                merchant=claim.merchant,
                shop=claim.shop,
                error=repr(error),
                trace=traceback.format_exc(),
            )
        written = await run.end(end)
        measure(self.metrics, shop, run.record, end, translation.micros(self.clock.now()))
        if written:
            announce(self._observers, claim.merchant, shop, run.record, end, self.clock.now())
        return end

    def _crashed(self, claim: JobClaim, run: str, error: Exception) -> RunEnd:
        """A fault of ours: people see it, and it is tried again, ever less often."""
        attempt = claim.attempt + 1
        if isinstance(error, ServiceError):
            problem = Problem(error.reason, error.message, metadata=error.metadata)
        else:
            told = f"the run failed unexpectedly; tell the operator the incident {run}"
            problem = Problem("INTERNAL", told, metadata={"incident": run})
        return RunEnd(
            RunState.FAILED, problem=problem, next_in=min(2**attempt, 60) * _SECOND, attempt=attempt
        )

    async def _daily_check(
        self, claim: JobClaim, shop: ShopRecord, connector: GuardedConnector, end: RunEnd
    ) -> None:
        """Once a day, behind a run that did not fail: nothing that sells waits for it, and a shop
        in trouble tells that already."""
        if end.state in (RunState.FAILED, RunState.CANCELLED) or not checkups.is_due(
            shop, translation.micros(self.clock.now())
        ):
            return
        try:
            await self._check(claim.merchant, claim.shop, connector, token=claim.token)
        except ConnectorError as error:
            self.log.warning(
                "check_failed",
                merchant=claim.merchant,
                shop=claim.shop,
                reason=error.reason,
                problem=error.message,
            )

    async def _run_operation(self, claim: OperationClaim) -> None:
        about = {"zaiko.merchant": claim.merchant, "zaiko.operation": claim.operation}
        with (
            tracing.span(self.tracer, "operation", about, root=True),
            bound_contextvars(merchant=claim.merchant, operation=claim.operation, **tracing.ids()),
        ):
            await self._operations.run(claim)

    def _connect(self, merchant: str, shop: ShopRecord) -> GuardedConnector:
        kind = self._kind(shop)
        try:
            settings = kind.settings.model_validate(
                {**shop.settings, **self.secrets.open(shop.secrets)}
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsInvalid(f"{where}: {first['msg']}") from None
        context = ShopContext(
            shop=f"merchants/{merchant}/shops/{shop.shop}",
            clock=self.clock,
            log=self.log,
            http=functools.partial(self._http, settings.redact),
            new_id=self._new_id,
            state=StoredState(self.db, self.secrets, merchant, shop.shop),
        )
        return GuardedConnector.opened(kind, context, settings)

    def _kind(self, shop: ShopRecord) -> ConnectorType:
        kind = self.registry.types.get(shop.connector)
        if kind is None:
            refusal = sync_refusal(shop.connector, loaded=False, can_set=False)
            assert refusal is not None
            raise refusal
        return kind

    def _http(self, redact: Callable[[str], str]) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=tracing.TracedTransport(self._transport(), self.tracer, redact),
            timeout=httpx.Timeout(self.config.http_timeout, connect=10.0),
            headers={"user-agent": "zaiko/0.1"},
            follow_redirects=False,
        )

    def _run_id(self) -> str:
        """Time-ordered, so that the newest run sorts last."""
        return f"{translation.micros(self.clock.now()):016d}-{self._new_id()[:8]}"


def _random_id() -> str:
    return str(uuid.uuid4())
