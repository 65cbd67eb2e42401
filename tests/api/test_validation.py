"""The rule table: complete, not stale, and right at every edge."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from api.requests import all_rpcs, request_type
from google.protobuf.descriptor import Descriptor
from hypothesis import given
from hypothesis import strategies as st
from zaiko.v1 import (
    link_service_pb2,
    operation_service_pb2,
    product_service_pb2,
    shop_service_pb2,
    stock_service_pb2,
    sync_service_pb2,
)
from zaiko_core.domain.errors import InvalidField
from zaiko_server import names
from zaiko_server.refusals import BatchTooLarge, InvalidName, MaskInvalid, Repeated
from zaiko_server.validate import rules
from zaiko_server.validate.check import check
from zaiko_server.validate.table import TABLE

NOW = 1_800_000_000_000_000
REQUESTS = {request_type(rpc).name: request_type(rpc) for rpc in all_rpcs()}


def paths(message: Descriptor, fields: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every path that the table must have: fields, and choices, down to where it says that the rest
    is ignored."""
    for choice in message.oneofs:
        if not choice.name.startswith("_"):
            yield prefix + choice.name
    for descriptor in message.fields:
        path = prefix + descriptor.name
        yield path
        is_map = (
            descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry
        )
        if descriptor.message_type is None or is_map or isinstance(fields[path][0], rules.Ignored):
            continue
        if not descriptor.message_type.full_name.startswith("google."):
            yield from paths(
                descriptor.message_type, fields, path + ("[]." if descriptor.is_repeated else ".")
            )


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_every_field_of_every_request_has_an_entry_and_no_entry_is_stale(name: str) -> None:
    assert set(paths(REQUESTS[name], dict(TABLE[name]))) == set(TABLE[name])


def test_no_request_is_missing_or_stale() -> None:
    assert set(TABLE) == set(REQUESTS)


def test_every_entry_says_something() -> None:
    assert [
        (name, path)
        for name, fields in TABLE.items()
        for path, found in fields.items()
        if not found
    ] == []


# Every rule at its edges, wherever it is used.


def uses(kind: type) -> list[Any]:
    found = {
        rule
        for fields in TABLE.values()
        for entry in fields.values()
        for rule in entry
        if isinstance(rule, kind)
    }
    return sorted(found, key=repr)


def ids(rule: rules.FieldRule, value: Any) -> list[str]:
    return [rule_id for rule_id, _ in rule.complaints(value)]


@pytest.mark.parametrize("rule", uses(rules.Range), ids=str)
def test_numbers_are_bounded_on_both_sides(rule: rules.Range) -> None:
    assert ids(rule, rule.least) == ids(rule, rule.most) == []
    assert ids(rule, rule.least - 1) == ["int32.gte"]
    assert ids(rule, rule.most + 1) == ["int32.lte"]


@pytest.mark.parametrize("rule", uses(rules.Text), ids=str)
def test_texts_are_bounded_in_characters_not_bytes(rule: rules.Text) -> None:
    assert ids(rule, "在" * rule.longest) == []
    assert ids(rule, "a" * (rule.longest + 1)) == ["string.max_len"]
    assert ids(rule, "") == []


@pytest.mark.parametrize("rule", uses(rules.Items), ids=str)
def test_lists_are_bounded(rule: rules.Items) -> None:
    assert ids(rule, [0] * rule.most) == ids(rule, [0] * rule.least) == []
    assert ids(rule, [0] * (rule.most + 1)) == ["repeated.max_items"]
    if rule.least:
        assert ids(rule, [0] * (rule.least - 1)) == ["repeated.min_items"]


@pytest.mark.parametrize("rule", uses(rules.Within), ids=str)
def test_spans_are_bounded(rule: rules.Within) -> None:
    from zaiko_server.times import duration

    assert (
        ids(rule, duration(int(rule.least * 1e6)))
        == ids(rule, duration(int(rule.most * 1e6)))
        == []
    )
    assert ids(rule, duration(int(rule.least * 1e6) - 1)) == ["duration.gte"]
    assert ids(rule, duration(int(rule.most * 1e6) + 1)) == ["duration.lte"]


@pytest.mark.parametrize("rule", uses(rules.Entries), ids=str)
def test_maps_are_bounded(rule: rules.Entries) -> None:
    assert ids(rule, {"k" * rule.longest_key: "v" * rule.longest}) == []
    assert ids(rule, {str(i): "" for i in range(rule.most + 1)}) == ["map.max_pairs"]
    assert ids(rule, {"k" * (rule.longest_key + 1): ""}) == ["map.keys"]
    assert ids(rule, {"": ""}) == ["map.keys"]
    assert ids(rule, {"k": "v" * (rule.longest + 1)}) == ["map.values"]


