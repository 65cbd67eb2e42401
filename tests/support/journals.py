"""Fingerprints of storms: whether a change of the engine changes any decision.

Each seed goes through two storms: the one of test_fault_injection.py, and a wide one with batches
of many links, scarce goods, received units, shadow, held drifts and plugins that adjust numbers.

A seed repeats its storm exactly, so two versions of the engine that decide alike leave the same
fingerprint: the same conversation with the platforms, the same rows, the same numbers in the shops.

    PYTHONPATH=tests python -m support.journals --seeds 200 --save before.json
    PYTHONPATH=tests python -m support.journals --seeds 200 --compare before.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData
from zaiko_core.app import links, receiving, runs, shops, stock
from zaiko_core.app.records import ListingRecord, ProductRecord
from zaiko_core.bootstrap import Engine
from zaiko_core.domain.ids import listing_id
from zaiko_core.domain.links import Part
from zaiko_core.plugin_host.loader import load
from zaiko_sdk import LinkView
from zaiko_sdk.hooks import hookimpl

from support.stores import new_database
from support.storm import Storm, storm_run
from support.world import MERCHANT, can_sync

STEPS = 25
TABLES = (
    "movements",
    "stock",
    "warehouse_stock",
    "demands",
    "allocations",
    "orders",
    "order_lines",
    "links",
    "link_parts",
    "pushes",
    "drifts",
    "runs",
    "additions",
    "addition_places",
    "shops",
    "changes",
)
RANDOM_COLUMNS = {"owner", "secrets"}
"""Columns whose values differ from process to process."""


ITEMS = [f"item{number:02d}" for number in range(23)]
CUP = "cup"
"""Received units of it are added to one shop, which keeps its own number."""


class Caution:
    """A plugin that shows one unit less of some listings."""

    @hookimpl
    def zaiko_adjust_quantity(self, view: LinkView) -> int | None:
        return view.quantity - 1 if view.listing in ITEMS[::5] else None


class WideStorm(Storm):
    """A storm over 25 listings a shop. What is sent is not judged here, only written down."""

    def new_engine(self) -> Engine:
        engine = super().new_engine()
        engine.registry._manager = load([("caution", Caution())], entry_points=[])._manager
        return engine

    def begin(self, units: int) -> None:
        super().begin(units)
        self.calm = True
        for shop in self.shops.values():
            shop.stock |= dict.fromkeys((*ITEMS, CUP), 0)
        taker = sorted(self.shops)[self.seed % 3]

        def build(uow: Any) -> None:
            names = (*ITEMS, CUP)
            uow.products.insert([ProductRecord(name, name) for name in names])
            for shop in self.shops:
                uow.listings.upsert(
                    shop,
                    [ListingRecord(shop, listing_id(name), name, {}, sku=name) for name in names],
                )
            drafts = [
                links.LinkDraft(
                    shop, listing_id(name), (Part(name), Part("tea", 2))[: 1 + n % 2], True
                )
                for shop in self.shops
                for n, name in enumerate(ITEMS)
            ]
            drafts.append(links.LinkDraft(taker, listing_id(CUP), (Part(CUP),), False))
            links.create(uow, drafts, can_sync=can_sync)
            receiving.switch(uow, CUP, True, can_sync=can_sync)
            for name in ("tea", *ITEMS[:4]):
                stock.set_escrow(uow, name, 1_000_000 if self.seed % 2 else 12)

        self.world.db.write_sync(MERCHANT, build)
        for number, name in enumerate(ITEMS):
            self.world.receive(name, 3 + number)
        self.settle(turns=2)
        self.calm = False

    def check_nothing_was_overwritten(self, name: str) -> None:
        self.shops[name].applied.clear()

    def shop_event(self, name: str) -> None:
        choice, shop = self.random.random(), self.shops[name]
        if choice < 0.5:
            super().shop_event(name)
            return
        self.clock.advance(1.1)
        item = self.random.choice([*ITEMS, CUP])
        if choice < 0.8 and shop.stock[item] > 0:
            shop.place({item: 1}, visible_after=self.random.choice([0, 2]))
        elif choice < 0.82:
            shop.stock[item] = self.random.randint(0, 9)
        elif choice < 0.93:
            received = self.random.choice([*ITEMS[:3], CUP, CUP, CUP])
            self.world.receive(received, self.random.randint(1, 5))
        elif choice < 0.95:
            self._write(lambda uow: shops.set_shadow(uow, name, self.random.random() < 0.4))
        elif choice < 0.97:
            hold = self.random.random() < 0.5
            self._write(
                lambda uow: shops.update(uow, replace(shops.get(uow, name), hold_drift=hold))
            )
        else:
            self._write(lambda uow: runs.sync_now(uow, shops=[name]))

    def _write(self, work: Any) -> None:
        self.world.db.write_sync(MERCHANT, work)


def journal(storm: Storm) -> dict[str, Any]:
    """Return everything that a storm decided, as JSON values."""
    found: dict[str, Any] = {
        "conversation": storm.conversation,
        "faults": dict(storm.met),
        "shown": {name: shop.stock for name, shop in storm.shops.items()},
        "ends at": storm.clock.now().isoformat(),
        "next random number": storm.random.random(),
    }
    metadata = MetaData()
    with storm.engine.db.engine.connect() as connection:
        metadata.reflect(connection, only=TABLES)
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in RANDOM_COLUMNS]
            rows = connection.execute(table.select().with_only_columns(*columns))
            found[table.name] = sorted(repr(tuple(row)) for row in rows)
    return found


def fingerprint(seed: int, kind: type[Storm] = Storm, steps: int = STEPS) -> str:
    """Return the digest of one storm's journal."""
    return hashlib.sha256(text_of(seed, kind, steps).encode()).hexdigest()


def text_of(seed: int, kind: type[Storm] = Storm, steps: int = STEPS) -> str:
    """Return one storm's journal as JSON, to look for the first difference."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        url = f"sqlite:///{folder}/zaiko.db"
        new_database(url).close()
        storm = storm_run(url, seed, steps, kind)
        try:
            return json.dumps(journal(storm), sort_keys=True, indent=0)
        finally:
            storm.close()


def _both(seed: int) -> str:
    return f"{fingerprint(seed)} {fingerprint(seed, WideStorm)}"


def main(arguments: list[str]) -> int:
    """Save the fingerprints of many storms, or compare them with saved ones. Return 1 where one
    differs."""
    parser = argparse.ArgumentParser(prog="python -m support.journals")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--save", type=Path)
    parser.add_argument("--compare", type=Path)
    options = parser.parse_args(arguments)
    seeds = range(options.seeds)
    with ProcessPoolExecutor(options.processes) as pool:
        digests = dict(zip(map(str, seeds), pool.map(_both, seeds), strict=True))
    if options.save is not None:
        options.save.write_text(json.dumps(digests, indent=1) + "\n", "utf-8")
    if options.compare is None:
        return 0
    before = json.loads(options.compare.read_text("utf-8"))
    differ = [
        f"{seed} {kind}"
        for seed, digest in digests.items()
        for kind, old, new in zip(("", "wide"), before[seed].split(), digest.split(), strict=True)
        if old != new
    ]
    total = 2 * len(digests)
    print(f"{total - len(differ)} of {total} journals are equal; differ: {differ}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
