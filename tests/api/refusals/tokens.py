"""Tokens of nobody, of somebody else's certificate, or of the past."""

from __future__ import annotations

from typing import Any

from api.bench import Api, World
from api.refusals import case
from api.requests import REQUESTS
from zaiko.v1 import token_service_pb2


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.merchants": "one_of"})
async def a_token_for_some_and_for_all(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    request.token.all_merchants = True
    return request


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.merchants": "one_of"})
async def a_token_for_nobody(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    del request.token.merchants[:]
    return request


@case(
    "TokenService.CreateToken",
    "INVALID_FIELD",
    violations={"token.expire_time": "timestamp.future"},
)
async def a_token_that_has_ended(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    request.token.expire_time.FromSeconds(1)
    return request


@case("TokenService.CreateToken", "INVALID_FIELD", violations={"token.certificate": "unique"})
async def a_certificate_with_two_tokens(api: Api, world: World) -> Any:
    request = REQUESTS["TokenService.CreateToken"](world)
    request.token.certificate = f"spiffe://test/{world.id}"
    await api.call("TokenService.CreateToken", request)
    return request


@case("TokenService.GetToken", "RESOURCE_NOT_FOUND", {"resource": "tokens/nobody"})
async def no_such_token(api: Api, world: World) -> Any:
    return token_service_pb2.GetTokenRequest(name="tokens/nobody")


@case("TokenService.RevokeToken", "RESOURCE_NOT_FOUND", {"resource": "tokens/nobody"})
async def revoking_no_token(api: Api, world: World) -> Any:
    return token_service_pb2.RevokeTokenRequest(name="tokens/nobody")
