"""The processes of the demo. All of them end with it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_START, _END = 90.0, 10.0


class NotStarted(Exception):
    """A process did not start. The message has the end of its log."""


class DemoProcesses:
    """Starts `zaiko …` commands as processes that share a folder. Leaving the context ends all of
    them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> DemoProcesses:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # In the order of their start: the server stops first, while the shops that its runs call
        # still answer.
        deadline = time.monotonic() + _END
        for process in self._running.values():
            process.terminate()
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process; `address` waits for it. Its output goes to a log. It may be killed from
        outside."""
        command = [
            sys.executable,
            "-m",
            "zaiko_cli",
            *arguments,
            "--port-file",
            str(self._port(name)),
        ]
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self._running[name]

    def address(self, name: str) -> str:
        """Wait for the address of a process and return it. Raises NotStarted."""
        deadline = time.monotonic() + _START
        while not self._port(name).exists():
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise NotStarted(
                    f"`{name}` did not start. The end of its log:\n{self.log_end(name)}"
                )
            time.sleep(0.02)
        return self._port(name).read_text()

    def dead(self) -> list[str]:
        """Return the processes that have ended without being asked to."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def log_end(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a process's log."""
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-lines:])

    def _port(self, name: str) -> Path:
        return self._folder / f"{name}.port"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"
