"""The tests of the contract are tested: each rule holds for the template, and finds the connector
that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from contract.broken import CAS, CHANGES, MUTANTS, Delegating, Mutant
from zaiko_example import stock
from zaiko_example.plugin import EXAMPLE
from zaiko_sdk import ConnectorType
from zaiko_sdk.testing.contract import ConnectorContract, ContractBench, rules
from zaiko_sdk.testing.contract.rule import ContractRule
from zaiko_sdk.testing.simulator import SimulatorType

pytestmark = pytest.mark.thorough
RULES = rules()


def test_every_rule_has_a_broken_connector() -> None:
    assert sorted(MUTANTS) == sorted(RULES)


def test_every_rule_says_what_it_is_for_and_what_to_do() -> None:
    assert not [
        name for name, rule in RULES.items() if not (rule.statement and rule.why and rule.fix)
    ]


# The other rules are run over the template by its own tests (tests/repo/test_template.py).
@pytest.mark.parametrize(
    "name",
    [name for name, mutant in MUTANTS.items() if mutant.says is not CAS or mutant.sends is not CAS],
)
def test_the_template_keeps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    kind = replace(EXAMPLE, open=Delegating, inventory_mode=mutant.says)
    monkeypatch.setattr(stock, "change_from", CHANGES[mutant.says])

    _examine(name, kind, mutant)


@pytest.mark.parametrize("name", RULES)
def test_a_connector_that_breaks_it_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    monkeypatch.setattr(stock, "change_from", CHANGES[mutant.sends])

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        _examine(name, mutant.kind, mutant)


def _examine(name: str, kind: ConnectorType, mutant: Mutant) -> None:
    """Run the rule's own code as pytest would."""
    rule: ContractRule = RULES[name]
    assert not rule.not_for(EXAMPLE.capabilities, mutant.says)
    test = getattr(ConnectorContract(), f"test_{name}")
    variants = [
        mark.args[1] for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"
    ] or [[None]]
    for variant in variants[0]:
        bench = ContractBench(kind, SimulatorType("example", mutant.simulator))
        try:
            test(bench) if variant is None else test(bench, variant)
        finally:
            bench.close()
