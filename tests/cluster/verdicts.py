"""What must hold of a cluster's history, whatever happened to it. Each judge returns its list of
violations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from cluster.cluster import MERCHANTS, SKUS, STOCK, Cluster
from cluster.load import PAIRS, Load
from cluster.watchers import Watcher
from sqlalchemy import func, literal, select, union_all
from watch.guarantees import GUARANTEES, History
from zaiko_core.domain.push import PushOutcome
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database

_RECORDED_BY_SENDER = (
    PushOutcome.ACKNOWLEDGED,
    PushOutcome.REFUSED,
    PushOutcome.STALE,
    PushOutcome.UNSENT,
    PushOutcome.UNKNOWN,
)
"""Outcomes of a push that only the run that sent it records. READ is recorded by a later run."""


def one_run_at_a_time(db: Database) -> list[str]:
    """Judge by what the server itself stores. The tokens of a shop's runs rise in the order in
    which the runs began. Once a run has begun, nothing is recorded under an older token: no push is
    prepared and no answer is recorded. Revisions give the order of the commits."""
    runs, pushes = schema.runs, schema.pushes
    with db.engine.connect() as connection:
        begun: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
        for row in connection.execute(select(runs).order_by(runs.c.started_revision)):
            begun[row.merchant, row.shop].append((row.started_revision, row.token, row.run))
        sent = connection.execute(select(pushes)).all()
    wrong = []
    end: dict[tuple[str, str, str], int] = {}
    for (merchant, shop), starts in begun.items():
        for (_, one, _), (at, other, run) in pairwise(starts):
            if other <= one:
                wrong.append(
                    f"{shop}: run {run} began at revision {at} under token {other}, after {one}"
                )
        for (_, _, run), (following, _, _) in pairwise(starts):
            end[merchant, shop, run] = following
    for push in sent:
        until = end.get((push.merchant, push.shop, push.key.rsplit("-", 2)[0]))
        if until is None:
            continue
        if push.revision > until:
            wrong.append(
                f"{push.shop}: {push.key} was prepared at revision {push.revision}, after "
                f"the next run began at {until}"
            )
        if (
            push.outcome in _RECORDED_BY_SENDER
            and push.settled_revision is not None
            and push.settled_revision > until
        ):
            wrong.append(
                f"{push.shop}: the answer to {push.key} was recorded at "
                f"{push.settled_revision}, the next run began at {until}"
            )
    return wrong


def every_fact_once(db: Database, load: Load) -> list[str]:
    """Judge that each order that a shop accepted is counted once, and each receipt; that the last
    reserve that was answered is in force; and that the journal adds up to the balances."""
    movements = schema.movements
    keys = (movements.c.merchant, movements.c.shop, movements.c.order_id, movements.c.product)
    ordered = (
        select(*keys, func.sum(movements.c.ordered))
        .where(movements.c.order_id != "")
        .group_by(*keys)
    )
    received = (
        select(movements.c.merchant, movements.c.product, func.sum(movements.c.physical))
        .where(movements.c.kind == "RECEIVE")
        .group_by(movements.c.merchant, movements.c.product)
    )
    counted: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    with db.engine.connect() as connection:
        for merchant, shop, order, product, units in connection.execute(ordered):
            counted[merchant, shop, order][product] = int(units)
        arrived = {
            (merchant, product): int(units)
            for merchant, product, units in connection.execute(received)
        }
    wrong = [
        (
            f"{shop}: order {order} is {counted.get((merchant, shop, order), 'missing')} in the "
            f"journal, not {lines}"
        )
        for (merchant, shop, order), lines in load.orders.items()
        if counted.get((merchant, shop, order)) != lines
    ]
    wrong += [
        f"{shop}: order {order} was never placed"
        for merchant, shop, order in sorted(counted.keys() - load.orders.keys())
    ]
    for merchant in MERCHANTS:
        for sku in map(str.lower, SKUS):
            expected = STOCK + load.received[merchant, sku]
            if arrived.get((merchant, sku), 0) != expected:
                wrong.append(
                    f"{merchant}/{sku}: {arrived.get((merchant, sku), 0)} units were "
                    f"received, not {expected}"
                )
        stocks = db.read_sync(merchant, lambda uow: uow.stocks.get([sku.lower() for sku in SKUS]))
        for sku, stock in stocks.items():
            if stock.balance.reserve != load.reserves[merchant, sku]:
                wrong.append(
                    f"{merchant}/{sku}: {stock.balance.reserve} are kept back, not "
                    f"{load.reserves[merchant, sku]}"
                )
        off = db.read_sync(merchant, lambda uow: uow.stocks.recompute())
        wrong += [
            f"{merchant}/{product}: the journal says {journal}, the balance {balance}"
            for product, (journal, balance) in off.items()
        ]
    return wrong


def shown_wrongly(db: Database, cluster: Cluster) -> list[str]:
    """Compare what each shop shows, by its own account, with what may be sold now."""
    wrong = []
    for merchant in cluster.merchants:
        stocks = db.read_sync(
            merchant.merchant, lambda uow: uow.stocks.get([sku.lower() for sku in SKUS])
        )
        for shop, shown in merchant.shown().items():
            for sku in SKUS:
                wanted = stocks[sku.lower()].balance.sent
                if shown[sku] != wanted:
                    wrong.append(f"{shop} shows {shown[sku]} × {sku}, not {wanted}")
    return wrong


def watched_wrongly(db: Database, watchers: Sequence[Watcher]) -> list[str]:
    """Judge every watch by the seven guarantees, through all changes of replica."""
    return [
        f"{merchant}: {name}: {found}"
        for merchant in MERCHANTS
        for name, judge in GUARANTEES.items()
        for found in judge(history_of(db, merchant, watchers))
    ]


def history_of(db: Database, merchant: str, watchers: Sequence[Watcher]) -> History:
    """Return what a merchant's watchers received, and what the store held: each product's physical
    units and reserve after each change."""
    movements, settings = schema.movements, schema.stock_settings
    history = History(
        {watcher.name: watcher.streams for watcher in watchers if watcher.merchant == merchant},
        pairs=[(one.lower(), other.lower()) for one, other in PAIRS],
    )
    moved = select(
        movements.c.revision, movements.c.product, movements.c.physical, literal(0).label("reserve")
    )
    kept = select(
        settings.c.revision,
        settings.c.product,
        literal(0).label("physical"),
        settings.c.reserve - settings.c.reserve_before,
    )
    changes = union_all(
        moved.where(movements.c.merchant == merchant), kept.where(settings.c.merchant == merchant)
    ).order_by("revision")
    state = {sku.lower(): (0, 0) for sku in SKUS}
    history.truth = {product: [(1, 0, 0)] for product in state}
    with db.engine.connect() as connection:
        for revision, product, physical, reserve in connection.execute(changes):
            before = state[product]
            state[product] = (before[0] + physical, before[1] + reserve)
            history.truth[product].append((revision, *state[product]))
    return history
