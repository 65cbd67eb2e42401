"""What must hold of a cluster's history, whatever happened to it. Each verdict is a list of violations."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from cluster.cluster import SKUS, STOCK
from cluster.storm import Storm
from sqlalchemy import func, select
from watch.guarantees import GUARANTEES, History
from zaiko_core.domain.push import PushOutcome
from zaiko_core.storage import schema
from zaiko_core.storage.engine import Database

_BY_ITS_RUN = (PushOutcome.ACKNOWLEDGED, PushOutcome.REFUSED, PushOutcome.STALE, PushOutcome.UNSENT, PushOutcome.UNKNOWN)
"""Outcomes that only the run that sent it records; READ is a later one's."""
MERCHANT = "demo"


def one_run_at_a_time(db: Database) -> list[str]:
    """Tokens of a shop's runs rise with their beginnings, and once a run has begun nothing is recorded under an older token: no
    push is prepared, and no answer written down. Revisions say what was committed when."""
    runs, pushes = schema.runs, schema.pushes
    with db.engine.connect() as connection:
        begun: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for row in connection.execute(select(runs).where(runs.c.merchant == MERCHANT).order_by(runs.c.started_revision)):
            begun[row.shop].append((row.started_revision, row.token, row.run))
        sent = connection.execute(select(pushes).where(pushes.c.merchant == MERCHANT)).all()
    wrong = []
    end: dict[tuple[str, str], int] = {}
    for shop, starts in begun.items():
        for (_, one, _), (at, other, run) in pairwise(starts):
            if other <= one:
                wrong.append(f"{shop}: run {run} began at revision {at} under token {other}, after {one}")
        for (_, _, run), (following, _, _) in pairwise(starts):
            end[shop, run] = following
    for push in sent:
        until = end.get((push.shop, push.key.rsplit("-", 2)[0]))
        if until is None:
            continue
        if push.revision > until:
            wrong.append(f"{push.shop}: {push.key} was prepared at revision {push.revision}, after the next run began at {until}")
        if push.outcome in _BY_ITS_RUN and push.settled_revision is not None and push.settled_revision > until:
            wrong.append(
                f"{push.shop}: the answer to {push.key} was recorded at {push.settled_revision}, the next run began at {until}"
            )
    return wrong


def every_fact_once(db: Database, storm: Storm) -> list[str]:
    """Every order that a shop accepted is counted once, and every receipt; the journal adds up to the balances."""
    movements, orders = schema.movements, schema.orders
    wrong = []
    with db.engine.connect() as connection:
        mine = movements.c.merchant == MERCHANT
        placed = select(movements.c.product, func.sum(movements.c.ordered)).where(mine, movements.c.kind == "ORDER_PLACED")
        ordered = {row[0]: int(row[1]) for row in connection.execute(placed.group_by(movements.c.product))}
        received = select(movements.c.product, func.sum(movements.c.physical)).where(mine, movements.c.kind == "RECEIVE")
        arrived = {row[0]: int(row[1]) for row in connection.execute(received.group_by(movements.c.product))}
        known = {(row.shop, row.order_id) for row in connection.execute(select(orders.c.shop, orders.c.order_id))}
    for sku in SKUS:
        if ordered.get(sku.lower(), 0) != storm.sold[sku]:
            wrong.append(f"{sku}: {ordered.get(sku.lower(), 0)} units were counted as ordered, {storm.sold[sku]} were sold")
        if arrived.get(sku.lower(), 0) != STOCK + storm.received[sku]:
            wrong.append(f"{sku}: {arrived.get(sku.lower(), 0)} units were received, not {STOCK + storm.received[sku]}")
    taken = {(shop, order) for shop, names in storm.orders.items() for order in names}
    wrong += [f"{shop}: order {order} is unknown" for shop, order in sorted(taken - known)]
    wrong += [f"{shop}: order {order} was never placed" for shop, order in sorted(known - taken)]
    off = db.read_sync(MERCHANT, lambda uow: uow.stocks.recompute())
    return wrong + [f"{product}: the journal says {journal}, the balance {balance}" for product, (journal, balance) in off.items()]


def shown_wrongly(db: Database, storm: Storm) -> list[str]:
    """What each shop shows, by its own account, against what may be sold now. Fewer are right where the link says so: units that a
    write took with it when its replica died are not offered again before every order that may have taken them can be seen."""
    stocks = db.read_sync(MERCHANT, lambda uow: uow.stocks.get([sku.lower() for sku in SKUS]))
    held = held_back(db)
    wrong = []
    for shop, shown in storm.cluster.bench.shown().items():
        for sku in SKUS:
            wanted = max(0, stocks[sku.lower()].balance.free)
            if not wanted - held.get((shop, sku.lower()), 0) <= shown[sku] <= wanted:
                wrong.append(f"{shop} shows {shown[sku]} × {sku}, not {wanted}")
    return wrong


def held_back(db: Database) -> dict[tuple[str, str], int]:
    """Units that links hold back, by shop and product."""
    links, parts = schema.links, schema.link_parts
    together = (links.c.merchant == parts.c.merchant) & (links.c.shop == parts.c.shop) & (links.c.listing == parts.c.listing)
    query = select(links.c.shop, parts.c.product, links.c.suspected + links.c.doubt).join(parts, together)
    with db.engine.connect() as connection:
        return {(row[0], row[1]): int(row[2]) for row in connection.execute(query.where(links.c.merchant == MERCHANT)) if row[2]}


def watched_wrongly(db: Database, storm: Storm) -> list[str]:
    """The seven guarantees of every watch, through all changes of replica."""
    history = history_of(db, storm)
    return [f"{name}: {found}" for name, judge in GUARANTEES.items() for found in judge(history)]


def history_of(db: Database, storm: Storm) -> History:
    """What the watchers were sent, and what the store held: each product's physical units after each movement."""
    movements = schema.movements
    history = History({watcher.name: watcher.streams for watcher in storm.watchers})
    physical = dict.fromkeys((sku.lower() for sku in SKUS), 0)
    for product in physical:
        history.truth[product] = [(1, 0, 0)]
    with db.engine.connect() as connection:
        for row in connection.execute(select(movements).where(movements.c.merchant == MERCHANT).order_by(movements.c.seq)):
            physical[row.product] += row.physical
            history.truth[row.product].append((row.revision, physical[row.product], 0))
    return history
