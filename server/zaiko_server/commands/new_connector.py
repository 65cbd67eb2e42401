"""`zaiko new-connector`: create a complete small connector from examples/connector-template."""

from __future__ import annotations

import re
import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from zaiko_cli.failure import USAGE, Failed
from zaiko_cli.show import console

_INSTALLED = Path(__file__).parents[1] / "connector_template"
_CHECKOUT = Path(__file__).parents[3] / "examples" / "connector-template"
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TAKEN = frozenset({"core", "example", "sdk", "server", "testing"})
"""Names of other distributions of zaiko, and of the template itself."""
_LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*.egg-info", "build", "dist")


class TemplateMode(StrEnum):
    """How the platform lets a number be changed (zaiko_sdk.InventoryMode)."""

    COMPARE_AND_SET = "compare_and_set"
    ADJUST = "adjust"
    SET = "set"


def new_connector(
    name: Annotated[
        str,
        typer.Argument(
            help="The connector's id, such as my-mall: lower-case letters, digits and dashes."
        ),
    ],
    directory: Annotated[
        Path | None,
        typer.Option(
            help="Where to write it; must be missing or empty. [default: zaiko-NAME]",
            show_default=False,
        ),
    ] = None,
    display_name: Annotated[
        str,
        typer.Option(
            help="The platform's name for people. [default: made from NAME]", show_default=False
        ),
    ] = "",
    mode: Annotated[
        TemplateMode, typer.Option(help="How the platform lets a number be changed.")
    ] = TemplateMode.COMPARE_AND_SET,
) -> None:
    """Create a connector: a project that works against an invented platform, with its simulator and
    tests."""
    target = directory or Path(f"zaiko-{name}")
    generate(name, target, display_name=display_name or name.replace("-", " ").title(), mode=mode)
    out = console()
    out.print(
        f"Wrote {target}: a connector for an invented platform, which works. Make it yours:",
        soft_wrap=True,
        markup=False,
    )
    steps = (
        f"cd {target}",
        "pip install -e '.[simulator]' pytest",
        "pytest",
        "zaiko connectors --local",
        f"zaiko simulate {name}",
    )
    for step in steps:
        out.print(f"  {step}", soft_wrap=True, markup=False, highlight=False)
    out.print(
        "README.md says what to change first; the guide is docs/connectors.md.",
        soft_wrap=True,
        markup=False,
    )


def generate(name: str, target: Path, *, display_name: str, mode: TemplateMode) -> None:
    """Write the project, all or nothing: a failure leaves no part of it. Raises Failed."""
    _check(name, target, display_name)
    source = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
    if not source.is_dir():
        raise Failed(
            "The connector template is missing from this installation. Install zaiko again."
        )
    words = _words(name, display_name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".zaiko-new-") as made:
            # mkdtemp's folder is private; the folder inside gets the user's umask.
            draft = Path(made) / "project"
            shutil.copytree(source, draft, ignore=_LEFTOVERS)
            if mode is not TemplateMode.COMPARE_AND_SET:
                shutil.copyfile(
                    draft / "modes" / f"{mode}.py", draft / "src" / "zaiko_example" / "change.py"
                )
            shutil.rmtree(draft / "modes")
            # Deepest paths first, because renaming a folder changes the paths below it.
            for path in sorted(draft.rglob("*"), reverse=True):
                if path.is_file():
                    path.write_text(_renamed(path.read_text("utf-8"), words), "utf-8")
                path.rename(path.with_name(_renamed(path.name, words)))
            if target.is_dir():
                target.rmdir()
            draft.rename(target)
    except OSError as error:
        raise Failed(f"{target} could not be written: {error.strerror or error}.") from None


def _check(name: str, target: Path, display_name: str) -> None:
    if not _ID.fullmatch(name) or len(name) > 40:
        raise Failed(
            (
                f"{name!r} cannot be a connector's id: up to 40 lower-case letters, digits and "
                "single dashes, a letter first."
            ),
            USAGE,
        )
    if name in _TAKEN:
        raise Failed(f"{name!r} is a name that zaiko uses. Choose another.", USAGE)
    if (
        not display_name.isprintable()
        or not 1 <= len(display_name.strip()) <= 60
        or set(display_name) & set('"\\{}|')
    ):
        raise Failed(
            (
                "A display name has up to 60 printable characters without quotes, backslashes, "
                "braces and bars."
            ),
            USAGE,
        )
    if target.is_dir() and any(target.iterdir()):
        raise Failed(f"{target} is not empty. Choose another --directory.", USAGE)
    if target.exists() and not target.is_dir():
        raise Failed(f"{target} is a file. Choose another --directory.", USAGE)


def _words(name: str, display_name: str) -> list[tuple[str, str]]:
    """Return the words of the template with their replacements, in the order in which they are
    searched. The last one is replaced only as a whole word."""
    module = name.replace("-", "_")
    return [
        ("Example Shop", display_name.strip()),
        ("zaiko-example", f"zaiko-{name}"),
        ("zaiko_example", f"zaiko_{module}"),
        ("test_example", f"test_{module}"),
        ("x-example", f"x-{name}"),
        ("X-Example", f"X-{name.title()}"),
        ("EXAMPLE", module.upper()),
        ("Example", "".join(part.capitalize() for part in name.split("-"))),
        ("example", name),
    ]


def _renamed(text: str, words: list[tuple[str, str]]) -> str:
    """Replace the words in one pass, so that a replacement is not replaced again."""
    meanings = dict(words)
    return re.sub(
        "|".join([*(re.escape(old) for old, _ in words[:-1]), rf"\b{words[-1][0]}\b"]),
        lambda found: meanings[found[0]],
        text,
    )
