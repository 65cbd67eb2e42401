"""`zaiko serve`."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console
from zaiko_core.domain.errors import ServiceError

from zaiko_server import logs
from zaiko_server.commands.database import Database, database_url
from zaiko_server.commands.port_file import PortFile, write_address


class Auth(StrEnum):
    """Who may call."""

    NONE = "none"
    TOKENS = "tokens"


def serve(
    db: Database = "zaiko.db",
    listen: Annotated[
        str,
        typer.Option(
            envvar="ZAIKO_LISTEN",
            metavar="HOST:PORT",
            help="Where to listen; port 0 takes a free one.",
        ),
    ] = "127.0.0.1:50051",
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            envvar="ZAIKO_TLS_CERT",
            help="Serve TLS with this certificate chain (PEM); read again when it changes.",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(envvar="ZAIKO_TLS_KEY", help="The certificate's key (PEM).")
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(
            envvar="ZAIKO_CLIENT_CA",
            help="Let in only clients with a certificate of this CA (PEM).",
        ),
    ] = None,
    auth: Annotated[
        Auth | None,
        typer.Option(
            envvar="ZAIKO_AUTH",
            help="Whether callers need a token (`zaiko tokens`). [default: none]",
        ),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option(
            "--insecure",
            envvar="ZAIKO_INSECURE",
            help="Listen beyond this machine without TLS or tokens: something else protects it.",
        ),
    ] = None,
    webhooks: Annotated[
        str | None,
        typer.Option(
            envvar="ZAIKO_WEBHOOKS",
            metavar="HOST:PORT",
            help=(
                "Take in platforms' notifications over HTTP, at /webhooks/merchants/M/shops/S. "
                "[default: nowhere]"
            ),
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            envvar="ZAIKO_METRICS",
            metavar="HOST:PORT",
            help="Show /metrics for Prometheus. [default: nowhere]",
        ),
    ] = None,
    otlp: Annotated[
        str | None,
        typer.Option(
            envvar="ZAIKO_OTLP",
            metavar="URL",
            help="Send traces to this collector. [default: as OTEL_* says]",
        ),
    ] = None,
    secret_key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="ZAIKO_SECRET_KEY_FILE",
            help=(
                "The key that seals shops' credentials; made when it does not exist. [default: "
                "zaiko.key]"
            ),
        ),
    ] = None,
    port_file: PortFile = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            envvar="ZAIKO_PROCESSES",
            help=(
                "Server processes that share the port, to use several cores; takes PostgreSQL. "
                "[default: 1]"
            ),
        ),
    ] = None,
    run_shops: Annotated[
        bool,
        typer.Option("--run-shops/--answer-only", help="Whether this server also runs the sync."),
    ] = True,
    grace: Annotated[
        float | None,
        typer.Option(
            min=0,
            envvar="ZAIKO_GRACE",
            help="Seconds that calls and runs have to end when it stops. [default: 20]",
        ),
    ] = None,
    log_format: Annotated[
        logs.Format,
        typer.Option(
            envvar="ZAIKO_LOG_FORMAT",
            help="Auto: text on a terminal, else a JSON document per line.",
        ),
    ] = logs.Format.AUTO,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log warnings only.")] = False,
) -> None:
    """Run a server. Brings the database to this version first. SIGTERM or Ctrl-C drains it; a
    second one stops it at once."""
    from pydantic import ValidationError

    from zaiko_server.config import Config
    from zaiko_server.lifecycle import serve as serve_until_stopped
    from zaiko_server.process_group import ProcessGroup
    from zaiko_server.security.transport import CertificateUnusable, Exposed
    from zaiko_server.telemetry import ExtraMissing

    logs.configure(log_format, quiet=quiet, stream=sys.stderr)
    options = {
        "listen": listen,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "client_ca": client_ca,
        "auth": auth,
        "insecure": insecure or None,
        "webhooks": webhooks,
        "metrics": metrics,
        "otlp": otlp,
        "database": database_url(db),
        "secret_key_file": secret_key_file,
        "processes": processes,
        "run_shops": run_shops,
        "grace": grace,
    }

    def ready(address: str) -> None:
        write_address(port_file, address)
        if not quiet and not config.share_port:
            plain = f". Try `zaiko merchants list --address {address}`."
            console(stderr=True).print(
                "zaiko serves at "
                f"[bold]{address}[/]{' over TLS: call it with --ca or --tls.' if config.tls_cert else plain}"  # noqa: E501
            )

    try:
        config = Config.read(options)
        if config.processes > 1:
            config.check()
            given = [
                *(["--quiet"] if quiet else []),
                *([] if run_shops else ["--answer-only"]),
                "--log-format",
                log_format.value,
            ]
            code = asyncio.run(ProcessGroup(config, given).serve(ready))
            if code:
                raise Failed("A process did not end well; its log says why.", code)
            return
        asyncio.run(serve_until_stopped(config, ready=ready))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise Failed(f"{where}: {what}." if where else f"{what}.", USAGE) from None
    except ServiceError as error:
        raise Failed(f"{error.message} [{error.reason}]") from None
    except (CertificateUnusable, Exposed, ExtraMissing) as error:
        raise Failed(str(error), USAGE) from None
    except RuntimeError as error:
        if "Failed to bind" not in str(error):
            raise
        if " for " in str(error):
            raise Failed(
                f"{error}. Choose another with "
                f"--{str(error).rpartition(' for ')[2].partition(':')[0]}."
            ) from None
        raise Failed(
            f"{listen} cannot be listened on; is another server running there? Choose "
            "another with --listen."
        ) from None
    finally:
        if port_file is not None:
            port_file.unlink(missing_ok=True)
