"""A shop that behaves like the platform's, for tests, the demo and `zaiko simulate example`."""

from zaiko_example.simulator.simulator import ExampleSimulator

__all__ = ["ExampleSimulator"]
