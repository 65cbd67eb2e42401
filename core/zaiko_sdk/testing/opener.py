"""Connectors to one simulated shop, opened and closed for a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from itertools import count
from typing import Any, Generic, TypeVar

import httpx

from zaiko_sdk import (
    Clock,
    Connector,
    ConnectorSettings,
    ConnectorState,
    Log,
    MemoryState,
    ShopContext,
)

C = TypeVar("C", bound=Connector)


class ConnectorOpener(Generic[C]):
    """Opens connectors to one shop, as processes that start one after another would.

    `make` is the connector's class, `model` its settings. `settings` is called at each opening and
    returns what the simulator hands out. All connectors share `state`, as the host's processes do.
    Use it as an asynchronous context manager: leaving it closes every connector.

        opener = ConnectorOpener(MyConnector, MySettings, server.settings, clock, log)
        async with opener as open_one:
            connector = open_one(token="another")
    """

    def __init__(
        self,
        make: Callable[[ShopContext, Any], C],
        model: type[ConnectorSettings],
        settings: Callable[[], Mapping[str, Any]],
        clock: Clock,
        log: Log,
        *,
        state: ConnectorState | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._make, self._model, self._settings = make, model, settings
        self._clock, self._log, self._state = clock, log, state or MemoryState()
        self._timeout, self._ids = timeout, count()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> ConnectorOpener[C]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._opened.aclose()

    def __call__(
        self, *, on: Clock | None = None, remember: ConnectorState | None = None, **changes: Any
    ) -> C:
        """Open a connector, with changed settings if wanted; None leaves a setting out. `on` is
        another clock, `remember` another state."""
        given = {
            name: value
            for name, value in {**self._settings(), **changes}.items()
            if value is not None
        }
        context = ShopContext(
            "merchants/m/shops/s",
            on or self._clock,
            self._log,
            self._http,
            lambda: f"id-{next(self._ids)}",
            remember or self._state,
        )
        connector = self._make(context, self._model.model_validate(given))
        self._opened.push_async_callback(connector.aclose)
        return connector

    def _http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=self._timeout, headers={"user-agent": "zaiko-test"}, follow_redirects=False
        )
