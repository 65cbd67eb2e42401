"""Checks a shop's settings and secrets against its connector's model. A violation names its field,
and never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from pydantic import ValidationError
from zaiko_core.domain.errors import InvalidField
from zaiko_sdk import ConnectorType


def settings_of(struct: Struct) -> dict[str, Any]:
    """Return the settings of a request. A Struct has only floats; whole ones become integers."""
    plain: dict[str, Any] = _whole(json_format.MessageToDict(struct))
    return plain


def divided(
    kind: ConnectorType, settings: Mapping[str, Any], secrets: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return settings and secrets as they are stored. A credential among the settings becomes a
    secret."""
    fields = kind.settings.secret_fields()
    strays = {
        name: str(value) for name, value in settings.items() if name in fields and value is not None
    }
    return {name: value for name, value in settings.items() if name not in fields}, {
        **strays,
        **secrets,
    }


def check(kind: ConnectorType, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
    """Check settings and secrets, as `divided` returns them. Raises InvalidField with every
    violation of the connector's model."""
    fields = kind.settings.secret_fields()
    violations = [
        (
            f"shop.secrets.{name}",
            "settings.unknown",
            f"{kind.id} has no such secret; put what is not secret into settings",
        )
        for name in sorted(secrets.keys() - fields)
    ]
    known = {name: value for name, value in secrets.items() if name in fields}
    try:
        kind.settings.model_validate({**settings, **known})
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False, include_context=False):
            place = [str(part) for part in item["loc"]]
            secret = bool(place) and place[0] in fields
            path = ".".join(["shop", "secrets" if secret else "settings", *place])
            # The message of a model's own check may quote the value.
            text = (
                item["msg"]
                if not secret or item["type"] == "missing"
                else "is not acceptable; check it"
            )
            violations.append((path, f"settings.{item['type']}", text[:300]))
    if violations:
        raise InvalidField(violations)


def merged(stored: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the stored secrets after an update: given names replace theirs, an empty value removes
    one, the others stay."""
    return {name: value for name, value in {**stored, **given}.items() if value}


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value
