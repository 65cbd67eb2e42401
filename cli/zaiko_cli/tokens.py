"""`zaiko tokens`: who may call. The first one is made beside the server, on its database."""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import grpc
import typer
from zaiko.v1 import merchant_service_pb2, token_pb2
from zaiko.v1 import token_service_pb2 as pb

from zaiko_cli import contributions
from zaiko_cli.client import ApiClient
from zaiko_cli.command import Command
from zaiko_cli.failure import USAGE, Failed, Refused
from zaiko_cli.show import console, last, when, word

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


TokenId = Annotated[str, typer.Argument(help="Its id, as `list` shows it.")]


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
        _local(db, "create").create(wanted)
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


def _warn_of_nobody(client: ApiClient, merchants: Iterable[str]) -> None:
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
        found = _local(db, "list").list()
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
            _merchants(token),
            _state(token),
            when(token.last_use_time),
            token.certificate,
        ),
        empty=(
            "There is no token. Make the first one with `zaiko tokens create NAME --role admin "
            "--all-merchants --db DATABASE`."
        ),
    )


@tokens.command("get")
def get_token(context: typer.Context, token: TokenId, db: Db = None) -> None:
    """Show one token, never its secret."""
    command: Command = context.obj
    name = token.removeprefix("tokens/")
    if db:
        found = _local(db, "get").get(name)
    else:
        request = pb.GetTokenRequest(name=f"tokens/{name}")
        found = _ask(context).call(_stub(context).GetToken, request).token
    command.show.item(
        found,
        [
            ("token", last(found.name)),
            ("who", found.display_name),
            ("role", word(found, "role").lower()),
            ("merchants", _merchants(found)),
            ("state", _state(found)),
            ("created", found.create_time),
            ("created by", last(found.creator)),
            ("last used", found.last_use_time),
            ("certificate", found.certificate),
        ],
    )


@tokens.command("revoke")
def revoke(
    context: typer.Context,
    token: TokenId,
    db: Db = None,
) -> None:
    """End a token for good. Watches that it opened end within 30 seconds."""
    name = token.removeprefix("tokens/")
    if db:
        ended = _local(db, "revoke").revoke(name)
    else:
        ended = (
            _ask(context)
            .call(_stub(context).RevokeToken, pb.RevokeTokenRequest(name=f"tokens/{name}"))
            .token
        )
    command: Command = context.obj
    command.show.done(ended, f"{ended.name} is revoked.")


def _local(db: str, verb: str) -> Any:
    """Return the tokens of a database, without a server."""
    tokens_of = contributions.load(contributions.ACTIONS, "tokens", f"zaiko tokens {verb} --db")
    return tokens_of(db)


def _ask(context: typer.Context) -> Any:
    command: Command = context.obj
    return command.client


def _stub(context: typer.Context) -> Any:
    return _ask(context).tokens


def _merchants(token: token_pb2.Token) -> str:
    return "all" if token.all_merchants else ", ".join(map(last, token.merchants))


def _state(token: token_pb2.Token) -> str:
    if token.HasField("revoke_time"):
        return f"revoked {when(token.revoke_time)}"
    if not token.HasField("expire_time"):
        return "good"
    ended = token.expire_time.seconds <= time.time()
    return f"{'ended' if ended else 'good until'} {when(token.expire_time)}"
