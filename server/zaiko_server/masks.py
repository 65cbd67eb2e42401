"""Partial updates: which fields a request changes. Driven by the table below and the messages'
descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from zaiko_server.refusals import MaskInvalid


@dataclass(frozen=True, slots=True)
class Fields:
    """`changeable` fields of a resource, and `fixed` ones: those set at creation, which may be
    named when they stay as they are."""

    changeable: tuple[str, ...]
    fixed: tuple[str, ...] = ()


UPDATES: Mapping[str, tuple[str, Fields]] = {
    "UpdateMerchantRequest": ("merchant", Fields(("display_name", "inventory_sync_available"))),
    "UpdateProductRequest": ("product", Fields(("code", "barcode", "display_name"))),
    "UpdateShopRequest": (
        "shop",
        Fields(
            (
                "display_name",
                "settings",
                "secrets",
                "sync_interval",
                "drift_policy",
                "shadow",
                "suspect_policy",
            ),
            ("connector",),
        ),
    ),
    "UpdateLinkRequest": ("link", Fields(("sync_enabled",), ("listing", "product", "bundle"))),
}
"""By request: the field that holds the resource, and what of it can be changed. Everything else is
output-only."""


@dataclass(frozen=True, slots=True)
class Mask:
    """The fields that a request changes, and the fixed ones that it names."""

    changes: frozenset[str]
    fixed: frozenset[str] = frozenset()


def mask_of(request: Any) -> Mask:
    """What an update request changes; raises MaskInvalid, naming every bad path. An absent or empty
    mask means the fields that are present, `*` means all that can be changed."""
    holder, fields = UPDATES[request.DESCRIPTOR.name]
    resource: Message = getattr(request, holder)
    paths = list(request.update_mask.paths)
    if not paths:
        changes = frozenset(field.name for field, _ in resource.ListFields()) & frozenset(
            fields.changeable
        )
        if not changes:
            raise MaskInvalid(
                [("", f"nothing is to be changed; set one of {', '.join(fields.changeable)}")]
            )
        return Mask(changes, frozenset(name for name in fields.fixed if _is_set(resource, name)))
    if paths == ["*"]:
        return Mask(
            frozenset(fields.changeable),
            frozenset(name for name in fields.fixed if _is_set(resource, name)),
        )
    problems = [
        (path, _complaint(resource, path))
        for path in paths
        if path not in fields.changeable + fields.fixed
    ]
    if problems:
        raise MaskInvalid(problems)
    changes = frozenset(paths) & frozenset(fields.changeable)
    return Mask(changes, frozenset(paths) & frozenset(fields.fixed))


def check_fixed(mask: Mask, given: Message, stored: Message) -> None:
    """Raises MaskInvalid when a fixed field that the request names differs from what is stored."""
    differing = [
        name for name in sorted(mask.fixed) if getattr(given, name) != getattr(stored, name)
    ]
    if differing:
        raise MaskInvalid(
            [(name, "is set at creation and cannot be changed") for name in differing]
        )


def _is_set(resource: Message, name: str) -> bool:
    return any(field.name == name for field, _ in resource.ListFields())


def _complaint(resource: Message, path: str) -> str:
    if path == "*":
        return "stands alone or not at all"
    name = path.split(".")[0]
    if name not in resource.DESCRIPTOR.fields_by_name:
        return f"{resource.DESCRIPTOR.name} has no such field"
    return "name the whole field" if "." in path else "is output-only"
