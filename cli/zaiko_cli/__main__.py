"""`python -m zaiko_cli`."""

from zaiko_cli import main

main()
