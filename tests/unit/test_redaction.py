"""What is taken out of a platform's words before anybody reads them."""

import base64
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from zaiko_sdk import ConnectorSettings
from zaiko_sdk.redaction import HIDDEN, redacted

SECRET = "SL987001_lic/ence+key="  # of nobody


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "SP1:"])
def test_a_secret_within_base64_is_hidden_wherever_it_begins(before: str) -> None:
    coded = base64.b64encode(f"{before}{SECRET}:x".encode()).decode()
    clean = redacted(f"ESA {coded} refused", [SECRET])

    assert HIDDEN in clean
    assert base64.b64encode(SECRET.encode()).decode()[:12] not in clean
    assert len(clean) < len(coded)


@pytest.mark.parametrize(
    "way",
    [
        str,
        lambda s: quote(s, safe=""),
        lambda s: s.encode().hex(),
        lambda s: s.encode().hex().upper(),
    ],
)
def test_each_way_of_writing_a_secret_is_hidden(way: object) -> None:
    assert redacted(f"no {way(SECRET)} here", [SECRET]) == f"no {HIDDEN} here"  # type: ignore[operator]


def test_a_secret_that_was_cut_off_at_the_end_is_hidden() -> None:
    assert redacted(f"refused: {SECRET[:12]}", [SECRET]) == f"refused: {HIDDEN}"


def test_a_known_prefix_at_the_end_stays() -> None:
    assert redacted("a key begins with SL98", [SECRET]) == "a key begins with SL98"


def test_of_two_secrets_of_which_one_begins_the_other_both_are_hidden() -> None:
    assert (
        redacted("abcdefgh-more abcdefgh.", ["abcdefgh", "abcdefgh-more"]) == f"{HIDDEN} {HIDDEN}."
    )


def test_short_values_are_no_secrets() -> None:
    assert redacted("abc is abc", ["abc", ""]) == "abc is abc"


def test_settings_hide_their_credentials_and_what_was_got_for_them() -> None:
    class Settings(ConnectorSettings):
        shop: str
        key: SecretStr
        other: SecretStr | None = None

    settings = Settings(shop="shop.example", key=SecretStr(SECRET))

    assert (
        settings.redact(f"shop.example {SECRET} granted-token", "granted-token")
        == f"shop.example {HIDDEN} {HIDDEN}"
    )
