"""Field masks: every path of every resource that can be updated, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from api.requests import request_type
from google.protobuf import message_factory
from zaiko.v1 import link_pb2, product_service_pb2, shop_pb2, shop_service_pb2
from zaiko_server.masks import UPDATES, check_fixed, mask_of
from zaiko_server.refusals import MaskInvalid

PROTO = Path(__file__).parents[2] / "proto"
SERVICES = {
    "UpdateMerchantRequest": "MerchantService.UpdateMerchant",
    "UpdateProductRequest": "ProductService.UpdateProduct",
    "UpdateShopRequest": "ShopService.UpdateShop",
    "UpdateLinkRequest": "LinkService.UpdateLink",
}


def empty(name: str) -> Any:
    return message_factory.GetMessageClass(request_type(SERVICES[name]))()


def every_path() -> list[tuple[str, str]]:
    return [
        (name, field.name)
        for name, (holder, _) in UPDATES.items()
        for field in request_type(SERVICES[name]).fields_by_name[holder].message_type.fields
    ]


@pytest.mark.parametrize("name", UPDATES)
def test_the_protos_name_every_field_that_can_be_changed(name: str) -> None:
    file = PROTO / request_type(SERVICES[name]).file.name
    said = re.search(
        r"((?: *//.*\n)+) *google\.protobuf\.FieldMask update_mask",
        file.read_text("utf-8").partition(f"message {name} ")[2],
    )

    assert said is not None
    assert set(re.findall(r"`(\w+)`", said.group(1))) - {UPDATES[name][0]} == set(
        UPDATES[name][1].changeable
    )


@pytest.mark.parametrize(("name", "path"), every_path())
def test_every_path_of_every_resource(name: str, path: str) -> None:
    request, fields = empty(name), UPDATES[name][1]
    request.update_mask.paths.append(path)

    if path in fields.changeable:
        assert mask_of(request).changes == {path}
    elif path in fields.fixed:
        assert mask_of(request).fixed == {path}
    else:
        with pytest.raises(MaskInvalid) as caught:
            mask_of(request)
        assert caught.value.metadata["paths"] == path


def test_tables_name_fields_that_exist() -> None:
    for name, (holder, fields) in UPDATES.items():
        message = request_type(SERVICES[name]).fields_by_name[holder].message_type
        assert set(fields.changeable + fields.fixed) <= set(message.fields_by_name)


def test_without_a_mask_the_fields_that_are_present_change() -> None:
    request = shop_service_pb2.UpdateShopRequest(
        shop=shop_pb2.Shop(name="n", display_name="d", secrets={"a": "b"})
    )
    assert mask_of(request).changes == {"display_name", "secrets"}


def test_a_star_means_everything_that_can_be_changed() -> None:
    request = product_service_pb2.UpdateProductRequest()
    request.update_mask.paths.append("*")
    assert mask_of(request).changes == {"code", "barcode", "display_name"}


@pytest.mark.parametrize("paths", [["*", "code"], ["code.x"], ["Code"], ["code", "nothing"], [""]])
def test_other_paths_are_refused(paths: list[str]) -> None:
    request = product_service_pb2.UpdateProductRequest()
    request.update_mask.paths.extend(paths)
    with pytest.raises(MaskInvalid):
        mask_of(request)


def test_changing_nothing_is_refused() -> None:
    request = product_service_pb2.UpdateProductRequest()
    request.product.name, request.product.revision = "n", 7
    with pytest.raises(MaskInvalid, match="nothing is to be changed"):
        mask_of(request)


def test_a_fixed_field_may_be_named_while_it_stays_as_it_is() -> None:
    request = shop_service_pb2.UpdateShopRequest(
        shop=shop_pb2.Shop(connector="connectors/a", display_name="d")
    )
    mask = mask_of(request)

    check_fixed(mask, request.shop, shop_pb2.Shop(connector="connectors/a"))
    with pytest.raises(MaskInvalid) as caught:
        check_fixed(mask, request.shop, shop_pb2.Shop(connector="connectors/b"))
    assert caught.value.metadata["paths"] == "connector"


def test_a_links_target_is_fixed() -> None:
    fields = UPDATES["UpdateLinkRequest"][1]
    assert {
        field.name for field in link_pb2.Link.DESCRIPTOR.oneofs_by_name["target"].fields
    } <= set(fields.fixed)
