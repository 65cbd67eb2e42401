"""A group of commands of which one may be left out, mostly `list`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class ListGroup(TyperGroup):
    """Runs `list` if no command is named: `zaiko runs SHOP` is `zaiko runs list SHOP`."""

    usual = "list"
    """The command that may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `usual` in front of arguments that begin with no command and do not ask for help."""
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [self.usual, *args])
