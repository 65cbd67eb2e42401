"""The connector understands every recorded body as exactly what it says, and the simulator's
replies have the same form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from zaiko_nextengine.connector import NextEngineConnector
from zaiko_nextengine.rows import (
    ChangedRow,
    GoodsRow,
    OrderRow,
    QueueRow,
    SetRow,
    StockRow,
    fields_of,
)
from zaiko_nextengine.settings import NextEngineSettings
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk import (
    ConnectorError,
    ContractBroken,
    CredentialsRejected,
    FindingLevel,
    InventoryLevel,
    InventoryWrite,
    ItemRefused,
    Listing,
    ListingRef,
    ListingWarning,
    MemoryState,
    Order,
    OrderLine,
    OrderState,
    PlatformDown,
    ShopContext,
    Throttled,
    WriteOutcome,
)
from zaiko_sdk.testing.clock import FakeClock
from zaiko_sdk.testing.kept_log import KeptLog
from zaiko_sdk.testing.shapes import differences, recorded
from zaiko_sdk.testing.simulator import NewListing, SimulatorServer

pytestmark = pytest.mark.anyio

BODIES = recorded(Path(__file__).parent / "data" / "recorded")
TOWEL = ListingRef("towel-wm")


class Played:
    """A connector to Next Engine as it was recorded: `bodies` by a part of a path; of a list the
    last one is repeated."""

    def __init__(self, bodies: dict[str, str | list[str]], **settings: Any) -> None:
        self._bodies = {
            path: [given] if isinstance(given, str) else list(given)
            for path, given in bodies.items()
        }
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.state = MemoryState()
        transport = httpx.MockTransport(self._answer)
        clock = FakeClock(datetime(2026, 11, 23, tzinfo=UTC))
        context = ShopContext(
            "s",
            clock,
            KeptLog(),
            lambda: httpx.AsyncClient(transport=transport),
            lambda: "id",
            self.state,
        )
        given = settings or {"access_token": "aaa000", "refresh_token": "bbb000"}
        self.connector = NextEngineConnector(context, NextEngineSettings.model_validate(given))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.asked.append((request.url.path, form))
        left = next(bodies for part, bodies in self._bodies.items() if part in request.url.path)
        body = BODIES[left.pop(0) if len(left) > 1 else left[0]]
        return httpx.Response(body.status, content=body.body)


async def test_the_recorded_stock_is_what_is_free() -> None:
    played = Played({"stock": "stock"})

    assert await played.connector.read_inventory([TOWEL]) == [InventoryLevel("towel-wm", 34)]
    path, form = played.asked[0]
    assert path == "/api_v1_master_stock/search"
    assert form == {
        "access_token": "aaa000",
        "refresh_token": "bbb000",
        "fields": "stock_goods_id,stock_free_quantity,stock_deleted_flag",
        "stock_goods_id-in": "towel-wm",
        "limit": "1000",
    }


async def test_the_recorded_tokens_are_kept_and_used() -> None:
    played = Played({"stock": "stock"})
    await played.connector.read_inventory([TOWEL])
    await played.connector.read_inventory([TOWEL])

    assert played.asked[1][1]["access_token"] == "aaa111"
    assert played.state.values == {
        "access": "aaa111",
        "refresh": "bbb222",
        "access_ends": "2026-11-24T00:00:00+00:00",
        "refresh_ends": "2026-11-26T00:00:00+00:00",
    }


async def test_the_recorded_login_gives_tokens() -> None:
    played = Played(
        {"neauth": "login", "stock": "stock"},
        uid="sim-uid",
        state="sim-state",
        client_id="id",
        client_secret="secret-of-app",
    )

    await played.connector.read_inventory([TOWEL])

    assert played.asked[0][1] == {
        "uid": "sim-uid",
        "state": "sim-state",
        "client_id": "id",
        "client_secret": "secret-of-app",
    }
    assert played.asked[1][1]["access_token"] == "aaa111"


async def test_the_recorded_catalogue_is_understood() -> None:
    played = Played({"setgoods": "sets", "goods": "goods"})

    listings = [
        listing async for page in played.connector.list_listings(None) for listing in page.listings
    ]

    assert listings == [
        Listing(TOWEL, "タオル 白 M", "towel-wm", "4900000000001", "towel", 34),
        Listing(
            ListingRef("towel-xx"),
            "タオル 受注生産",
            "towel-xx",
            quantity=0,
            warnings=frozenset({ListingWarning.OFF_SALE, ListingWarning.SELLS_BELOW_ZERO}),
        ),
        Listing(
            ListingRef("towel-set", {"kind": "set"}),
            "タオル 2枚",
            "towel-set",
            warnings=frozenset({ListingWarning.READ_ONLY}),
        ),
    ]


async def test_the_recorded_order_is_understood() -> None:
    played = Played({"receiveorder": ["changed", "order"]})

    (page,) = [page async for page in played.connector.fetch_orders(None)]

    assert page.orders == [
        Order(
            "5120",
            "339201-20261123-0000012345",
            OrderState.OPEN,
            datetime(2026, 11, 22, 23, 30, tzinfo=UTC),
            [
                OrderLine("1", "towel-wm", 2, sku="towel-wm", title="タオル 白 M"),
                OrderLine("2", "towel-gm", 1, cancelled=1, sku="towel-gm"),
            ],
            version=datetime(2026, 11, 22, 23, 41, tzinfo=UTC),
            platform_state="2 起票済(CSV/手入力)",
        )
    ]


async def test_a_recorded_shipped_order_has_left_and_a_merged_one_holds_nothing() -> None:
    (shipped,) = await Played({"receiveorder": "order_shipped"}).connector.read_orders(["5120"])
    (merged,) = await Played({"receiveorder": "order_merged"}).connector.read_orders(["5120"])

    assert (shipped.state, shipped.lines[0].fulfilled) == (OrderState.SHIPPED, 2)
    assert merged.state is OrderState.CANCELLED


async def test_no_recorded_rows_are_no_orders_and_a_listing_that_is_gone() -> None:
    played = Played({"": "none"})

    (page,) = [page async for page in played.connector.fetch_orders(None)]
    (level,) = await played.connector.read_inventory([TOWEL])

    assert (page.orders, await played.connector.read_orders(["5120"])) == ([], [])
    assert level.error is not None
    assert level.error.reason == "LISTING_GONE"


async def test_a_recorded_upload_is_followed_to_its_end() -> None:
    played = Played({"upload": "uploaded", "que": ["queue_waiting", "queue_running", "queue_done"]})

    (result,) = await played.connector.set_inventory([InventoryWrite(TOWEL, 31, 34)], "key")

    assert result.outcome is WriteOutcome.APPLIED
    assert [path.rpartition("/")[0] for path, _ in played.asked] == [
        "/api_v1_master_goods",
        *["/api_v1_system_que"] * 3,
    ]
    form = played.asked[0][1]
    assert (form["data_type"], form["wait_flag"]) == ("csv", "0")
    assert form["data"] == "syohin_code,zaiko_su,nyusyukko_riyu\ntowel-wm,-3,zaiko\n"
    assert played.asked[1][1]["que_id-eq"] == "8801"


async def test_a_recorded_failure_of_a_line_is_that_lines() -> None:
    played = Played({"upload": "uploaded", "que": "queue_failed", "stock": "stock"})

    (result,) = await played.connector.set_inventory([InventoryWrite(TOWEL, 31, 34)], "key")

    # 34 are free, so it was not for lack of units.
    assert (result.outcome, type(result.error)) == (WriteOutcome.REFUSED, ItemRefused)
    (result,) = await played.connector.set_inventory([InventoryWrite(TOWEL, 0, 40)], "key")
    assert (result.outcome, result.quantity) == (WriteOutcome.STALE, 34)


async def test_a_shop_whose_recorded_replies_are_good_is_found_good() -> None:
    (finding,) = await Played({"shop": "shops", "": "none"}).connector.check()

    assert finding.level is FindingLevel.OK
    assert "1 shops" in finding.message


REFUSED: dict[str, type[ConnectorError]] = {
    "overloaded": Throttled,
    "maintenance": PlatformDown,
    "superseded": CredentialsRejected,
    "ended": CredentialsRejected,
    "no_token": CredentialsRejected,
    "no_uid": CredentialsRejected,
    "error_list": ContractBroken,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_each_recorded_refusal_says_what_to_do_next(name: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        await Played({"": name}).connector.read_inventory([TOWEL])

    assert type(caught.value) is REFUSED[name]
    body = BODIES[name].json()
    words = body["message"] if isinstance(body["message"], str) else body["message"][0]["message"]
    assert caught.value.platform_message == f"{body['code']} {words}"


# The simulator


class Asked:
    """Speaks to a simulated account as the connector does, and shows what it answers."""

    def __init__(self, sim: NextEngineSimulator, server: SimulatorServer) -> None:
        self.sim, self._origin = sim, server.base_url
        self.order = sim.place_order({"towel-wm": 2, "towel-gm": 1})
        sim.edit_order(self.order, {"towel-gm": 0})
        assert sim.grants.live is not None
        self.tokens = {
            "access_token": sim.grants.live.access,
            "refresh_token": sim.grants.live.refresh,
        }

    def __call__(self, path: str, **form: str) -> httpx.Response:
        return httpx.post(f"{self._origin}/{path}", data=self.tokens | form)

    def rows(self, fields: str, **conditions: str) -> httpx.Response:
        return self("api_v1_receiveorder_row/search", fields=fields, **conditions)

    def stock(self, **conditions: str) -> httpx.Response:
        return self("api_v1_master_stock/search", fields=fields_of(StockRow), **conditions)

    def upload(self, data: str = "syohin_code,zaiko_su\ntowel-wm,-3\n") -> httpx.Response:
        return self("api_v1_master_goods/upload", data_type="csv", data=data, wait_flag="0")

    def queue(self) -> httpx.Response:
        return self("api_v1_system_que/search", fields=fields_of(QueueRow))

    def switched(self, **switches: Any) -> Asked:
        for name, value in switches.items():
            self.sim.switch(name, value)
        return self

    def login(self, uid: str = "sim-uid") -> httpx.Response:
        _, state = self.sim.grants.redirect(self.sim.now())
        return self(
            "api_neauth",
            uid=uid,
            state=state,
            client_id="sim-client-21",
            client_secret="sim-client-secret-7f",
        )

    def shipped(self) -> Asked:
        self.sim.fulfil_order(self.order)
        return self

    def merged(self) -> Asked:
        self.sim.merge_order(self.order, self.sim.place_order({"towel-wm": 1}))
        return self

    def without_tokens(self) -> Asked:
        self.tokens = {}
        return self

    def uploaded(self, data: str = "syohin_code,zaiko_su\ntowel-wm,-3\n") -> Asked:
        self.upload(data)
        return self


@pytest.fixture
def asked(server: SimulatorServer, shop: NextEngineSimulator) -> Asked:
    shop.add_listings(
        [
            NewListing("towel-wm", 36, "タオル 白 M", "4900000000001", {"parent": "towel"}),
            NewListing("towel-gm", 1),
            NewListing("towel-set", extra={"parts": {"towel-wm": 2}}),
        ]
    )
    server.settings()
    return Asked(shop, server)


ALL = fields_of(OrderRow)
SIMULATED: dict[str, Callable[[Asked], httpx.Response]] = {
    "stock": lambda shop: shop.stock(),
    "none": lambda shop: shop.stock(**{"stock_goods_id-eq": "towel-none"}),
    "goods": lambda shop: shop("api_v1_master_goods/search", fields=fields_of(GoodsRow)),
    "sets": lambda shop: shop("api_v1_master_setgoods/search", fields=fields_of(SetRow)),
    "shops": lambda shop: shop("api_v1_master_shop/search", fields="shop_id,shop_name"),
    "changed": lambda shop: shop.rows(fields_of(ChangedRow)),
    "order": lambda shop: shop.rows(ALL),
    "order_shipped": lambda shop: shop.shipped().rows(ALL),
    "order_merged": lambda shop: shop.merged().rows(ALL),
    "uploaded": lambda shop: shop.upload(),
    "queue_waiting": lambda shop: shop.switched(queue_stuck=True).uploaded().queue(),
    "queue_running": lambda shop: shop.switched(queue_stuck=True).uploaded().queue(),
    "queue_done": lambda shop: shop.uploaded().queue(),
    "queue_failed": lambda shop: shop.uploaded("syohin_code,zaiko_su\ntowel-wm,-99\n").queue(),
    "login": lambda shop: shop.login(),
    "overloaded": lambda shop: (shop.sim.exhaust_quota(), shop.stock())[1],
    "maintenance": lambda shop: shop.switched(maintenance=True).stock(),
    "superseded": lambda shop: shop.switched(log_in_elsewhere=True).stock(),
    "no_token": lambda shop: shop.without_tokens().stock(),
    "no_uid": lambda shop: shop.login(uid=""),
    "ended": lambda shop: shop.switched(end_login=True).stock(),
    "error_list": lambda shop: shop.switched(message_form="list").upload("nothing"),
}


def test_every_recorded_body_is_simulated() -> None:
    assert SIMULATED.keys() == BODIES.keys()


@pytest.mark.parametrize("name", SIMULATED)
def test_the_simulator_answers_in_the_recorded_form(name: str, asked: Asked) -> None:
    reply, body = SIMULATED[name](asked), BODIES[name]

    assert reply.status_code == body.status
    assert differences(body.json(), reply.json()) == []
    assert reply.json()["result"] == body.json()["result"]
    assert reply.json().get("code") == body.json().get("code")