@pytest.mark.parametrize("rule", uses(rules.Pattern), ids=str)
def test_chosen_ids(rule: rules.Pattern) -> None:
    for good in ("ab", "a1", "a-b", "a" * 63, "x--y"):
        assert ids(rule, good) == []
    for bad in ("a", "A1", "1a", "a-", "-a", "a" * 64, "a_b", "a.b", "あい", "ab\n", "ab "):
        assert ids(rule, bad) == ["string.pattern"]


@given(st.uuids())
def test_every_uuid_is_one(value: uuid.UUID) -> None:
    assert ids(rules.Uuid(), str(value)) == ids(rules.Uuid(), str(value).upper()) == []
    assert (
        ids(rules.Uuid(), value.hex) == ids(rules.Uuid(), "{" + str(value) + "}") == ["string.uuid"]
    )


@pytest.mark.parametrize("rule", uses(rules.NotFuture), ids=str)
def test_moments_may_be_a_little_ahead(rule: rules.NotFuture) -> None:
    from zaiko_server.times import timestamp

    limit = NOW + int(rule.ahead * 1e6)
    assert list(rule.complaints_at(timestamp(limit), NOW)) == []
    assert [item[0] for item in rule.complaints_at(timestamp(limit + 1), NOW)] == [
        "timestamp.lt_now"
    ]
    assert [item[0] for item in rule.complaints_at(timestamp(-1), NOW)] == ["timestamp.gte"]


@pytest.mark.parametrize("kind", names.ALL, ids=lambda kind: kind.kind)
def test_names_match_their_own_kind_only(kind: names.Name) -> None:
    name = kind(*("ab" for _ in kind.collections))
    assert [other.kind for other in names.ALL if other.matches(name)] == [kind.kind]
    assert kind.ids(name) == tuple("ab" for _ in kind.collections)
    for bad in (
        name + "/",
        "/" + name,
        name.upper(),
        name + "\n",
        name.replace("ab", "-"),
        name.replace("ab", "a b"),
        "",
    ):
        assert not kind.matches(bad)


@given(st.text(min_size=1, max_size=40))
def test_an_order_id_survives_its_name(external: str) -> None:
    name = names.ORDER("acme", "shop", names.order_id(external))
    assert names.external_order_id(names.ORDER.ids(name)[2]) == external


# The interpreter.


def violations(request: Any) -> dict[str, str]:
    with pytest.raises((InvalidField, InvalidName)) as caught:
        check(request, now=NOW)
    return {path: rule for path, rule, _ in caught.value.violations}


def receipt(**fields: Any) -> Any:
    values = {
        "product": "merchants/acme/products/p1",
        "warehouse": "merchants/acme/warehouses/w1",
        "quantity": 1,
    }
    return stock_service_pb2.RecordReceiptRequest(**values | fields)


def test_a_request_that_is_right_passes() -> None:
    check(receipt(), now=NOW)


def test_every_violation_is_told_at_once() -> None:
    request = receipt(
        product="x", quantity=-1, cause_key="k" * 201, note="n" * 1001, request_id="1"
    )

    assert violations(request) == {
        "product": "name.form",
        "quantity": "int32.gte",
        "cause_key": "string.max_len",
        "note": "string.max_len",
        "request_id": "string.uuid",
    }


def test_items_are_named_by_their_index() -> None:
    items = [
        stock_service_pb2.SetReserveRequest(product=f"merchants/acme/products/p{i}", reserve=-i)
        for i in range(4)
    ]
    request = stock_service_pb2.BatchSetReservesRequest(parent="merchants/acme", requests=items)

    assert violations(request) == {f"requests[{i}].reserve": "int32.gte" for i in (1, 2, 3)}


def test_a_batch_that_is_too_large_is_not_looked_at() -> None:
    request = stock_service_pb2.BatchSetReservesRequest(
        requests=[stock_service_pb2.SetReserveRequest()] * 1001
    )
    with pytest.raises(BatchTooLarge, match="1001 items, at most 1000"):
        check(request, now=NOW)


def test_an_absent_message_that_is_needed_is_told_once() -> None:
    assert violations(product_service_pb2.CreateProductRequest(parent="merchants/acme")) == {
        "product": "required"
    }
    assert violations(stock_service_pb2.AllocateStockRequest(quantity=1)) == {
        "demand": "required",
        "product": "required",
        "warehouse": "required",
    }


def test_a_choice_that_is_needed_is_told_by_its_name() -> None:
    assert violations(sync_service_pb2.SyncNowRequest()) == {"subject": "required"}
    assert violations(sync_service_pb2.SyncNowRequest(shop="")) == {"shop": "required"}


def test_names_of_two_merchants_do_not_mix() -> None:
    assert violations(receipt(warehouse="merchants/evil/warehouses/w1")) == {
        "warehouse": "name.merchant"
    }


