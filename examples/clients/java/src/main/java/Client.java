import com.google.protobuf.Duration;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import dev.zaiko.v1.*;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiPredicate;

/** Links a listing, keeps 10 units back, and watches the sync through a restart: Client ADDRESS SHOP SKU. */
public final class Client {
  static final Set<String> BEGIN_AGAIN =
      Set.of("RESUME_TOKEN_INVALID", "REVISION_COMPACTED", "HISTORY_REPLACED", "REVISION_IN_FUTURE");

  /** A reason of error.proto; where the error is not a zaiko server's, the status code. */
  static String reason(StatusRuntimeException error) throws InvalidProtocolBufferException {
    for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) return detail.unpack(ErrorInfo.class).getReason();
    }
    return error.getStatus().getCode().name();
  }

  /** Hands over every delivery, and whether an interruption was before it, over as many calls as it takes, until taken enough. */
  static void watch(
      SyncServiceGrpc.SyncServiceBlockingStub syncs, WatchSyncRequest.Builder request, BiPredicate<WatchSyncResponse, Boolean> take)
      throws Exception {
    String token = "";
    for (boolean interrupted = false, resumed = false; ; Thread.sleep(ThreadLocalRandom.current().nextLong(100, 500))) {
      var start = WatchStart.newBuilder().setBookmarkInterval(Duration.newBuilder().setSeconds(1));
      if (!token.isEmpty()) start.setResumeToken(token);
      try {
        var deliveries = syncs.watchSync(request.setStart(start).build());
        while (deliveries.hasNext()) {
          var delivery = deliveries.next();
          if (interrupted) {
            System.out.println(token.isEmpty() ? "began again" : "resumed");
            interrupted = false;
            resumed = true;
          }
          // Half a snapshot is nothing to resume: what is lacking would never come.
          if (!token.isEmpty() || delivery.getBookmark().getSnapshotComplete()) token = delivery.getResumeToken();
          if (take.test(delivery, resumed)) return;
        }
      } catch (StatusRuntimeException error) {
        if (!interrupted) System.out.println("interrupted: " + reason(error));
        if (BEGIN_AGAIN.contains(reason(error))) token = "";
        else if (!Set.of(Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED).contains(error.getStatus().getCode())) throw error;
        interrupted = true;
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    String address = arguments[0], shop = arguments[1], sku = arguments[2], merchant = shop.split("/shops/")[0];
    var channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create()).keepAliveTime(30, TimeUnit.SECONDS).build();

    System.out.printf("listings of %s%n", shop);
    var found = new TreeMap<String, Listing>();
    var page = ListListingsResponse.getDefaultInstance();
    do {
      var request = ListListingsRequest.newBuilder().setParent(shop).setPageSize(1).setPageToken(page.getNextPageToken());
      page = ShopServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS).listListings(request.build());
      for (var listing : page.getListingsList()) found.put(listing.getSku(), listing);
    } while (!page.getNextPageToken().isEmpty());
    found.forEach((code, listing) -> System.out.printf("  %s shows %d%n", code, listing.getQuantity()));

    var wanted = ListProductsRequest.newBuilder().setParent(merchant);
    wanted.getFilterBuilder().addCodes(sku);
    var products = ProductServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS);
    var product = products.listProducts(wanted.build()).getProducts(0).getName();
    var create = CreateLinkRequest.newBuilder().setParent(shop).setRequestId(UUID.randomUUID().toString());
    create.getLinkBuilder().setListing(found.get(sku).getName()).setProduct(product).setSyncEnabled(true);
    var links = LinkServiceGrpc.newBlockingStub(channel).withDeadlineAfter(10, TimeUnit.SECONDS);
    var link = links.createLink(create.build()).getLink();
    System.out.printf("linked %s to %s, sync %s%n", sku, link.getProduct(), link.getSyncEnabled() ? "on" : "off");

    var stocks = StockServiceGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
    var etag = stocks.getStock(GetStockRequest.newBuilder().setName(product + "/stock").build()).getStock().getEtag();
    var reserve = SetReserveRequest.newBuilder().setProduct(product).setReserve(10).setEtag(etag);
    reserve.setRequestId(UUID.randomUUID().toString());
    var first = stocks.setReserve(reserve.build());
    var stock = first.getStock();
    System.out.printf("reserve %d: physical %d, ", stock.getReserve(), stock.getPhysical());
    System.out.printf("free %d, synced %d%n", stock.getFree(), stock.getSynced());
    var again = stocks.setReserve(reserve.build());
    System.out.printf("the same request again: %s answer%n", again.equals(first) ? "the same" : "another");
    try {
      stocks.setReserve(reserve.setReserve(20).setRequestId(UUID.randomUUID().toString()).build());
    } catch (StatusRuntimeException error) {
      System.out.printf("an old etag: %s%n", reason(error));
    }

    System.out.println("watching");
    var request = WatchSyncRequest.newBuilder().setParent(merchant);
    request.getFilterBuilder().addShops(shop).addSubjects(WatchSyncRequest.Subject.SUBJECT_LINK_STATUS);
    var known = new Object() { Long told, shown; boolean complete; };
    watch(SyncServiceGrpc.newBlockingStub(channel), request, (delivery, resumed) -> {
      for (var item : delivery.getChanges().getItemsList()) {
        var status = item.getLinkStatus();
        var synced = status.getState() == LinkStatus.State.STATE_SYNCED;
        if (synced && status.getLink().equals(link.getName())) known.shown = status.getConfirmed();
      }
      if (delivery.getBookmark().getSnapshotComplete()) {
        System.out.println("snapshot complete");
        known.complete = true;
      }
      if (!known.complete || known.shown == null || known.shown.equals(known.told)) return false;
      known.told = known.shown;
      System.out.printf("%s SYNCED at %d%n", sku, known.shown);
      return resumed;
    });
    channel.shutdownNow();
  }
}
