"""The services that are served, and what the protos declare of them (zaiko/v1/options.proto)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from zaiko.v1 import (
    connector_service_pb2,
    link_service_pb2,
    merchant_service_pb2,
    operation_service_pb2,
    options_pb2,
    order_service_pb2,
    product_service_pb2,
    receiving_service_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
    token_service_pb2,
    warehouse_service_pb2,
)

FILES: Final = (
    connector_service_pb2,
    link_service_pb2,
    merchant_service_pb2,
    operation_service_pb2,
    order_service_pb2,
    product_service_pb2,
    receiving_service_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
    token_service_pb2,
    warehouse_service_pb2,
)
"""One file for each service."""


def methods() -> Iterator[MethodDescriptor]:
    """Yield every method of every service."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def policy_of(method: MethodDescriptor) -> options_pb2.MethodPolicy:
    """Return what a method declares: the permission it needs, and its deadline."""
    return method.GetOptions().Extensions[options_pb2.method]


def requests() -> Iterator[Descriptor]:
    """Yield the message that each method takes."""
    for method in methods():
        request = method.input_type
        assert request is not None
        yield request
