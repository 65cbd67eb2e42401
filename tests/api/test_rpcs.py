"""Every RPC does what its comment says, and answers in the documented form. The bodies are in
`rpcs/`."""

from __future__ import annotations

import pytest
from api.bench import Api, World
from api.requests import all_rpcs
from api.rpcs import HAPPY

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("rpc", all_rpcs())
async def test_happy_path(rpc: str, api: Api, world: World) -> None:
    await HAPPY[rpc](api, world)


async def test_every_rpc_has_a_happy_path() -> None:
    assert sorted(HAPPY) == sorted(all_rpcs())
