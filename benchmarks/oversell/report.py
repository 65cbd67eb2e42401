"""The scores of many days as one table, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from benchmarks.oversell.contest import Way
from benchmarks.oversell.market import Score, percentile

Scores = Mapping[Way, Mapping[int, Score]]
"""By strategy and seed."""

_HEADINGS = (
    "strategy",
    "orders",
    "units oversold",
    "of (a)",
    "days worse than (a)",
    "unit·min off sale",
    "units refused in vain",
    "orders overwritten",
    "and on set",
    "numbers sent",
    "calls",
    "agree s p50",
    "p99",
    "astray",
)


def table(scenario: str, scores: Scores) -> Table:
    """Return one row per strategy, summed over the seeds."""
    seeds = len(next(iter(scores.values())))
    result = Table(title=f"{scenario}: {seeds} days", title_justify="left")
    for number, heading in enumerate(_HEADINGS):
        result.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in summary(scores):
        share = "–" if row["of_overwrite"] is None else f"{row['of_overwrite']:.1%}"
        result.add_row(
            row["strategy"],
            str(row["orders"]),
            str(row["oversold"]),
            share,
            str(row["worse_seeds"]),
            f"{row['off_sale']:,.0f}",
            str(row["refused_in_vain"]),
            str(row["overwritten"]),
            str(row["overwritten_by_set"]),
            f"{row['sent']:,}",
            f"{row['calls']:,}",
            f"{row['agreed_p50']:.0f}",
            f"{row['agreed_p99']:.0f}",
            str(row["astray"]),
        )
    return result


def per_seed(scenario: str, scores: Scores) -> Table:
    """Return the oversold units, one row per seed."""
    result = Table(title=f"{scenario}: oversold units by seed", title_justify="left")
    result.add_column("seed", justify="right")
    for way in scores:
        result.add_column(way.value, justify="right")
    for seed in next(iter(scores.values())):
        result.add_row(str(seed), *(str(days[seed].oversold) for days in scores.values()))
    return result


def summary(scores: Scores) -> list[dict[str, Any]]:
    """Return the sums over all seeds, one entry per strategy."""
    return [_row(way, days, scores.get(Way.OVERWRITE)) for way, days in scores.items()]


def _row(way: Way, days: Mapping[int, Score], base: Mapping[int, Score] | None) -> dict[str, Any]:
    total = _total(list(days.values()))
    measure = None if base is None else sum(score.oversold for score in base.values())
    return {
        "strategy": way.value,
        "days": len(days),
        "orders": total.orders,
        "oversold": total.oversold,
        "of_overwrite": total.oversold / measure if measure else None,
        "worse_seeds": 0
        if base is None
        else sum(score.oversold > base[seed].oversold for seed, score in days.items()),
        "off_sale": total.off_sale,
        "refused_in_vain": total.refused_in_vain,
        "overwritten": total.overwritten,
        "overwritten_by_set": total.overwritten_by_set,
        "sent": total.sent,
        "calls": total.calls,
        "agreed_p50": percentile(total.agreed_after, 0.50),
        "agreed_p99": percentile(total.agreed_after, 0.99),
        "astray": total.astray,
    }


def _total(scores: Sequence[Score]) -> Score:
    result = Score()
    for score in scores:
        for name in Score.__dataclass_fields__:
            setattr(result, name, getattr(result, name) + getattr(score, name))
    return result
