"""A connector is not trusted: what it raises or forgets to answer stays inside its own shop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from zaiko_sdk import (
    Account,
    Connector,
    ConnectorError,
    ConnectorSettings,
    ConnectorType,
    ContractBroken,
    Finding,
    FindingLevel,
    InventoryLevel,
    InventoryWrite,
    Limits,
    ListingPage,
    ListingRef,
    Order,
    OrderPage,
    ShopContext,
    Timeout,
    WebhookHint,
    WriteResult,
)

T = TypeVar("T")

_LIMITS = Limits()
_LONGEST_ID = 200
CALL_LIMIT = 120.0
"""Seconds that one call, or one page of an iteration, may take."""


def is_account_id(text: str) -> bool:
    """Return whether a text can be the id of an account: 1 to 200 characters, without blanks."""
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and " " not in text


class ConnectorBug(ContractBroken):
    """The connector raised an exception that is not a ConnectorError. If it was writing, it is
    unknown what was applied."""


class GuardedConnector:
    """The calls of a connector that the engine makes, each bounded in time, each raising
    ConnectorError only.

    `redact` takes the shop's credentials out of a text: what a platform says may quote them, and
    what an error says is shown."""

    def __init__(
        self, connector: Connector, redact: Callable[[str], str], limits: Limits = _LIMITS
    ) -> None:
        self._connector, self._redact, self.limits = connector, redact, limits

    @classmethod
    def opened(
        cls, kind: ConnectorType, context: ShopContext, settings: ConnectorSettings
    ) -> GuardedConnector:
        """Open a shop's connector. Raises ConnectorError only: what `open` raises otherwise is a
        ConnectorBug."""
        try:
            return cls(kind.open(context, settings), settings.redact, kind.limits)
        except ConnectorError as error:
            error.message = settings.redact(error.message)
            raise
        except Exception as error:
            words = settings.redact(
                f"the connector cannot be opened: {type(error).__name__}: {error}"
            )
            raise ConnectorBug(words[:500]) from error

    async def check(self) -> Sequence[Finding]:
        """See Connector.check; and that older open orders are not read, where that is so."""
        findings = [*await self._call(self._connector.check()), *self._reach()]
        return [replace(finding, message=self._redact(finding.message)) for finding in findings]

    async def account(self) -> Account | None:
        """See Connector.account."""
        found = await self._call(self._connector.account())
        if found is not None and not (
            isinstance(found, Account) and isinstance(found.id, str) and is_account_id(found.id)
        ):
            raise ContractBroken("the connector answered with an account that has no proper id")
        return None if found is None else Account(found.id, self._redact(str(found.name))[:200])

    def _reach(self) -> list[Finding]:
        with self._bugs():
            reach = self._connector.order_reach
        if reach is None:
            return []
        words = (
            f"Orders are read {reach.days} days back when the shop is connected. An older order "
            "that is open holds no stock: look for such orders in the shop, pre-orders for "
            "example, and allocate stock to them or set a longer time."
        )
        return [Finding(FindingLevel.WARNING, "OLD_ORDERS_NOT_READ", words)]

    async def read_orders(self, external_ids: Sequence[str]) -> Sequence[Order]:
        """See Connector.read_orders."""
        return await self._call(self._connector.read_orders(external_ids))

    async def read_inventory(self, refs: Sequence[ListingRef]) -> Sequence[InventoryLevel]:
        """See Connector.read_inventory."""
        return await self._call(self._connector.read_inventory(refs))

    async def set_inventory(
        self, writes: Sequence[InventoryWrite], key: str
    ) -> Sequence[WriteResult]:
        """See Connector.set_inventory."""
        results = await self._call(self._connector.set_inventory(writes, key))
        for result in results:
            if result.error is not None:
                self._clean(result.error)
        return [
            replace(result, message=self._redact(result.message)[:500])
            if result.message
            else result
            for result in results
        ]

    async def fetch_orders(self, cursor: str | None) -> AsyncIterator[OrderPage]:
        """See Connector.fetch_orders."""
        async for page in self._pages(self._connector.fetch_orders(cursor)):
            yield page

    async def list_listings(self, cursor: str | None) -> AsyncIterator[ListingPage]:
        """See Connector.list_listings."""
        async for page in self._pages(self._connector.list_listings(cursor)):
            yield page

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookHint | None:
        """See Connector.parse_webhook."""
        with self._bugs():
            return self._connector.parse_webhook(headers, body)

    async def aclose(self) -> None:
        """See Connector.aclose; never raises."""
        with contextlib.suppress(ConnectorError):
            await self._call(self._connector.aclose())

    async def _call(self, work: Awaitable[T]) -> T:
        with self._bugs():
            async with asyncio.timeout(CALL_LIMIT):
                return await work

    async def _pages(self, pages: AsyncIterator[T]) -> AsyncIterator[T]:
        while True:
            with self._bugs():
                async with asyncio.timeout(CALL_LIMIT):
                    try:
                        page = await anext(pages)
                    except StopAsyncIteration:
                        return
            yield page

    @contextlib.contextmanager
    def _bugs(self) -> Iterator[None]:
        try:
            yield
        except ConnectorError as error:
            self._clean(error)
            raise
        except TimeoutError:
            raise Timeout(
                f"the connector did not answer within {CALL_LIMIT:.0f} s", sent=None
            ) from None
        except Exception as error:
            words = self._redact(
                f"the connector failed unexpectedly: {type(error).__name__}: {error}"
            )
            raise ConnectorBug(words[:500]) from error

    def _clean(self, error: ConnectorError) -> None:
        error.message, error.platform_message = (
            self._redact(error.message),
            self._redact(error.platform_message),
        )
        error.args = (error.message, *error.args[1:])
