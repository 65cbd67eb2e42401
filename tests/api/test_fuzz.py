"""Whatever a client sends, it gets an answer or an error with a reason: never INTERNAL, never
UNKNOWN, and the server survives."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from api.bench import Api, World, refused
from api.requests import REQUESTS, all_rpcs, furnish, request_type
from google.protobuf import struct_pb2
from google.protobuf.message import Message
from zaiko_server.options import FILES

pytestmark = pytest.mark.anyio

ROUNDS = 2
"""Rounds of three requests, for each RPC and each of --seeds."""
BUGS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
TEXTS = (
    "",
    "-",
    "x",
    "merchants/-",
    "merchants//",
    "../../etc/passwd",
    "merchants/{m}/products/apple/stock/",
    "{m}",
    "{m}/shops/-",
    "{m}/shops/one",
    "{m}/products/apple",
    "{m}/products/pear",
    "{m}/warehouses/tokyo",
    "{m}/shops/one/listings/l1",
    "{m}/shops/one/links/l5",
    "{m}/products/" + "a" * 5000,
    "\x00",
    "a\x00b",
    "' OR 1=1 --",
    "%s%n{}{0.__class__}",
    "在庫" * 100,
    "\u202e\ufeff\U0001f4a5",
    "\n\r\t",
    'W/"r1"',
    "00000000-0000-0000-0000-000000000000",
    "a" * 20_000,
)
NUMBERS = (
    0,
    1,
    -1,
    2,
    100,
    999_999_999,
    1_000_000_000,
    1_000_000_001,
    2**31 - 1,
    -(2**31),
    2**53,
    2**63 - 1,
    -(2**63),
)


class Fuzzer:
    """Makes messages with the right types and everything else wrong, from a seed."""

    def __init__(self, seed: int, merchant: str) -> None:
        self._random, self._merchant = random.Random(seed), merchant

    def changed(self, good: Any) -> Any:
        """Return a valid request with one to three of its fields damaged at any depth."""
        message = type(good)()
        message.CopyFrom(good)
        for _ in range(self._random.randint(1, 3)):
            self._spoil(self._random.choice(list(_messages(message))))
        return message

    def filled(self, kind: Any) -> Any:
        """Return a message of a kind with most of its fields set to anything."""
        message = kind()
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < 0.7:
                self._set(message, field)
        return message

    def spoilt_bytes(self, good: Message) -> bytes:
        """Return the bytes of a request with some of them changed."""
        data = bytearray(good.SerializeToString())
        for _ in range(self._random.randint(1, 8)):
            what = self._random.random()
            place = self._random.randrange(len(data) + 1)
            if what < 0.4 and place < len(data):
                data[place] = self._random.randrange(256)
            elif what < 0.7:
                data[place:place] = self._random.randbytes(self._random.randint(1, 20))
            else:
                del data[place : place + self._random.randint(1, 5)]
        return bytes(data)

    def _spoil(self, message: Any) -> None:
        fields = list(message.DESCRIPTOR.fields)
        if fields:
            self._set(message, self._random.choice(fields))

    def _set(self, message: Any, field: Any, depth: int = 0) -> None:
        message.ClearField(field.name)
        if isinstance(message, (struct_pb2.Struct, struct_pb2.Value, struct_pb2.ListValue)):
            self._structure(message)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            for _ in range(self._random.choice((0, 1, 60))):
                getattr(message, field.name)[self._text()] = self._text()
        elif field.message_type is not None:
            items = getattr(message, field.name)
            for _ in range(self._random.choice((0, 1, 2, 3)) if field.is_repeated else 1):
                item = items.add() if field.is_repeated else items
                if not field.is_repeated:
                    item.SetInParent()
                for inner in item.DESCRIPTOR.fields:
                    if depth < 4 and self._random.random() < 0.5:
                        self._set(item, inner, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend(
                self._value(field) for _ in range(self._random.choice((0, 1, 2, 1001)))
            )
        else:
            setattr(message, field.name, self._value(field))

    def _structure(self, message: Any) -> None:
        value: Any = math.nan
        for _ in range(self._random.choice((1, 5, 40))):
            value = (
                {self._text()[:50]: value} if self._random.random() < 0.5 else [value, self._text()]
            )
        message.Clear()
        if isinstance(message, struct_pb2.Struct):
            message.update({"domain": value})

    def _value(self, field: Any) -> Any:
        if field.type == field.TYPE_STRING:
            return self._text()
        if field.type == field.TYPE_BOOL:
            return self._random.random() < 0.5
        if field.type == field.TYPE_BYTES:
            return self._random.randbytes(20)
        if field.type == field.TYPE_ENUM:
            return self._random.choice((0, 1, 2, 3, 99, -1, 2**31 - 1))
        if field.type in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
            return self._random.choice((0.0, -1.0, math.inf, math.nan, 1e308))
        number = self._random.choice(NUMBERS)
        wide = field.type in (field.TYPE_INT64, field.TYPE_SINT64, field.TYPE_SFIXED64)
        return number if wide else max(-(2**31), min(2**31 - 1, number))

    def _text(self) -> str:
        return self._random.choice(TEXTS).replace("{m}", self._merchant)


def _messages(message: Any) -> Iterator[Any]:
    """Yield a message and every message within it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for item in value if field.is_repeated else [value]:
                yield from _messages(item)


