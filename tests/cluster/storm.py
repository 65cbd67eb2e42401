"""One seed: a cluster under load and faults, with watchers; then calm; then the verdict."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cluster.cluster import HONEST, MERCHANTS, Cluster
from cluster.faults import Faults, schedule
from cluster.histories import CLAIM, overlapping_runs, record_history, recorded_history
from cluster.lines import Lines
from cluster.load import Load
from cluster.verdicts import (
    every_fact_once,
    history_of,
    one_run_at_a_time,
    shown_wrongly,
    watched_wrongly,
)
from cluster.watchers import Watcher
from support.stores import PostgreSQL
from support.waiting import until
from zaiko_core.storage.database import Database

STORMY = 20.0
"""Seconds of load and faults. A fault that has begun may last beyond them."""
CALM = 40.0
"""Seconds within which every shop must show the right number after the last fault: a dead replica's
lease (5 s), units held back for orders that may still appear (6 s here), and one more round, on a
busy machine."""
_WATCHERS = 2
"""Watchers of each merchant."""


@dataclass
class Verdict:
    """Which faults a storm had, how much was judged, and what was wrong."""

    seed: int
    lines: str
    """What was between the replicas and the database."""
    faults: Counter[str] = field(default_factory=Counter)
    judged: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        judged = ", ".join(f"{number:g} {what}" for what, number in self.judged.items())
        return (
            f"seed {self.seed} over {self.lines}: faults {dict(self.faults)}, {judged}, "
            f"violations {len(self.wrong)}"
        )


def storm_run(
    postgresql: PostgreSQL,
    lines: Lines,
    folder: Path,
    seed: int,
    *,
    program: tuple[str, ...] = HONEST,
    patient: bool = True,
) -> Verdict:
    """Run the storm of a seed, and return its verdict. If not `patient`, return as soon as a
    violation is known."""
    url = postgresql.new_url()
    db = Database(url)
    try:
        record_history(db)
        with Cluster(postgresql, lines, url, folder, program=program).running() as cluster:
            return _storm_run(postgresql, db, cluster, Verdict(seed, lines.name), patient)
    finally:
        db.close()
        postgresql.drop(url)


def _storm_run(
    postgresql: PostgreSQL, db: Database, cluster: Cluster, verdict: Verdict, patient: bool
) -> Verdict:
    began = time.monotonic()
    load = Load(cluster, verdict.seed)
    faults = Faults(
        postgresql, cluster.replicas, schedule(verdict.seed, STORMY, len(cluster.replicas))
    )
    addresses = [replica.address for replica in cluster.replicas]
    watchers = [
        Watcher(addresses, merchant, place) for merchant in MERCHANTS for place in range(_WATCHERS)
    ]
    for watcher in watchers:
        watcher.start()
    load.start()
    faults.start()
    time.sleep(STORMY)
    load.finish()
    faults.finish()
    verdict.faults = faults.met
    # Connections from before the storm broke when PostgreSQL crashed. The product's transactions
    # reconnect without help.
    db.engine.dispose()
    ended = time.monotonic()
    if not patient and (wrong := overlapping_runs(recorded_history(db))):
        for watcher in watchers:
            watcher.stop()
        verdict.wrong = wrong
        return verdict
    for server in cluster.servers.values():
        server.clear_faults()
    draw = random.Random(verdict.seed)
    for merchant in cluster.merchants:
        for shop in merchant.shops:
            load.notify(merchant, shop, draw)
    late: list[str] = []
    try:
        until(
            lambda: not every_fact_once(db, load) and not shown_wrongly(db, cluster),
            "every shop converges",
            seconds=CALM,
        )
    except AssertionError:
        late = shown_wrongly(db, cluster)
    calm = time.monotonic() - ended
    for watcher in watchers:
        watcher.finish(db.read_sync(watcher.merchant, lambda uow: uow.merchants.head))
    history = recorded_history(db)
    verdict.judged = {
        "orders": len(load.orders),
        "receipts": load.receipts,
        "reserves": load.settings,
        "repeated calls": load.repeats,
        "claims": sum(item.what == CLAIM for item in history),
        "rows written by runs": sum(item.what != CLAIM for item in history),
        "deliveries": sum(history_of(db, merchant, watchers).deliveries for merchant in MERCHANTS),
        "watches": sum(len(watcher.streams) for watcher in watchers),
        "s of storm": round(ended - began),
        "s until calm": round(calm, 1),
    }
    verdict.wrong = overlapping_runs(history) + one_run_at_a_time(db) + every_fact_once(db, load)
    verdict.wrong += late + watched_wrongly(db, watchers)
    return verdict
