"""How the simulated Next Engine gives stock to slips (引当): what no slip holds is free (FACTS.md
§5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from zaiko_nextengine.simulator.records import SimGoods, SimSlip


def allocate(code: str, goods: SimGoods | None, slips: Iterable[SimSlip], now: datetime) -> None:
    """Give the stock of a code to the lines that want it, oldest slip first; lines that have some
    keep it. A cancelled line returns its units; a shipped one took them along. What a line wants
    beyond the stock is short (欠品)."""
    lines = [(slip, line) for slip in slips for line in slip.lines if line.code == code]
    wanting = []
    for slip, line in lines:
        if slip.holds and not (line.cancelled or line.deleted):
            wanting.append(line)
        else:
            line.allocated = 0
    left = 0 if goods is None else goods.registered
    for line in wanting:
        line.allocated = min(line.allocated, line.units, left)
        left -= line.allocated
    for line in wanting:
        more = min(line.units - line.allocated, left)
        line.allocated += more
        left -= more
    if goods is not None:
        goods.allocated = sum(line.allocated for line in wanting)
        goods.short = sum(line.units - line.allocated for line in wanting)
        goods.changed_at = now
