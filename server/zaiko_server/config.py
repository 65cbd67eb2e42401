"""How a server is configured: options of the command line, then `ZAIKO_*` environment variables,
then defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from zaiko_core.bootstrap import EngineConfig
from zaiko_core.storage.address import address
from zaiko_core.storage.secrets import SecretBox

from zaiko_server.interceptors.authentication import RATE
from zaiko_server.security.transport import ServerTls, check_exposure

PREFIX = "ZAIKO_"


class Config(BaseModel):
    """Everything that an operator can set. The variable of a field is its name in capitals behind
    `ZAIKO_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: str = "127.0.0.1:50051"
    """Where to listen: `host:port`, `[v6]:port` or `unix:path`. Port 0 takes a free one."""
    tls_cert: Path | None = None
    """The server's certificate chain in PEM; with `tls_key` it serves TLS. Both are read again when
    they change."""
    tls_key: Path | None = None
    """The certificate's key in PEM."""
    client_ca: Path | None = None
    """Mutual TLS: only clients with a certificate of this CA (PEM) are let in."""
    auth: Literal["none", "tokens"] = "none"
    """Whether callers need a token. Without, whoever reaches the server may do everything."""
    rate: float = Field(default=RATE, ge=0)
    """Calls a second of one token in the long run, twice as many at once. 0: as many as they
    like."""
    insecure: bool = False
    """Listen beyond this machine although TLS or tokens are missing, because something else
    protects it."""
    webhooks: str = ""
    """Where platforms' notifications are taken in over HTTP: `host:port` (a proxy in front of it
    ends TLS). Empty: nowhere."""
    metrics: str = ""
    """Where Prometheus reads `/metrics`: `host:port`. Empty: nowhere."""
    otlp: str = ""
    """The OpenTelemetry collector that gets traces (OTLP over gRPC), such as
    `http://localhost:4317`. Empty: what `OTEL_*` says."""
    database: str = "sqlite:///zaiko.db"
    """`sqlite:///path`, or `postgresql://user:password@host/name`; `host1:5432,host2:5432` is
    whichever of them is the primary."""
    secret_keys: tuple[SecretStr, ...] = ()
    """Fernet keys, separated by commas in the environment: the first seals shops' credentials, all
    open them."""
    secret_key_file: Path = Path("zaiko.key")
    """Where the key is, one per line, when `secret_keys` is empty. Made on the first start. Keep it
    apart from the database."""
    witness_file: Path | None = None
    """Where this host remembers how far the database has come, to notice one that was restored.
    Unset: `zaiko.seen` beside the key file, or nowhere when the keys come from the environment."""
    capacity: int = Field(default=64, ge=1, le=10_000)
    """Shops that run at once."""
    processes: int = Field(default=1, ge=1, le=256)
    """Server processes that share the port; more than one takes PostgreSQL, since SQLite has one
    writer anyway."""
    share_port: bool = False
    """Other processes of this host may listen on the same port. Set by the process that starts
    them."""
    run_shops: bool = True
    """False: only answer calls."""
    http_timeout: float = Field(default=30.0, gt=0)
    """Seconds for one request to a platform."""
    grace: float = Field(default=20.0, ge=0)
    """Seconds that calls and runs have to end when the server stops."""

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("database")
    @classmethod
    def _addressed(cls, value: str) -> str:
        address(value)
        return value

    @classmethod
    def read(
        cls, options: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
    ) -> Config:
        """From options (None = not given) and the environment. Raises pydantic.ValidationError,
        which names the field and not the value."""
        environment = os.environ if environment is None else environment
        given = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environment
        }
        given |= {name: value for name, value in (options or {}).items() if value is not None}
        return cls.model_validate(given)

    def check(self) -> None:
        """What only a start would find: raises Exposed and CertificateUnusable, and makes the key
        file."""
        self.tls()
        self.keys()

    def tls(self) -> ServerTls | None:
        """TLS, when it is set. Raises Exposed for a server that would be open to others,
        CertificateUnusable."""
        if not self.insecure:
            check_exposure(self.listen, tls=self.tls_cert is not None, tokens=self.auth == "tokens")
        if self.tls_cert is None or self.tls_key is None:
            return None
        return ServerTls(self.tls_cert, self.tls_key, self.client_ca)

    @model_validator(mode="after")
    def _whole(self) -> Config:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together; give both")
        if self.client_ca is not None and self.tls_cert is None:
            raise ValueError("client_ca needs TLS; give tls_cert and tls_key as well")
        if self.processes > 1 and not self.database.startswith("postgresql"):
            raise ValueError(
                "processes: several need PostgreSQL (SQLite has one writer at a time); give --db postgresql://…"
            )
        if self.processes > 1 and self.listen.startswith("unix"):
            raise ValueError("processes: several cannot share a unix socket; listen on host:port")
        return self

    def engine(self) -> EngineConfig:
        """The engine's part of it; reads the key file, or makes it."""
        return EngineConfig(
            url=self.database,
            secret_keys=self.keys(),
            capacity=self.capacity,
            http_timeout=self.http_timeout,
            run_shops=self.run_shops,
            high_water_mark=self.witness(),
        )

    def witness(self) -> Path | None:
        """See `witness_file`."""
        if self.witness_file is not None or self.secret_keys:
            return self.witness_file
        return self.secret_key_file.with_name("zaiko.seen")

    def keys(self) -> list[str]:
        """The keys that seal credentials."""
        if self.secret_keys:
            return [key.get_secret_value() for key in self.secret_keys]
        path = self.secret_key_file
        try:
            # Never readable by others, not even for a moment.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(SecretBox.new_key() + "\n")
        except FileExistsError:
            pass
        return path.read_text().split()
