"""The simulated API of Next Engine (FACTS.md §1 to §8): every call is a form by POST, every reply a
200 with tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from zaiko_nextengine.simulator.grants import ENDED
from zaiko_nextengine.simulator.query import ApiError, found, page
from zaiko_nextengine.simulator.records import SimGoods, SimJob, SimLine, SimSlip
from zaiko_nextengine.simulator.state import NextEngineAccount

CLIENT_ID, CLIENT_SECRET = "sim-client-21", "sim-client-secret-7f"
OVERLOADED = "003002"
_WORDS = {
    "001001": "uidがありません。",
    "002002": "アクセストークンが古いです。",
    "002004": "アクセストークンの有効期限が切れています。",
    "003001": "現在混み合っています。",
    "003002": "現在混み合っています。",
    "003003": "棚卸中のため、実行できません。",
    "003004": "メンテナンス中です。",
}
Rows = Callable[[], Sequence[Mapping[str, Any]]]


def routes_of(shop: NextEngineAccount) -> Sequence[BaseRoute]:
    """Return the routes of one account's API."""

    def answer(
        name: str, work: Callable[[Mapping[str, str]], dict[str, Any]], *, login: bool = True
    ) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            form = dict(
                parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
            )
            with shop.lock:
                shop.count(name)
                shop.queue.work(shop.now())
                try:
                    _let_in(shop, form, login=login)
                    body = work(form)
                except ApiError as refusal:
                    return _refused(shop, str(refusal))
                code = {"code": "000000"} if shop.behaviour["code_on_success"] else {}
                return JSONResponse(
                    {"result": "success", **code, **body, **shop.grants.reply_fields()}
                )

        return endpoint

    def search(rows: Rows, known: frozenset[str]) -> Callable[[Mapping[str, str]], dict[str, Any]]:
        def work(form: Mapping[str, str]) -> dict[str, Any]:
            matching = found(rows(), form, known)
            part = page(matching, form, known, cap=shop.behaviour["page_size"])
            count = len(matching) if shop.behaviour["count_tells"] == "matching" else len(part)
            return {"count": str(count), "data": part}

        return work

    def log_in(form: Mapping[str, str]) -> dict[str, Any]:
        if not form.get("uid"):
            raise ApiError("001001")
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise ApiError("001003")
        if not shop.grants.exchange(form, shop.now()):
            raise ApiError("001002")
        return {**account(), "uid": form["uid"], "pic_ne_id": "1"}

    def account() -> dict[str, str]:
        return {"company_ne_id": f"NE{shop.account:0>6}", "company_name": "模擬商店"}

    def company(_: Mapping[str, str]) -> dict[str, Any]:
        return {"count": "1", "data": [account()]}

    def upload(form: Mapping[str, str]) -> dict[str, Any]:
        if shop.behaviour["stocktaking"]:
            raise ApiError("003003")
        if form.get("data_type") != "csv" or not form.get("data"):
            raise ApiError("020500")
        queue = shop.queue.add(form["data"], shop.now())
        shop.queue.work(shop.now())
        return {"que_id": queue}

    def goods() -> list[dict[str, Any]]:
        return [shop.goods[code].document() for code in sorted(shop.goods)]

    def sets() -> list[dict[str, Any]]:
        return [
            {
                "set_goods_id": code,
                "set_goods_name": code,
                "set_goods_detail_goods_id": part,
                "set_goods_detail_quantity": str(units),
            }
            for code, parts in sorted(shop.sets.items())
            for part, units in sorted(parts.items())
        ]

    def lines() -> list[dict[str, Any]]:
        now, names = shop.now(), {code: goods.name for code, goods in shop.goods.items()}
        slips = sorted(
            (slip for slip in shop.slips.values() if slip.visible_at <= now),
            key=lambda slip: int(slip.id),
        )
        return [row for slip in slips for row in slip.documents(names)]

    def jobs() -> list[dict[str, Any]]:
        return [job.document() for job in shop.queue.jobs]

    def shops() -> list[dict[str, Any]]:
        return [
            {
                "shop_id": "1",
                "shop_name": "楽天市場店",
                "shop_mall_id": "2",
                "shop_deleted_flag": "0",
            }
        ]

    now = shop.now()
    goods_fields = frozenset(SimGoods("", "", "", "", 0, now).document())
    row_fields = frozenset(
        SimSlip("", "", now, now, now, lines=[SimLine(1, "", 0, now)]).documents({})[0]
    )
    shop_fields = frozenset(shops()[0])
    set_fields = frozenset(
        {"set_goods_id", "set_goods_name", "set_goods_detail_goods_id", "set_goods_detail_quantity"}
    )
    return [
        Route("/api_neauth", answer("login", log_in, login=False), methods=["POST"]),
        Route("/api_v1_login_company/info", answer("company", company), methods=["POST"]),
        Route(
            "/api_v1_master_shop/search",
            answer("shops", search(shops, shop_fields)),
            methods=["POST"],
        ),
        Route(
            "/api_v1_master_goods/search",
            answer("goods", search(goods, goods_fields)),
            methods=["POST"],
        ),
        Route("/api_v1_master_goods/upload", answer("upload", upload), methods=["POST"]),
        Route(
            "/api_v1_master_setgoods/search",
            answer("sets", search(sets, set_fields)),
            methods=["POST"],
        ),
        Route(
            "/api_v1_master_stock/search",
            answer("stock", search(goods, goods_fields)),
            methods=["POST"],
        ),
        Route(
            "/api_v1_receiveorder_row/search",
            answer("rows", search(lines, row_fields)),
            methods=["POST"],
        ),
        Route(
            "/api_v1_system_que/search",
            answer("queue", search(jobs, frozenset(SimJob("", "", now).document()))),
            methods=["POST"],
        ),
    ]


def _let_in(shop: NextEngineAccount, form: Mapping[str, str], *, login: bool) -> None:
    # Tokens are renewed also when the call is then refused.
    code = shop.grants.refuse(form, shop.now()) if login else None
    if code is not None:
        raise ApiError(code)
    if shop.behaviour["maintenance"]:
        raise ApiError(shop.behaviour["maintenance_code"])
    if not shop.quotas.take():
        raise ApiError(OVERLOADED)


def _refused(shop: NextEngineAccount, code: str) -> Response:
    message = _WORDS.get(code, "エラーが発生しました。")
    text = [{"message": message}] if shop.behaviour["message_form"] == "list" else message
    # Error replies contain the tokens too, but not for a caller without valid ones.
    tokens = {} if code[:3] in ("001", "002") else shop.grants.reply_fields()
    body = {
        "result": "redirect" if code == ENDED else "error",
        "code": code,
        "message": text,
        **tokens,
    }
    return JSONResponse(body, shop.behaviour["error_status"])
