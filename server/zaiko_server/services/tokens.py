"""TokenService."""
# ruff: noqa: N802 - methods bear the names of their RPCs

from __future__ import annotations

from collections.abc import Callable

from zaiko.v1 import token_service_pb2 as pb
from zaiko.v1 import token_service_pb2_grpc
from zaiko_core.app import tokens
from zaiko_core.domain.errors import InvalidField

from zaiko_server import names
from zaiko_server.convert.tokens import drafted
from zaiko_server.convert.tokens import token as token_message
from zaiko_server.security.calling import caller
from zaiko_server.security.secret import new_secret, new_token_id
from zaiko_server.services.calls import Calls, Context


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    """See proto/zaiko/v1/token_service.proto. `forget` is called when a token has ended."""

    def __init__(self, calls: Calls, forget: Callable[[], None]) -> None:
        self._calls, self._forget = calls, forget

    async def CreateToken(
        self, request: pb.CreateTokenRequest, context: Context
    ) -> pb.CreateTokenResponse:
        if request.token.all_merchants == bool(request.token.merchants):
            raise InvalidField(
                [("token.merchants", "one_of", "give either merchants, or all_merchants")]
            )
        draft, secret, by = drafted(new_token_id(), request.token), new_secret(), caller()
        record = await self._calls.engine.db.tokens.write(
            lambda rows: tokens.create(rows, draft, secret, by=by)
        )
        text = "" if record.certificate else tokens.text_of(record.token, secret)
        return pb.CreateTokenResponse(token=token_message(record), secret=text)

    async def GetToken(self, request: pb.GetTokenRequest, context: Context) -> pb.GetTokenResponse:
        (token,), by = names.TOKEN.ids(request.name), caller()
        record = await self._calls.engine.db.tokens.read(
            lambda rows: tokens.get(rows, token, by=by)
        )
        return pb.GetTokenResponse(token=token_message(record))

    async def ListTokens(
        self, request: pb.ListTokensRequest, context: Context
    ) -> pb.ListTokensResponse:
        by = caller()
        position = self._calls.pages.begin(f"caller {by.id}", request)
        rows = await self._calls.engine.db.tokens.read(
            lambda rows: tokens.page(rows, position.page, by=by)
        )
        cut = self._calls.pages.cut(
            position, rows, lambda row: (row.token,), (token_message(row) for row in rows), 0
        )
        return pb.ListTokensResponse(tokens=cut.items, next_page_token=cut.next_page_token)

    async def RevokeToken(
        self, request: pb.RevokeTokenRequest, context: Context
    ) -> pb.RevokeTokenResponse:
        (token,), by = names.TOKEN.ids(request.name), caller()
        record = await self._calls.engine.db.tokens.write(
            lambda rows: tokens.revoke(rows, token, by=by)
        )
        self._forget()
        return pb.RevokeTokenResponse(token=token_message(record))
