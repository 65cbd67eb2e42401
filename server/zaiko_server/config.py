"""How a server is configured. `Config` is the one place of a setting: its name, environment
variable, type, default, rule, help text and option of `zaiko serve`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from zaiko_core.bootstrap import EngineConfig
from zaiko_core.storage.address import address
from zaiko_core.storage.secrets import SecretBox

from zaiko_server.interceptors.authentication import RATE
from zaiko_server.logs import Format
from zaiko_server.security.transport import ServerTls, check_exposure

PREFIX = "ZAIKO_"


@dataclass(frozen=True, slots=True)
class Option:
    """Makes a setting an option of `zaiko serve`; its help text is the setting's docstring."""

    name: str = ""
    """As on the command line. Empty: from the setting's name, as in `--tls-cert`."""
    metavar: str | None = None
    default: str = ""
    """What help says of the default, if the value itself would not say it."""


class Config(BaseSettings):
    """Everything that an operator can set. An argument wins over the environment variable (the
    setting's name in capitals after `ZAIKO_`), which wins over the default. Raises
    pydantic.ValidationError, which names the setting and never shows the value."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    database: Annotated[str, Option("--db", "PATH|URL")] = "zaiko.db"
    """A SQLite file, or `postgresql://user:password@host/name`. Several hosts
    (`host1:5432,host2:5432`) mean whichever of them is the primary."""
    listen: Annotated[str, Option(metavar="HOST:PORT")] = "127.0.0.1:50051"
    """Listen here: `host:port`, `[v6]:port` or `unix:path`. Port 0 takes a free one."""
    tls_cert: Annotated[Path | None, Option()] = None
    """Serve TLS with this certificate chain (PEM). It is read again when it changes."""
    tls_key: Annotated[Path | None, Option()] = None
    """The certificate's key (PEM)."""
    client_ca: Annotated[Path | None, Option()] = None
    """Accept only clients with a certificate of this CA (PEM)."""
    auth: Annotated[Literal["none", "tokens"], Option()] = "none"
    """Whether callers need a token (`zaiko tokens`). With `none`, every caller may do
    everything."""
    rate: float = Field(default=RATE, ge=0)
    """Calls per second that one token may make on average, with bursts of twice as many. 0 sets no
    limit."""
    insecure: Annotated[bool, Option("--insecure")] = False
    """Listen beyond this machine without TLS or tokens, because something else protects the
    server."""
    webhooks: Annotated[str, Option(metavar="HOST:PORT", default="nowhere")] = ""
    """Accept platforms' notifications over HTTP here, at /webhooks/merchants/M/shops/S. A proxy in
    front of it ends TLS."""
    metrics: Annotated[str, Option(metavar="HOST:PORT", default="nowhere")] = ""
    """Serve /metrics for Prometheus here."""
    otlp: Annotated[str, Option(metavar="URL", default="what OTEL_* says")] = ""
    """Send traces to this OpenTelemetry collector (OTLP over gRPC), such as
    `http://localhost:4317`."""
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Fernet keys, separated by commas. The first seals shops' credentials, all of them open
    credentials."""
    secret_key_file: Annotated[Path, Option()] = Path("zaiko.key")
    """The file with the keys that seal shops' credentials, one per line. The first start creates
    it. Keep it apart from the database."""
    state_dir: Annotated[
        Path | None, Option(metavar="FOLDER", default="$STATE_DIRECTORY, or beside a SQLite file")
    ] = None
    """A folder of this host that the server may write. It records there how far the database has
    come (`zaiko.seen`), to detect one that was restored. Beside a SQLite file, the record has its
    name."""
    witness_file: Path | None = None
    """The file of that record, instead of one in the state folder."""
    no_witness: Annotated[bool, Option("--no-witness")] = False
    """Run shops although that cannot be recorded. A database that was restored is not noticed
    then."""
    new_database: Annotated[bool, Option("--new-database")] = False
    """Begin with this database although the record is of another one, or of one that is gone."""
    capacity: int = Field(default=64, ge=1, le=10_000)
    """How many shops run at the same time."""
    processes: Annotated[int, Option(), Field(ge=1, le=256)] = 1
    """Run this many server processes that share the port, to use several cores. More than one
    needs PostgreSQL, because SQLite has one writer at a time."""
    share_port: bool = False
    """Allow other processes of this host to listen on the same port. The process that starts them
    sets it."""
    run_shops: Annotated[bool, Option("--run-shops/--answer-only")] = True
    """Run the sync of shops, or only answer calls."""
    accept_clock: Annotated[bool, Option("--accept-clock")] = False
    """Take the clock for right although it is behind the highest time that the database has seen,
    because it was ahead before."""
    http_timeout: float = Field(default=30.0, gt=0)
    """Seconds that one request to a platform may take."""
    grace: Annotated[float, Option(), Field(ge=0)] = 20.0
    """Seconds that calls and runs have to end when the server stops."""
    log_format: Annotated[Format, Option()] = Format.AUTO
    """How log lines are written. `auto` writes text on a terminal, and otherwise one JSON document
    a line."""
    quiet: Annotated[bool, Option("--quiet")] = False
    """Log warnings and errors only."""

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("database", mode="after")
    @classmethod
    def _url(cls, value: str) -> str:
        return database_url(value)

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Config:
        """Return the configuration for these options, of which those that are None were not
        given."""
        return cls(**{name: value for name, value in options.items() if value is not None})

    def check(self) -> None:
        """Check what only a start would find, and create the key file. Raises Exposed and
        CertificateUnusable."""
        self.tls()
        self.keys()

    def tls(self) -> ServerTls | None:
        """Return the TLS credentials, or None if no certificate is set. Raises Exposed for a server
        that other machines could use without TLS or tokens, and CertificateUnusable."""
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
                "processes: several need PostgreSQL (SQLite has one writer at a time); "
                "give --db postgresql://…"
            )
        if self.processes > 1 and self.listen.startswith("unix"):
            raise ValueError("processes: several cannot share a unix socket; listen on host:port")
        return self

    def engine(self) -> EngineConfig:
        """Return the engine's part of the configuration. Reads the key file, or creates it."""
        return EngineConfig(
            url=self.database,
            secret_keys=self.keys(),
            capacity=self.capacity,
            http_timeout=self.http_timeout,
            run_shops=self.run_shops,
            accept_clock=self.accept_clock,
            high_water_mark=self.high_water_mark_file(),
            needs_witness=not self.no_witness,
            new_database=self.new_database,
        )

    def high_water_mark_file(self) -> Path | None:
        """Return the file of the high-water mark; None where no folder for it is known."""
        if self.witness_file is not None:
            return self.witness_file
        # systemd separates several by colons.
        folder = self.state_dir or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
        if folder:
            return Path(folder) / "zaiko.seen"
        file = address(self.database)
        if file.get_backend_name() == "sqlite" and file.database:
            return Path(file.database).with_suffix(".seen")
        return None

    def keys(self) -> list[str]:
        """Return the keys that seal credentials. Creates the key file on the first start."""
        if self.secret_keys:
            return [key.get_secret_value() for key in self.secret_keys]
        path = self.secret_key_file
        if not path.exists():
            _create_whole(path, SecretBox.new_key() + "\n")
        return path.read_text().split()


def _create_whole(path: Path, text: str) -> None:
    """Create a file with its text, for its owner only. Of several processes that start in one
    folder, one creates it, and none finds it empty. Leaves a file that is there alone."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as draft:
        draft.write(text)
        draft.flush()
        os.fsync(draft.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)


def database_url(db: str) -> str:
    """Return the URL of a database that is given as a URL or as the path of a SQLite file. Raises
    ValueError if it is neither."""
    url = db if "://" in db else f"sqlite:///{db}"
    address(url)
    return url
