"""A shop that behaves like BASE's, for tests, the demo and `zaiko simulate base`."""

from zaiko_base.simulator.simulator import BaseSimulator

__all__ = ["BaseSimulator"]
