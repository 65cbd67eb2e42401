"""A simulated shop on Rakuten Ichiba: RMS as a real HTTP server, with the choices for UNCONFIRMED
facts as switches."""

from zaiko_rakuten.simulator.simulator import RakutenSimulator

__all__ = ["RakutenSimulator"]
