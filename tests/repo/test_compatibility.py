"""`zaiko.v1` only grows: what breaks a client of the last release is noticed, and what such a
client sends and reads is still understood."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from zaiko_server.options import FILES

PROTO = Path(__file__).parents[2] / "proto"
RELEASED = PROTO / "released" / "v1.binpb"
BUF = Path(sys.executable).parent / "buf"


def breaking(protos: Path) -> str:
    """What buf says against the last release; nothing when all is well."""
    ended = subprocess.run(
        [BUF, "breaking", "--against", RELEASED],
        cwd=protos,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.stdout + ended.stderr


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(PROTO, tmp_path / "proto", ignore=shutil.ignore_patterns("gen"))
    return tmp_path / "proto"


def test_nothing_breaks_a_client_of_the_last_release() -> None:
    assert breaking(PROTO) == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("merchant.proto", "string display_name = 2 ", "string title = 2 ", "display_name"),
        ("merchant.proto", "string display_name = 2 ", "int64 display_name = 2 ", "type"),
        ("merchant.proto", "string display_name = 2 ", "string display_name = 20 ", "was deleted"),
        ("merchant_service.proto", "rpc GetMerchant(", "rpc ReadMerchant(", "GetMerchant"),
        ("error.proto", "OWNER_PLATFORM = 2;", "OWNER_SHOP = 2;", "OWNER_PLATFORM"),
    ],
)
def test_a_change_that_breaks_clients_is_noticed(
    protos: Path, file: str, old: str, new: str, said: str
) -> None:
    path = protos / "zaiko" / "v1" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    assert said in breaking(protos)


def test_an_addition_is_fine(protos: Path) -> None:
    path, field = protos / "zaiko" / "v1" / "merchant.proto", "string display_name = 2 "
    path.write_text(
        path.read_text().replace(field, f"string more = 99;\n  // Required.\n  {field}")
    )

    assert breaking(protos) == ""


def test_bytes_of_the_last_release_mean_the_same_now_and_the_other_way_round() -> None:
    pool = DescriptorPool()
    released = FileDescriptorSet.FromString(RELEASED.read_bytes())
    for file in released.file:
        pool.Add(file)  # type: ignore[attr-defined]
    seen = 0
    for now in _messages():
        try:
            then = GetMessageClass(pool.FindMessageTypeByName(now.DESCRIPTOR.full_name))
        except KeyError:
            continue  # newer than the release
        old = then()
        _fill(old, depth=0)
        read = now.FromString(old.SerializeToString())
        assert json_format.MessageToDict(read) == json_format.MessageToDict(old), (
            now.DESCRIPTOR.full_name
        )
        assert then.FromString(read.SerializeToString()) == old
        seen += 1
    assert seen > 140


def _messages() -> Iterator[Any]:
    """Every message that a method takes or gives."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield from (GetMessageClass(method.input_type), GetMessageClass(method.output_type))


def _fill(message: Any, depth: int) -> None:
    """Every field with something in it."""
    for number, field in enumerate(message.DESCRIPTOR.fields):
        if field.message_type is not None and (
            depth > 3 or field.message_type.full_name.startswith("google.protobuf.")
        ):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        if field.message_type is not None:
            inner = (
                getattr(message, field.name).add()
                if field.is_repeated
                else getattr(message, field.name)
            )
            if not field.is_repeated:
                inner.SetInParent()
            _fill(inner, depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).append(_value(field, number))
        else:
            setattr(message, field.name, _value(field, number))


def _value(field: Any, number: int) -> Any:
    if field.type == field.TYPE_STRING:
        return f"{field.name} 在庫 {number}"
    if field.type == field.TYPE_BOOL:
        return True
    if field.type == field.TYPE_BYTES:
        return b"\x00\xff"
    if field.type == field.TYPE_ENUM:
        return field.enum_type.values[-1].number
    return number + 1
