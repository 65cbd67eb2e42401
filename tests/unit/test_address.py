"""How operators write a database's address."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from zaiko_core.storage.address import address


def _connects(url: str) -> dict[str, object]:
    """Return the arguments that psycopg receives."""
    return dict(PGDialect_psycopg().create_connect_args(address(url))[1])


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_postgresql_is_spoken_to_by_psycopg(scheme: str) -> None:
    assert address(f"{scheme}://u:p@host/name").get_driver_name() == "psycopg"


@pytest.mark.parametrize(
    ("url", "hosts", "ports"),
    [
        ("postgresql://u:p%40w@one:5432,two:5433/name", "one,two", "5432,5433"),
        ("postgresql://u:p%40w@one,two/name", "one,two", None),
        (
            "postgresql+psycopg://u:p%40w@one:1,two:2,three:3/name?sslmode=require",
            "one,two,three",
            "1,2,3",
        ),
        ("postgresql://u:p%40w@/name?host=one:5432&host=two:5433", "one,two", "5432,5433"),
    ],
)
def test_several_hosts_are_written_as_in_libpq_or_as_parameters(
    url: str, hosts: str, ports: str | None
) -> None:
    observed = _connects(url)

    assert (observed["host"], str(observed.get("port") or "").strip(",") or None) == (hosts, ports)
    assert (observed["user"], observed["password"], observed["dbname"]) == ("u", "p@w", "name")


def test_parameters_behind_several_hosts_are_kept() -> None:
    assert _connects("postgresql://u@one:1,two:2/name?sslmode=require")["sslmode"] == "require"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "u:secret@host",
        "x y://secret",
    ],
)
def test_what_is_no_store_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        address(url)

    assert "secret" not in str(refused.value)


def test_a_comma_elsewhere_is_no_second_host() -> None:
    assert address("postgresql://u:a,b@one/name").host == "one"
    assert address("sqlite:///a,b.db").database == "a,b.db"
