"""What `zaiko doctor --db` checks where the server is installed: its configuration, keys and
database. The checks of what a server answers are in `zaiko_cli.doctor`."""
