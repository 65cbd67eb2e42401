"""The commands that this distribution contributes to the command line `zaiko`, as entry points of
the groups `zaiko.commands` and `zaiko.local_actions` (see `zaiko_cli.contributions`)."""
