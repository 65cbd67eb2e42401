"""What the SDK gives connectors beside the contract: repeats, pages and fields."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from zaiko_sdk import (
    ContractBroken,
    LooseFields,
    PageTrail,
    PlatformDown,
    Repeats,
    ReplyFields,
    SettingsInvalid,
    Timeout,
    announced_wait,
    http_origin,
    read_json,
    transport_errors,
)
from zaiko_sdk.testing.clock import FakeClock


def test_each_failure_takes_one_delay_and_then_the_host_repeats() -> None:
    repeats = Repeats(FakeClock(), (1.0, 3.0))

    assert [repeats.after_failure() for _ in range(3)] == [1.0, 3.0, None]


def test_an_announced_wait_replaces_the_delay_unless_it_is_too_long() -> None:
    repeats = Repeats(FakeClock(), (1.0, 3.0), longest_wait=10)

    assert repeats.after_failure(announced=7) == 7
    assert repeats.after_failure(announced=11) is None


def test_no_repeat_is_sent_after_the_time_is_over() -> None:
    clock = FakeClock()
    repeats = Repeats(clock, (5.0, 5.0), within=20)
    clock.advance(14)

    assert repeats.after_failure() == 5.0
    clock.advance(5)
    assert repeats.after_failure() is None
    assert repeats.age == 19


def test_throttling_takes_no_delay() -> None:
    repeats = Repeats(FakeClock(), (1.0,), within=20)

    assert [repeats.after_throttling(2) for _ in range(3)] == [2, 2, 2]
    assert repeats.after_throttling(21) is None
    assert repeats.after_failure() == 1.0


def test_pages_that_go_round_in_circles_are_noticed() -> None:
    trail = PageTrail("orders", start="a")

    assert trail.follow("b") == "b"
    for seen in ("b", "a"):
        with pytest.raises(ContractBroken, match="orders"):
            trail.follow(seen)


def test_pages_without_end_are_noticed() -> None:
    trail = PageTrail("orders", most=3)
    trail.follow(1)
    trail.follow(2)

    with pytest.raises(ContractBroken, match="3 pages"):
        trail.follow(3)


VALUES: dict[str, Any] = {
    "text": "a",
    "empty": "",
    "half": "\ud800",
    "whole": 3,
    "spelled": " -3 ",
    "float": 3.0,
    "part": 3.5,
    "flag": True,
    "one": 1,
    "time": "2026-11-23T09:00:00+09:00",
    "local": "2026-11-23T09:00:00",
    "null": None,
    "list": [{"a": 1}],
    "map": {"x": {"a": 1}},
}


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        ("text", "empty"),
        ("text", "whole"),
        ("text", "half"),
        ("text_or_empty", "flag"),
        ("whole", "spelled"),
        ("whole", "part"),
        ("whole", "flag"),
        ("units", "missing"),
        ("number", "text"),
        ("flag", "one"),
        ("moment", "local"),
        ("moment", "text"),
        ("inner", "list"),
        ("rows", "map"),
        ("each", "null"),
    ],
)
def test_a_field_of_another_type_is_named_and_its_value_is_not_shown(
    reader: str, name: str
) -> None:
    with pytest.raises(ContractBroken, match=rf"order 5.*{name}"):
        getattr(ReplyFields("order 5", VALUES), reader)(name)


@pytest.mark.parametrize(
    ("reader", "name", "expected"),
    [
        ("text", "whole", "3"),
        ("whole", "spelled", -3),
        ("whole", "float", 3),
        ("flag", "one", True),
        ("flag", "spelled", True),
    ],
)
def test_loose_fields_take_what_platforms_mix(reader: str, name: str, expected: object) -> None:
    assert getattr(LooseFields("item", VALUES), reader)(name) == expected


@pytest.mark.parametrize("name", ["null", "missing"])
def test_null_and_a_missing_field_are_the_same_where_a_field_is_optional(name: str) -> None:
    fields = ReplyFields("order 5", VALUES)

    assert fields.text_or_empty(name) == ""
    assert fields.whole_or_none(name) is None
    assert fields.flag_or(name, True) is True
    assert fields.moment_or_none(name) is None
    assert fields.inner_or_none(name) is None
    assert fields.rows_or_empty(name) == []
    assert fields.each_or_empty(name) == []
    assert name not in fields


def test_inner_fields_carry_their_path() -> None:
    fields = ReplyFields("order 5", VALUES)

    assert [each.where for each in fields.each("list")] == ["order 5.list[0]"]
    assert [member.where for _, member in fields.members("map")] == ["order 5.map.x"]
    assert fields.names("null")


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_has_no_fields(value: object) -> None:
    with pytest.raises(ContractBroken, match="order 5 should be an object"):
        ReplyFields("order 5", value)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(content)


@pytest.mark.parametrize(
    ("header", "wait"), [("7", 7.0), ("", None), ("soon", None), ("99999999", 86_400.0)]
)
def test_an_announced_wait_is_at_most_a_day(header: str, wait: float | None) -> None:
    assert announced_wait(httpx.Response(429, headers={"retry-after": header})) == wait


@pytest.mark.parametrize(
    ("raised", "becomes", "sent"),
    [
        (httpx.ConnectError("x"), PlatformDown, ...),
        (httpx.PoolTimeout("x"), PlatformDown, ...),
        (httpx.ConnectTimeout("x"), Timeout, False),
        (httpx.ReadTimeout("x"), Timeout, None),
        (httpx.RemoteProtocolError("x"), Timeout, None),
        (httpx.UnsupportedProtocol("x"), SettingsInvalid, ...),
    ],
)
def test_only_a_refused_connection_promises_that_nothing_was_applied(
    raised: Exception, becomes: type[Exception], sent: object
) -> None:
    with (
        pytest.raises(becomes) as caught,
        transport_errors("https://shop.test", "/api/stock"),
    ):
        raise raised

    assert caught.value.__suppress_context__
    if sent is not ...:
        assert getattr(caught.value, "sent", ...) is sent


@pytest.mark.parametrize(
    ("entered", "origin"),
    [
        ("https://shop.test", "https://shop.test"),
        (" https://Shop.test/ ", "https://shop.test"),
        ("https://shop.test:8443", "https://shop.test:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://simulator:8080", "http://simulator:8080"),
    ],
)
def test_an_address_is_an_origin(entered: str, origin: str) -> None:
    assert http_origin(entered, such_as="https://my.test", sends="the token") == origin


@pytest.mark.parametrize(
    ("entered", "why"),
    [
        ("", "such as https://my.test"),
        ("shop.test", "such as https://my.test"),
        ("ftp://shop.test", "such as https://my.test"),
        ("https://", "such as https://my.test"),
        ("https://shop.test:port", "such as https://my.test"),
        ("https://shop.test/api", "without a path"),
        ("https://shop.test?a=1", "without a path"),
        ("https://shop.test#a", "without a path"),
        ("https://user@shop.test", "without a user name"),
        ("http://shop.test", "because the token is sent to it"),
    ],
)
def test_any_other_address_is_refused_in_words(entered: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        http_origin(entered, such_as="https://my.test", sends="the token")


def test_plain_http_is_accepted_where_no_secret_is_sent() -> None:
    assert http_origin("http://shop.test", such_as="https://my.test") == "http://shop.test"
