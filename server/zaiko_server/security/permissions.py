"""Which permission each method needs: ours as the protos declare, those of gRPC's own services as
listed here. A method without a permission is refused for every caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zaiko_core.domain.access import Permission

from zaiko_server.options import methods, policy_of

P = Permission
OPEN: Final = None
"""Every caller may ask, without a token: health is no secret, and load balancers have no tokens."""

_CHANNELZ = (
    "GetTopChannels",
    "GetServers",
    "GetServer",
    "GetServerSockets",
    "GetChannel",
    "GetSubchannel",
    "GetSocket",
)

RULES: Final[Mapping[str, P | None]] = {
    **{
        f"/{method.containing_service.full_name}/{method.name}": P(permission)
        for method in methods()
        if (permission := policy_of(method).permission)
    },
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/Watch": OPEN,
    "/grpc.health.v1.Health/List": OPEN,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": P.SERVER_INSPECT,
    **{f"/grpc.channelz.v1.Channelz/{method}": P.SERVER_INSPECT for method in _CHANNELZ},
}
"""By the method's full name."""
