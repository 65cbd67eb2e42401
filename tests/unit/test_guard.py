"""What a connector raises or finds is clean when it leaves the guard, whatever the connector took
care of."""

from collections.abc import Sequence
from typing import cast

import pytest
from zaiko_core.sync.guard import ConnectorBug, GuardedConnector
from zaiko_sdk import (
    Connector,
    ContractBroken,
    Finding,
    FindingLevel,
    InventoryWrite,
    ItemRefused,
    WriteOutcome,
    WriteResult,
)

SECRET = "sim-secret-91c2"


class Careless:
    """Quotes its credential wherever it can."""

    order_reach = None

    async def check(self) -> Sequence[Finding]:
        return [Finding(FindingLevel.ERROR, "ODD", f"said {SECRET}")]

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        error = ItemRefused(f"refused {SECRET}", platform_message=f"because {SECRET}")
        return [WriteResult("a", WriteOutcome.REFUSED, error=error)]

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[object]:
        raise ContractBroken(f"odd {SECRET}", platform_message=f"odder {SECRET}")

    async def read_inventory(self, refs: Sequence[object]) -> Sequence[object]:
        raise ValueError(f"bad value {SECRET}")


@pytest.fixture
def guarded() -> GuardedConnector:
    return GuardedConnector(cast(Connector, Careless()), lambda text: text.replace(SECRET, "***"))


@pytest.mark.anyio
async def test_findings_are_clean(guarded: GuardedConnector) -> None:
    assert [finding.message for finding in await guarded.check()] == ["said ***"]


@pytest.mark.anyio
async def test_the_refusal_of_one_item_is_clean(guarded: GuardedConnector) -> None:
    (result,) = await guarded.set_inventory([], "key")

    assert result.error is not None
    assert (str(result.error), result.error.message, result.error.platform_message) == (
        "refused ***",
        "refused ***",
        "because ***",
    )


@pytest.mark.anyio
async def test_errors_are_clean_in_every_text(guarded: GuardedConnector) -> None:
    with pytest.raises(ContractBroken) as raised:
        await guarded.read_orders([])

    assert (str(raised.value), raised.value.message, raised.value.platform_message) == (
        "odd ***",
        "odd ***",
        "odder ***",
    )


@pytest.mark.anyio
async def test_a_bug_of_the_connector_is_told_without_the_credential(
    guarded: GuardedConnector,
) -> None:
    with pytest.raises(ConnectorBug) as raised:
        await guarded.read_inventory([])

    assert raised.value.message == "the connector failed unexpectedly: ValueError: bad value ***"
