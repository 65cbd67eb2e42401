// Links a listing, keeps 10 units back, and watches the sync through a restart: client ADDRESS SHOP SKU.
package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	zaiko "zaiko.example/client/gen/zaiko/v1"
)

var beginAgain = []string{"RESUME_TOKEN_INVALID", "REVISION_COMPACTED", "HISTORY_REPLACED", "REVISION_IN_FUTURE"}

func must[T any](answer T, err error) T {
	if err != nil {
		log.Fatalf("%s: %v", reason(err), err)
	}
	return answer
}

// reason is one of error.proto; where the error is not a zaiko server's, the status code.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.Reason
		}
	}
	return status.Code(err).String()
}

// watch hands over every delivery, and whether there was an interruption before it, over as many calls as it takes.
// It ends when take says so.
func watch(syncs zaiko.SyncServiceClient, request *zaiko.WatchSyncRequest, take func(*zaiko.WatchSyncResponse, bool) bool) {
	for token, interrupted, resumed := "", false, false; ; time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond) {
		request.Start = &zaiko.WatchStart{BookmarkInterval: durationpb.New(time.Second)}
		if token != "" {
			request.Start.Position = &zaiko.WatchStart_ResumeToken{ResumeToken: token}
		}
		stream := must(syncs.WatchSync(context.Background(), request, grpc.WaitForReady(true)))
		delivery, err := stream.Recv()
		for ; err == nil; delivery, err = stream.Recv() {
			if interrupted {
				fmt.Println(map[bool]string{true: "resumed", false: "began again"}[token != ""])
				interrupted, resumed = false, true
			}
			// Half a snapshot is nothing to resume: what is lacking would never come.
			if token != "" || delivery.GetBookmark().GetSnapshotComplete() {
				token = delivery.ResumeToken
			}
			if take(delivery, resumed) {
				return
			}
		}
		if !interrupted {
			fmt.Println("interrupted:", reason(err))
		}
		if slices.Contains(beginAgain, reason(err)) {
			token = ""
		} else if !slices.Contains([]codes.Code{codes.Unavailable, codes.ResourceExhausted}, status.Code(err)) {
			log.Fatal(err)
		}
		interrupted = true
	}
}

func main() {
	address, shop, sku, merchant := os.Args[1], os.Args[2], os.Args[3], strings.Split(os.Args[2], "/shops/")[0]
	alive := grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second})
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), alive))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	fmt.Println("listings of", shop)
	found, request := map[string]*zaiko.Listing{}, &zaiko.ListListingsRequest{Parent: shop, PageSize: 1}
	for more := true; more; more = request.PageToken != "" {
		page := must(zaiko.NewShopServiceClient(conn).ListListings(ctx, request))
		request.PageToken = page.NextPageToken
		for _, listing := range page.Listings {
			found[listing.Sku] = listing
		}
	}
	for _, code := range slices.Sorted(maps.Keys(found)) {
		fmt.Printf("  %s shows %d\n", code, found[code].GetQuantity())
	}
	wanted := &zaiko.ListProductsRequest{Parent: merchant, Filter: &zaiko.ListProductsRequest_Filter{Codes: []string{sku}}}
	product := must(zaiko.NewProductServiceClient(conn).ListProducts(ctx, wanted)).Products[0].Name
	link := &zaiko.Link{Listing: found[sku].Name, Target: &zaiko.Link_Product{Product: product}, SyncEnabled: proto.Bool(true)}
	create := &zaiko.CreateLinkRequest{Parent: shop, Link: link, RequestId: uuid.NewString()}
	link = must(zaiko.NewLinkServiceClient(conn).CreateLink(ctx, create)).Link
	fmt.Printf("linked %s to %s, sync %s\n", sku, link.GetProduct(), map[bool]string{true: "on", false: "off"}[link.GetSyncEnabled()])

	stocks := zaiko.NewStockServiceClient(conn)
	etag := must(stocks.GetStock(ctx, &zaiko.GetStockRequest{Name: product + "/stock"})).Stock.Etag
	reserve := &zaiko.SetReserveRequest{Product: product, Reserve: 10, Etag: etag, RequestId: uuid.NewString()}
	first, again := must(stocks.SetReserve(ctx, reserve)), must(stocks.SetReserve(ctx, reserve))
	fmt.Printf("reserve %d: physical %d, ", first.Stock.Reserve, first.Stock.Physical)
	fmt.Printf("free %d, synced %d\n", first.Stock.Free, first.Stock.Synced)
	fmt.Println("the same request again:", map[bool]string{true: "the same", false: "another"}[proto.Equal(first, again)], "answer")
	_, err := stocks.SetReserve(ctx, &zaiko.SetReserveRequest{Product: product, Reserve: 20, Etag: etag, RequestId: uuid.NewString()})
	fmt.Printf("an old etag: %s\nwatching\n", reason(err))

	told, shown, known := int64(-1), int64(-1), false
	kinds := []zaiko.WatchSyncRequest_Subject{zaiko.WatchSyncRequest_SUBJECT_LINK_STATUS}
	all := &zaiko.WatchSyncRequest{Parent: merchant, Filter: &zaiko.WatchSyncRequest_Filter{Shops: []string{shop}, Subjects: kinds}}
	watch(zaiko.NewSyncServiceClient(conn), all, func(delivery *zaiko.WatchSyncResponse, resumed bool) bool {
		for _, item := range delivery.GetChanges().GetItems() {
			if state := item.GetLinkStatus(); state.GetLink() == link.Name && state.State == zaiko.LinkStatus_STATE_SYNCED {
				shown = state.GetConfirmed()
			}
		}
		if delivery.GetBookmark().GetSnapshotComplete() {
			fmt.Println("snapshot complete")
			known = true
		}
		news := known && shown != told
		if news {
			fmt.Printf("%s SYNCED at %d\n", sku, shown)
			told = shown
		}
		return news && resumed
	})
}
