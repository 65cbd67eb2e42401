"""An account that behaves like Next Engine's, for tests, the demo and `zaiko simulate
nextengine`."""

from zaiko_nextengine.simulator.shop import NextEngineSimulator

__all__ = ["NextEngineSimulator"]
