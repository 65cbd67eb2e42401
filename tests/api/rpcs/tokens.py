"""Tokens are created, read, listed and revoked."""

from __future__ import annotations

from api.bench import Api, World
from api.rpcs import happy
from zaiko.v1 import token_pb2, token_service_pb2


@happy("TokenService.CreateToken")
async def create_token(api: Api, world: World) -> None:
    wanted = token_pb2.Token(
        display_name="Tablet", role="ROLE_OPERATOR", merchants=[world.name], name="ignored"
    )
    wanted.expire_time.FromSeconds(4_000_000_000)

    made = await api.call(
        "TokenService.CreateToken", token_service_pb2.CreateTokenRequest(token=wanted)
    )

    assert made.secret.startswith(f"zk_{made.token.name.removeprefix('tokens/')}_")
    assert (made.token.role, list(made.token.merchants)) == (
        token_pb2.Token.ROLE_OPERATOR,
        [world.name],
    )
    assert (made.token.expire_time.seconds, made.token.creator) == (4_000_000_000, "")
    assert made.token.create_time.seconds > 1_700_000_000
    assert not made.token.HasField("revoke_time")


@happy("TokenService.GetToken")
async def get_token(api: Api, world: World) -> None:
    answer = await api.call(
        "TokenService.GetToken", token_service_pb2.GetTokenRequest(name=f"tokens/{world.id}")
    )

    assert (answer.token.display_name, answer.token.role) == ("Seed", token_pb2.Token.ROLE_READER)


@happy("TokenService.ListTokens")
async def list_tokens(api: Api, world: World) -> None:
    answer = await api.call(
        "TokenService.ListTokens", token_service_pb2.ListTokensRequest(page_size=1000)
    )

    names = [token.name for token in answer.tokens]
    assert f"tokens/{world.id}" in names
    assert names == sorted(names)


@happy("TokenService.RevokeToken")
async def revoke_token(api: Api, world: World) -> None:
    request = token_service_pb2.RevokeTokenRequest(name=f"tokens/{world.id}")

    first = await api.call("TokenService.RevokeToken", request)
    second = await api.call("TokenService.RevokeToken", request)

    assert first.token.HasField("revoke_time")
    assert second == first
