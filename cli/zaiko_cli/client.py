"""The calls that commands make to a server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from zaiko.v1 import (
    connector_service_pb2_grpc,
    link_service_pb2_grpc,
    merchant_service_pb2,
    merchant_service_pb2_grpc,
    operation_pb2,
    operation_service_pb2,
    operation_service_pb2_grpc,
    order_service_pb2_grpc,
    product_service_pb2_grpc,
    receiving_service_pb2_grpc,
    shop_service_pb2_grpc,
    stock_service_pb2_grpc,
    sync_service_pb2_grpc,
    token_service_pb2_grpc,
    warehouse_service_pb2_grpc,
)

from zaiko_cli.connection import ServerConnection
from zaiko_cli.failure import USAGE, Failed

Answer = TypeVar("Answer", bound=Message)
_SECONDS = 30.0
_PAGE = 1000
_PATIENCE = 30.0
"""Seconds that a server may be away while a command waits for an operation."""
_PAUSE = 0.5
"""Seconds between two calls of a server that is away."""

FINAL = frozenset(
    {
        operation_pb2.Operation.STATE_SUCCEEDED,
        operation_pb2.Operation.STATE_FAILED,
        operation_pb2.Operation.STATE_CANCELLED,
    }
)


class ApiClient:
    """A connection to one server, and the merchant that the commands concern. It connects on first
    use. Close it."""

    def __init__(self, connection: ServerConnection, merchant: str = "") -> None:
        self.connection, self._merchant = connection, merchant
        self._channel: grpc.Channel | None = None

    @property
    def address(self) -> str:
        """Address of the server."""
        return self.connection.address

    @property
    def channel(self) -> grpc.Channel:
        """The gRPC channel, opened on first use."""
        if self._channel is None:
            self._channel = self.connection.channel()
        return self._channel

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    @cached_property
    def connectors(self) -> connector_service_pb2_grpc.ConnectorServiceStub:
        return connector_service_pb2_grpc.ConnectorServiceStub(self.channel)

    @cached_property
    def merchants(self) -> merchant_service_pb2_grpc.MerchantServiceStub:
        return merchant_service_pb2_grpc.MerchantServiceStub(self.channel)

    @cached_property
    def warehouses(self) -> warehouse_service_pb2_grpc.WarehouseServiceStub:
        return warehouse_service_pb2_grpc.WarehouseServiceStub(self.channel)

    @cached_property
    def products(self) -> product_service_pb2_grpc.ProductServiceStub:
        return product_service_pb2_grpc.ProductServiceStub(self.channel)

    @cached_property
    def stocks(self) -> stock_service_pb2_grpc.StockServiceStub:
        return stock_service_pb2_grpc.StockServiceStub(self.channel)

    @cached_property
    def shops(self) -> shop_service_pb2_grpc.ShopServiceStub:
        return shop_service_pb2_grpc.ShopServiceStub(self.channel)

    @cached_property
    def orders(self) -> order_service_pb2_grpc.OrderServiceStub:
        return order_service_pb2_grpc.OrderServiceStub(self.channel)

    @cached_property
    def receiving(self) -> receiving_service_pb2_grpc.ReceivingServiceStub:
        return receiving_service_pb2_grpc.ReceivingServiceStub(self.channel)

    @cached_property
    def links(self) -> link_service_pb2_grpc.LinkServiceStub:
        return link_service_pb2_grpc.LinkServiceStub(self.channel)

    @cached_property
    def syncs(self) -> sync_service_pb2_grpc.SyncServiceStub:
        return sync_service_pb2_grpc.SyncServiceStub(self.channel)

    @cached_property
    def operations(self) -> operation_service_pb2_grpc.OperationServiceStub:
        return operation_service_pb2_grpc.OperationServiceStub(self.channel)

    @cached_property
    def tokens(self) -> token_service_pb2_grpc.TokenServiceStub:
        return token_service_pb2_grpc.TokenServiceStub(self.channel)

    @cached_property
    def parent(self) -> str:
        """Name of the chosen merchant, or of the only one that exists. Raises Failed if none
        exists, or if several exist and none was chosen."""
        if self._merchant:
            return (
                self._merchant
                if self._merchant.startswith("merchants/")
                else f"merchants/{self._merchant}"
            )
        reply = self.call(
            self.merchants.ListMerchants, merchant_service_pb2.ListMerchantsRequest(page_size=10)
        )
        names = [merchant.name for merchant in reply.merchants]
        if len(names) == 1:
            return names[0]
        if not names:
            raise Failed("There is no merchant yet. Create one with `zaiko merchants create ID`.")
        ids = ", ".join(name.split("/")[1] for name in names)
        raise Failed(
            f"Which merchant? Say it with --merchant or ZAIKO_MERCHANT; there are {ids}.", USAGE
        )

    def name(self, collection: str, thing: str) -> str:
        """Return the resource name that `thing` is, or that it is the id of in `collection`."""
        return thing if thing.startswith("merchants/") else f"{self.parent}/{collection}/{thing}"

    def call(
        self, method: Callable[..., Answer], request: Message, *, seconds: float = _SECONDS
    ) -> Answer:
        """Make one call and return the answer. A mutation gets a request id, so that it can be
        repeated safely. Raises grpc.RpcError."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:  # type: ignore[attr-defined]
            request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        return method(request, timeout=seconds, metadata=self.connection.metadata)

    def pages(
        self, method: Callable[..., Any], request: Any, field: str, *, limit: int = 0
    ) -> Iterator[Any]:
        """Yield the items of a list, page by page; at most `limit` of them unless it is 0."""
        seen = 0
        while True:
            request.page_size = min(_PAGE, limit - seen) if limit else _PAGE
            reply = self.call(method, request)
            for item in getattr(reply, field):
                yield item
                seen += 1
            request.page_token = reply.next_page_token
            if not reply.next_page_token or (limit and seen >= limit):
                return

    def watch_operation(
        self, name: str, *, patience: float = _PATIENCE
    ) -> Iterator[operation_pb2.Operation]:
        """Yield an operation as it is, then after each change. The last one has ended. Calls again
        if the server is away for less than `patience` seconds. Raises grpc.RpcError if the server
        stays away, or refuses."""
        away = 0.0
        while True:
            call = self.operations.WatchOperation(
                operation_service_pb2.WatchOperationRequest(name=name),
                metadata=self.connection.metadata,
            )
            try:
                for response in call:
                    away = 0.0
                    yield response.operation
                    if response.operation.state in FINAL:
                        return
            except grpc.RpcError as error:
                code: Any = error
                if code.code() is not grpc.StatusCode.UNAVAILABLE or away >= patience:
                    raise
            finally:
                call.cancel()
            away += _PAUSE
            time.sleep(_PAUSE)

    def wait(
        self, operation: operation_pb2.Operation, *, seconds: float = 3600
    ) -> Iterator[operation_pb2.Operation]:
        """Yield the operation again and again until it has ended or `seconds` have passed. An
        operation goes on while its server restarts, so a server that is away for a while is called
        again. Raises grpc.RpcError if it stays away, or refuses."""
        yield operation
        silent = 0.0
        while operation.state not in FINAL and seconds > 0:
            request = operation_service_pb2.WaitOperationRequest(name=operation.name)
            request.timeout.FromMilliseconds(500)
            seconds -= 0.5
            try:
                operation = self.call(self.operations.WaitOperation, request).operation
            except grpc.RpcError as error:
                code: Any = error
                if code.code() is not grpc.StatusCode.UNAVAILABLE or silent >= _PATIENCE:
                    raise
                silent += _PAUSE
                time.sleep(_PAUSE)
                continue
            silent = 0.0
            yield operation
