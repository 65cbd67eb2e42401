"""How a connector declares what a shop must be configured with.

It is a pydantic model. `ConnectorService.GetConnector` serves its JSON Schema, from which a user
interface draws the form. Fields of type `pydantic.SecretStr` are the credentials: they are given
separately, stored encrypted, and never shown again in a reply, a log line or a repr.
"""

from __future__ import annotations

import typing
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from zaiko_sdk.redaction import redacted


class ConnectorSettings(BaseModel):
    """Base of a connector's settings. Unknown fields are refused, so that a misspelt one is not
    silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """Return the names of the fields that hold credentials."""
        return frozenset(
            name for name, info in cls.model_fields.items() if _holds_secret(info.annotation)
        )

    def redact(self, text: str, *also: str) -> str:
        """Return the platform's own words without the credentials that they may quote, in any
        coding (see `redacted`). `also` are texts derived from the credentials, such as a token."""
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
        """Return the JSON Schema of the settings, in which credentials are `writeOnly` (JSON Schema
        2020-12, §9.4)."""
        document = cls.model_json_schema()
        for name in cls.secret_fields():
            document["properties"][name]["writeOnly"] = True
        return document


def http_origin(value: str, *, such_as: str, sends: str = "") -> str:
    """Return the address of an API without a path, as `https://host` or `https://host:port`.

    For a field validator: raises ValueError with words for the merchant. When requests send a
    secret, named in `sends` ("the token"), plain http is accepted only for a simulator on this
    machine or in a neighbouring container, whose name has no dot: it must not cross a network.
    """
    try:
        url = httpx.URL(value.strip().rstrip("/"))
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"enter an address that begins with https://, such as {such_as}")
    if url.path != "/" or url.query or url.fragment or url.userinfo:
        raise ValueError("enter the address alone, without a path and without a user name")
    if sends and url.scheme == "http" and "." in url.host and not url.host.startswith("127."):
        raise ValueError(f"the address must begin with https://, because {sends} is sent to it")
    return str(url).rstrip("/")


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(
        _holds_secret(part) for part in typing.get_args(annotation)
    )
