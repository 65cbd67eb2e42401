"""TLS: the server's certificate, clients' certificates, and what listening beyond this machine
requires."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from api.bench import World, refused, served
from api.certificates import Ca, Pair, written
from api.test_authentication import bearing, reading, token_of
from zaiko.v1 import (
    merchant_service_pb2_grpc,
)
from zaiko_core.domain.access import Role
from zaiko_server.security.transport import CertificateUnusable, Exposed, ServerTls, check_exposure

pytestmark = pytest.mark.anyio


async def _ask(
    address: str, world: World, ca: bytes, pair: Pair | None = None, token: str = ""
) -> Any:
    certificate, key = pair or (None, None)
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    port = address.rpartition(":")[2]
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        stub: Any = merchant_service_pb2_grpc.MerchantServiceStub(channel)
        return await stub.GetMerchant(
            reading(world), timeout=60, metadata=bearing(token) if token else None
        )


async def test_a_new_certificate_is_used_without_a_restart(
    module_store: str, tmp_path: Path
) -> None:
    old, new = Ca(), Ca()
    certificate, key = written(tmp_path, old.issue("server"))
    async with served(module_store, tls_cert=certificate, tls_key=key) as api:
        world = await api.merchant()
        assert (await _ask(api.address, world, old.pem)).merchant.name == world.name
        with pytest.raises(grpc.aio.AioRpcError):
            await _ask(api.address, world, new.pem)

        written(tmp_path, new.issue("server"))
        assert (await _ask(api.address, world, new.pem)).merchant.name == world.name

        # Half of a renewal: the last good pair stays.
        certificate.write_bytes(Ca().issue("server")[0])
        assert (await _ask(api.address, world, new.pem)).merchant.name == world.name


async def test_with_a_client_ca_only_its_clients_can_connect(
    module_store: str, tmp_path: Path
) -> None:
    ca, clients = Ca(), Ca()
    certificate, key = written(tmp_path, ca.issue("server"))
    (tmp_path / "clients.pem").write_bytes(clients.pem)
    async with served(
        module_store, tls_cert=certificate, tls_key=key, client_ca=tmp_path / "clients.pem"
    ) as api:
        world = await api.merchant()

        assert (
            await _ask(api.address, world, ca.pem, clients.issue("one"))
        ).merchant.name == world.name
        for stranger in (None, Ca().issue("one")):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await _ask(api.address, world, ca.pem, stranger)
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_client_certificate_can_stand_for_a_token(
    module_store: str, tmp_path: Path
) -> None:
    ca = Ca()
    certificate, key = written(tmp_path, ca.issue("server"))
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    options: Any = {"tls_cert": certificate, "tls_key": key, "client_ca": tmp_path / "ca.pem"}
    async with served(module_store, auth="tokens", **options) as api:
        world, other = await api.merchant(), await api.merchant()
        await token_of(api, Role.READER, (world.id,), certificate=f"spiffe://test/{world.id}")
        pair = ca.issue("wms", uri=f"spiffe://test/{world.id}")

        assert (await _ask(api.address, world, ca.pem, pair)).merchant.name == world.name
        for foreign, client, reason in (
            (other, pair, "PERMISSION_MISSING"),
            (world, ca.issue("wms", uri="spiffe://test/another"), "TOKEN_MISSING"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await _ask(api.address, foreign, ca.pem, client)
            assert refused(error.value).reason == reason


@pytest.mark.parametrize(
    ("listen", "tls", "with_tokens", "exposed"),
    [
        ("127.0.0.1:50051", False, False, False),
        ("localhost:0", False, False, False),
        ("[::1]:50051", False, False, False),
        ("unix:/run/zaiko.sock", False, False, False),
        ("0.0.0.0:50051", False, False, True),
        ("0.0.0.0:50051", True, False, True),
        ("0.0.0.0:50051", False, True, True),
        ("[::]:50051", True, True, False),
        ("10.0.0.5:50051", False, False, True),
        ("zaiko.internal:50051", False, False, True),
        (":50051", False, False, True),
    ],
)
def test_a_server_that_others_can_reach_needs_tls_and_tokens(
    listen: str, tls: bool, with_tokens: bool, exposed: bool
) -> None:
    if not exposed:
        check_exposure(listen, tls=tls, tokens=with_tokens)
        return
    with pytest.raises(Exposed) as error:
        check_exposure(listen, tls=tls, tokens=with_tokens)
    assert ("--tls-cert" in str(error.value)) == (not tls)
    assert ("--auth tokens" in str(error.value)) == (not with_tokens)
    assert "--insecure" in str(error.value)


def test_an_unusable_certificate_file_is_named(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, Ca().issue("one"))
    other = written(tmp_path, Ca().issue("two"), "other")[1]
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no")
    for files, said in (
        ((tmp_path / "missing.pem", key), "missing.pem"),
        ((certificate, other), "is not the key of"),
        ((nothing, key), "not a certificate"),
        ((certificate, nothing), "not a key"),
        ((certificate, key, nothing), "nothing.pem is not a certificate"),
    ):
        with pytest.raises(CertificateUnusable, match=re.escape(said)):
            ServerTls(*files)
