"""Run several server processes on one port of one host, to use its cores. They share only the
database, as replicas on different hosts do, so every rule about replicas holds. The parent process
only starts them, restarts those that died, and forwards signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from zaiko_server.config import PREFIX, Config

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a restart: the first pause, doubled for each early death, up to the longest."""
_HEALTHY_AFTER = 60.0
"""Seconds after which a process counts as healthy: its death is followed by the first pause."""


class ProcessGroup:
    """Runs `config.processes` processes, with the same settings except for those that they cannot
    share."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._log: Any = structlog.get_logger("zaiko.processes")

    async def serve(self, ready: Callable[[str], None]) -> int:
        """Run until SIGTERM or SIGINT, forward it, and return once all have drained. `ready` gets
        the address as soon as a process answers there. Returns 0, or the highest exit code of the
        processes that were asked to stop. Raises RuntimeError for a port in use."""
        loop = asyncio.get_running_loop()
        with _reserved(self._config.listen) as address:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._forward_signal)
            try:
                keepers = [
                    asyncio.create_task(self._keep(index, address))
                    for index in range(self._config.processes)
                ]
                await self._wait_until_reachable(address)
                ready(address)
                codes = await asyncio.gather(*keepers)
            finally:
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.remove_signal_handler(number)
        return max(codes)

    async def _keep(self, index: int, address: str) -> int:
        pause = _FIRST_PAUSE
        while True:
            began = asyncio.get_running_loop().time()
            command = [sys.executable, "-m", "zaiko_cli", "serve"]
            # Nothing is ever written to stdin. The pipe closes when this process dies, however it
            # dies, and then the child stops too (lifecycle.py).
            process = await asyncio.create_subprocess_exec(
                *command, env=self._environment(index, address), stdin=asyncio.subprocess.PIPE
            )
            self._running[index] = process
            if self._stopping.is_set():
                process.terminate()
            code = await process.wait()
            del self._running[index]
            if self._stopping.is_set():
                return max(code, 0)
            lived = asyncio.get_running_loop().time() - began
            pause = _FIRST_PAUSE if lived > _HEALTHY_AFTER else min(pause * 2, _LONGEST_PAUSE)
            self._log.error("process_died", process=index, code=code, again_in=pause)
            await self._sleep(pause)
            if self._stopping.is_set():
                return 0

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _wait_until_reachable(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        while not self._stopping.is_set():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(_local_host(host), int(port))
                writer.close()
                return
            await self._sleep(0.05)

    def _environment(self, index: int, address: str) -> dict[str, str]:
        """Return the settings of one process. They are not on its command line, where every user
        could read the database's password."""
        own = {"listen": address, "processes": 1, "share_port": True}
        if self._config.metrics:
            host, _, port = self._config.metrics.rpartition(":")
            own["metrics"] = f"{host}:{int(port) + index if int(port) else 0}"
        # Notifications are few: one process accepts them all.
        own["webhooks"] = self._config.webhooks if index == 0 else ""
        given = self._config.model_dump(exclude={"secret_keys"}, exclude_none=True) | own
        return dict(os.environ) | {
            PREFIX + name.upper(): str(value) for name, value in given.items()
        }

    def _forward_signal(self) -> None:
        self._stopping.set()
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()


def _local_host(host: str) -> str:
    """Return the host at which a server that listens on `host` answers locally."""
    plain = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(plain, plain)  # noqa: S104 - compared, not bound


@contextlib.contextmanager
def _reserved(listen: str) -> Iterator[str]:
    """Reserve the port while the context lasts, and yield the address. Port 0 becomes a free port.
    A bound socket that does not listen holds it, so it takes no connection from the processes."""
    host, _, port = listen.rpartition(":")
    family, kind, protocol, _, where = socket.getaddrinfo(
        host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(where)
        except OSError:
            raise RuntimeError(f"Failed to bind to {listen}") from None
        yield f"{host}:{holder.getsockname()[1]}"
