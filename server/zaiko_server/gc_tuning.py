"""Python's garbage collector, told what lives as long as the process (ADR 0021)."""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 50
"""By how many container objects have grown before the youngest are looked at; after how many such
looks the middle ones are; after how many of those everything is. Python's own are 700, 10 and 10.
Nearly all of our garbage is freed without the collector."""


def settle() -> None:
    """For the whole process, once it serves: what the start has made (modules, descriptors,
    statements: 100,000 objects) is never looked at again. A look at everything held the
    interpreter, and so each call, for up to 130 ms. A second call adds what has come to live
    since."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
