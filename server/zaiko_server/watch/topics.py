"""What can be watched. A topic reads its states in one snapshot of the store, and splits them into
messages of about 1 MiB at most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from zaiko_server.watch.resume_tokens import ResumeTokens

MAX_MESSAGE_BYTES = 1 << 20
"""The size of one message at most, unless a single state is larger."""

_OVERHEAD_BYTES = 512
"""The size of a message without its items: revision, token, framing."""

Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class TopicDelivery(Generic[Response]):
    """The responses that bring a watch to `revision`; none when nothing that matches changed."""

    revision: int
    responses: Sequence[Response]


@dataclass(frozen=True, slots=True)
class TopicStates:
    """States as of one revision, and the names of resources that no longer exist."""

    items: Iterable[Message]
    deleted: Sequence[str] = ()


class Topic(ABC, Generic[Response]):
    """One merchant's states of some kind, filtered. Immutable. Its reads run on worker threads."""

    merchant: str
    scope: bytes
    """Differs whenever the merchant or the filter differs."""
    kinds: frozenset[ChangeKind]
    """The kinds of changes that it reads from the change feed."""

    @abstractmethod
    def all_states(self, uow: UnitOfWork) -> TopicStates:
        """Return all states that match."""

    @abstractmethod
    def changed_states(
        self, uow: UnitOfWork, changed: Mapping[ChangeKind, Sequence[str]]
    ) -> TopicStates:
        """Return the present states of what changed. `changed` has the keys of the change feed (see
        ChangeKind)."""

    @abstractmethod
    def changes_response(
        self,
        revision: int,
        items: Sequence[Message],
        deleted: Sequence[str],
        *,
        continued: bool,
        token: str,
    ) -> Response:
        """Return one message with states."""

    @abstractmethod
    def bookmark_response(self, bookmark: watch_pb2.WatchBookmark, token: str) -> Response:
        """Return one message with a bookmark."""

    def read_snapshot(
        self, tokens: ResumeTokens
    ) -> Callable[[UnitOfWork], TopicDelivery[Response]]:
        """Return a query for all states. Its messages all carry the snapshot token: until the
        bookmark that follows them, a client does not know what it lacks and can only start over."""

        def read(uow: UnitOfWork) -> TopicDelivery[Response]:
            token = tokens.snapshot()
            states = self.all_states(uow)
            return TopicDelivery(
                uow.revision, self._responses(uow.revision, states, before=token, after=token)
            )

        return read

    def read_changes(
        self, tokens: ResumeTokens, position: int
    ) -> Callable[[UnitOfWork], TopicDelivery[Response]]:
        """Return a query for the present states of what changed after `position`. It raises
        RevisionCompacted and RevisionInFuture."""

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
                        f"changes up to revision {compacted} are compacted; start again with a "
                        "snapshot"
                    ),
                    compactRevision=str(compacted),
                )
            changed = {
                kind: sorted(keys)
                for kind, keys in uow.feed.between(position, revision, self.kinds).items()
            }
            states = self.changed_states(uow, changed) if changed else TopicStates(())
            responses = self._responses(
                revision, states, before=tokens.at(position), after=tokens.at(revision)
            )
            return TopicDelivery(revision, responses)

        return read

    def bookmark(
        self, tokens: ResumeTokens, revision: int, *, now: int, snapshot_complete: bool = False
    ) -> Response:
        """Return a bookmark at `revision`. `now` is in µs since 1970."""
        send_time = Timestamp(seconds=now // 1_000_000, nanos=now % 1_000_000 * 1000)
        bookmark = watch_pb2.WatchBookmark(
            revision=revision, snapshot_complete=snapshot_complete, send_time=send_time
        )
        return self.bookmark_response(bookmark, tokens.at(revision))

    def _responses(
        self, revision: int, states: TopicStates, *, before: str, after: str
    ) -> list[Response]:
        """Return the states as messages. The last one's token resumes after the revision, the
        others' before it."""
        batches = list(_batches(states))
        last = len(batches) - 1
        return [
            self.changes_response(
                revision,
                items,
                deleted,
                continued=place < last,
                token=after if place == last else before,
            )
            for place, (items, deleted) in enumerate(batches)
        ]


def _batches(states: TopicStates) -> Iterator[tuple[list[Message], list[str]]]:
    """Yield items and deleted names in batches that each fit into one message."""
    items: list[Message] = []
    deleted: list[str] = []
    size = _OVERHEAD_BYTES
    for item in states.items:
        length = item.ByteSize() + 8
        if size + length > MAX_MESSAGE_BYTES and items:
            yield items, []
            items, size = [], _OVERHEAD_BYTES
        items.append(item)
        size += length
    for name in states.deleted:
        length = len(name.encode()) + 8
        if size + length > MAX_MESSAGE_BYTES and (items or deleted):
            yield items, deleted
            items, deleted, size = [], [], _OVERHEAD_BYTES
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

    def all_states(self, uow: UnitOfWork) -> TopicStates:
        return TopicStates(states.all_stocks(uow, self._products))

    def changed_states(
        self, uow: UnitOfWork, changed: Mapping[ChangeKind, Sequence[str]]
    ) -> TopicStates:
        products = [
            name
            for name in changed.get(ChangeKind.STOCK, ())
            if not self._products or name in self._products
        ]
        found = states.stocks(uow, products)
        deleted = [
            names.STOCK(self.merchant, product) for product in products if product not in found
        ]
        return TopicStates(found.values(), deleted)

    def changes_response(
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

    def bookmark_response(
        self, bookmark: watch_pb2.WatchBookmark, token: str
    ) -> stock_service_pb2.WatchStocksResponse:
        return stock_service_pb2.WatchStocksResponse(bookmark=bookmark, resume_token=token)


class SyncTopic(Topic[sync_service_pb2.WatchSyncResponse]):
    """How the sync of a merchant goes: the statuses of its links and shops, and its runs."""

    def __init__(
        self,
        merchant: str,
        shops: frozenset[str],
        subjects: frozenset[ChangeKind],
        *,
        can_sync: CanSync,
    ) -> None:
        self.merchant = merchant
        self._shops, self._subjects = shops, subjects
        self._can_sync = can_sync
        # A shop's status counts its links by state, so it changes with them.
        self.kinds = subjects | {ChangeKind.LINK} if ChangeKind.SHOP in subjects else subjects
        self.scope = _scope("sync", merchant, sorted(shops), sorted(subjects))

    def all_states(self, uow: UnitOfWork) -> TopicStates:
        return TopicStates(self._all_states(uow))

    def _all_states(self, uow: UnitOfWork) -> Iterator[Message]:
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

    def changed_states(
        self, uow: UnitOfWork, changed: Mapping[ChangeKind, Sequence[str]]
    ) -> TopicStates:
        items: list[Message] = []
        deleted: list[str] = []
        links = self._pairs(changed.get(ChangeKind.LINK, ()))
        if ChangeKind.SHOP in self._subjects:
            shops_changed = {
                name for name in changed.get(ChangeKind.SHOP, ()) if self._matches(name)
            }
            affected = sorted(shops_changed | {shop for shop, _ in links})
            shops = states.shop_statuses(uow, affected, self._can_sync)
            items += [sync_service_pb2.SyncItem(shop_status=status) for status in shops.values()]
            deleted += [names.SHOP(self.merchant, shop) for shop in affected if shop not in shops]
        if ChangeKind.LINK in self._subjects:
            statuses = states.link_statuses(uow, links, self._can_sync)
            items += [sync_service_pb2.SyncItem(link_status=status) for status in statuses.values()]
            deleted += [names.LINK(self.merchant, *key) for key in links if key not in statuses]
        if ChangeKind.RUN in self._subjects:
            keys = self._pairs(changed.get(ChangeKind.RUN, ()))
            runs = states.runs(uow, keys)
            items += [sync_service_pb2.SyncItem(sync_run=run) for run in runs.values()]
            deleted += [names.RUN(self.merchant, *key) for key in keys if key not in runs]
        return TopicStates(items, deleted)

    def changes_response(
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

    def bookmark_response(
        self, bookmark: watch_pb2.WatchBookmark, token: str
    ) -> sync_service_pb2.WatchSyncResponse:
        return sync_service_pb2.WatchSyncResponse(bookmark=bookmark, resume_token=token)

    def _matches(self, shop: str) -> bool:
        return not self._shops or shop in self._shops

    def _pairs(self, found: Iterable[str]) -> list[tuple[str, str]]:
        """Return (shop, id) of the keys `shop/id` that match."""
        pairs = (name.partition("/") for name in found)
        return [(shop, thing) for shop, _, thing in pairs if self._matches(shop)]


def _scope(kind: str, merchant: str, *filters: Sequence[str]) -> bytes:
    # Ids contain neither of these separators, so different filters never give the same bytes.
    return "\n".join([kind, merchant, *(",".join(values) for values in filters)]).encode()
