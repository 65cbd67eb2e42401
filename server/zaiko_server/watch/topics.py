"""What can be watched. A topic reads its states in one snapshot, and puts them into messages of at
most about 1 MiB."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from zaiko.v1 import stock_service_pb2, sync_service_pb2, watch_pb2
from zaiko_core.app.links import CanSync
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind
from zaiko_core.domain.errors import RevisionCompacted, RevisionInFuture

from zaiko_server import names
from zaiko_server.watch import states
from zaiko_server.watch.cursor import Cursors

LARGEST = 1 << 20
"""Bytes of one message, at most, unless a single state is larger."""

_FRAME = 512
"""Bytes of a message beside its items: revision, token, frames."""

Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class TopicDelivery(Generic[Response]):
    """Everything that a watch is to be told on its way to `revision`. No responses: nothing of it
    matched."""

    revision: int
    responses: Sequence[Response]


@dataclass(frozen=True, slots=True)
class Content:
    """States of one revision, and names of what has gone."""

    items: Iterable[Message]
    deleted: Sequence[str] = ()


class Topic(ABC, Generic[Response]):
    """One merchant's states of some kind, filtered. Reads run on worker threads; a topic is
    immutable."""

    merchant: str
    scope: bytes
    """Differs whenever merchant or filter differs."""
    kinds: frozenset[ChangeKind]
    """Changes that concern it."""

    @abstractmethod
    def everything(self, uow: UnitOfWork) -> Content:
        """All states that match."""

    @abstractmethod
    def changed(self, uow: UnitOfWork, told: dict[ChangeKind, list[str]]) -> Content:
        """The present states of what changed. `told` has names from the change feed
        (`ChangeKind`)."""

    @abstractmethod
    def piece(
        self,
        revision: int,
        items: Sequence[Message],
        deleted: Sequence[str],
        *,
        continued: bool,
        token: str,
    ) -> Response:
        """One message with states."""

    @abstractmethod
    def bookmark(self, bookmark: watch_pb2.WatchBookmark, token: str) -> Response:
        """One message with a mark."""

    def snapshot(self, cursors: Cursors) -> Callable[[UnitOfWork], TopicDelivery[Response]]:
        """Reads all states. Until the mark after them has come, a client can only start over: it
        would not know what it lacks."""

        def read(uow: UnitOfWork) -> TopicDelivery[Response]:
            token = cursors.snapshot()
            return TopicDelivery(
                uow.revision,
                self._pieces(uow.revision, self.everything(uow), before=token, after=token),
            )

        return read

    def changes(
        self, cursors: Cursors, position: int
    ) -> Callable[[UnitOfWork], TopicDelivery[Response]]:
        """Reads what changed after `position`, as it is now. Raises RevisionCompacted and
        RevisionInFuture."""

        def read(uow: UnitOfWork) -> TopicDelivery[Response]:
            revision, compacted = uow.revision, uow.feed.compacted()
            if position > revision:
                raise RevisionInFuture(
                    (
                        f"revision {position} does not exist yet, the newest is {revision}; "
                        "resume with a token of this server"
                    ),
                    currentRevision=str(revision),
                )
            if position < compacted:
                raise RevisionCompacted(
                    (
                        f"changes up to revision {compacted} are not kept any more; start again "
                        "with a snapshot"
                    ),
                    compactRevision=str(compacted),
                )
            told = {
                kind: sorted(found)
                for kind, found in uow.feed.between(position, revision, self.kinds).items()
            }
            content = self.changed(uow, told) if told else Content(())
            pieces = self._pieces(
                revision, content, before=cursors.at(position), after=cursors.at(revision)
            )
            return TopicDelivery(revision, pieces)

        return read

    def marked(
        self, cursors: Cursors, revision: int, *, now: int, snapshot_complete: bool = False
    ) -> Response:
        """A mark at `revision`; `now` in µs since 1970."""
        send_time = Timestamp(seconds=now // 1_000_000, nanos=now % 1_000_000 * 1000)
        bookmark = watch_pb2.WatchBookmark(
            revision=revision, snapshot_complete=snapshot_complete, send_time=send_time
        )
        return self.bookmark(bookmark, cursors.at(revision))

    def _pieces(
        self, revision: int, content: Content, *, before: str, after: str
    ) -> list[Response]:
        """A token in the middle of a revision resumes before it, the last one after it."""
        batches = list(_batches(content))
        last = len(batches) - 1
        return [
            self.piece(
                revision,
                items,
                deleted,
                continued=place < last,
                token=after if place == last else before,
            )
            for place, (items, deleted) in enumerate(batches)
        ]


def _batches(content: Content) -> Iterator[tuple[list[Message], list[str]]]:
    """Items and deleted names, in portions that fit into one message."""
    items: list[Message] = []
    deleted: list[str] = []
    size = _FRAME
    for item in content.items:
        length = item.ByteSize() + 8
        if size + length > LARGEST and items:
            yield items, []
            items, size = [], _FRAME
        items.append(item)
        size += length
    for name in content.deleted:
        length = len(name.encode()) + 8
        if size + length > LARGEST and (items or deleted):
            yield items, deleted
            items, deleted, size = [], [], _FRAME
        deleted.append(name)
        size += length
    if items or deleted:
        yield items, deleted


class StockTopic(Topic[stock_service_pb2.WatchStocksResponse]):
    """The stocks of a merchant, or of some of its products."""

    kinds = frozenset({ChangeKind.STOCK})

    def __init__(self, merchant: str, products: frozenset[str] = frozenset()) -> None:
        self.merchant, self._products = merchant, products
        self.scope = _scope("stocks", merchant, sorted(products))

    def everything(self, uow: UnitOfWork) -> Content:
        return Content(states.all_stocks(uow, self._products))

    def changed(self, uow: UnitOfWork, told: dict[ChangeKind, list[str]]) -> Content:
        products = [
            name
            for name in told.get(ChangeKind.STOCK, ())
            if not self._products or name in self._products
        ]
        found = states.stocks(uow, products)
        gone = [names.STOCK(self.merchant, product) for product in products if product not in found]
        return Content(found.values(), gone)

    def piece(
        self,
        revision: int,
        items: Sequence[Message],
        deleted: Sequence[str],
        *,
        continued: bool,
        token: str,
    ) -> stock_service_pb2.WatchStocksResponse:
        changes = stock_service_pb2.StockChanges(
            revision=revision, deleted_names=deleted, continued=continued
        )
        changes.stocks.extend(items)  # type: ignore[arg-type] # a topic's own items
        return stock_service_pb2.WatchStocksResponse(changes=changes, resume_token=token)

    def bookmark(
        self, bookmark: watch_pb2.WatchBookmark, token: str
    ) -> stock_service_pb2.WatchStocksResponse:
        return stock_service_pb2.WatchStocksResponse(bookmark=bookmark, resume_token=token)


class SyncTopic(Topic[sync_service_pb2.WatchSyncResponse]):
    """How the sync is going: statuses of links and shops, and runs."""

    def __init__(
        self,
        merchant: str,
        shops: frozenset[str],
        subjects: frozenset[ChangeKind],
        *,
        can_sync: CanSync,
    ) -> None:
        self.merchant, self._shops, self._subjects, self._can_sync = (
            merchant,
            shops,
            subjects,
            can_sync,
        )
        # A shop's status counts its links by state, so it changes with them.
        self.kinds = subjects | {ChangeKind.LINK} if ChangeKind.SHOP in subjects else subjects
        self.scope = _scope("sync", merchant, sorted(shops), sorted(subjects))

    def everything(self, uow: UnitOfWork) -> Content:
        return Content(self._everything(uow))

    def _everything(self, uow: UnitOfWork) -> Iterator[Message]:
        shops = states.shop_ids(uow, self._shops)
        if ChangeKind.SHOP in self._subjects:
            for shop_status in states.shop_statuses(uow, shops, self._can_sync).values():
                yield sync_service_pb2.SyncItem(shop_status=shop_status)
        if ChangeKind.LINK in self._subjects:
            for link_status in states.all_link_statuses(uow, shops, self._can_sync):
                yield sync_service_pb2.SyncItem(link_status=link_status)
        if ChangeKind.RUN in self._subjects:
            for run in states.last_runs(uow, shops):
                yield sync_service_pb2.SyncItem(sync_run=run)

    def changed(self, uow: UnitOfWork, told: dict[ChangeKind, list[str]]) -> Content:
        items: list[Message] = []
        gone: list[str] = []
        links = self._pairs(told.get(ChangeKind.LINK, ()))
        if ChangeKind.SHOP in self._subjects:
            named = {name for name in told.get(ChangeKind.SHOP, ()) if self._matches(name)}
            concerned = sorted(named | {shop for shop, _ in links})
            shops = states.shop_statuses(uow, concerned, self._can_sync)
            items += [sync_service_pb2.SyncItem(shop_status=status) for status in shops.values()]
            gone += [names.SHOP(self.merchant, shop) for shop in concerned if shop not in shops]
        if ChangeKind.LINK in self._subjects:
            statuses = states.link_statuses(uow, links, self._can_sync)
            items += [sync_service_pb2.SyncItem(link_status=status) for status in statuses.values()]
            gone += [names.LINK(self.merchant, *key) for key in links if key not in statuses]
        if ChangeKind.RUN in self._subjects:
            keys = self._pairs(told.get(ChangeKind.RUN, ()))
            runs = states.runs(uow, keys)
            items += [sync_service_pb2.SyncItem(sync_run=run) for run in runs.values()]
            gone += [names.RUN(self.merchant, *key) for key in keys if key not in runs]
        return Content(items, gone)

    def piece(
        self,
        revision: int,
        items: Sequence[Message],
        deleted: Sequence[str],
        *,
        continued: bool,
        token: str,
    ) -> sync_service_pb2.WatchSyncResponse:
        changes = sync_service_pb2.SyncChanges(
            revision=revision, deleted_names=deleted, continued=continued
        )
        changes.items.extend(items)  # type: ignore[arg-type] # a topic's own items
        return sync_service_pb2.WatchSyncResponse(changes=changes, resume_token=token)

    def bookmark(
        self, bookmark: watch_pb2.WatchBookmark, token: str
    ) -> sync_service_pb2.WatchSyncResponse:
        return sync_service_pb2.WatchSyncResponse(bookmark=bookmark, resume_token=token)

    def _matches(self, shop: str) -> bool:
        return not self._shops or shop in self._shops

    def _pairs(self, found: Iterable[str]) -> list[tuple[str, str]]:
        """(shop, id) of names `shop/id` that match."""
        pairs = (name.partition("/") for name in found)
        return [(shop, thing) for shop, _, thing in pairs if self._matches(shop)]


def _scope(kind: str, merchant: str, *filters: Sequence[str]) -> bytes:
    # Ids contain neither of the separators.
    return "\n".join([kind, merchant, *(",".join(values) for values in filters)]).encode()
