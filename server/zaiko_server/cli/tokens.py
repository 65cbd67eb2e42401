"""`zaiko tokens`: who may call. The first one is made beside the server, on its database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import grpc
import typer
from zaiko.v1 import merchant_service_pb2, token_pb2
from zaiko.v1 import token_service_pb2 as pb
from zaiko_core.app import tokens as use_cases
from zaiko_core.app.records import Page
from zaiko_core.domain.access import LOCAL

from zaiko_server.cli.client import Client
from zaiko_server.cli.command import Command
from zaiko_server.cli.failure import USAGE, Failed, Refused
from zaiko_server.cli.serve import database_url
from zaiko_server.cli.show import console, last, when, word
from zaiko_server.convert.tokens import drafted
from zaiko_server.convert.tokens import token as token_message
from zaiko_server.security.secret import new_secret, new_token_id

T = TypeVar("T")

tokens = typer.Typer(
    no_args_is_help=True, help="Who may call a server that runs with --auth tokens."
)


class RoleName(StrEnum):
    """See `Token.Role`."""

    READER = "reader"
    OPERATOR = "operator"
    INTEGRATOR = "integrator"
    ADMIN = "admin"


Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="PATH|URL",
        help=(
            "Work on the database itself instead of asking a server: for the first token, and "
            "when all are lost."
        ),
    ),
]


@tokens.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who has it, such as 'WMS in Osaka'.")],
    role: Annotated[
        RoleName, typer.Option(help="What it allows; each holds all of the one before it.")
    ],
    for_merchant: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="MERCHANT", help="Good for this merchant; may be repeated."),
    ] = None,
    all_merchants: Annotated[
        bool,
        typer.Option("--all-merchants", help="Good for every merchant, also for those to come."),
    ] = False,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Ends after so many days. [default: never]")
    ] = None,
    certificate: Annotated[
        str,
        typer.Option(
            metavar="IDENTITY",
            help=(
                "Instead of a secret: who has a client certificate with this name, over mutual TLS."
            ),
        ),
    ] = "",
    db: Db = None,
) -> None:
    """Create a token and show its secret, this once."""
    if all_merchants == bool(for_merchant):
        raise Failed(
            "Say for whom it is good: --for MERCHANT, once for each, or --all-merchants.", USAGE
        )
    wanted = token_pb2.Token(
        display_name=name,
        role=token_pb2.Token.Role.Value(f"ROLE_{role.name}"),
        merchants=[item if "/" in item else f"merchants/{item}" for item in for_merchant or ()],
        all_merchants=all_merchants,
        certificate=certificate,
    )
    if days is not None:
        wanted.expire_time.FromSeconds(int(time.time()) + days * 86_400)
    made = (
        _create_beside(db, wanted)
        if db
        else _ask(context).call(_stub(context).CreateToken, pb.CreateTokenRequest(token=wanted))
    )
    command: Command = context.obj
    if not db:
        _warn_of_nobody(_ask(context), wanted.merchants)
    if made.secret and not command.show.as_json:
        # On standard output nothing but the secret, so that it can go straight into a file.
        told = f"{made.token.name} is made. Its secret, told this once: whoever has it is let in."
        console(stderr=True).print(told, soft_wrap=True, markup=False)
        typer.echo(made.secret)
        return
    command.show.done(
        made, f"{made.token.name} is made, for who has a certificate of {made.token.certificate}."
    )


def _warn_of_nobody(client: Client, merchants: Iterable[str]) -> None:
    """A slip of the pen makes a token that is good for nobody, or for who comes later."""
    for merchant in merchants:
        try:
            client.call(
                client.merchants.GetMerchant, merchant_service_pb2.GetMerchantRequest(name=merchant)
            )
        except grpc.RpcError as error:
            if Refused.of(error).reason == "RESOURCE_NOT_FOUND":
                told = (
                    f"There is no {merchant} yet: the token is good for it from the moment that "
                    "it is created."
                )
                console(stderr=True).print(told, soft_wrap=True, markup=False)


@tokens.command("list")
def list_tokens(context: typer.Context, db: Db = None) -> None:
    """Show the tokens that there are, never their secrets."""
    if db:
        found = [
            token_message(row)
            for row in _beside(db, lambda rows: use_cases.page(rows, Page(100_000), by=LOCAL))
        ]
    else:
        found = list(
            _ask(context).pages(_stub(context).ListTokens, pb.ListTokensRequest(), "tokens")
        )
    command: Command = context.obj
    command.show.items(
        "Tokens",
        ["token", "who", "role", "merchants", "state", "last used", "certificate"],
        found,
        lambda token: (
            last(token.name),
            token.display_name,
            word(token, "role").lower(),
            "all" if token.all_merchants else ", ".join(map(last, token.merchants)),
            _state(token),
            when(token.last_use_time),
            token.certificate,
        ),
        empty=(
            "There is no token. Make the first one with `zaiko tokens create NAME --role admin "
            "--all-merchants --db DATABASE`."
        ),
    )


@tokens.command("revoke")
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
    db: Db = None,
) -> None:
    """End a token for good. Watches that it opened end within 30 seconds."""
    name = token.removeprefix("tokens/")
    if db:
        record = _beside(db, lambda rows: use_cases.revoke(rows, name, by=LOCAL), writing=True)
        ended = token_message(record)
    else:
        ended = (
            _ask(context)
            .call(_stub(context).RevokeToken, pb.RevokeTokenRequest(name=f"tokens/{name}"))
            .token
        )
    command: Command = context.obj
    command.show.done(ended, f"{ended.name} is revoked.")


def _create_beside(db: str, wanted: token_pb2.Token) -> pb.CreateTokenResponse:
    draft, secret = drafted(new_token_id(), wanted), new_secret()
    record = _beside(db, lambda rows: use_cases.create(rows, draft, secret, by=LOCAL), writing=True)
    told = "" if record.certificate else use_cases.text_of(record.token, secret)
    return pb.CreateTokenResponse(token=token_message(record), secret=told)


def _beside(db: str, work: Callable[[Any], T], *, writing: bool = False) -> T:
    """Run `work` on the database, which is brought to this version first."""
    # Late: no other command needs them, and they take a second to load.
    from sqlalchemy.exc import DBAPIError
    from zaiko_core.domain.errors import ServiceError
    from zaiko_core.storage.engine import Database as Store
    from zaiko_core.storage.migrate import migrate

    async def run() -> T:
        store = Store(database_url(db))
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
            f"{db} is no database of zaiko's. Name the server's with --db.", USAGE
        ) from None


def _ask(context: typer.Context) -> Any:
    command: Command = context.obj
    return command.client


def _stub(context: typer.Context) -> Any:
    return _ask(context).tokens


def _state(token: token_pb2.Token) -> str:
    if token.HasField("revoke_time"):
        return f"revoked {when(token.revoke_time)}"
    if not token.HasField("expire_time"):
        return "good"
    ended = token.expire_time.seconds <= time.time()
    return f"{'ended' if ended else 'good until'} {when(token.expire_time)}"
