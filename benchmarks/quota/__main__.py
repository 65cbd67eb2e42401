"""`python -m benchmarks.quota [--platform p] [--listings N] [--seconds S] [--json FILE]`: how much
of its quota each one uses."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.quota.course import Phase, play
from benchmarks.quota.meters import PLATFORMS

_HEAD = (
    "| platform | phase | listings done | time, N× | used | allowed | share | throttled | waits "
    "| failed | real s | CPU |"
)


def row(phase: Phase) -> str:
    """Return one row of the table, in Markdown."""
    share = "–" if phase.share is None else f"{phase.share:.1%}"
    allowed = "–" if phase.allowed is None else f"{phase.allowed:,.0f}"
    cells = (
        phase.platform,
        phase.phase,
        f"{phase.done:,} of {phase.listings:,}",
        f"{phase.seconds:,.0f} s, {phase.factor:g}×",
        f"{phase.used:,.0f} {phase.unit}",
        allowed,
        share,
        str(phase.throttled),
        str(phase.paused),
        str(phase.failed),
        f"{phase.real:.1f}",
        f"{phase.cpu:.0%}",
    )
    return "| " + " | ".join(cells) + " |"


def main(
    platform: Annotated[list[str] | None, typer.Option(help="repeatable; all by default")] = None,
    listings: Annotated[int, typer.Option(min=1, help="listings of the shop")] = 50_000,
    seconds: Annotated[
        float, typer.Option(help="real seconds for each phase; it stops after the batch in hand")
    ] = 180.0,
    factor: Annotated[
        float | None,
        typer.Option(help="how much faster than real time; by platform when not given"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="also write the figures there")
    ] = None,
) -> None:
    """List, read and write a whole catalogue with each connector, with its simulator's quota
    enforced."""
    chosen = platform or list(PLATFORMS)
    if unknown := set(chosen) - set(PLATFORMS):
        raise typer.BadParameter(f"no such platform: {', '.join(sorted(unknown))}")
    everything: list[Phase] = []
    typer.echo(_HEAD + "\n|" + "---|" * (_HEAD.count("|") - 1))
    for name in chosen:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            phases = process.submit(play, name, listings, seconds, factor).result()
        everything += phases
        typer.echo("\n".join(map(row, phases)))
    if json_file:
        json_file.write_text(
            json.dumps([asdict(phase) | {"share": phase.share} for phase in everything], indent=2)
        )


if __name__ == "__main__":
    typer.run(main)
