"""How soon another replica runs a shop whose replica was killed, or was stopped in good order.
Prints JSON.

    python -m benchmarks.takeover [--kills 20] [--drains 5] [--all]

Real server processes run on a real PostgreSQL with fsync and a lease of 5 s. The shop's platform
takes `CALL` s to answer, so that the replica is in the middle of a run, and renews its lease, when
it is killed. The database says which replica that is, and when the other one's run began. The
moment of the signal is this machine's clock, which is also the database's. The result is in
seconds; the goals are lease + 1 s at most after a kill, and `GRACE` (the time that a run gets to
end) + 1 s after a stop. Each repetition first waits up to a third of a lease, so that the kill
falls anywhere between two renewals.

--all: also what benchmarks.speed.replicas measures of the queue: trigger to run at 200 triggers/s
on two replicas (ms), the runs of 1,000 triggers of one shop, and the claims/s of 1, 2 and 3
processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import structlog
from sqlalchemy import select, update
from zaiko.v1 import sync_service_pb2, sync_service_pb2_grpc
from zaiko_core.bootstrap import Engine
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_sdk import OrderPage
from zaiko_server.config import Config
from zaiko_server.lifecycle import serve

from benchmarks.speed import replicas
from benchmarks.speed.figure import quantile
from benchmarks.speed.instant import InstantConnector, instant
from benchmarks.speed.processes import host
from benchmarks.speed.stores import POSTGRESQL, Store, stores

CALL, GRACE, LEASE = 9.0, 0.5, 5.0
_ROOT = Path(__file__).resolve().parents[1]


class Pair:
    """Two replicas. One is ended at a time, and then started again."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start what is missing, and wait until both answer."""
        for name in {"one", "two"} - self.processes.keys():
            (port := self._folder / name).unlink(missing_ok=True)
            command = [sys.executable, "-m", "benchmarks.takeover", "--serve", self._url, str(port)]
            environment = {
                **os.environ,
                "ZAIKO_RATE": "0",
                "ZAIKO_STATE_DIR": str(self._folder),
                "ZAIKO_SECRET_KEY_FILE": f"{self._folder}/zaiko.key",
            }
            self.processes[name] = subprocess.Popen([*command], cwd=_ROOT, env=environment)
        while not all(self.address(name) for name in self.processes):
            time.sleep(0.05)

    def address(self, name: str) -> str:
        """Return the address at which it answers, empty until it does."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / name).read_text()
        return ""

    def end(self, pid: int, number: signal.Signals) -> int:
        """Send the signal to one replica and wait for its end. Return when it was sent, in µs since
        1970."""
        (name,) = (name for name, process in self.processes.items() if process.pid == pid)
        at = time.time_ns() // 1000
        self.processes[name].send_signal(number)
        self.processes.pop(name).wait()
        return at

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextlib.contextmanager
def _pair(url: str) -> Iterator[Pair]:
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Pair(url, Path(folder))) as pair,
    ):
        yield pair


def handovers(store: Store, number: signal.Signals, times: int) -> list[float]:
    """Return the seconds from each signal until another replica's run of the shop began."""
    url, draw, found = store.fresh(), random.Random(1), []
    replicas.fill(url)
    db = Database(url)
    with _pair(url) as pair:
        for merchant, shop in replicas.shops()[:times]:
            pair.start()
            _sync_now(pair.address(draw.choice(["one", "two"])), merchant, shop)
            while (owner := _owner(db, merchant, shop)) is None:
                time.sleep(0.02)
            time.sleep(0.2 + draw.random() * LEASE / 3)
            at = pair.end(int(owner.split(":")[1]), number)
            while not (
                begun := [
                    moment for moment in replicas.begun(db, at)[merchant, shop] if moment > at
                ]
            ):
                assert time.time_ns() // 1000 - at < 30_000_000, (
                    f"nobody has taken {merchant}/{shop} over"
                )
                time.sleep(0.05)
            found.append((begun[0] - at) / 1_000_000)
    db.close()
    return found


def _sync_now(address: str, merchant: str, shop: str) -> None:
    with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        request = sync_service_pb2.SyncNowRequest(shop=f"merchants/{merchant}/shops/{shop}")
        sync_service_pb2_grpc.SyncServiceStub(channel).SyncNow(request, timeout=10)


def _owner(db: Database, merchant: str, shop: str) -> str | None:
    table = schema.shops
    with db.engine.connect() as connection:
        return connection.scalar(
            select(table.c.owner).where(table.c.merchant == merchant, table.c.shop == shop)
        )


async def queue(store: Store) -> dict[str, Any]:
    """Measure triggers and claims with benchmarks.speed.replicas."""
    url, churned = store.fresh(), store.fresh()
    replicas.fill(url)
    with host(url) as one, host(url) as two:
        delays = await replicas.starts(url, [one.address, two.address], replicas.RATE)
        many = await replicas.runs_of_many_triggers(url, concurrent=True)
    replicas.fill(churned)
    db = Database(churned)
    with db.engine.begin() as connection:
        connection.execute(update(schema.shops).values(due_at=0))
    db.close()
    return {
        "trigger_to_run_ms": {
            "p50": round(statistics.median(delays), 1),
            "p99": round(quantile(delays, 0.99), 1),
            "n": len(delays),
        },
        "runs_of_1000_triggers": many,
        "claims_per_second": {
            str(number): round(replicas.claims_a_second(churned, number, 4.0))
            for number in (1, 2, 3)
        },
    }


def summary(seconds: list[float], goal: float) -> dict[str, Any]:
    """Return the median and the maximum, with the goal for the maximum."""
    return {
        "p50_s": round(statistics.median(seconds), 2),
        "max_s": round(max(seconds), 2),
        "n": len(seconds),
        "goal_s": goal,
        "reached": max(seconds) <= goal,
    }


async def _serve(url: str, port: Path) -> None:
    registry = instant()

    async def slowly(self: InstantConnector, cursor: str | None) -> AsyncIterator[OrderPage]:
        await asyncio.sleep(CALL)
        async for page in fetch_orders(self, cursor):
            yield page

    fetch_orders, InstantConnector.fetch_orders = InstantConnector.fetch_orders, slowly  # type: ignore[method-assign]
    config = Config.read({"listen": "127.0.0.1:0", "database": url, "grace": GRACE})

    def ready(address: str) -> None:
        (half := port.with_suffix(".half")).write_text(address)
        half.rename(port)

    await serve(config, ready=ready, engine=Engine(config.engine(), registry=registry))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--drains", type=int, default=5)
    parser.add_argument("--all", action="store_true")
    parser.add_argument(
        "--serve",
        nargs=2,
        metavar=("URL", "PORT_FILE"),
        help="one of the replicas that are measured",
    )
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if options.serve:
        asyncio.run(_serve(options.serve[0], Path(options.serve[1])))
        return
    with stores((POSTGRESQL,)) as (store,):
        found: dict[str, Any] = {}
        if options.kills:
            found["takeover_after_sigkill"] = summary(
                handovers(store, signal.SIGKILL, options.kills), LEASE + 1
            )
        if options.drains:
            found["handover_after_sigterm"] = summary(
                handovers(store, signal.SIGTERM, options.drains), GRACE + 1
            )
        if options.all:
            found |= asyncio.run(queue(store))
    print(
        json.dumps(
            found | {"cores": os.cpu_count(), "load": [round(load, 1) for load in os.getloadavg()]},
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
