"""Several replicas on one PostgreSQL: how soon another replica runs the shop of one that was
killed, how soon a trigger becomes a run, how many runs many triggers become, and the claims per
second of 1, 2 and 3 processes.

    python -m benchmarks.speed.replicas --hold URL MERCHANT SHOP   claims one shop, reports it, and
                                                                   waits to be killed
    python -m benchmarks.speed.replicas --churn URL SECONDS        claims and releases due shops,
                                                                   and prints how many

Takeover: processes that have claimed a shop and never renew are killed with SIGKILL at once, so
that the whole lease must still expire. That is the worst case. The time is from the kill until
another replica's run of that shop began, by the clock of the machine (goal: lease + 1 s at most,
with a lease of 5 s).

Trigger to run: SyncNow is called 200 times a second for ten seconds, for 200 shops of 50 merchants,
half of them at each of two replicas whose shops answer at once. The time is from before the call
until a run of the shop began (goals: p50 20 ms, p99 200 ms).

Triggers of one shop: 1,000 changes by concurrent callers, which are grouped as their calls would be
(ADR 0032; goal: 3 runs), and one after the other by 8 writers. The latter takes seconds, so the
number of runs shows how often the shop runs in them (no goal).
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any

import grpc
from sqlalchemy import func, insert, select, update
from zaiko.v1 import sync_service_pb2, sync_service_pb2_grpc
from zaiko_core.app.due_marks import COALESCE
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import JobClaim, Trigger
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.jobs import Jobs

from benchmarks.speed.figure import Figure, quantile
from benchmarks.speed.instant import CONNECTOR
from benchmarks.speed.processes import host
from benchmarks.speed.stores import POSTGRESQL, Store

STORES = (POSTGRESQL,)
MERCHANTS, SHOPS, LEASE = 50, 4, 5.0
RATE, SLOWER, SECONDS, TRIGGERS, WRITERS = 200, 25, 10, 1_000, 8
_INTERVAL = 600_000_000


def shops() -> list[tuple[str, str]]:
    """Return (merchant, shop) of all shops."""
    return [
        (f"m{number:03d}", f"s{place}") for number in range(MERCHANTS) for place in range(SHOPS)
    ]


def fill(url: str) -> None:
    """Create merchants and shops without links. Nothing is due."""
    now = time.time_ns() // 1000
    db = Database(url)
    shop = {
        "connector": CONNECTOR,
        "interval": _INTERVAL,
        "due_at": now + _INTERVAL,
        "order_cursor": "here",
        "created_at": now,
    }
    shop |= {"reread_at": now, "audited_at": now, "checked_at": now}
    with db.engine.begin() as connection:
        connection.execute(
            insert(schema.merchants),
            [{"merchant": f"m{number:03d}", "head": 1} for number in range(MERCHANTS)],
        )
        rows = [
            shop | {"merchant": merchant, "shop": name, "settings": {"shop": f"{merchant}-{name}"}}
            for merchant, name in shops()
        ]
        connection.execute(insert(schema.shops), rows)
    db.close()


def begun(db: Database, since: int) -> dict[tuple[str, str], list[int]]:
    """Return when runs began (µs since 1970), by shop."""
    table = schema.runs
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    with db.engine.connect() as connection:
        query = select(table.c.merchant, table.c.shop, table.c.started_at).where(
            table.c.started_at >= since
        )
        for row in connection.execute(query.order_by(table.c.started_at)):
            found[row.merchant, row.shop].append(row.started_at)
    return found


def takeovers(url: str, number: int) -> list[float]:
    """Return the seconds from each kill until another replica ran the shop."""
    held = shops()[:number]
    command = [sys.executable, "-m", "benchmarks.speed.replicas", "--hold", url]
    killed: dict[tuple[str, str], int] = {}
    waiting = [
        subprocess.Popen(
            [*command, *place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for place in held
    ]
    for process in waiting:
        assert process.stdout is not None
        process.stdout.readline()
    for process, place in zip(waiting, held, strict=True):
        assert process.stdin is not None
        assert process.stdout is not None
        print(file=process.stdin, flush=True)
        process.stdout.readline()
        process.kill()
        killed[place] = time.time_ns() // 1000
        process.wait()
        time.sleep(0.2)
    db = Database(url)
    deadline = time.monotonic() + 3 * LEASE
    while len(found := begun(db, min(killed.values()))) < number and time.monotonic() < deadline:
        time.sleep(0.1)
    db.close()
    return [
        (next(at for at in found[place] if at > moment) - moment) / 1_000_000
        for place, moment in killed.items()
    ]


async def starts(url: str, addresses: list[str], rate: int) -> list[float]:
    """Return the milliseconds from each trigger, `rate` a second, until a run of its shop began."""
    sent: list[tuple[tuple[str, str], int]] = []
    places = shops()
    async with (
        grpc.aio.insecure_channel(addresses[0]) as one,
        grpc.aio.insecure_channel(addresses[1]) as two,
    ):
        stubs: list[Any] = [
            sync_service_pb2_grpc.SyncServiceStub(channel) for channel in (one, two)
        ]

        async def trigger(number: int) -> None:
            merchant, shop = places[number * 7 % len(places)]
            sent.append(((merchant, shop), time.time_ns() // 1000))
            request = sync_service_pb2.SyncNowRequest(shop=f"merchants/{merchant}/shops/{shop}")
            await stubs[number % 2].SyncNow(request, timeout=30)

        async with asyncio.TaskGroup() as group:
            began = time.monotonic()
            for number in range(rate * SECONDS):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                group.create_task(trigger(number))
    await asyncio.sleep(2)
    db = Database(url)
    runs = begun(db, sent[0][1])
    db.close()
    found = []
    for place, moment in sent:
        times = runs.get(place, [])
        at = bisect.bisect_left(times, moment)
        found.append((times[at] - moment) / 1000 if at < len(times) else 20_000.0)
    return found


async def runs_of_many_triggers(url: str, *, concurrent: bool) -> int:
    """How many runs they become, all in all."""
    merchant, shop = shops()[-1]
    db = Database(url)
    since = time.time_ns() // 1000

    def trigger(uow: UnitOfWork) -> None:
        uow.trigger([shop], by=Trigger.WEBHOOK, delay=COALESCE)

    async def write(number: int) -> None:
        for _ in range(number):
            await db.write(merchant, trigger)

    if concurrent:
        await asyncio.gather(*(db.write(merchant, trigger) for _ in range(TRIGGERS)))
    else:
        await asyncio.gather(*(write(TRIGGERS // WRITERS) for _ in range(WRITERS)))
    await asyncio.sleep(2)
    number = len(begun(db, since)[merchant, shop])
    db.close()
    return number


def claims_a_second(url: str, processes: int, seconds: float) -> float:
    """Return the claims per second of `processes` processes together."""
    command = [sys.executable, "-m", "benchmarks.speed.replicas", "--churn", url, str(seconds)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    for process in running:
        assert process.stdin is not None
        print(file=process.stdin, flush=True)
    total = sum(int(process.communicate()[0]) for process in running)
    return total / seconds


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure everything."""
    url = store.fresh()
    fill(url)
    with host(url) as one, host(url) as two:
        late = await asyncio.to_thread(takeovers, url, 5 if quick else 20)
        delays = {
            rate: await starts(url, [one.address, two.address], rate) for rate in (RATE, SLOWER)
        }
        many = await runs_of_many_triggers(url, concurrent=True)
        spread = await runs_of_many_triggers(url, concurrent=False)
    churned = store.fresh()
    fill(churned)
    db = Database(churned)
    with db.engine.begin() as connection:
        connection.execute(update(schema.shops).values(due_at=0))
    claims = [claims_a_second(churned, number, 2.0 if quick else 4.0) for number in (1, 2, 3)]
    db.close()
    note = f"{len(late)} kills, lease {LEASE:g} s"
    return [
        Figure(
            "takeover after SIGKILL, p50",
            store.name,
            "s",
            statistics.median(late),
            LEASE + 1,
            at_most=True,
            note=note,
        ),
        Figure(
            "takeover after SIGKILL, most",
            store.name,
            "s",
            max(late),
            LEASE + 1,
            at_most=True,
            note=note,
        ),
        *(figure for rate, found in delays.items() for figure in _started(store, rate, found)),
        Figure(
            "runs of 1,000 triggers of one shop",
            store.name,
            "runs",
            many,
            3,
            at_most=True,
            note="concurrent",
        ),
        Figure(
            "runs of 1,000 triggers of one shop",
            store.name,
            "runs",
            spread,
            None,
            note=f"{WRITERS} writers, for seconds",
        ),
        Figure("claims, 1 process", store.name, "claims/s", claims[0], None),
        Figure("claims, 2 processes", store.name, "claims/s", claims[1], None),
        Figure("claims, 3 processes", store.name, "claims/s", claims[2], None),
    ]


