"""A server that others can reach: TLS and tokens, by the command line, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api.certificates import Ca, written
from e2e.local_server import Said
from zaiko_server.demo.processes import DemoProcesses


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    ca = Ca()
    written(folder, ca.issue("server"))
    (folder / "ca.pem").write_bytes(ca.pem)
    return folder


def zaiko(folder: Path, *arguments: str, token: str = "") -> Said:
    """A command in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ZAIKO_")}
    ended = subprocess.run(
        [sys.executable, "-m", "zaiko_cli", *arguments],
        cwd=folder,
        env=environment | ({"ZAIKO_TOKEN": token} if token else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def admin(folder: Path) -> str:
    """The first token, made beside the server before it runs."""
    made = zaiko(
        folder,
        "tokens",
        "create",
        "Operator",
        "--role",
        "admin",
        "--all-merchants",
        "--db",
        "zaiko.db",
    )
    assert made.code == 0, made
    return made.out.strip()


@pytest.fixture(scope="module")
def address(folder: Path, admin: str) -> Iterator[str]:
    with DemoProcesses(folder) as processes:
        tls = ["--tls-cert", "server.pem", "--tls-key", "server.key", "--auth", "tokens"]
        processes.start("serve", ["serve", "--listen", "0.0.0.0:0", "--answer-only", *tls])
        yield f"localhost:{processes.address('serve').rpartition(':')[2]}"


def test_the_first_token_is_made_beside_the_server_and_makes_others(
    folder: Path, admin: str, address: str
) -> None:
    where = ["--address", address, "--ca", "ca.pem"]
    assert zaiko(folder, "merchants", "create", "acme", *where, token=admin).code == 0
    made = zaiko(
        folder,
        "tokens",
        "create",
        "Tablet",
        "--role",
        "reader",
        "--for",
        "acme",
        "--days",
        "30",
        *where,
        token=admin,
    )
    assert (made.code, made.out[:3]) == (0, "zk_")
    (folder / "tablet.token").write_text(made.out)

    read = zaiko(folder, "status", "--token-file", "tablet.token", *where)
    assert read.code == 0, read
    write = zaiko(folder, "products", "create", "A-1", "--token-file", "tablet.token", *where)
    assert "PERMISSION_MISSING" in write.err

    listed = zaiko(folder, "tokens", "list", *where, token=admin)
    assert "Tablet" in listed.out
    assert made.out.strip().split("_", 2)[2] not in listed.out
    assert zaiko(folder, "tokens", "revoke", made.out.split("_")[1], *where, token=admin).code == 0
    assert "TOKEN_INVALID" in zaiko(folder, "status", "--token-file", "tablet.token", *where).err


def test_a_token_for_a_merchant_that_is_not_there_is_made_with_a_warning(
    folder: Path, admin: str, address: str
) -> None:
    where = ["--address", address, "--ca", "ca.pem"]

    made = zaiko(
        folder,
        "tokens",
        "create",
        "Typo",
        "--role",
        "reader",
        "--for",
        "acmee",
        *where,
        token=admin,
    )

    assert made.code == 0
    assert "There is no merchants/acmee yet" in made.err
    assert made.out.startswith("zk_")


def test_without_a_token_the_sentence_says_where_to_put_it(folder: Path, address: str) -> None:
    said = zaiko(folder, "merchants", "list", "--address", address, "--ca", "ca.pem")

    assert said.code == 1
    assert "ZAIKO_TOKEN" in said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "If it speaks TLS, add --ca with its CA's file, or --tls"),
        (["--ca", "stranger.pem"], "cannot be trusted. Give the CA that issued it with --ca"),
    ],
)
def test_who_speaks_another_tls_than_the_server_is_told_so(
    arguments: list[str], sentence: str, folder: Path, address: str
) -> None:
    (folder / "stranger.pem").write_bytes(Ca().pem)

    said = zaiko(folder, "merchants", "list", "--address", address, *arguments)

    assert said.code == 3
    assert sentence in " ".join(said.err.split())
    # One sentence, and nothing of gRPC's own beside it.
    assert said.err.startswith("Error: ")


def test_who_speaks_tls_to_a_server_without_it_is_told_so(folder: Path) -> None:
    with DemoProcesses(folder) as processes:
        processes.start(
            "plain", ["serve", "--db", "plain.db", "--listen", "127.0.0.1:0", "--answer-only"]
        )
        said = zaiko(
            folder, "merchants", "list", "--address", processes.address("plain"), "--ca", "ca.pem"
        )

    assert said.code == 3
    assert "does not speak TLS" in said.err


def test_a_token_is_never_sent_where_others_could_read_it(folder: Path, admin: str) -> None:
    said = zaiko(folder, "merchants", "list", "--address", "zaiko.example:50051", token=admin)

    assert said.code == 2
    assert "unencrypted" in said.err


def test_a_server_that_everybody_could_call_does_not_start_by_accident(folder: Path) -> None:
    said = zaiko(folder, "serve", "--listen", "0.0.0.0:0", "--answer-only")

    assert said.code == 2
    assert "--tls-cert and --tls-key and --auth tokens" in " ".join(said.err.split())
    assert "--insecure" in said.err


@pytest.mark.thorough
def test_a_key_of_another_certificate_does_not_start_either(folder: Path) -> None:
    written(folder, Ca().issue("other"), "other")

    said = zaiko(
        folder, "serve", "--tls-cert", "server.pem", "--tls-key", "other.key", "--answer-only"
    )

    assert said.code == 2
    assert "is not the key of" in " ".join(said.err.split())


@pytest.mark.thorough
def test_a_restored_database_is_prepared_by_hand(folder: Path) -> None:
    zaiko(folder, "migrate", "--db", "restored.db")

    said = zaiko(folder, "restored", "--db", "restored.db", "--yes")

    assert (said.code, said.out.strip()) == (
        0,
        "0 shops wait in shadow mode until you run `zaiko shops shadow SHOP off`. "
        "docs/operations/backup.md has the next steps.",
    )
    assert zaiko(folder, "restored", "--db", "restored.db").code == 1  # nobody said yes
