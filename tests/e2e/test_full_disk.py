"""A real server on a disk that is really full: writes are refused with a reason and change
nothing, reads work, and health says NOT_SERVING. All of it ends when there is space again."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from e2e.test_kill_stream import MERCHANT, furnish, journal
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.stores import PostgreSQL
from support.waiting import until
from zaiko.v1 import stock_service_pb2
from zaiko_cli.client import ApiClient
from zaiko_cli.connection import ServerConnection
from zaiko_cli.failure import Refused
from zaiko_server.demo.processes import DemoProcesses

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("mount") is None,
        reason="needs root, to mount a small disk",
    ),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "none", place], check=False
    ).returncode:
        pytest.skip("may not mount")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, disk: Path) -> Iterator[str]:
    """A store on it. Of PostgreSQL, the tables: without its log of writes it would end."""
    if request.param == "sqlite":
        yield f"sqlite:///{disk}/zaiko.db"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.admin() as connection:
        found = connection.execute("SHOW data_directory").fetchone()
        assert found is not None
        owner = Path(str(found[0])).stat()
        os.chown(disk, owner.st_uid, owner.st_gid)
        # PostgreSQL is another user, who must come as far as the disk.
        for above in disk.parents:
            if (
                above.is_relative_to(tempfile.gettempdir())
                and not above.stat().st_mode & stat.S_IXOTH
            ):
                above.chmod(0o755)
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'".encode())
    url = server.new_url()
    name = url.split("?")[0].rpartition("/")[2]
    with server.admin() as connection:
        connection.execute(f"ALTER DATABASE {name} SET TABLESPACE small".encode())
    yield url
    server.drop(url)
    with server.admin() as connection:
        connection.execute("DROP TABLESPACE small")


def test_a_full_disk_refuses_writes_and_is_got_over(
    disk: Path, database: str, tmp_path: Path
) -> None:
    with DemoProcesses(tmp_path) as processes:
        processes.start(
            "serve",
            ["serve", "--db", database, "--listen", "127.0.0.1:0", "--quiet", "--answer-only"],
        )
        with contextlib.closing(
            ApiClient(ServerConnection(processes.address("serve")), "acme")
        ) as client:
            furnish(client)
            outcomes = [_record(client, 0)]
            ballast = _fill(disk)
            while outcomes[-1] == "OK" and len(outcomes) < 5_000:
                outcomes.append(_record(client, len(outcomes)))
            outcomes.extend(_record(client, len(outcomes)) for _ in range(3))

            assert "STORAGE_UNAVAILABLE" in outcomes
            until(lambda: not _serving(client))
            assert _physical(client) == len(journal(client)) == outcomes.count("OK")

            ballast.unlink()
            until(lambda: _serving(client))
            again = [_record(client, number) for number in range(len(outcomes))]
            assert set(again) == {"OK"}
            assert _physical(client) == len(journal(client)) == len(outcomes)
            assert processes.dead() == []


def _record(client: ApiClient, number: int) -> str:
    """Record one unit; return OK, or the reason of the refusal."""
    request = stock_service_pb2.RecordReceiptRequest(
        product=f"{MERCHANT}/products/tea",
        warehouse=f"{MERCHANT}/warehouses/tokyo",
        quantity=1,
        cause_key=f"{number}" + "x" * 100,
    )
    try:
        client.stocks.RecordReceipt(request, timeout=20)
    except grpc.RpcError as error:
        refused = Refused.of(error)
        assert "full" in refused.message
        return refused.reason
    return "OK"


def _physical(client: ApiClient) -> int:
    request = stock_service_pb2.GetStockRequest(name=f"{MERCHANT}/products/tea/stock")
    return client.call(client.stocks.GetStock, request).stock.physical


def _serving(client: ApiClient) -> bool:
    reply = health_pb2_grpc.HealthStub(client.channel).Check(
        health_pb2.HealthCheckRequest(), timeout=10
    )
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def _fill(disk: Path) -> Path:
    """The whole disk, with a file."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast
