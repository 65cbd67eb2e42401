"""What the use cases need from a store. One unit of work is one transaction of one merchant.

In a unit of work made by `Database.write` the merchant's row is locked, so nothing of this merchant
changes beside it, and `revision` is the revision that its changes will carry. In one made by
`Database.read` everything is one snapshot and `revision` is the newest that it shows; writing there
is a bug. Lookups answer a mapping that lacks what does not exist. All writes are set-based.
"""

from zaiko_core.app.ports.additions import Additions
from zaiko_core.app.ports.catalogue import Directory, Products, Warehouses
from zaiko_core.app.ports.history import Feed, Operations, Requests, Runs, Webhooks
from zaiko_core.app.ports.jobs import JobQueue
from zaiko_core.app.ports.links import Drifts, Links, Pushes
from zaiko_core.app.ports.orders import Orders
from zaiko_core.app.ports.oversells import Oversells
from zaiko_core.app.ports.shops import Listings, Shops
from zaiko_core.app.ports.stock import Demands, Ledger, Stocks
from zaiko_core.app.ports.tokens import Tokens
from zaiko_core.app.ports.unit_of_work import UnitOfWork

__all__ = [
    "Additions",
    "Demands",
    "Directory",
    "Drifts",
    "Feed",
    "JobQueue",
    "Ledger",
    "Links",
    "Listings",
    "Operations",
    "Orders",
    "Oversells",
    "Products",
    "Pushes",
    "Requests",
    "Runs",
    "Shops",
    "Stocks",
    "Tokens",
    "UnitOfWork",
    "Warehouses",
    "Webhooks",
]
