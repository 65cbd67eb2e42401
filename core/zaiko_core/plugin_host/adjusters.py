"""Asks plugins what a link is to show (hook `zaiko_adjust_quantity`), one after the other, each
within 0 … sellable (ADR 0008)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from zaiko_sdk import LinkView, Log, PartView

from zaiko_core.app.records import DueLink
from zaiko_core.domain.stock import Balance

HOOK = "zaiko_adjust_quantity"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Adjusters:
    """The plugins that adjust the links of one connector's shops of one merchant."""

    def __init__(
        self,
        plugins: Sequence[tuple[str, Callable[..., Any]]],
        merchant: str,
        connector: str,
        log: Log,
    ) -> None:
        self._plugins, self._merchant, self._connector, self._log = (
            plugins,
            merchant,
            connector,
            log,
        )

    def __call__(self, item: DueLink, sellable: int, now: int) -> list[tuple[str, int]]:
        """Return (plugin, number after it) for each plugin that changed the number. Never raises
        for a plugin's fault. `now` in µs."""
        steps: list[tuple[str, int]] = []
        if not self._plugins:
            return steps
        quantity, shop = sellable, f"merchants/{self._merchant}/shops/{item.link.shop}"
        parts = tuple(
            PartView(part.product, part.count, item.balances.get(part.product, Balance()).synced)
            for part in item.link.parts
        )
        at = _EPOCH + timedelta(microseconds=now)
        for plugin, function in self._plugins:
            view = LinkView(
                self._merchant,
                shop,
                self._connector,
                item.external_id,
                parts,
                sellable,
                quantity,
                at,
            )
            try:
                answer = function(view)
            except Exception as error:  # noqa: BLE001 - a plugin's own code
                self._log.error(
                    "adjust_failed",
                    plugin=plugin,
                    shop=shop,
                    listing=item.external_id,
                    error=type(error).__name__,
                )
                continue
            if answer is None:
                continue
            if type(answer) is not int:
                self._log.error(
                    "adjust_failed",
                    plugin=plugin,
                    shop=shop,
                    listing=item.external_id,
                    error=f"answered {type(answer).__name__}",
                )
                continue
            adjusted = min(max(0, answer), sellable)
            if adjusted != quantity:
                self._log.debug(
                    "adjusted",
                    plugin=plugin,
                    shop=shop,
                    listing=item.external_id,
                    before=quantity,
                    after=adjusted,
                )
                steps.append((plugin, adjusted))
                quantity = adjusted
        return steps
