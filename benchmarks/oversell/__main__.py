"""`python -m benchmarks.oversell --seeds 20 --scenario flash`: the contest as a table, or as
JSON."""

from __future__ import annotations

import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.oversell import report
from benchmarks.oversell.contest import Way, play
from benchmarks.oversell.demand import SCENARIOS
from benchmarks.oversell.market import Score


def main(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="quiet, normal, flash, rush; repeatable; all but rush by default"),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="days of each scenario")] = 20,
    first: Annotated[int, typer.Option(help="the first seed")] = 1,
    way: Annotated[
        list[Way] | None, typer.Option(help="strategies; repeatable; all by default")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with every seed")] = False,
    wide: Annotated[int, typer.Option(help="columns of the printed table")] = 200,
) -> None:
    """Play the same days under each strategy, and print the result."""
    console = Console(width=wide)
    ways, names = way or list(Way), scenario or ["quiet", "normal", "flash"]
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        raise typer.BadParameter(f"no such scenario: {', '.join(sorted(unknown))}")
    began, everything = time.monotonic(), {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for name in names:
            days = [(one, seed) for one in ways for seed in range(first, first + seeds)]
            played = pool.map(
                play, [name] * len(days), [seed for _, seed in days], [one for one, _ in days]
            )
            scores: dict[Way, dict[int, Score]] = {one: {} for one in ways}
            for (one, seed), score in zip(days, played, strict=True):
                scores[one][seed] = score
                typer.echo(f"{name} {seed} {one.value}: {score.oversold} units oversold", err=True)
            rows = report.summary(scores)
            by_seed = {
                one.value: {seed: asdict(score) for seed, score in scores[one].items()}
                for one in ways
            }
            everything[name] = {"summary": rows, "seeds": by_seed}
            if not as_json:
                console.print(report.table(name, scores), report.per_seed(name, scores))
    if as_json:
        typer.echo(json.dumps(everything))
    else:
        console.print(
            f"{time.monotonic() - began:.0f} s with {jobs} process{'es' if jobs > 1 else ''}"
        )


if __name__ == "__main__":
    typer.run(main)
