"""Opens the connectors of shops: the loaded type, the shop's settings and credentials, its HTTP
client and its state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic import ValidationError
from zaiko_sdk import Capability, ConnectorType, SettingsInvalid, ShopContext

from zaiko_core import tracing
from zaiko_core.app.accounts import FoundAccount
from zaiko_core.app.links import sync_refusal
from zaiko_core.app.records import ShopRecord
from zaiko_core.domain.errors import ServiceError
from zaiko_core.plugin_host.loader import Registry
from zaiko_core.storage.database import Database
from zaiko_core.storage.secrets import SecretBox
from zaiko_core.sync.environment import Environment
from zaiko_core.sync.guard import GuardedConnector
from zaiko_core.sync.state import StoredState

_CONNECT_TIMEOUT = 10.0


def default_transport() -> httpx.AsyncBaseTransport:
    """Return a transport of real HTTP that keeps connections. Redirects are not followed: a
    credential must not follow one."""
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=4, keepalive_expiry=60))


@dataclass(frozen=True, slots=True)
class Http:
    """How connectors reach their platforms. `timeout` in seconds."""

    transport: Callable[[], httpx.AsyncBaseTransport] = default_transport
    timeout: float = 30.0


class ConnectorFactory:
    """Opens connectors; it keeps none (see `Connectors`)."""

    def __init__(
        self,
        registry: Registry,
        db: Database,
        box: SecretBox,
        http: Http,
        environment: Environment,
    ) -> None:
        self._registry, self._db, self._box = registry, db, box
        self._http, self._environment = http, environment

    def kind(self, shop: ShopRecord) -> ConnectorType:
        """Return the type of the shop's connector. Raises ConnectorNotLoaded."""
        kind = self._registry.types.get(shop.connector)
        if kind is None:
            refusal = sync_refusal(shop.connector, loaded=False, can_set=False)
            assert refusal is not None
            raise refusal
        return kind

    def can_sync(self, connector: str) -> ServiceError | None:
        """Return why shops of this connector cannot be synced, or None."""
        kind = self._registry.types.get(connector)
        can_set = kind is not None and Capability.SET_INVENTORY in kind.capabilities
        return sync_refusal(connector, loaded=kind is not None, can_set=can_set)

    def account_of(self, shop: ShopRecord) -> FoundAccount | None:
        """Return which account the shop's settings name, or None where only the platform knows.
        What a connector does wrong here is shown by its next run."""
        kind = self._registry.types.get(shop.connector)
        if kind is None or kind.account_of is None:
            return None
        try:
            given = {**shop.settings, **self._box.open(shop.secrets)}
            found = kind.account_of(kind.settings.model_validate(given))
        except Exception as error:  # noqa: BLE001 - a connector is not trusted
            self._environment.log.error(
                "account_not_named", connector=kind.id, error=type(error).__name__
            )
            return None
        return None if found is None else FoundAccount(found.id, found.name)

    def open(self, merchant: str, shop: ShopRecord) -> GuardedConnector:
        """Open the shop's connector. Raises ConnectorNotLoaded, SettingsInvalid, SecretKeyMissing,
        ConnectorBug."""
        kind = self.kind(shop)
        try:
            settings = kind.settings.model_validate(
                {**shop.settings, **self._box.open(shop.secrets)}
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsInvalid(f"{where}: {first['msg']}") from None
        context = ShopContext(
            shop=f"merchants/{merchant}/shops/{shop.shop}",
            clock=self._environment.clock,
            log=self._environment.log,
            http=functools.partial(self._client, settings.redact),
            new_id=self._environment.new_id,
            state=StoredState(self._db, self._box, merchant, shop.shop),
        )
        return GuardedConnector.opened(kind, context, settings)

    def _client(self, redact: Callable[[str], str]) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=tracing.TracedTransport(
                self._http.transport(), self._environment.tracer, redact
            ),
            timeout=httpx.Timeout(self._http.timeout, connect=_CONNECT_TIMEOUT),
            headers={"user-agent": "zaiko/0.1"},
            follow_redirects=False,
        )
