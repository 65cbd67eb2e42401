"""Convert tokens."""

from __future__ import annotations

from zaiko.v1 import token_pb2
from zaiko_core.app.records import TokenRecord
from zaiko_core.domain.access import Role

from zaiko_server import names
from zaiko_server.times import micros_of, nonzero_timestamp, timestamp


def token(record: TokenRecord) -> token_pb2.Token:
    """Return a token without its secret."""
    return token_pb2.Token(
        name=names.TOKEN(record.token),
        display_name=record.display_name,
        role=token_pb2.Token.Role.Value(f"ROLE_{record.role}"),
        merchants=[names.MERCHANT(merchant) for merchant in record.merchants or ()],
        all_merchants=record.merchants is None,
        certificate=record.certificate,
        expire_time=timestamp(record.expires_at),
        create_time=nonzero_timestamp(record.created_at),
        creator=names.TOKEN(record.created_by) if record.created_by else "",
        revoke_time=timestamp(record.revoked_at),
        last_use_time=timestamp(record.last_used_at),
    )


def drafted(token_id: str, message: token_pb2.Token) -> TokenRecord:
    """Return the record of a token to create."""
    return TokenRecord(
        token_id,
        Role(token_pb2.Token.Role.Name(message.role).removeprefix("ROLE_")),
        None
        if message.all_merchants
        else tuple(sorted({names.MERCHANT.ids(name)[0] for name in message.merchants})),
        message.display_name,
        message.certificate,
        micros_of(message.expire_time) if message.HasField("expire_time") else None,
    )
