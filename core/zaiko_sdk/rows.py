"""Reading the rows of a reply as pydantic models, for platforms whose fields have the types that
they document. Where types vary, or one bad field must not cost the whole row, see `fields`."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from zaiko_sdk.errors import ContractBroken

_SHOWN = 5
"""Problems named in an error."""


class Row(BaseModel):
    """Base of a connector's rows. Unknown fields are ignored, since platforms add them without
    notice. Errors never show a value: a row may hold a buyer's data."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


R = TypeVar("R", bound=Row)


def read_row(kind: type[R], value: Any, *, what: str) -> R:
    """Return `value` as a row of this kind. Raises ContractBroken with the paths of the fields that
    do not fit, and without any value."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['type']}"
            for item in error.errors(include_input=False)[:_SHOWN]
        )
        raise ContractBroken(f"{what} is not as documented ({problems})") from None
    except RecursionError:
        raise ContractBroken(f"{what} is nested too deeply") from None