def _started(store: Store, rate: int, delays: list[float]) -> list[Figure]:
    note = f"{rate}/s, two replicas"
    p50, p99 = statistics.median(delays), quantile(delays, 0.99)
    return [
        Figure("trigger to run, p50", store.name, "ms", p50, 20, at_most=True, note=note),
        Figure("trigger to run, p99", store.name, "ms", p99, 200, at_most=True, note=note),
    ]


def _hold(url: str, merchant: str, shop: str) -> None:
    db = Database(url)
    print("ready", flush=True)
    sys.stdin.readline()
    table = schema.shops
    with db.engine.begin() as connection:
        now = db.transactions.now(connection)
        mine = (table.c.merchant == merchant, table.c.shop == shop)
        held = {
            "owner": "gone",
            "lease_until": now + int(LEASE * 1_000_000),
            "lease_token": table.c.lease_token + 1,
            "due_at": now,
        }
        connection.execute(update(table).where(*mine).values(held))
    print("held", flush=True)
    sys.stdin.readline()
    time.sleep(60)


def _churn(url: str, seconds: float) -> None:
    db = Database(url)
    owner, done = f"churn-{time.time_ns()}", 0

    def take(connection: Any) -> list[JobClaim]:
        return Jobs(
            connection, db.transactions.now(connection), owner=owner, lease=5_000_000
        ).claim(1)

    with db.engine.connect() as connection:
        connection.scalar(select(func.count()).select_from(schema.shops))
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with db.engine.begin() as connection:
            claims = take(connection)
        for claim in claims:
            with db.engine.begin() as connection:
                Jobs(
                    connection, db.transactions.now(connection), owner=owner, lease=5_000_000
                ).finish(claim, next_in=0, attempt=0)
        done += len(claims)
    print(done, flush=True)
    db.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hold", nargs=3)
    parser.add_argument("--churn", nargs=2)
    options = parser.parse_args()
    if options.hold:
        _hold(*options.hold)
    else:
        _churn(options.churn[0], float(options.churn[1]))
