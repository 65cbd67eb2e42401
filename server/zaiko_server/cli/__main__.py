"""`python -m zaiko_server.cli`."""

from zaiko_server.cli import main

main()
