"""Servers in separate processes, as they are deployed: the measuring client does not share their
interpreter."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 120.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at `address`."""

    address: str
    pid: int
    seconds: float
    """The time from the start of the process until it answered."""

    def resident(self) -> int:
        """Return the resident set of the process in KiB. Linux only."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(
            next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        )

    def cpu(self) -> float:
        """Return the CPU seconds of all threads of the process. Linux only."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def zaiko(url: str, *, options: Sequence[str] = ("--answer-only",)) -> Iterator[Running]:
    """Run `zaiko serve` as installed. By default it runs no shop."""
    with _server(
        "zaiko_cli",
        ["serve", "--db", url, "--listen", "127.0.0.1:0", "--quiet", *options],
        "port",
    ) as running:
        yield running


@contextlib.contextmanager
def host(url: str, *arguments: str) -> Iterator[Running]:
    """Run the same server with shops in memory (see host.py)."""
    with _server("benchmarks.speed.host", ["--db", url, *arguments], "port") as running:
        yield running


@contextlib.contextmanager
def bare(*arguments: str) -> Iterator[Running]:
    """Run a gRPC server that does nothing (see bare_server.py)."""
    with _server("benchmarks.speed.bare_server", list(arguments), "port") as running:
        yield running


@contextlib.contextmanager
def _server(module: str, arguments: Sequence[str], port_name: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder) / port_name
        command = [sys.executable, "-m", module, *arguments, "--port-file", str(port)]
        environment = {
            **os.environ,
            "ZAIKO_RATE": "0",
            "ZAIKO_SECRET_KEY_FILE": f"{folder}/zaiko.key",
            "ZAIKO_GRACE": "1",
        }
        began = time.monotonic()
        with subprocess.Popen(command, cwd=_ROOT, env=environment) as process:
            try:
                while not (port.exists() and port.read_text()):
                    if process.poll() is not None or time.monotonic() - began > _PATIENCE:
                        raise SystemExit(f"{module} did not start")
                    time.sleep(0.01)
                yield Running(port.read_text(), process.pid, time.monotonic() - began)
            finally:
                process.kill()
