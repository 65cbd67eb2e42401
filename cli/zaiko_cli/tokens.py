"""`zaiko tokens`: the tokens of callers. The first one is created on the database, without a
server."""

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
    """The roles; see `Token.Role`."""

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
            "Use the database directly, without a server: for the first token, and if all are lost."
        ),
    ),
]


TokenId = Annotated[str, typer.Argument(help="Its id, as `list` shows it.")]


@tokens.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its owner, such as 'WMS in Osaka'.")],
    role: Annotated[
        RoleName, typer.Option(help="What it allows. Each role includes those before it.")
    ],
    for_merchant: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="MERCHANT", help="Valid for this merchant; may be repeated."),
    ] = None,
    all_merchants: Annotated[
        bool,
        typer.Option("--all-merchants", help="Valid for every merchant, also later ones."),
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="Expires after this many days. [default: never]"),
    ] = None,
    certificate: Annotated[
        str,
        typer.Option(
            metavar="IDENTITY",
            help=("Instead of a secret: the name in a client certificate, over mutual TLS."),
        ),
    ] = "",
    db: Db = None,
) -> None:
    """Create a token and show its secret. It is never shown again."""
    if all_merchants == bool(for_merchant):
        raise Failed(
            "Say for which merchants it is valid: --for MERCHANT for each, or --all-merchants.",
            USAGE,
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
        # Standard output has only the secret, so that it can be redirected into a file.
        note = f"Created {made.token.name}. Its secret, shown only now; it lets its holder in:"
        console(stderr=True).print(note, soft_wrap=True, markup=False)
        typer.echo(made.secret)
        return
    command.show.done(
        made, f"Created {made.token.name} for the certificate {made.token.certificate}."
    )


def _warn_of_nobody(client: ApiClient, merchants: Iterable[str]) -> None:
    """Warn about merchants that do not exist, because a typing error would make a token for
    nobody."""
    for merchant in merchants:
        try:
            client.call(
                client.merchants.GetMerchant, merchant_service_pb2.GetMerchantRequest(name=merchant)
            )
        except grpc.RpcError as error:
            if Refused.of(error).reason == "RESOURCE_NOT_FOUND":
                note = f"There is no {merchant} yet. The token is valid for it once it exists."
                console(stderr=True).print(note, soft_wrap=True, markup=False)


@tokens.command("list")
def list_tokens(context: typer.Context, db: Db = None) -> None:
    """List the tokens, without their secrets."""
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
            "There is no token. Create the first one with `zaiko tokens create NAME --role admin "
            "--all-merchants --db DATABASE`."
        ),
    )


@tokens.command("get")
def get_token(context: typer.Context, token: TokenId, db: Db = None) -> None:
    """Show one token, without its secret."""
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
    """Revoke a token permanently. Watches that it opened end within 30 seconds."""
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
        return "valid"
    ended = token.expire_time.seconds <= time.time()
    return f"{'expired' if ended else 'valid until'} {when(token.expire_time)}"
