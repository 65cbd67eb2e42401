"""The XML that the simulated Rakuten would post, for tests to pass to a connector. Nothing is
posted."""

from __future__ import annotations

from xml.sax.saxutils import escape

from zaiko_rakuten.simulator.records import SimOrder
from zaiko_rakuten.times import JAPAN

AUTH_KEY = "sim-notice-auth-key"
_AUTH = "<authModel><contractId>c1</contractId><shopUrl>simulated</shopUrl><authKey>{}</authKey></authModel>"  # noqa: E501


def order_placed(order: SimOrder, *, auth_key: str = AUTH_KEY) -> bytes:
    """Return the orderNotifyModel of one order."""
    baskets = "".join(
        f"<basketModel><itemId>{line.item.item_id}</itemId><inventoryType>2</inventoryType><units>{line.units}</units>"
        f"<itemNumber>{escape(line.item.item_number)}</itemNumber></basketModel>"
        for line in order.lines
    )
    date = order.placed_at.astimezone(JAPAN).strftime("%Y/%m/%d %H:%M:%S")
    row = f"<orderNumber>{order.number}</orderNumber><seqId>1</seqId><orderDate>{date}</orderDate><orderType>1</orderType>{baskets}"  # noqa: E501
    info = f"<orderInfoNotifyModel>{row}</orderInfoNotifyModel>"
    return f"<orderNotifyModel>{_AUTH.format(escape(auth_key))}{info}</orderNotifyModel>".encode()


def order_edited(order: SimOrder, *, service: str = "4000", auth_key: str = AUTH_KEY) -> bytes:
    """Return notifyModel 4000/1100: the buyer changed a number of units."""
    values = ["", order.number, "", "", "units", "2", "1", "", "", ""]
    rows = "".join(
        f"<value{number}>{value}</value{number}>" for number, value in enumerate(values, 1)
    )
    event = f"<serviceId>{service}</serviceId><functionId>1100</functionId>{rows}"
    return f"<notifyModel>{_AUTH.format(escape(auth_key))}{event}</notifyModel>".encode()
