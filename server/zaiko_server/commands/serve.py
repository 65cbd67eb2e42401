"""`zaiko serve`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console
from zaiko_core.domain.errors import ServiceError

from zaiko_server import lifecycle, logs
from zaiko_server.commands.port_file import PortFile, write_address
from zaiko_server.commands.settings import with_settings
from zaiko_server.config import Config
from zaiko_server.process_group import ProcessGroup
from zaiko_server.security.transport import CertificateUnusable, Exposed
from zaiko_server.telemetry import ExtraMissing


@with_settings
def serve(port_file: PortFile = None, **settings: Any) -> None:
    """Run a server. It first brings the database to this release. SIGTERM or Ctrl-C drains it; a
    second one stops it at once."""
    with _failures():
        config = Config.read(settings)
        logs.configure(config.log_format, quiet=config.quiet, stream=sys.stderr)
        try:
            _serve(config, port_file)
        except RuntimeError as error:
            if "Failed to bind" not in str(error):
                raise
            raise Failed(_port_taken(str(error), config.listen)) from None
        finally:
            if port_file is not None:
                port_file.unlink(missing_ok=True)


def _serve(config: Config, port_file: Path | None) -> None:
    """Serve until a signal has stopped the server."""

    def ready(address: str) -> None:
        write_address(port_file, address)
        if not config.quiet and not config.share_port:
            _greet(address, tls=config.tls_cert is not None)

    if config.processes == 1:
        asyncio.run(lifecycle.serve(config, ready=ready))
        return
    config.check()
    code = asyncio.run(ProcessGroup(config).serve(ready))
    if code:
        raise Failed("A process did not end well; its log says why.", code)


def _greet(address: str, *, tls: bool) -> None:
    """Say where the server is."""
    rest = (
        " over TLS: call it with --ca or --tls."
        if tls
        else f". Try `zaiko merchants list --address {address}`."
    )
    console(stderr=True).print(f"zaiko serves at [bold]{address}[/]{rest}")


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turn what keeps a server from serving into the sentence for the person who started it."""
    try:
        yield
    except ValidationError as error:
        raise Failed(refusal(error), USAGE) from None
    except ServiceError as error:
        raise Failed(f"{error.message} [{error.reason}]") from None
    except (CertificateUnusable, Exposed, ExtraMissing) as error:
        raise Failed(str(error), USAGE) from None


def refusal(error: ValidationError) -> str:
    """Return what is wrong with the first wrong setting, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}." if where else f"{what}."


def _port_taken(error: str, listen: str) -> str:
    """Return the sentence for a port that cannot be listened on. For another port than `listen`,
    the error names its option: ` for metrics: …`."""
    if " for " in error:
        option = error.rpartition(" for ")[2].partition(":")[0]
        return f"{error}. Choose another with --{option}."
    return (
        f"{listen} cannot be listened on; is another server running there? Choose another with "
        "--listen."
    )
