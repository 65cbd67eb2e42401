"""A simulated shop on Rakuten Ichiba: RMS as a real HTTP server, with switches for UNCONFIRMED
facts."""

from zaiko_rakuten.simulator.simulator import RakutenSimulator

__all__ = ["RakutenSimulator"]
