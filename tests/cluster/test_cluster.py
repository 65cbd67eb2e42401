"""Three replicas, a load, and faults, from a seed: nothing is lost, counted twice or recorded under a lost lease, every shop
converges, and every watch keeps its promises. The same without the token check is noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from cluster.cluster import HONEST, UNFENCED, Cluster, until
from cluster.storm import Storm
from cluster.verdicts import every_fact_once, held_back, history_of, one_run_at_a_time, shown_wrongly, watched_wrongly
from support.stores import PostgreSQL
from zaiko_core.storage.engine import Database

SECONDS = 25.0
pytestmark = pytest.mark.thorough


def weather(
    postgresql: PostgreSQL, folder: Path, seed: int, program: tuple[str, ...]
) -> tuple[Counter[str], dict[str, int], list[str]]:
    """One storm over one cluster: the faults, how much was judged, and what was wrong."""
    url = postgresql.new_url()
    db = Database(url)
    try:
        with Cluster(url, folder, program=program).running() as cluster:
            storm = Storm(cluster, seed, SECONDS)
            storm.rage()
            for server in cluster.servers.values():
                server.clear_faults()
            for shop in cluster.shops:
                storm.notify(shop.name)
            late: list[str] = []
            try:
                until(lambda: not every_fact_once(db, storm) and not shown_wrongly(db, storm), "every shop converges", 90)
            except AssertionError:
                late = shown_wrongly(db, storm)
            head = db.read_sync("demo", lambda uow: uow.merchants.head)
            storm.calm(head)
            judged = {
                "orders": sum(map(len, storm.orders.values())),
                "units": storm.sold.total(),
                "receipts": storm.received.total(),
                "deliveries": history_of(db, storm).deliveries,
                "units still held back": sum(held_back(db).values()),
                "calls": sum(len(watcher.streams) for watcher in storm.watchers),
            }
            wrong = one_run_at_a_time(db) + every_fact_once(db, storm) + late + watched_wrongly(db, storm)
            return storm.faults, judged, wrong
    finally:
        db.close()
        postgresql.drop(url)


@pytest.mark.parametrize("seed", range(2))
def test_a_storm_over_three_replicas_breaks_nothing(
    postgresql: PostgreSQL, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    faults, judged, wrong = weather(postgresql, tmp_path, seed, HONEST)
    with capsys.disabled():
        print(f"\nseed {seed}: {faults.total()} faults {dict(faults)}, {judged}, {len(wrong)} violations")
    assert wrong == []


def test_without_the_token_check_a_storm_is_noticed(postgresql: PostgreSQL, tmp_path: Path) -> None:
    for seed in range(4):
        (folder := tmp_path / str(seed)).mkdir()
        _, _, wrong = weather(postgresql, folder, seed, UNFENCED)
        if wrong:
            return
    raise AssertionError("four storms without the token check, and the verdicts saw nothing")
