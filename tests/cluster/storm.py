"""One seed: a cluster, a load, faults and watchers, then calm; and the verdict on all of it."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cluster.cluster import HONEST, MERCHANTS, Cluster
from cluster.faults import Faults, schedule
from cluster.histories import CLAIM, listen, overlapping_runs, told
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
from zaiko_core.storage.engine import Database

STORMY = 20.0
"""Seconds of load and faults; a fault that began may outlast it by its own length."""
CALM = 40.0
"""Seconds within which every shop shows the right number after the last fault: what a dead replica
left (lease 5 s), what is held back for orders that may still come (6 s here), and one more round,
on a machine that is busy."""
_WATCHERS = 2
"""Of each merchant."""


@dataclass
class Verdict:
    """What a storm met, how much was judged, and what was wrong."""

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
    """Go through the storm of a seed. Without patience nothing is waited for once something is
    known to be wrong."""
    url = postgresql.new_url()
    db = Database(url)
    try:
        listen(db)
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
    # Connections from before the storm were dropped with PostgreSQL; the product's transactions
    # begin again by themselves.
    db.engine.dispose()
    ended = time.monotonic()
    if not patient and (wrong := overlapping_runs(told(db))):
        for watcher in watchers:
            watcher.stop()
        verdict.wrong = wrong
        return verdict
    for server in cluster.servers.values():
        server.clear_faults()
    draw = random.Random(verdict.seed)
    for stand in cluster.stands:
        for shop in stand.shops:
            load.notify(stand, shop, draw)
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
    history = told(db)
    verdict.judged = {
        "orders": len(load.orders),
        "receipts": load.receipts,
        "reserves": load.settings,
        "calls made again": load.repeats,
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
