"""One row of the table: a measurement, its limit, and whether the goal is reached."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """`measured` and `limit` are in `unit`. With a limit, the goal applies to `ratio` (measured ÷
    limit), otherwise to `measured`. `at_most` says that less is better. Without a goal the figure
    is only reported."""

    name: str
    store: str
    unit: str
    measured: float
    goal: float | None
    limit: float | None = None
    ratio: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        compared = self.measured if self.ratio is None else self.ratio
        return compared <= self.goal if self.at_most else compared >= self.goal

    def as_json(self) -> dict[str, Any]:
        """Return the figure for `--json`."""
        return asdict(self) | {"reached": self.reached}


def beside(
    name: str,
    store: str,
    unit: str,
    goal: float,
    measured: Sequence[float],
    limits: Sequence[float],
    *,
    at_most: bool = False,
    note: str = "",
) -> Figure:
    """Return a figure from repetitions that alternate with their limit (A B A B A B). The ratio is
    the median of the pairs' ratios, because other load of the machine affects both of a pair.
    `measured` and `limit` are separate medians."""
    ratio = statistics.median(one / other for one, other in zip(measured, limits, strict=True))
    return Figure(
        name,
        store,
        unit,
        statistics.median(measured),
        goal,
        statistics.median(limits),
        ratio,
        at_most=at_most,
        note=note,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


HEAD = (
    "| figure | store | measured | limit, same run | ratio | goal | reached "
    "|\n|---|---|---|---|---|---|---|"
)


def row(figure: Figure) -> str:
    """Return one row of the table, in Markdown."""
    sign = "≤" if figure.at_most else "≥"
    goal = "–"
    if figure.goal is not None:
        goal = (
            f"{sign} {figure.goal:g} {figure.unit}"
            if figure.ratio is None
            else f"{sign} {_ratio(figure, figure.goal)}"
        )
    reached = {True: "yes", False: "no", None: "–"}[figure.reached]
    limit = "–" if figure.limit is None else _number(figure.limit)
    ratio = "–" if figure.ratio is None else _ratio(figure, figure.ratio)
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    cells = (
        name,
        figure.store,
        f"{_number(figure.measured)} {figure.unit}",
        limit,
        ratio,
        goal,
        reached,
    )
    return "| " + " | ".join(cells) + " |"


def _ratio(figure: Figure, value: float) -> str:
    return f"{value:.2f}×" if figure.at_most else f"{value:.1%}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
