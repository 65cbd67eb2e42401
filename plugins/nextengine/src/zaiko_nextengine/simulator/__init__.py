"""An account that behaves like Next Engine's, for tests, the demo and `zaiko simulate
nextengine`."""

from zaiko_nextengine.simulator.simulator import NextEngineSimulator

__all__ = ["NextEngineSimulator"]
