"""Puts the engine together: the store, the connectors, the runs, the scheduler. The one place that
knows every part; what the parts do is theirs."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

import httpx
import structlog
from opentelemetry.trace import TracerProvider
from zaiko_sdk import Capability, Clock, Finding, Log, SystemClock, WebhookReply

from zaiko_core import tracing
from zaiko_core.app import resealing
from zaiko_core.app.accounts import FoundAccount
from zaiko_core.app.records import ClearedRecord, OversellRecord, ShopRecord
from zaiko_core.domain.errors import ServiceError
from zaiko_core.metrics import RUNNING, WITNESS, Metrics
from zaiko_core.plugin_host.announcements import announce_oversell
from zaiko_core.plugin_host.loader import Registry, load
from zaiko_core.plugin_host.observers import Observers
from zaiko_core.storage.database import Database
from zaiko_core.storage.listener import NotificationListener
from zaiko_core.storage.secrets import SecretBox
from zaiko_core.storage.transactions import Now
from zaiko_core.supervision.checks import ShopChecks
from zaiko_core.supervision.connector_factory import ConnectorFactory, Http, default_transport
from zaiko_core.supervision.supervisor import RunSupervisor
from zaiko_core.supervision.webhooks import WebhookReceiver
from zaiko_core.sync.clock_watch import ClockWatch
from zaiko_core.sync.connectors import Connectors
from zaiko_core.sync.environment import Environment
from zaiko_core.sync.feed import ChangeFeed
from zaiko_core.sync.gauges import Gauges
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.maintenance import Maintenance
from zaiko_core.sync.merchants import each_merchant
from zaiko_core.sync.operations import OperationRunner
from zaiko_core.sync.restore_detector import RestoreDetector, prepare_restored
from zaiko_core.sync.scheduler import Scheduler, SchedulerConfig
from zaiko_core.sync.shop_access import ShopAccess
from zaiko_core.sync.shop_accounts import ShopAccounts

_random = SystemRandom()
_OBSERVERS_GRACE = 2.0
"""Seconds that observers get at most when the engine stops."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`url` is a SQLAlchemy URL of SQLite or PostgreSQL; `secret_keys` seal shops' credentials (the
    first seals, all open). Times in seconds. `capacity`: how many shops run concurrently."""

    url: str
    secret_keys: Sequence[str] = field(repr=False)
    lease: float = 5.0
    poll: float = 1.0
    capacity: int = 64
    http_timeout: float = 30.0
    run_shops: bool = True
    """False: answer calls, but run no shop (tests, and replicas that only serve)."""
    accept_clock: bool = False
    """The clock is right, although it is behind the highest time that was noted."""
    high_water_mark: Path | None = None
    """Where this host remembers how far the database has come (ADR 0023); None: nowhere."""
    needs_witness: bool = False
    """Run no shop while that cannot be written."""
    new_database: bool = False
    """Begin with this database although this host has used another one."""


class Engine:
    """The engine of one process. Call `start` before use, and `stop` once."""

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
        self.metrics = Metrics()
        self.epoch = self.token_key = ""
        """Known after `start`."""
        self.lacks_witness = self._runs_shops = False
        """Whether no shop runs for want of a record of how far the database has come."""
        environment = Environment(self.clock, self.log, self.tracer, new_id or _random_id, jitter)
        self.db = Database(
            config.url,
            now=now,
            wake=self.wake,
            publish=self._publish,
            on_lost_commits=self._on_lost_commits,
            tracer=self.tracer,
        )
        self.feed = ChangeFeed(self.db, poll=config.poll)
        self._observers = Observers(self.registry.hooks, self.log)
        self._restore_detector = RestoreDetector(
            self.db,
            lambda: Database(config.url, now=now),
            stop_accepting=self.stop_accepting,
            log=self.log,
        )
        http = Http(transport, config.http_timeout)
        factory = ConnectorFactory(self.registry, self.db, self.secrets, http, environment)
        self._factory = factory
        self.connectors = Connectors(factory.open, clock=self.clock)
        accounts = ShopAccounts(self.db)
        self._shops = ShopAccess(self.db, self.connectors, accounts)
        self._checks = ShopChecks(self.db, self._shops, self._observers, environment)
        self._webhooks = WebhookReceiver(
            self.db, factory, self.connectors, self._shops, environment
        )
        supervisor = RunSupervisor(
            self.db,
            self.registry,
            factory,
            self.connectors,
            self._checks,
            accounts,
            self._observers,
            self.metrics,
            environment,
        )
        operations = OperationRunner(self.db, self._shops, factory.can_sync, environment)
        self._scheduler = Scheduler(
            self.db,
            SchedulerConfig(_owner(), config.lease, config.poll, config.capacity),
            run_shop=supervisor.run,
            run_operation=operations.run,
            clock=self.clock,
            log=self.log,
        )
        self.metrics.follow(RUNNING, lambda: self._scheduler.running)
        self._maintenance = Maintenance(self.db, clock=self.clock, log=self.log)
        self._clock_watch = ClockWatch(self.db, self.metrics, log=self.log)
        self._gauges = Gauges(self.db, self.metrics, clock=self.clock, log=self.log)
        self._listener: NotificationListener | None = None

    async def start(self) -> None:
        """Migrate the store, then begin to follow changes and to run shops. Raises
        StorageUnavailable, or what the database raises."""
        config = self.config
        if not config.new_database:
            self._restore_detector.check_exists(config.high_water_mark)
        identity = await self.db.migrate()
        self.epoch, self.token_key = identity["epoch"], identity["token_key"]
        self.epoch = await self._restore_detector.begin(
            self.epoch, config.high_water_mark, accept=config.new_database
        )
        self.metrics.set(WITNESS, float(self._restore_detector.has_witness))
        self.lacks_witness = (
            config.run_shops and config.needs_witness and not self._restore_detector.has_witness
        )
        self._runs_shops = config.run_shops and not self.lacks_witness
        if self.lacks_witness:
            self.log.error(
                "shops_do_not_run",
                problem="nothing records how far the database has come, so that one that was "
                "restored is noticed",
                do="give --state-dir a folder that the server may write, or say --no-witness",
            )
        await self.feed.start()
        if self.db.is_postgresql:
            self._listener = NotificationListener(self.db.engine, self.wake, ours=self.db.backends)
            self._listener.start()
        if self._runs_shops:
            await self._clock_watch.start(accept=self.config.accept_clock)
            await self._scheduler.start(self.registry.types)
            await self._maintenance.start()
            await self._gauges.start()

    def stop_accepting(self) -> None:
        """Begin no more runs. A drain begins with this; `stop` follows."""
        self._scheduler.stop_accepting()

    async def stop(self, *, grace: float = 10.0) -> None:
        """Let runs end for `grace` seconds, release leases, close connectors and the store."""
        if self._runs_shops:
            await self._scheduler.stop(grace=grace)
            await self._maintenance.stop()
            await self._clock_watch.stop()
            await self._gauges.stop()
        await self._restore_detector.end()
        await self.feed.stop()
        if self._listener is not None:
            self._listener.stop()
        await self.connectors.aclose()
        await asyncio.to_thread(self._observers.close, grace=min(grace, _OBSERVERS_GRACE))
        await asyncio.to_thread(self.db.close)

    async def reseal(self) -> int:
        """Seal everything with the first key again, merchant by merchant; return how many values
        were changed. A second call changes nothing. Raises SecretKeyMissing when no key opens a
        value: then nothing of that merchant was changed."""
        changed = 0
        async for merchant in each_merchant(self.db):
            changed += await self.db.write(
                merchant, lambda uow: resealing.reseal(uow, self.secrets.reseal)
            )
        return changed

    @property
    def has_witness(self) -> bool:
        """Whether this host records how far the database has come."""
        return self._restore_detector.has_witness

    @property
    def replaced(self) -> asyncio.Event:
        """Set when the database was replaced under this process: stop, and start again."""
        return self._restore_detector.replaced

    async def prepare_restored(self) -> int:
        """Prepare a restored database; return how many shops it has (`restore_detector`)."""
        shops, self.epoch = await prepare_restored(self.db, self.epoch)
        return shops

    async def run_due(self) -> int:
        """Run what is due now, once (see `Scheduler.run_due`); with `run_shops` off."""
        return await self._scheduler.run_due()

    def wake(self, due_in: int | None) -> None:
        """Note a commit: watchers read at once, the scheduler in `due_in` µs, unless None. From any
        thread."""
        self.feed.wake()
        if due_in is not None:
            self._scheduler.wake(due_in / 1_000_000)

    async def note_time(self) -> None:
        """See `ClockWatch.note`; with `run_shops` off."""
        await self._clock_watch.note()

    def can_sync(self, connector: str) -> ServiceError | None:
        """Return why shops of this connector cannot be synced, or None."""
        return self._factory.can_sync(connector)

    def reads_orders(self, connector: str) -> bool:
        """Return whether the orders of shops of this connector are read."""
        kind = self.registry.types.get(connector)
        return kind is not None and Capability.FETCH_ORDERS in kind.capabilities

    def account_of(self, shop: ShopRecord) -> FoundAccount | None:
        """See `ConnectorFactory.account_of`."""
        return self._factory.account_of(shop)

    async def check_shop(self, merchant: str, shop: str) -> Sequence[Finding]:
        """See `ShopChecks.check`."""
        return await self._checks.check(merchant, shop)

    async def receive_webhook(
        self, merchant: str, shop: str, headers: Mapping[str, str], body: bytes
    ) -> WebhookReply:
        """See `WebhookReceiver.receive`."""
        return await self._webhooks.receive(merchant, shop, headers, body)

    def open_shop(self, merchant: str, shop: str) -> AbstractAsyncContextManager[GuardedConnector]:
        """See `ShopAccess.connector`."""
        return self._shops.connector(merchant, shop)

    def _on_lost_commits(self) -> None:
        self._restore_detector.on_lost_commits()

    def _publish(self, merchant: str, fact: OversellRecord | ClearedRecord) -> None:
        announce_oversell(self._observers, merchant, fact)


def _owner() -> str:
    """Return the name that this process claims shops under."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _random_id() -> str:
    return str(uuid.uuid4())
