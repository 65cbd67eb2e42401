"""Tune Python's garbage collector for a long-running process (ADR 0021)."""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 50
"""The thresholds of `gc.set_threshold`. Python's defaults are 700, 10 and 10. Nearly all garbage of
this server is freed by reference counting, without the collector."""


def settle() -> None:
    """Exclude everything that exists now (modules, descriptors, statements: 100,000 objects) from
    collection, and collect less often. Call it once the process serves. A full collection blocked
    the interpreter, and so every call, for up to 130 ms. A second call also excludes what was
    created since the first."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
