"""A zaiko server whose platform is in memory, for figures that need the server in a separate
process.

    python -m benchmarks.speed.host --db URL --port-file FILE [--webhooks-file FILE] [--written
    FILE] [--answer-only]

It is `zaiko serve` with one connector, `instant`. With --written, every write that a shop applies
is recorded there: the moment (time.monotonic, which all processes of a machine share), shop,
listing, quantity.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from pathlib import Path
from typing import TextIO

import structlog
from zaiko_core.bootstrap import Engine
from zaiko_server import gc_tuning
from zaiko_server.config import Config
from zaiko_server.lifecycle import Server

from benchmarks.speed.instant import InstantShop, instant


class Shops(dict[str, InstantShop]):
    """The shops of the platform. They record what is written to them."""

    def __init__(self, notes: TextIO | None) -> None:
        super().__init__()
        self._notes = notes

    def setdefault(self, name: str, shop: InstantShop) -> InstantShop:
        """Return the shop, which records its writes."""
        if name not in self and self._notes is not None:
            notes = self._notes
            shop.written = lambda listing, quantity: print(
                time.monotonic(), name, listing, quantity, file=notes
            )
        return super().setdefault(name, shop)


async def serve(options: argparse.Namespace, notes: TextIO | None) -> None:
    """Serve until the process is killed."""
    webhooks = "127.0.0.1:0" if options.webhooks_file else ""
    given = {
        "listen": "127.0.0.1:0",
        "database": options.db,
        "webhooks": webhooks,
        "run_shops": not options.answer_only,
    }
    config = Config.read(given)
    server = Server(Engine(config.engine(), registry=instant(Shops(notes))), config)
    address = await server.start()
    gc_tuning.settle()
    if options.webhooks_file:
        options.webhooks_file.write_text(server.webhooks)
    half = options.port_file.with_name("half")
    half.write_text(address)
    half.rename(options.port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--webhooks-file", type=Path)
    parser.add_argument("--written", type=Path)
    parser.add_argument("--answer-only", action="store_true")
    parsed = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Line by line, since the process is killed and not stopped.
    asyncio.run(serve(parsed, parsed.written.open("w", buffering=1) if parsed.written else None))
