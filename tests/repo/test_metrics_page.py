"""docs/operations/metrics.md lists what the server shows."""

from __future__ import annotations

from pathlib import Path

from zaiko_core.metrics import DEFINITIONS, Definition, Kind, Metrics

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "metrics.md"


def _row(metric: Definition) -> str:
    name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{name}` | {metric.kind} | {labels} | {metric.help} |"


def test_the_page_has_a_row_for_each_metric_and_no_other() -> None:
    table, _, _ = PAGE.read_text("utf-8").partition("\n## ")
    rows = [line for line in table.splitlines() if line.startswith("| `zaiko_")]

    assert rows == [_row(metric) for metric in DEFINITIONS]


def test_no_metric_tells_of_a_merchant_a_shop_or_a_product() -> None:
    named = {label for metric in DEFINITIONS for label in metric.labels}

    assert named & {"merchant", "shop", "product", "listing", "order", "principal"} == set()


def test_every_definition_can_be_shown() -> None:
    metrics = Metrics()

    assert (
        len({metric.name for metric in DEFINITIONS})
        == len(DEFINITIONS)
        == len(list(metrics.registry.collect()))
    )
