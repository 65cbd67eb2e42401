"""`zaiko demo`."""


def demo() -> None:
    """Show zaiko at work on this machine (coming)."""
