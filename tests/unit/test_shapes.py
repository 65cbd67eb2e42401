"""The comparison of recorded bodies with a simulator's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from zaiko_sdk.testing.shapes import differences, recorded

BODY: dict[str, Any] = {
    "id": "7",
    "count": 2,
    "flag": True,
    "rows": [{"a": 1}, {"a": 2, "b": None}],
    "none": None,
    "empty": [],
}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "8"},
        {"count": 2.0},
        {"rows": []},
        {"none": {"x": 1}},
        {"id": None},
        {"empty": [1]},
        {"rows": [{"a": 1, "b": 2}]},
    ],
)
def test_values_may_differ_and_null_and_an_empty_list_fit_everything(
    change: dict[str, Any],
) -> None:
    assert differences(BODY, BODY | change) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": 7}, "$.id: a number where a text was recorded"),
        ({"flag": 1}, "$.flag: a number where true or false was recorded"),
        ({"more": 1}, "$.more: was not recorded"),
        ({"rows": [{"a": 1, "b": 1}, {"b": 1}]}, "$.rows[1].a: missing"),
        ({"rows": {}}, "$.rows: an object where a list was recorded"),
    ],
)
def test_keys_and_types_may_not_differ(change: dict[str, Any], said: str) -> None:
    assert [said] == [text for text in differences(BODY, BODY | change) if text.startswith(said)]


def test_a_missing_key_is_told() -> None:
    assert differences(BODY, {name: value for name, value in BODY.items() if name != "id"}) == [
        "$.id: missing"
    ]


def test_a_body_without_a_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(
        json.dumps({"a.json": {"source": "§1", "grade": "D", "status": 404}})
    )
    (tmp_path / "a.json").write_text("{}")
    assert recorded(tmp_path)["a"].status == 404

    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"b\.json"):
        recorded(tmp_path)
