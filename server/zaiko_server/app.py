"""Build the gRPC server: every service, its interceptors, and the standard health, reflection and
channelz services."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_channelz.v1 import channelz, channelz_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from zaiko.v1 import (
    connector_service_pb2_grpc,
    link_service_pb2_grpc,
    merchant_service_pb2_grpc,
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
from zaiko_core.bootstrap import Engine
from zaiko_core.metrics import WATCHES
from zaiko_core.storage.transactions import system_now

from zaiko_server.interceptors.access_log import AccessLog
from zaiko_server.interceptors.authentication import RATE, Authentication
from zaiko_server.interceptors.chain import InterceptorChain
from zaiko_server.interceptors.deadline import Deadline
from zaiko_server.interceptors.draining import Draining
from zaiko_server.interceptors.errors import Errors
from zaiko_server.interceptors.intercepted_handlers import InterceptedHandlers
from zaiko_server.interceptors.serialize_once import SerializeOnce
from zaiko_server.interceptors.traces import Traces
from zaiko_server.interceptors.validation import LARGEST_REQUEST, Validation
from zaiko_server.options import FILES
from zaiko_server.pages import Pages
from zaiko_server.security.authority import FRESH, Everybody, TokenAuthority
from zaiko_server.services.calls import Calls
from zaiko_server.services.connectors import ConnectorServicer
from zaiko_server.services.links import LinkServicer
from zaiko_server.services.merchants import MerchantServicer
from zaiko_server.services.operations import OperationServicer
from zaiko_server.services.orders import OrderServicer
from zaiko_server.services.products import ProductServicer
from zaiko_server.services.receiving import ReceivingServicer
from zaiko_server.services.shops import ShopServicer
from zaiko_server.services.stocks import StockServicer
from zaiko_server.services.sync import SyncServicer
from zaiko_server.services.tokens import TokenServicer
from zaiko_server.services.warehouses import WarehouseServicer
from zaiko_server.watch import WatchServer

SERVICES = tuple(
    service.full_name for file in FILES for service in file.DESCRIPTOR.services_by_name.values()
)
"""The full names of this server's own services."""

OPTIONS: Sequence[tuple[str, Any]] = (
    # gRPC refuses without a reason, so it only handles what is far too large; Validation does the
    # rest.
    ("grpc.max_receive_message_length", 2 * LARGEST_REQUEST),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Clients reconnect from time to time, so that a load balancer can spread them; watches resume.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)


@dataclass(frozen=True, slots=True)
class App:
    """A server that is built but not started, with the parts that its lifecycle needs."""

    server: grpc.aio.Server
    health: Any
    watch_server: WatchServer


def build(
    engine: Engine,
    *,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    now: Callable[[], int] = system_now,
    deadline: Deadline | None = None,
    tokens: bool = False,
    rate: float | None = RATE,
    recheck: float = FRESH,
    share_port: bool = False,
) -> App:
    """Build the server of a started engine. The caller binds a port and starts it. `tokens` says
    whether callers need a token, `rate` is the calls per second of each, and `recheck` the seconds
    after which a stream's token is checked again."""
    authority = TokenAuthority(engine.db.tokens, now=now) if tokens else None
    outer = InterceptorChain(
        Traces(engine.tracer), AccessLog(new_id, engine.metrics), Errors(new_id)
    )
    authentication = Authentication(authority or Everybody(), rate=rate, recheck=recheck)
    watch_server = WatchServer(engine)
    inner = InterceptorChain(
        Draining(watch_server.hub.slots.drained),
        authentication,
        deadline or Deadline(),
        Validation(now),
        SerializeOnce(),
    )
    # Any: the stubs ask for a whole server, but use only what this class has.
    methods: Any = InterceptedHandlers(outer, inner)
    engine.metrics.follow(WATCHES, lambda: watch_server.hub.slots.taken)
    calls = Calls(engine, Pages(bytes.fromhex(engine.token_key)), new_id=new_id)
    _add_services(methods, calls, watch_server)
    token_servicer = TokenServicer(
        calls, authority.forget if authority is not None else lambda: None
    )
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(token_servicer, methods)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, methods)
    channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), methods)
    reflected = (
        *SERVICES,
        health.SERVICE_NAME,
        "grpc.channelz.v1.Channelz",
        reflection.SERVICE_NAME,
    )
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
        reflection.aio.ReflectionServicer(reflected), methods
    )
    # Only a process group shares its port on purpose (process_group.py). Otherwise two servers on
    # one port would split its connections unnoticed.
    server = grpc.aio.server(
        handlers=[methods], options=[*OPTIONS, ("grpc.so_reuseport", int(share_port))]
    )
    return App(server, health_servicer, watch_server)


def _add_services(methods: Any, calls: Calls, watch_server: WatchServer) -> None:
    connector_service_pb2_grpc.add_ConnectorServiceServicer_to_server(
        ConnectorServicer(calls), methods
    )
    link_service_pb2_grpc.add_LinkServiceServicer_to_server(LinkServicer(calls), methods)
    merchant_service_pb2_grpc.add_MerchantServiceServicer_to_server(
        MerchantServicer(calls), methods
    )
    operation_service_pb2_grpc.add_OperationServiceServicer_to_server(
        OperationServicer(calls, watch_server), methods
    )
    order_service_pb2_grpc.add_OrderServiceServicer_to_server(OrderServicer(calls), methods)
    product_service_pb2_grpc.add_ProductServiceServicer_to_server(ProductServicer(calls), methods)
    receiving_service_pb2_grpc.add_ReceivingServiceServicer_to_server(
        ReceivingServicer(calls), methods
    )
    shop_service_pb2_grpc.add_ShopServiceServicer_to_server(ShopServicer(calls), methods)
    stock_service_pb2_grpc.add_StockServiceServicer_to_server(
        StockServicer(calls, watch_server), methods
    )
    sync_service_pb2_grpc.add_SyncServiceServicer_to_server(
        SyncServicer(calls, watch_server), methods
    )
    warehouse_service_pb2_grpc.add_WarehouseServiceServicer_to_server(
        WarehouseServicer(calls), methods
    )


async def publish_health(app: App, *, serving: bool) -> None:
    """Publish for the whole server and for each service whether it serves."""
    state = (
        health_pb2.HealthCheckResponse.SERVING
        if serving
        else health_pb2.HealthCheckResponse.NOT_SERVING
    )
    for service in ("", *SERVICES):
        await app.health.set(service, state)
