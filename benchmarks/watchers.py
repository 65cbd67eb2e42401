"""Measure the memory of idle watches: how much a server's resident set grows for each open
WatchSync that has caught up. Linux only.

    python -m benchmarks.watchers [number]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
from zaiko.v1 import (
    merchant_pb2,
    merchant_service_pb2,
    merchant_service_pb2_grpc,
    sync_service_pb2,
    sync_service_pb2_grpc,
)


def resident(pid: int) -> int:
    """Return the resident set of a process in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


async def watch(address: str, number: int) -> tuple[list[Any], list[grpc.aio.Channel]]:
    """Open `number` watches, each past its first bookmark, 100 on a connection."""
    calls, channels = [], []
    for place in range(number):
        if place % 100 == 0:
            channels.append(
                grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            )
        stub: Any = sync_service_pb2_grpc.SyncServiceStub(channels[-1])
        request = sync_service_pb2.WatchSyncRequest(parent="merchants/acme")
        request.start.bookmark_interval.FromSeconds(300)
        calls.append(stub.WatchSync(request))
        while not (await calls[-1].read()).bookmark.snapshot_complete:
            pass
    return calls, channels


async def measure(address: str, pid: int, number: int) -> None:
    """Print how much the resident set grows."""
    async with grpc.aio.insecure_channel(address) as channel:
        merchants: Any = merchant_service_pb2_grpc.MerchantServiceStub(channel)
        acme = merchant_pb2.Merchant(display_name="Acme")
        await merchants.CreateMerchant(
            merchant_service_pb2.CreateMerchantRequest(merchant_id="acme", merchant=acme)
        )
    # What is allocated once, and kept, is not the watches'.
    calls, channels = await watch(address, 50)
    before = resident(pid)
    more, others = await watch(address, number)
    after = resident(pid)
    print(
        (
            f"{number} idle watches: {before:,} KiB -> {after:,} KiB, "
            f"{(after - before) / number:.1f} KiB each"
        ),
        flush=True,
    )
    for call in (*calls, *more):
        call.cancel()
    for channel in (*channels, *others):
        await channel.close()


def main(number: int) -> None:
    """Serve an empty store, measure, and stop."""
    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder) / "port"
        command = [
            sys.executable,
            "-m",
            "zaiko_cli",
            "serve",
            "--db",
            f"{folder}/zaiko.db",
            "--listen",
            "127.0.0.1:0",
        ]
        with subprocess.Popen(
            [*command, "--port-file", str(port), "--quiet"], stderr=subprocess.DEVNULL
        ) as server:
            try:
                while not (port.exists() and port.read_text()):
                    time.sleep(0.1)
                asyncio.run(measure(port.read_text(), server.pid, number))
            finally:
                server.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 900)
