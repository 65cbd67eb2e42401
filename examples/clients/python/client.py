"""Links a listing, keeps 10 units back, and watches the sync through a restart: client.py ADDRESS
SHOP SKU."""

import random
import sys
import time
import uuid

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from zaiko.v1 import (
    link_service_pb2_grpc,
    product_service_pb2_grpc,
    shop_service_pb2_grpc,
    stock_service_pb2_grpc,
)
from zaiko.v1.link_pb2 import Link, LinkStatus
from zaiko.v1.link_service_pb2 import CreateLinkRequest
from zaiko.v1.product_service_pb2 import ListProductsRequest
from zaiko.v1.shop_service_pb2 import ListListingsRequest
from zaiko.v1.stock_service_pb2 import GetStockRequest, SetReserveRequest
from zaiko.v1.sync_service_pb2 import WatchSyncRequest
from zaiko.v1.sync_service_pb2_grpc import SyncServiceStub
from zaiko.v1.watch_pb2 import WatchSnapshot, WatchStart

BEGIN_AGAIN = {
    "RESUME_TOKEN_INVALID",
    "REVISION_COMPACTED",
    "HISTORY_REPLACED",
    "REVISION_IN_FUTURE",
}


def reason(error):
    """A reason of error.proto; where the error is not a zaiko server's, the status code."""
    info, status = ErrorInfo(), rpc_status.from_call(error)
    return (
        info.reason
        if status and any(detail.Unpack(info) for detail in status.details)
        else error.code().name
    )


def watch(syncs, request):
    """Every delivery, and whether the watch was resumed before it; over as many calls as it
    takes."""
    token, interrupted, resumed = "", False, False
    while True:
        request.start.CopyFrom(
            WatchStart(resume_token=token) if token else WatchStart(snapshot=WatchSnapshot())
        )
        request.start.bookmark_interval.FromSeconds(1)
        try:
            for delivery in syncs.WatchSync(request):
                if interrupted:
                    print("resumed" if token else "began again")
                    interrupted, resumed = False, True
                # Half a snapshot is nothing to resume: what is lacking would never come.
                if token or delivery.bookmark.snapshot_complete:
                    token = delivery.resume_token
                yield delivery, resumed
        except grpc.RpcError as error:
            if not interrupted:
                print(f"interrupted: {reason(error)}")
            if reason(error) in BEGIN_AGAIN:
                token = ""
            elif error.code() not in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            ):
                raise
            interrupted = True
        time.sleep(random.uniform(0.1, 0.5))


def main(address, shop, sku):
    channel, merchant = (
        grpc.insecure_channel(address, [("grpc.keepalive_time_ms", 30_000)]),
        shop.partition("/shops/")[0],
    )
    print(f"listings of {shop}")
    shops, found, token = shop_service_pb2_grpc.ShopServiceStub(channel), {}, None
    while token != "":
        page = shops.ListListings(
            ListListingsRequest(parent=shop, page_size=1, page_token=token), timeout=10
        )
        token, found = (
            page.next_page_token,
            found | {listing.sku: listing for listing in page.listings},
        )
    for code in sorted(found):
        print(f"  {code} shows {found[code].quantity}")
    wanted = ListProductsRequest(parent=merchant, filter=ListProductsRequest.Filter(codes=[sku]))
    [product] = (
        product_service_pb2_grpc.ProductServiceStub(channel)
        .ListProducts(wanted, timeout=10)
        .products
    )
    wanted = Link(listing=found[sku].name, product=product.name, sync_enabled=True)
    request = CreateLinkRequest(parent=shop, link=wanted, request_id=str(uuid.uuid4()))
    link = link_service_pb2_grpc.LinkServiceStub(channel).CreateLink(request, timeout=10).link
    print(f"linked {sku} to {link.product}, sync {'on' if link.sync_enabled else 'off'}")

    stocks = stock_service_pb2_grpc.StockServiceStub(channel)
    etag = stocks.GetStock(GetStockRequest(name=f"{product.name}/stock"), timeout=10).stock.etag
    request = SetReserveRequest(
        product=product.name, reserve=10, etag=etag, request_id=str(uuid.uuid4())
    )
    first, again = (stocks.SetReserve(request, timeout=10) for _ in range(2))
    print(
        f"reserve {first.stock.reserve}: physical {first.stock.physical}, free "
        f"{first.stock.free}, synced {first.stock.synced}"
    )
    print(f"the same request again: {'the same' if again == first else 'another'} answer")
    try:
        stocks.SetReserve(
            SetReserveRequest(
                product=product.name, reserve=20, etag=etag, request_id=str(uuid.uuid4())
            ),
            timeout=10,
        )
    except grpc.RpcError as error:
        print(f"an old etag: {reason(error)}")
    print("watching")
    chosen = WatchSyncRequest.Filter(shops=[shop], subjects=[WatchSyncRequest.SUBJECT_LINK_STATUS])
    printed = shown = None
    for delivery, resumed in watch(
        SyncServiceStub(channel), WatchSyncRequest(parent=merchant, filter=chosen)
    ):
        states = [
            item.link_status
            for item in delivery.changes.items
            if item.link_status.link == link.name
        ]
        shown = next(
            (state.confirmed for state in states if state.state == LinkStatus.STATE_SYNCED), shown
        )
        if delivery.bookmark.snapshot_complete:
            print("snapshot complete")
            printed = 0
        if printed is not None and shown not in (None, printed):
            print(f"{sku} SYNCED at {shown}")
            printed = shown
            if resumed:
                return


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    main(*sys.argv[1:])
