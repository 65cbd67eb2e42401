"""A simulated ecforce shop, made from the same FACTS.md as the connector."""

from zaiko_ecforce.simulator.simulator import EcforceSimulator

__all__ = ["EcforceSimulator"]
