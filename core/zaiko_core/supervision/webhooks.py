"""Notifications of platforms (ADR 0014): verified by the connector, then recorded with what they
make due and the orders that they name (ADR 0040)."""

from __future__ import annotations

from collections.abc import Mapping

from zaiko_sdk import Capability, WebhookReply

from zaiko_core.app import webhooks
from zaiko_core.domain.errors import NotFound
from zaiko_core.domain.named_orders import usable
from zaiko_core.storage.database import Database
from zaiko_core.supervision.connector_factory import ConnectorFactory
from zaiko_core.sync.connectors import Connectors
from zaiko_core.sync.environment import Environment
from zaiko_core.sync.shop_access import ShopAccess


class WebhookReceiver:
    """Receives the notifications of all shops."""

    def __init__(
        self,
        db: Database,
        factory: ConnectorFactory,
        connectors: Connectors,
        shops: ShopAccess,
        environment: Environment,
    ) -> None:
        self._db, self._factory, self._connectors = db, factory, connectors
        self._shops, self._log = shops, environment.log

    async def receive(
        self, merchant: str, shop: str, headers: Mapping[str, str], body: bytes
    ) -> WebhookReply:
        """Record a notification, and return what to answer. Raises NotFound for a shop that is not
        there or takes none, CredentialsRejected without a valid proof, other ConnectorErrors for
        what cannot be read, StorageUnavailable."""
        record = await self._shops.record(merchant, shop)
        async with self._connectors.use(merchant, record) as connector:
            kind = self._factory.kind(record)
            if Capability.WEBHOOKS not in kind.capabilities:
                raise NotFound(f"merchants/{merchant}/shops/{shop}")
            hint = connector.parse_webhook(headers, body)
        if hint is not None:
            reread = Capability.ORDER_UPDATES not in kind.capabilities
            is_read_by_id = Capability.READ_ORDERS in kind.capabilities
            orders = usable(hint.order_ids) if is_read_by_id else []
            new = await self._db.write(
                merchant,
                lambda uow: webhooks.receive(
                    uow, shop, hint.delivery_id, orders=orders, reread=reread
                ),
            )
            self._log.info(
                "webhook",
                merchant=merchant,
                shop=shop,
                topic=hint.topic,
                orders=len(orders),
                new=new,
            )
        return kind.webhook_reply
