"""How a connector declares what a shop must be configured with.

A pydantic model: its JSON Schema is what `ConnectorService.GetConnector` serves and what a user
interface draws. Fields of type `pydantic.SecretStr` are the credentials: they are given apart,
stored encrypted, and never shown again in a reply, a log line or a repr.
"""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from zaiko_sdk.redaction import redacted


class ConnectorSettings(BaseModel):
    """Base of a connector's settings. Unknown fields are refused, so that a misspelt one is not
    silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The names of the fields that hold credentials."""
        return frozenset(
            name for name, info in cls.model_fields.items() if _holds_secret(info.annotation)
        )

    def redact(self, text: str, *also: str) -> str:
        """`text` without the credentials, however they are coded (see `redacted`): for a platform's
        own words, which may quote what it was sent. `also`: what was got for them, such as a
        token."""
        values = (getattr(self, name) for name in self.secret_fields())
        return redacted(
            text,
            [
                *(value.get_secret_value() for value in values if isinstance(value, SecretStr)),
                *also,
            ],
        )

    @classmethod
    def schema_document(cls) -> dict[str, Any]:
        """The JSON Schema of the settings; credentials are marked `writeOnly` (JSON Schema 2020-12,
        §9.4)."""
        document = cls.model_json_schema()
        for name in cls.secret_fields():
            document["properties"][name]["writeOnly"] = True
        return document


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(
        _holds_secret(part) for part in typing.get_args(annotation)
    )
