"""A platform that behaves like the real one, as an HTTP server on a port.

Each connector brings a simulator (`SimulatorType`, hook `zaiko_simulators`): the platform's API at
its own paths, and a control API under `/_sim/` that is the same for every platform and plays the
buyers and the staff.

| module | what it holds |
|---|---|
| `shop.py` | `SimulatedShop`: what a shop is and how it changes, without HTTP |
| `quota.py` | the two quotas that platforms have in common |
| `server.py` | `Simulator`, a shop with routes, and the server that answers for it |
| `control.py` | the control API |
| `client.py` | the control API from another process |
"""

from zaiko_sdk.testing.simulator.client import SimulatorClient
from zaiko_sdk.testing.simulator.control import CONTROL
from zaiko_sdk.testing.simulator.quota import CallWindow, TokenBucket
from zaiko_sdk.testing.simulator.server import (
    Simulator,
    SimulatorServer,
    SimulatorType,
    simulated_shop,
)
from zaiko_sdk.testing.simulator.shop import NewListing, SimulatedShop, SimulationError

__all__ = [
    "CONTROL",
    "CallWindow",
    "NewListing",
    "SimulatedShop",
    "SimulationError",
    "Simulator",
    "SimulatorClient",
    "SimulatorServer",
    "SimulatorType",
    "TokenBucket",
    "simulated_shop",
]
