"""`zaiko tokens … --db`: the tokens of a database, without a server. The first token is created
this way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from zaiko.v1 import token_pb2
from zaiko.v1 import token_service_pb2 as pb
from zaiko_cli.failure import USAGE, Failed
from zaiko_core.app import tokens as use_cases
from zaiko_core.app.records import Page
from zaiko_core.domain.access import LOCAL

from zaiko_server.commands.database import database_url
from zaiko_server.convert.tokens import drafted, token
from zaiko_server.security.secret import new_secret, new_token_id

T = TypeVar("T")


class LocalTokens:
    """The tokens of one database. Each method first migrates the database to this release. Raises
    Failed if it is not a database of zaiko, or refuses."""

    def __init__(self, db: str) -> None:
        self._db = db

    def create(self, draft: token_pb2.Token) -> pb.CreateTokenResponse:
        """Create a token and return it with its secret, which cannot be read again."""
        record, secret = drafted(new_token_id(), draft), new_secret()
        made = self._run(
            lambda rows: use_cases.create(rows, record, secret, by=LOCAL), writing=True
        )
        text = "" if made.certificate else use_cases.text_of(made.token, secret)
        return pb.CreateTokenResponse(token=token(made), secret=text)

    def list(self) -> list[token_pb2.Token]:
        """Return every token, including expired and revoked ones."""
        rows = self._run(lambda rows: use_cases.page(rows, Page(100_000), by=LOCAL))
        return [token(row) for row in rows]

    def get(self, token_id: str) -> token_pb2.Token:
        """Return one token."""
        return token(self._run(lambda rows: use_cases.get(rows, token_id, by=LOCAL)))

    def revoke(self, token_id: str) -> token_pb2.Token:
        """Revoke a token permanently."""
        return token(
            self._run(lambda rows: use_cases.revoke(rows, token_id, by=LOCAL), writing=True)
        )

    def _run(self, work: Callable[[Any], T], *, writing: bool = False) -> T:
        """Run `work` in one transaction."""
        # Late: they take a second to load.
        from sqlalchemy.exc import DBAPIError
        from zaiko_core.domain.errors import ServiceError
        from zaiko_core.storage.database import Database
        from zaiko_core.storage.migrate import migrate

        async def run() -> T:
            store = Database(database_url(self._db))
            try:
                await asyncio.to_thread(migrate, store.engine)
                return await (store.tokens.write(work) if writing else store.tokens.read(work))
            finally:
                await asyncio.to_thread(store.close)

        try:
            return asyncio.run(run())
        except ServiceError as error:
            raise Failed(f"{error.message} [{error.reason}]") from None
        except DBAPIError:
            raise Failed(
                f"{self._db} is not a database of zaiko. Name the server's with --db.", USAGE
            ) from None
