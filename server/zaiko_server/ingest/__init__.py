"""Feeds of facts: many in one transaction, each with an answer of its own (ADR 0016). `groups`
knows no gRPC and no facts."""

from zaiko_server.ingest.movement_stream import MovementStream

__all__ = ["MovementStream"]
