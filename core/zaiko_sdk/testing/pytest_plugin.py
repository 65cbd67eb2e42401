"""Shows the contract's report in pytest's output. Name it in `pytest_plugins` of your conftest.py.

It is no `pytest11` entry point: pytest stops when a plugin is named both there and in a
conftest.py.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from zaiko_sdk.testing.contract import FINDING, ContractRule

_OUTCOMES = ("passed", "failed", "skipped")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--contract-report FILE`."""
    parser.addoption(
        "--contract-report",
        metavar="FILE",
        help=(
            "write what each connector keeps of zaiko's contract to FILE: Markdown, or JSON when "
            "it ends in .json"
        ),
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failed rule's report why the rule exists and what to do."""
    report = yield
    rule: ContractRule | None = getattr(getattr(item, "function", None), "contract_rule", None)
    if rule is not None and report.failed:
        report.sections.append(
            ("zaiko's contract", f"Rule: {rule.statement}\nWhy:  {rule.why}\nDo:   {rule.fix}")
        )
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print one line per connector, and each rule that it breaks."""
    findings = list(_findings(terminalreporter.stats))
    if not findings:
        return
    terminalreporter.section("zaiko connector contract")
    for connector, rows in _by_connector(findings).items():
        terminalreporter.write_line(_line(connector, rows))
        for row in rows:
            if row["outcome"] == "failed":
                terminalreporter.write_line(f"    broken: {row['rule']}")
    if path := config.getoption("--contract-report"):
        target = Path(path)
        text = json.dumps(findings, indent=2) if target.suffix == ".json" else markdown(findings)
        target.write_text(text + "\n", "utf-8")


def markdown(findings: list[dict[str, str]]) -> str:
    """Return a table of rules by connector: ✓ kept, ✗ broken, – does not concern it or cannot be
    played by its simulator."""
    columns = _by_connector(findings)
    signs = {"passed": "✓", "failed": "✗", "skipped": "–"}
    lines = [f"| rule | tier | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    cells = {(row["connector"], row["rule"]): signs[row["outcome"]] for row in findings}
    tiers = {row["rule"]: row["tier"] for row in findings}
    for rule, tier in sorted(tiers.items(), key=lambda item: (item[1], item[0])):
        marks = " | ".join(cells.get((connector, rule), "") for connector in columns)
        lines.append(f"| {rule.replace('_', ' ')} | {tier} | {marks} |")
    return "\n".join(lines)


def _findings(stats: dict[str, list[Any]]) -> Iterable[dict[str, str]]:
    seen = set()
    for outcome in ("failed", "error", "skipped", "passed"):
        for report in stats.get(outcome, ()):
            rule = next(
                (
                    value
                    for name, value in getattr(report, "user_properties", ())
                    if name == FINDING
                ),
                None,
            )
            key = rule and (rule["connector"], rule["rule"], report.nodeid)
            if rule is None or key in seen or (outcome == "passed" and report.when != "call"):
                continue
            seen.add(key)
            why = (
                report.longrepr[2].removeprefix("Skipped: ")
                if outcome == "skipped" and isinstance(report.longrepr, tuple)
                else ""
            )
            yield {**rule, "outcome": "failed" if outcome == "error" else outcome, "why": why}


def _by_connector(findings: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in findings:
        found.setdefault(row["connector"], []).append(row)
    return dict(sorted(found.items()))


def _line(connector: str, rows: list[dict[str, str]]) -> str:
    counts = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in _OUTCOMES}
    basic = [row for row in rows if row["tier"] == "basic"]
    kept = sum(row["outcome"] == "passed" for row in basic)
    optional = counts["passed"] - kept
    cannot = sum(row["why"].startswith("cannot be played") for row in rows)
    text = (
        f"{connector}: basic {kept}/{len(basic)}, optional {optional} kept, {counts['failed']} "
        "broken, "
    )
    text += f"{counts['skipped'] - cannot} do not concern it"
    return text + (f", {cannot} cannot be played by its simulator" if cannot else "")
