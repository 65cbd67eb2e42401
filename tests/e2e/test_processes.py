"""Several server processes on one port: each answers, the work is shared, one that dies is started
again, all of them drain."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from e2e.test_access import zaiko
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.stores import PostgreSQL
from support.waiting import until
from zaiko.v1 import merchant_service_pb2, merchant_service_pb2_grpc
from zaiko_server.demo.processes import DemoProcesses

COUNT = 3


@pytest.fixture
def database(postgresql: PostgreSQL) -> Iterator[str]:
    url = postgresql.new_url()
    yield url
    postgresql.drop(url)


def serves(address: str) -> bool:
    """Over a connection of its own, which the system gives to any of the processes."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10, wait_for_ready=True
        )
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def test_they_share_a_port_and_one_that_is_killed_is_started_again(
    tmp_path: Path, database: str
) -> None:
    with DemoProcesses(tmp_path) as processes:
        supervisor = processes.start(
            "serve",
            [
                "serve",
                "--state-dir",
                ".",
                "--processes",
                str(COUNT),
                "--db",
                database,
                "--listen",
                "127.0.0.1:0",
                "--quiet",
            ],
        )
        address = processes.address("serve")
        parent = psutil.Process(supervisor.pid)
        first = until(
            lambda: len(parent.children()) == COUNT and {child.pid for child in parent.children()}
        )
        port = int(address.rpartition(":")[2])
        until(lambda: all(_listens(pid, port) for pid in first))
        assert all(serves(address) for _ in range(12))
        with grpc.insecure_channel(address) as channel:
            stub: Any = merchant_service_pb2_grpc.MerchantServiceStub(channel)
            request = merchant_service_pb2.CreateMerchantRequest(
                merchant_id="acme", merchant={"display_name": "A"}
            )
            stub.CreateMerchant(request, timeout=60)

        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        again = until(lambda: {child.pid for child in parent.children()} - first)
        until(lambda: all(_listens(pid, port) for pid in again))
        assert all(serves(address) for _ in range(12))

        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(30) == 0
        assert not any(psutil.pid_exists(pid) and _listens(pid, port) for pid in first | again)


@pytest.mark.thorough
def test_they_end_in_good_order_when_the_process_that_started_them_is_killed(
    tmp_path: Path, database: str
) -> None:
    """Otherwise the next process would serve next to one that nobody stops or upgrades."""
    with DemoProcesses(tmp_path) as processes:
        supervisor = processes.start(
            "serve",
            [
                "serve",
                "--state-dir",
                ".",
                "--processes",
                "2",
                "--db",
                database,
                "--listen",
                "127.0.0.1:0",
                "--quiet",
                "--grace",
                "2",
            ],
        )
        address = processes.address("serve")
        parent = psutil.Process(supervisor.pid)
        left = until(
            lambda: len(parent.children()) == 2 and [child.pid for child in parent.children()]
        )
        until(lambda: all(_listens(pid, int(address.rpartition(":")[2])) for pid in left))

        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()

        until(lambda: not any(psutil.pid_exists(pid) for pid in left))


def _listens(pid: int, port: int) -> bool:
    try:
        found = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(item.status == psutil.CONN_LISTEN and item.laddr.port == port for item in found)


def test_several_on_sqlite_are_refused_with_the_way_out(tmp_path: Path) -> None:
    said = zaiko(tmp_path, "serve", "--processes", "2", "--db", "zaiko.db")

    assert said.code == 2
    assert "PostgreSQL" in said.err
