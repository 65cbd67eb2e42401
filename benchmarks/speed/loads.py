"""GetStock, SetReserve and RecordReceipt at 1, 2, 4, 8, 16 and 32 calls in flight, calls a second.

A design that is tuned at one load can lose at another, so every load is drawn. There is no limit
and no goal: compare two versions on the same machine, in turns.
"""

from __future__ import annotations

import statistics

from benchmarks.speed.catalogue import Catalogue, fill
from benchmarks.speed.figure import Figure
from benchmarks.speed.processes import zaiko
from benchmarks.speed.reads import METHODS as READS
from benchmarks.speed.reads import calls_a_second
from benchmarks.speed.stores import Store
from benchmarks.speed.writes import METHODS as WRITES

IN_FLIGHT = (1, 2, 4, 8, 16, 32)
_LINKS = 10_000
_CALLS = (
    *((name, method, request) for name, _, _, method, request in READS if name == "GetStock"),
    *WRITES,
)


async def measure(store: Store, quick: bool) -> list[Figure]:
    """Measure each call at each load, the loads in turns."""
    url, seconds, rounds = store.fresh(), 1.0, 2 if quick else 3
    fill(url, Catalogue(_LINKS))
    found: dict[tuple[str, int], list[float]] = {}
    with zaiko(url) as server:
        for _ in range(rounds):
            for name, method, request in _CALLS:
                for in_flight in IN_FLIGHT:
                    rate = await calls_a_second(
                        server.address, method, request, seconds, in_flight=in_flight
                    )
                    found.setdefault((name, in_flight), []).append(rate)
    return [
        Figure(
            f"{name}, {in_flight} in flight",
            store.name,
            "calls/s",
            statistics.median(rates),
            None,
        )
        for (name, in_flight), rates in found.items()
    ]