def test_duplicates_alone_are_a_reason_of_their_own() -> None:
    request = product_service_pb2.BatchGetProductsRequest(
        parent="merchants/acme", names=["merchants/acme/products/p1"] * 2
    )
    with pytest.raises(Repeated) as caught:
        check(request, now=NOW)
    assert caught.value.metadata["index"] == "1"


def test_enums_that_are_unknown_or_unspecified_are_refused() -> None:
    request = product_service_pb2.ListProductsRequest(
        parent="merchants/acme", filter={"states": [0, 1, 99]}
    )
    assert violations(request) == {
        "filter.states[0]": "enum.not_in",
        "filter.states[2]": "enum.defined_only",
    }


def test_nul_is_refused_everywhere_since_no_database_keeps_it() -> None:
    assert violations(receipt(note="a\x00b")) == {"note": "string.no_nul"}
    request = shop_service_pb2.CreateShopRequest(parent="merchants/acme", shop_id="s1")
    request.shop.connector, request.shop.display_name = "connectors/toy", "S"
    request.shop.settings.update({"list": ["ok", {"deep": "a\x00"}]})
    assert violations(request) == {"shop.settings": "string.no_nul"}
    request.shop.settings.update({"list": [float("nan")]})
    assert violations(request) == {"shop.settings": "double.finite"}


def test_times_that_are_none_are_refused() -> None:
    request = receipt()
    request.occur_time.seconds = 253_402_300_800
    assert violations(request) == {"occur_time": "timestamp.valid"}
    waiting = operation_service_pb2.WaitOperationRequest(name="merchants/acme/operations/o1")
    waiting.timeout.seconds, waiting.timeout.nanos = 1, -1
    assert violations(waiting) == {"timeout": "duration.valid"}


def test_only_what_an_update_changes_is_looked_at() -> None:
    request = product_service_pb2.UpdateProductRequest()
    request.product.name, request.product.code = "merchants/acme/products/p1", " untrimmed "
    request.update_mask.paths.append("barcode")
    check(request, now=NOW)

    request.update_mask.paths.append("code")
    assert violations(request) == {"product.code": "string.trimmed"}


def test_a_mask_is_looked_at_first() -> None:
    request = link_service_pb2.UpdateLinkRequest()
    request.link.name = "x"
    request.update_mask.paths.append("colour")
    with pytest.raises(MaskInvalid):
        check(request, now=NOW)


def test_what_is_output_only_is_not_looked_at() -> None:
    request = product_service_pb2.CreateProductRequest(parent="merchants/acme")
    request.product.code, request.product.name, request.product.state = "c", "any\x00thing", 99  # type: ignore[assignment]
    check(request, now=NOW)


@given(st.data())
def test_no_request_makes_the_check_itself_fail(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(REQUESTS)))
    request = _drawn(data, REQUESTS[name])
    with contextlib.suppress(InvalidField, InvalidName, BatchTooLarge, Repeated, MaskInvalid):
        check(request, now=NOW)


def _drawn(data: st.DataObject, descriptor: Descriptor, depth: int = 0) -> Any:
    from google.protobuf import message_factory

    message = message_factory.GetMessageClass(descriptor)()
    for descriptor_field in descriptor.fields:
        if not data.draw(st.booleans()) or depth > 4:
            continue
        is_map = (
            descriptor_field.message_type is not None
            and descriptor_field.message_type.GetOptions().map_entry
        )
        if is_map:
            if descriptor.full_name.startswith("zaiko."):
                getattr(message, descriptor_field.name)[data.draw(st.text(max_size=3))] = data.draw(
                    st.text(max_size=3)
                )
        elif descriptor_field.message_type is not None:
            items = [
                _drawn(data, descriptor_field.message_type, depth + 1)
                for _ in range(data.draw(st.integers(1, 2)))
            ]
            if descriptor_field.is_repeated:
                getattr(message, descriptor_field.name).extend(items)
            else:
                getattr(message, descriptor_field.name).CopyFrom(items[0])
        else:
            _set(data, message, descriptor_field)
    return message


def _set(data: st.DataObject, message: Any, descriptor_field: Any) -> None:
    kinds: dict[int, st.SearchStrategy[Any]] = {
        descriptor_field.CPPTYPE_STRING: st.sampled_from(
            ["", "x", "merchants/acme", "merchants/acme/shops/-", "a\x00", "在庫"]
        ),
        descriptor_field.CPPTYPE_BOOL: st.booleans(),
        descriptor_field.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        descriptor_field.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        descriptor_field.CPPTYPE_ENUM: st.integers(-1, 20),
        descriptor_field.CPPTYPE_DOUBLE: st.floats(),
    }
    value = data.draw(kinds[descriptor_field.cpp_type])
    if descriptor_field.is_repeated:
        getattr(message, descriptor_field.name).append(value)
    else:
        setattr(message, descriptor_field.name, value)
