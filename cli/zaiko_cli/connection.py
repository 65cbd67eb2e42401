"""How commands connect to a server: its address, TLS, and the credentials of the caller."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import grpc

from zaiko_cli.failure import USAGE, Failed

DEFAULT_ADDRESS = "localhost:50051"


def is_local(address: str) -> bool:
    """Return whether what is sent to `address` stays on this machine. Names other than localhost
    may resolve to any machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ServerConnection:
    """`ca`, `cert` or `tls` turn TLS on. `ca` is the CA to trust, else the system's are. `cert` and
    `key` are the client certificate. `token` is sent with every call."""

    address: str = DEFAULT_ADDRESS
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    token: str = field(default="", repr=False)

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.tls or self.ca is not None or self.cert is not None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Metadata of every call: the name and release of this client for the server's log, and the
        token."""
        client = ("zaiko-client", f"zaiko-cli/{version('zaiko-cli')}")
        return (client, ("authorization", f"Bearer {self.token}")) if self.token else (client,)

    def channel(self) -> grpc.Channel:
        """Return a channel that connects on first use. Raises Failed for options that do not fit
        together, and for a token that would be sent unencrypted to another machine."""
        options = [("grpc.primary_user_agent", "zaiko-cli")]
        if (self.cert is None) != (self.key is None):
            raise Failed(
                "--cert and --key go together: the certificate and its key, both PEM.", USAGE
            )
        if not self.secure:
            if self.token and not is_local(self.address):
                raise Failed(
                    (
                        f"The token would go to {self.address} unencrypted. Add --tls, or --ca "
                        "with the server's CA."
                    ),
                    USAGE,
                )
            return grpc.insecure_channel(self.address, options=options)
        read = [None if path is None else _read(path) for path in (self.ca, self.key, self.cert)]
        return grpc.secure_channel(
            self.address, grpc.ssl_channel_credentials(*read), options=options
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path} cannot be read ({error.strerror}).", USAGE) from None
