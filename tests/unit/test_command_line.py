"""The command line without its server, and what it repeats of the server because it does not import
it."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from zaiko_cli import contributions, names
from zaiko_cli.commands import CONTRIBUTED, contributed
from zaiko_cli.connection import is_local
from zaiko_cli.doctor.served import VERSION_KEY
from zaiko_cli.failure import Failed
from zaiko_server import names as server_names
from zaiko_server.config import Config
from zaiko_server.security import transport
from zaiko_server.services import connectors


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "needs the server"),
        ({"LANG": "en_US.UTF-8"}, "needs the server"),
        ({"LANG": "ja_JP.UTF-8"}, "サーバーが必要"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "ja_JP.UTF-8"}, "サーバーが必要"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "needs the server"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "サーバーが必要"),
    ],
)
def test_without_the_server_a_command_says_what_to_install(
    environment: dict[str, str], words: str
) -> None:
    sentence = contributions.missing("zaiko serve", environment)

    assert words in sentence
    assert "`zaiko serve`" in sentence
    assert "`pip install zaiko`" in sentence


def test_what_nobody_contributes_is_refused_with_the_sentence() -> None:
    with pytest.raises(Failed, match="pip install zaiko"):
        contributions.load(contributions.COMMANDS, "no-such-command", "zaiko no-such-command")


def test_an_installation_that_lacks_a_module_is_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def load(self) -> None:
            raise ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy")

    monkeypatch.setattr(contributions, "entry_points", lambda **_: [Broken()])

    with pytest.raises(Failed, match=r"sqlalchemy.*force-reinstall"):
        contributions.load(contributions.COMMANDS, "serve", "zaiko serve")


def test_the_server_contributes_every_command_that_help_shows_and_no_other() -> None:
    assert {item.name for item in entry_points(group=contributions.COMMANDS)} == set(CONTRIBUTED)


def test_the_server_contributes_every_action_behind_an_option() -> None:
    assert {item.name for item in entry_points(group=contributions.ACTIONS)} == {
        "connectors",
        "doctor",
        "tokens",
    }


@pytest.mark.parametrize("name", CONTRIBUTED)
def test_help_says_of_a_contributed_command_what_the_command_says(name: str) -> None:
    said = " ".join(contributed(name).help.split())

    assert said.startswith(CONTRIBUTED[name])


@pytest.mark.parametrize("external", ["1001", "R-1#2", "楽天 1/2", "a_b", "%20"])
def test_orders_have_the_ids_that_the_server_gives_them(external: str) -> None:
    assert names.order_id(external) == server_names.order_id(external)
    assert names.CHOSEN_ID == server_names.CHOSEN_ID


@pytest.mark.parametrize(
    "name",
    [
        "merchants/acme/shops/mall/listings/l1",
        "merchants/acme/shops/mall/listings/-l1",
        "merchants/acme/shops/mall/links/l1",
        "merchants/a/shops/mall/listings/l1",
        "l1",
    ],
)
def test_listings_names_have_the_form_that_the_server_expects(name: str) -> None:
    assert names.is_listing(name) == server_names.LISTING.matches(name)


@pytest.mark.parametrize(
    "address", ["localhost:1", "127.0.0.9:1", "[::1]:1", "unix:/x", "10.0.0.1:1", "zaiko.test:1"]
)
def test_command_line_and_server_agree_what_stays_on_this_machine(address: str) -> None:
    assert is_local(address) == transport.is_local(address)


def test_command_line_and_server_agree_where_the_release_is() -> None:
    assert VERSION_KEY == connectors.VERSION_KEY


def test_every_setting_of_the_command_serve_is_read_from_its_variable() -> None:
    options = {item.name: item for item in contributed("serve").params}
    settings = {name: item for name, item in options.items() if name in Config.model_fields}

    assert {name: item.envvar for name, item in settings.items()} == {
        name: "ZAIKO_" + name.upper() for name in settings
    }
    assert set(options) - set(settings) == {"port_file"}


def test_no_option_takes_a_key_because_others_can_read_the_command_line() -> None:
    assert "secret_keys" not in {item.name for item in contributed("serve").params}


def test_settings_without_an_option_given_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZAIKO_RUN_SHOPS", "false")
    monkeypatch.setenv("ZAIKO_GRACE", "3")

    config = Config.read({"run_shops": None, "grace": 4.0})

    assert (config.run_shops, config.grace) == (False, 4.0)
