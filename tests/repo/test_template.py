"""What a stranger begins with works: the connector template, and what `zaiko new-connector` makes
of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from zaiko_cli.failure import Failed
from zaiko_server.commands.new_connector import TemplateMode, generate

TEMPLATE = Path(__file__).parents[2] / "examples" / "connector-template"
OPTIONS = ["-q", "-p", "no:cacheprovider", "-W", "error"]


def _tests(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a project's tests as its author does, in a process without anything of this repository's
    configuration."""
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        environment.pop(name, None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        *OPTIONS,
        "--rootdir",
        str(project),
        *arguments,
        "tests",
    ]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    target = tmp_path / "made"
    generate("my-mall", target, display_name="My Mall 楽", mode=TemplateMode.COMPARE_AND_SET)
    return target


@pytest.mark.thorough
def test_a_generated_connector_passes_its_tests_at_once(made: Path) -> None:
    done = _tests(made)

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize("mode", [TemplateMode.ADJUST, TemplateMode.SET])
def test_a_generated_connector_changes_numbers_in_the_mode_that_was_asked_for(
    tmp_path: Path, mode: TemplateMode
) -> None:
    target = tmp_path / "made"
    generate("mall", target, display_name="Mall", mode=mode)

    done = _tests(target, "-k", "mode_promises or first_number")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert f"InventoryMode.{mode.name}" in (target / "src/zaiko_mall/change.py").read_text("utf-8")


@pytest.mark.thorough
def test_a_broken_generated_connector_fails_its_tests(made: Path) -> None:
    mapping = made / "src/zaiko_my_mall/mapping.py"
    mapping.write_text(
        mapping.read_text("utf-8").replace(
            "ordered=row.quantity", "ordered=row.quantity - row.cancelled"
        ),
        "utf-8",
    )

    assert _tests(made, "-k", "mapping").returncode == 1


def test_a_generated_project_has_nothing_left_of_the_invented_platform(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file()]
    texts = {path: path.read_text("utf-8") for path in files}

    assert not [path for path in made.rglob("*") if "example" in path.name.lower()]
    # pydantic's own keyword is the one that stays.
    assert not [
        path for path, text in texts.items() if "example" in text.replace("examples=[", "").lower()
    ]
    assert len(files) == len([path for path in _template_files() if path.parent.name != "modes"])


def test_a_generated_project_is_registered_under_its_id(made: Path) -> None:
    project = tomllib.loads((made / "pyproject.toml").read_text("utf-8"))

    assert project["project"]["name"] == "zaiko-my-mall"
    assert project["project"]["entry-points"]["zaiko.connectors"] == {
        "my-mall": "zaiko_my_mall.plugin"
    }
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        "src/zaiko_my_mall"
    ]
    plugin = (made / "src/zaiko_my_mall/plugin.py").read_text("utf-8")
    assert 'id="my-mall"' in plugin
    assert 'display_name="My Mall 楽"' in plugin


@pytest.mark.parametrize(
    "name",
    [
        "",
        "My-Mall",
        "1mall",
        "my_mall",
        "my--mall",
        "mall-",
        "../mall",
        "a" * 41,
        "sdk",
        "example",
        "maß",
    ],
)
def test_a_name_that_cannot_be_a_connectors_is_refused_and_writes_nothing(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(Failed):
        generate(name, tmp_path / "made", display_name="Mall", mode=TemplateMode.SET)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "display_name", ["", " ", 'Say "mall"', "two\nlines", "back\\slash", "a" * 61]
)
def test_a_display_name_that_would_break_the_code_is_refused(
    tmp_path: Path, display_name: str
) -> None:
    with pytest.raises(Failed):
        generate("mall", tmp_path / "made", display_name=display_name, mode=TemplateMode.SET)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")

    with pytest.raises(Failed, match="not empty"):
        generate("mall", tmp_path, display_name="Mall", mode=TemplateMode.SET)

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()

    generate("mall", target, display_name="Mall", mode=TemplateMode.SET)

    assert (target / "src/zaiko_mall/plugin.py").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zaiko_cli", "new-connector", "my-mall"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "cd zaiko-my-mall" in done.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "not empty" in again.stderr


def _template_files() -> list[Path]:
    kept = [path for path in TEMPLATE.rglob("*") if path.is_file()]
    return [
        path
        for path in kept
        if not any(
            part.startswith(".") or part == "__pycache__"
            for part in path.relative_to(TEMPLATE).parts
        )
    ]
