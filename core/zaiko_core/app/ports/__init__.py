"""What the use cases need from a store: one unit of work, which is a transaction of one merchant.

In a unit of work of `Database.write` the merchant's row is locked, so no other writer changes
anything of this merchant, and `revision` is the revision that its changes will carry. In one of
`Database.read` everything is one snapshot and `revision` is the newest that it shows; writing there
is a bug. Lookups return a mapping that lacks what does not exist. All writes are set-based.

The repositories of a unit of work specify themselves (`storage/`): a use case knows their names and
never imports them.
"""

from zaiko_core.app.ports.mergeable import Mergeable
from zaiko_core.app.ports.unit_of_work import UnitOfWork

__all__ = ["Mergeable", "UnitOfWork"]