@pytest.fixture(scope="module")
async def worn(api: Api) -> World:
    world = await api.merchant()
    await world.write(furnish)
    return world


def _method(rpc: str) -> Any:
    service, name = rpc.split(".")
    found = next(
        file.DESCRIPTOR.services_by_name[service]
        for file in FILES
        if service in file.DESCRIPTOR.services_by_name
    )
    return found.methods_by_name[name]


async def _outcome(api: Api, rpc: str, data: bytes) -> tuple[grpc.StatusCode, str]:
    """Return the code and the reason that the server answers to these bytes."""
    method = _method(rpc)
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.client_streaming:
            stream = api.channel.stream_stream(path)(iter([data]), timeout=60)
            await _first(stream)
        elif method.server_streaming:
            await _first(api.channel.unary_stream(path)(data, timeout=60))
        else:
            await api.channel.unary_unary(path)(data, timeout=60)
    except grpc.aio.AioRpcError as error:
        return error.code(), refused(error).reason
    return grpc.StatusCode.OK, ""


async def _first(stream: Any) -> None:
    async with asyncio.timeout(60):
        async for _ in stream:
            break
    stream.cancel()


@pytest.mark.parametrize("rpc", all_rpcs())
async def test_no_request_causes_an_internal_error(
    rpc: str, api: Api, worn: World, pytestconfig: pytest.Config
) -> None:
    kind = type(REQUESTS[rpc](worn))
    found: set[tuple[grpc.StatusCode, str]] = set()
    for seed in range(ROUNDS * pytestconfig.getoption("--seeds")):
        fuzzer = Fuzzer(seed, worn.name)
        for request in (fuzzer.changed(REQUESTS[rpc](worn)), fuzzer.filled(kind)):
            outcome = await _outcome(api, rpc, request.SerializeToString())
            assert outcome[0] not in BUGS, f"{rpc} seed {seed}: {outcome} for {str(request)[:2000]}"
            found.add(outcome)
        outcome = await _outcome(api, rpc, fuzzer.spoilt_bytes(REQUESTS[rpc](worn)))
        assert outcome[0] not in BUGS, f"{rpc} seed {seed}: {outcome} for spoilt bytes"
        found.add(outcome)

    # Not everything was refused for one and the same thing, which would mean that nothing was
    # tried.
    assert len(found) > 1 or not request_type(rpc).fields


async def test_the_server_still_answers_afterwards(api: Api, worn: World) -> None:
    rpc = "MerchantService.GetMerchant"
    assert (await api.call(rpc, REQUESTS[rpc](worn))).merchant.name == worn.name
