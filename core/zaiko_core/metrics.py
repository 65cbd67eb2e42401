"""Every metric that the server shows, in one list, and how they are counted
(docs/operations/metrics.md lists them, and a test compares).

No metric has a label for a merchant, a shop or a product: with 20,000 shops each would be 20,000
series, and names of customers do not belong into a monitoring system. The status of one shop is
asked over the API.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from zaiko_core.app.records import RunRecord, RunResult, ShopRecord


class Kind(enum.StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric. Buckets of a histogram are in the metric's unit."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

RUNS = Definition(
    "zaiko_runs",
    Kind.COUNTER,
    "Runs of shops that have ended, by what made them begin and how they ended.",
    ("connector", "trigger", "state"),
)
RUN_SECONDS = Definition(
    "zaiko_run_seconds", Kind.HISTOGRAM, "How long a run of a shop took.", ("connector",), _SECONDS
)
RUNNING = Definition("zaiko_shops_running", Kind.GAUGE, "Shops that run in this process now.")
DUE_SECONDS = Definition(
    "zaiko_shops_overdue_seconds",
    Kind.GAUGE,
    "For how long the shop that is due longest has been due; 0 when none is.",
)
WITNESS = Definition(
    "zaiko_restore_witness",
    Kind.GAUGE,
    "Whether this process records how far the database has come, so that one that was restored is "
    "noticed: 1 or 0.",
)
CLOCK_BEHIND = Definition(
    "zaiko_clock_behind_seconds",
    Kind.GAUGE,
    "By how much the clock is behind the highest time that this database has seen; 0 when it is "
    "not.",
)
ORDERS = Definition(
    "zaiko_orders",
    Kind.COUNTER,
    "Orders that runs read, and those of them that brought something new.",
    ("connector", "result"),
)
PUSHES = Definition(
    "zaiko_pushes",
    Kind.COUNTER,
    "Numbers sent to shops, by what became of them: confirmed, stale, unknown or failed.",
    ("connector", "outcome"),
)
READINGS = Definition("zaiko_readings", Kind.COUNTER, "Numbers read from shops.", ("connector",))
HELD = Definition(
    "zaiko_shops_held",
    Kind.COUNTER,
    "Runs that ended waiting for a person, by reason.",
    ("connector", "reason"),
)
LINKS = Definition(
    "zaiko_links_synced",
    Kind.GAUGE,
    "Links with sync enabled, counted every five minutes.",
    ("connector",),
)
VERIFIED = Definition(
    "zaiko_links_verified_ratio",
    Kind.GAUGE,
    (
        "Share of links with sync enabled whose number was read in the shop within the last 24 "
        "hours; 1 when there are none."
    ),
    ("connector",),
)
WITHOUT_EFFECT = Definition(
    "zaiko_links_without_effect",
    Kind.GAUGE,
    "Links that are held because three writes in a row left the shop's number where it was.",
    ("connector",),
)
DRIFTS = Definition(
    "zaiko_drifts_last_day",
    Kind.GAUGE,
    "Differences between shops and what was expected of them, found within the last 24 hours.",
    ("connector", "cause"),
)
OVERSOLD = Definition(
    "zaiko_oversells_open",
    Kind.GAUGE,
    "Times that stock was sold which is not there, and that are not cleared.",
)
UNREADABLE = Definition(
    "zaiko_orders_unreadable",
    Kind.GAUGE,
    "Orders that may be open and cannot be read, counted every five minutes.",
    ("connector",),
)
RPCS = Definition(
    "zaiko_rpcs",
    Kind.COUNTER,
    "Calls that have ended; of methods that do not exist, as `unknown`.",
    ("method", "code"),
)
RPC_SECONDS = Definition(
    "zaiko_rpc_seconds", Kind.HISTOGRAM, "How long a unary call took.", ("method",), _SECONDS
)
WATCHES = Definition("zaiko_watches", Kind.GAUGE, "Watches that are open in this process.")
WEBHOOKS = Definition(
    "zaiko_webhooks",
    Kind.COUNTER,
    "Notifications of platforms, by the HTTP status of the answer.",
    ("status",),
)

DEFINITIONS = (
    RUNS, RUN_SECONDS, RUNNING, DUE_SECONDS, WITNESS, CLOCK_BEHIND, ORDERS, PUSHES, READINGS, HELD, LINKS, VERIFIED, WITHOUT_EFFECT, DRIFTS, OVERSOLD, UNREADABLE,  # noqa: E501
    RPCS, RPC_SECONDS, WATCHES, WEBHOOKS,
)  # fmt: skip


class Metrics:
    """The metrics of one process. Every method may be called from any thread; a label that a
    definition does not have is a bug."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            each: _made(Counter, each, self.registry)
            for each in DEFINITIONS
            if each.kind is Kind.COUNTER
        }
        self._gauges = {
            each: _made(Gauge, each, self.registry)
            for each in DEFINITIONS
            if each.kind is Kind.GAUGE
        }
        self._histograms = {
            each: Histogram(
                each.name, each.help, each.labels, registry=self.registry, buckets=each.buckets
            )
            for each in DEFINITIONS
            if each.kind is Kind.HISTOGRAM
        }
        # To look for the labels' own counter takes as long as to log a call.
        self._known: dict[tuple[Any, ...], Any] = {}

    def add(self, metric: Definition, amount: float = 1, **labels: str) -> None:
        """Count up by `amount` ≥ 0."""
        self._of(self._counters, metric, labels).inc(amount)

    def observe(self, metric: Definition, value: float, **labels: str) -> None:
        """Add one value to a histogram."""
        self._of(self._histograms, metric, labels).observe(value)

    def set(self, metric: Definition, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[metric]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def forget(self, metric: Definition) -> None:
        """Clear a gauge, for what is gone."""
        self._gauges[metric].clear()

    def follow(self, metric: Definition, value: Callable[[], float]) -> None:
        """Let a gauge without labels ask for its value when it is read."""
        self._gauges[metric].set_function(value)

    def _of(
        self, made: Mapping[Definition, Any], metric: Definition, labels: Mapping[str, str]
    ) -> Any:
        """Return the child that counts for these labels, of counters and histograms, which forget
        nothing."""
        key = (metric.name, *labels.items())
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = made[metric].labels(**labels) if labels else made[metric]
        return known


T = TypeVar("T", Counter, Gauge)


def _made(kind: type[T], metric: Definition, registry: CollectorRegistry) -> T:
    return kind(metric.name, metric.help, metric.labels, registry=registry)


def measure(
    metrics: Metrics, shop: ShopRecord, run: RunRecord, result: RunResult, ended_at: int
) -> None:
    """Count a run that has ended. `ended_at` in µs."""
    connector, counts = shop.connector, result.counts
    metrics.add(RUNS, connector=connector, trigger=run.trigger, state=result.state.value)
    metrics.observe(RUN_SECONDS, max(0, ended_at - run.started_at) / 1_000_000, connector=connector)
    metrics.add(ORDERS, counts.orders_fetched, connector=connector, result="read")
    metrics.add(ORDERS, counts.orders_changed, connector=connector, result="new")
    metrics.add(READINGS, counts.read, connector=connector)
    for outcome in ("confirmed", "stale", "unknown", "failed"):
        metrics.add(PUSHES, getattr(counts, outcome), connector=connector, outcome=outcome)
    if result.held and result.problem is not None:
        metrics.add(HELD, connector=connector, reason=result.problem.reason)
