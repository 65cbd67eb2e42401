"""Streams of facts: many in one transaction, each with its own answer (ADR 0016)."""

from zaiko_server.ingest.movement_stream import MovementStream

__all__ = ["MovementStream"]
