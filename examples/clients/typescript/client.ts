// Links a listing, keeps 10 units back, and watches the sync through a restart: client.ts ADDRESS SHOP SKU.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { equals, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ErrorInfo } from "nice-grpc-error-details";
import { LinkStatus_State } from "./gen/zaiko/v1/link_pb.js";
import { LinkService } from "./gen/zaiko/v1/link_service_pb.js";
import type { Listing } from "./gen/zaiko/v1/listing_pb.js";
import { ProductService } from "./gen/zaiko/v1/product_service_pb.js";
import { ShopService } from "./gen/zaiko/v1/shop_service_pb.js";
import { SetReserveResponseSchema, StockService } from "./gen/zaiko/v1/stock_service_pb.js";
import { SyncService, type WatchSyncRequest_FilterSchema, WatchSyncRequest_Subject } from "./gen/zaiko/v1/sync_service_pb.js";

const BEGIN_AGAIN = ["RESUME_TOKEN_INVALID", "REVISION_COMPACTED", "HISTORY_REPLACED", "REVISION_IN_FUTURE"];

/** A reason of error.proto; where the error is not a zaiko server's, the status code. */
function reason(error: ConnectError): string {
  for (const detail of error.details)
    if ("type" in detail && detail.type === "google.rpc.ErrorInfo") return ErrorInfo.decode(detail.value).reason;
  return Code[error.code];
}

type Filter = MessageInitShape<typeof WatchSyncRequest_FilterSchema>;

/** Every delivery, and whether there was an interruption before it; over as many calls as it takes. */
async function* watch(syncs: Client<typeof SyncService>, parent: string, filter: Filter) {
  for (let token = "", interrupted = false, resumed = false; ; await sleep(100 + Math.random() * 400)) {
    const position = token ? { case: "resumeToken" as const, value: token } : { case: "snapshot" as const, value: {} };
    try {
      for await (const delivery of syncs.watchSync({ parent, filter, start: { position, bookmarkInterval: { seconds: 1n } } })) {
        if (interrupted) {
          console.log(token ? "resumed" : "began again");
          [interrupted, resumed] = [false, true];
        }
        // Half a snapshot is nothing to resume: what is lacking would never come.
        const complete = delivery.delivery.case === "bookmark" && delivery.delivery.value.snapshotComplete;
        if (token || complete) token = delivery.resumeToken;
        yield { delivery: delivery.delivery, complete, resumed };
      }
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      if (!interrupted) console.log(`interrupted: ${reason(error)}`);
      if (BEGIN_AGAIN.includes(reason(error))) token = "";
      else if (![Code.Unavailable, Code.ResourceExhausted].includes(error.code)) throw error;
      interrupted = true;
    }
  }
}

const [address, shop, sku] = process.argv.slice(2) as [string, string, string];
const [merchant] = shop.split("/shops/") as [string];
const sessionManager = new Http2SessionManager(`http://${address}`, { pingIntervalMs: 30_000 });
const transport = createGrpcTransport({ baseUrl: `http://${address}`, sessionManager });
const brief = { timeoutMs: 10_000 };

console.log(`listings of ${shop}`);
const found = new Map<string, Listing>();
let pageToken = "";
do {
  const page = await createClient(ShopService, transport).listListings({ parent: shop, pageSize: 1, pageToken }, brief);
  for (const listing of page.listings) found.set(listing.sku, listing);
  pageToken = page.nextPageToken;
} while (pageToken);
for (const code of [...found.keys()].sort()) console.log(`  ${code} shows ${found.get(code)?.quantity}`);
const wanted = { parent: merchant, filter: { codes: [sku] } };
const { products } = await createClient(ProductService, transport).listProducts(wanted, brief);
const product = products[0]!.name;
const target = { case: "product" as const, value: product };
const { link } = await createClient(LinkService, transport).createLink(
  { parent: shop, link: { listing: found.get(sku)!.name, target, syncEnabled: true }, requestId: randomUUID() },
  brief,
);
console.log(`linked ${sku} to ${link?.target.value}, sync ${link?.syncEnabled ? "on" : "off"}`);

const stocks = createClient(StockService, transport);
const etag = (await stocks.getStock({ name: `${product}/stock` }, brief)).stock!.etag;
const reserve = { product, reserve: 10, etag, requestId: randomUUID() };
const first = await stocks.setReserve(reserve, brief);
const { stock } = first;
console.log(`reserve ${stock?.reserve}: physical ${stock?.physical}, free ${stock?.free}, synced ${stock?.synced}`);
const again = equals(SetReserveResponseSchema, await stocks.setReserve(reserve, brief), first);
console.log(`the same request again: ${again ? "the same" : "another"} answer`);
await stocks
  .setReserve({ product, reserve: 20, etag, requestId: randomUUID() }, brief)
  .catch((error) => console.log(`an old etag: ${reason(ConnectError.from(error))}`));

console.log("watching");
let told: string | undefined, shown: string | undefined, known = false;
const filter = { shops: [shop], subjects: [WatchSyncRequest_Subject.LINK_STATUS] };
for await (const { delivery, complete, resumed } of watch(createClient(SyncService, transport), merchant, filter)) {
  for (const { item } of delivery.case === "changes" ? delivery.value.items : []) {
    if (item.case === "linkStatus" && item.value.link === link?.name && item.value.state === LinkStatus_State.SYNCED)
      shown = item.value.confirmed;
  }
  if (complete) console.log("snapshot complete");
  known ||= complete;
  if (!known || shown === told) continue;
  console.log(`${sku} SYNCED at ${shown}`);
  told = shown;
  if (resumed) break;
}
sessionManager.abort();
