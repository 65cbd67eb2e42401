"""A command that waits continues when the server has restarted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from zaiko_core.plugin_host.loader import load
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer
from zaiko_server.demo.processes import DemoProcesses


@pytest.mark.thorough
def test_a_command_that_waits_for_an_operation_outlives_a_restart_of_the_server(
    tmp_path: Path,
) -> None:
    simulator = load().simulators()["shopify"].create()
    simulator.add_listings([NewListing(sku="TEA-100", quantity=3, title="tea")])
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    serve = ["serve", "--db", "zaiko.db", "--listen", address]

    with SimulatorServer(simulator) as platform, DemoProcesses(tmp_path) as processes:
        # This one takes the operation in and leaves it to others.
        first = processes.start("first", [*serve, "--answer-only"])
        processes.address("first")
        said(begun(tmp_path, address, "merchants", "create", "acme"))
        said(
            begun(
                tmp_path,
                address,
                "shops",
                "create",
                "mall",
                "--connector",
                "shopify",
                "--simulator",
                platform.base_url,
            )
        )
        waiting = begun(tmp_path, address, "listings", "refresh", "mall")
        while "REFRESH_LISTINGS" not in said(begun(tmp_path, address, "operations", "list")):
            time.sleep(0.2)
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=60) == 0

        processes.start("second", serve)
        assert "1 listings were read" in said(waiting)


def said(command: subprocess.Popen[str]) -> str:
    """What a command wrote; it must end well."""
    written, _ = command.communicate(timeout=60)
    assert command.returncode == 0, written
    return written


def begun(folder: Path, address: str, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ZAIKO_")}
    return subprocess.Popen(
        [sys.executable, "-m", "zaiko_cli", *arguments, "--address", address],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
