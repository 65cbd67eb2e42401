"""The simulated account keeps the platform's rules: what a connector's tests are worth depends on
it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from zaiko_nextengine.simulator import NextEngineSimulator
from zaiko_sdk.testing.simulator import NewListing, SimulationError, SimulatorServer


@pytest.fixture
def stocked(shop: NextEngineSimulator) -> NextEngineSimulator:
    shop.add_listings([NewListing("A", 10), NewListing("B", 10)])
    return shop


def ask(server: SimulatorServer, path: str, **form: str) -> Any:
    settings = server.settings()
    tokens = {name: settings[name] for name in ("access_token", "refresh_token")}
    return httpx.post(f"{server.base_url}/{path}", data=tokens | form).json()


def registered(shop: NextEngineSimulator, code: str = "A") -> tuple[int, int, int]:
    goods = shop.goods[code]
    return goods.registered, goods.allocated, goods.free


def test_an_order_takes_what_is_free_and_shipping_what_is_registered(
    stocked: NextEngineSimulator,
) -> None:
    order = stocked.place_order({"A": 3})
    assert registered(stocked) == (10, 3, 7)

    stocked.fulfil_order(order)

    assert registered(stocked) == (7, 0, 7)


@pytest.mark.parametrize("restock", [True, False])
def test_a_cancelled_order_gives_its_units_back_in_any_case(
    stocked: NextEngineSimulator, restock: bool
) -> None:
    stocked.cancel_order(stocked.place_order({"A": 3}), restock=restock)

    assert registered(stocked) == (10, 0, 10)


def test_an_order_cancelled_after_it_was_shipped_gives_nothing_back(
    stocked: NextEngineSimulator,
) -> None:
    order = stocked.place_order({"A": 3})
    stocked.fulfil_order(order)

    stocked.cancel_order(order, restock=True)

    assert registered(stocked) == (7, 0, 7)


def test_what_is_not_there_is_short_and_is_served_by_the_next_receipt(
    stocked: NextEngineSimulator,
) -> None:
    order = stocked.place_order({"A": 14}, force=True)
    assert (registered(stocked), stocked.goods["A"].short) == ((10, 10, 0), 4)
    with pytest.raises(SimulationError, match="waits for stock"):
        stocked.fulfil_order(order)

    stocked.set_stock("A", 6)

    assert (registered(stocked), stocked.goods["A"].short) == ((16, 14, 2), 0)


def test_lowering_and_cancelling_lines_gives_units_back(stocked: NextEngineSimulator) -> None:
    order = stocked.place_order({"A": 3, "B": 2})

    stocked.edit_order(order, {"A": 1, "B": 0})

    assert stocked.stock() == {"A": 9, "B": 10}


def test_merged_units_stay_held(stocked: NextEngineSimulator) -> None:
    first, second = stocked.place_order({"A": 3}), stocked.place_order({"A": 2})

    stocked.merge_order(first, second)

    assert stocked.stock()["A"] == 5
    stocked.fulfil_order(second)
    assert registered(stocked) == (5, 0, 5)


def test_a_set_takes_its_parts(stocked: NextEngineSimulator) -> None:
    stocked.add_listings([NewListing("box", extra={"parts": {"A": 1, "B": 2}})])

    stocked.place_order({"box": 2})

    assert stocked.stock() == {"A": 8, "B": 6}


def test_a_slip_ships_as_a_whole_and_once(stocked: NextEngineSimulator) -> None:
    order = stocked.place_order({"A": 3, "B": 2})
    with pytest.raises(SimulationError, match="as a whole"):
        stocked.fulfil_order(order, {"A": 3})
    stocked.fulfil_order(order, {"A": 3, "B": 2})

    with pytest.raises(SimulationError, match="shipped"):
        stocked.fulfil_order(order)


def test_nothing_is_sold_that_is_not_there(stocked: NextEngineSimulator) -> None:
    with pytest.raises(SimulationError, match="sold out"):
        stocked.place_order({"B": 1, "A": 11})

    assert stocked.stock() == {"A": 10, "B": 10}


def test_uploads_are_worked_off_in_order_when_their_time_has_come(
    server: SimulatorServer, stocked: NextEngineSimulator
) -> None:
    stocked.switch("queue_stuck", True)
    for units in ("-10", "4"):
        ask(
            server,
            "api_v1_master_goods/upload",
            data_type="csv",
            data=f"syohin_code,zaiko_su\nA,{units}\n",
        )
    waiting = ask(server, "api_v1_system_que/search", fields="que_id,que_status_id")
    assert [row["que_status_id"] for row in waiting["data"]] == ["1", "0"]
    assert stocked.stock()["A"] == 10

    stocked.switch("queue_stuck", False)

    # In the other order the first would leave 4 of 14.
    assert stocked.stock()["A"] == 4
    done = ask(server, "api_v1_system_que/search", fields="que_id,que_status_id")
    assert [row["que_status_id"] for row in done["data"]] == ["2", "2"]


def test_a_job_takes_the_time_that_the_switch_says(
    server: SimulatorServer, stocked: NextEngineSimulator
) -> None:
    stocked.switch("queue_seconds", 3600)
    ask(server, "api_v1_master_goods/upload", data_type="csv", data="syohin_code,zaiko_su\nA,1\n")
    assert stocked.stock()["A"] == 10

    stocked.switch("clock_skew_seconds", 3601)

    assert stocked.stock()["A"] == 11


def test_the_good_lines_of_a_bad_file_are_applied(
    server: SimulatorServer, stocked: NextEngineSimulator
) -> None:
    data = "syohin_code,zaiko_su\nA,1\nX,1\nB,-11\nA,x\nB,\n"

    ask(server, "api_v1_master_goods/upload", data_type="csv", data=data)

    (job,) = ask(server, "api_v1_system_que/search", fields="que_status_id,que_message")["data"]
    assert job["que_status_id"] == "-1"
    assert [line.partition(":")[0] for line in job["que_message"].splitlines()] == ["X", "B", "A"]
    assert stocked.stock() == {"A": 11, "B": 10}


def test_searches_meet_all_conditions_and_show_only_the_fields_asked_for(
    server: SimulatorServer, stocked: NextEngineSimulator
) -> None:
    stocked.place_order({"A": 3})

    def codes(**conditions: str) -> list[str]:
        found = ask(server, "api_v1_master_stock/search", fields="stock_goods_id", **conditions)
        assert all(row.keys() == {"stock_goods_id"} for row in found["data"])
        return [row["stock_goods_id"] for row in found["data"]]

    assert codes() == ["A", "B"]
    # As numbers: as text, 7 would be greater than 10.
    assert codes(**{"stock_free_quantity-gte": "8"}) == ["B"]
    assert codes(**{"stock_free_quantity-lt": "8", "stock_goods_id-eq": "B"}) == []
    assert codes(**{"stock_goods_id-in": "A,C"}) == ["A"]
    assert codes(**{"stock_goods_id-gt": "A"}) == ["B"]
    assert codes(offset="1", limit="5") == ["B"]
    assert codes(limit="1") == ["A"]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"fields": "nothing"},
        {"fields": "goods_id", "nothing-eq": "1"},
        {"fields": "goods_id", "goods_id-is": "1"},
        {"fields": "goods_id", "limit": "x"},
        {"fields": "goods_id", "goods_id-in": "," * 1000},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    server: SimulatorServer, shop: NextEngineSimulator, form: dict[str, str]
) -> None:
    assert ask(server, "api_v1_master_goods/search", **form)["result"] == "error"


def test_load_is_refused_beyond_the_limit_of_a_second(
    server: SimulatorServer, stocked: NextEngineSimulator
) -> None:
    stocked.switch("quotas", True)
    stocked.switch("calls_per_second", 3)
    stocked.quotas.monotonic = lambda: 5.0

    codes = [
        ask(server, "api_v1_master_stock/search", fields="stock_goods_id").get("code")
        for _ in range(4)
    ]
    stocked.quotas.monotonic = lambda: 6.0
    codes.append(ask(server, "api_v1_master_stock/search", fields="stock_goods_id").get("code"))

    assert codes == [None, None, None, "003002", None]
    assert stocked.counters()["throttled"] == 1


def test_a_login_elsewhere_kills_the_pair_and_settings_show_the_new_one(
    server: SimulatorServer, stocked: NextEngineSimulator
) -> None:
    old = server.settings()["access_token"]
    stocked.switch("log_in_elsewhere", True)

    reply = httpx.post(
        f"{server.base_url}/api_v1_master_stock/search",
        data={"access_token": old, "refresh_token": "x"},
    ).json()

    assert (reply["code"], server.settings()["access_token"] != old) == ("002002", True)


def test_every_switch_can_be_set_to_what_it_is(shop: NextEngineSimulator) -> None:
    acts = {"end_access", "end_login", "log_in_elsewhere"}
    before = shop.switches()

    for name, value in before.items():
        if name not in acts:
            shop.switch(name, value)

    assert shop.switches() == before
    with pytest.raises(SimulationError, match="no switch"):
        shop.switch("nothing", 1)


def test_success_can_carry_a_code(server: SimulatorServer, stocked: NextEngineSimulator) -> None:
    stocked.switch("code_on_success", True)

    assert ask(server, "api_v1_master_stock/search", fields="stock_goods_id")["code"] == "000000"
