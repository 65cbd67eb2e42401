"""An ecforce shop to test against, made from the same fact sheet as the connector."""

from zaiko_ecforce.simulator.shop import EcforceSimulator

__all__ = ["EcforceSimulator"]
