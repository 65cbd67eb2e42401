"""`python -m benchmarks.speed [--only NAME] [--store NAME] [--quick] [--json FILE]`: every figure
of speed, as one table."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Annotated

import structlog
import typer

from benchmarks.speed.figure import HEAD, Figure, row
from benchmarks.speed.stores import POSTGRESQL, SQLITE, stores

FIGURES = (
    "reads",
    "writes",
    "loads",
    "batches",
    "many_links",
    "idle",
    "ingestion",
    "hold",
    "million",
    "many_shops",
    "fanout",
    "propagation",
    "push",
    "replicas",
)
"""Modules of this package; each has `async measure(store, quick)`."""


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"repeatable; of {', '.join(FIGURES)}")
    ] = None,
    store: Annotated[
        list[str] | None,
        typer.Option(help=f"repeatable; {SQLITE} or {POSTGRESQL}; both by default"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="small sizes: to try it, not to quote it")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="also write the figures there")
    ] = None,
) -> None:
    """Measure on both stores and print the table. Exit with 1 when a figure could not be measured;
    a missed goal is not a failure."""
    if unknown := set(only or ()) - set(FIGURES):
        raise typer.BadParameter(
            f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}"
        )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    everything: list[Figure] = []
    failed: list[str] = []
    began = time.monotonic()
    print(HEAD, flush=True)
    # One loop for all: what gRPC keeps of a loop that was closed complains without end.
    with stores(tuple(store or (SQLITE, POSTGRESQL))) as found, asyncio.Runner() as runner:
        for name in only or FIGURES:
            module = importlib.import_module(f"benchmarks.speed.{name}")
            for each in found:
                if each.name not in getattr(module, "STORES", (SQLITE, POSTGRESQL)):
                    continue
                try:
                    figures = runner.run(module.measure(each, quick))
                except (Exception, SystemExit):  # noqa: BLE001 - one figure that cannot be had does not cost the others
                    failed.append(f"{name} on {each.name}")
                    traceback.print_exc(file=sys.stderr)
                    continue
                everything += figures
                print("\n".join(map(row, figures)), flush=True)
    taken = time.monotonic() - began
    load = os.getloadavg()
    print(
        f"\n{taken:.0f} s; {os.cpu_count()} cores, load at the end {load[0]:.1f}; Python "
        f"{platform.python_version()}"
    )
    if json_file:
        about = {
            "seconds": round(taken),
            "cores": os.cpu_count(),
            "load": load,
            "python": platform.python_version(),
            "quick": quick,
        }
        json_file.write_text(
            json.dumps(
                {"about": about, "figures": [figure.as_json() for figure in everything]}, indent=2
            )
        )
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
