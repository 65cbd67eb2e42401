"""The seven guarantees of a watch (watch.proto) as checks of a recorded history: what a client was
sent, against what the store held. They are pure, so a test can also check a damaged history. The
names are those of etcd's checker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

State = tuple[int, int]
"""(physical, reserve)."""


@dataclass
class Stream:
    """One call. `resumed_at` is the revision of the token that it began with, None for a
    snapshot."""

    resumed_at: int | None
    deliveries: list[Any] = field(default_factory=list)


@dataclass
class History:
    """What each client was sent, call by call, and every change of every product as (revision,
    physical, reserve)."""

    clients: dict[str, list[Stream]] = field(default_factory=dict)
    truth: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    """Products whose reserves are always set together, to the same number."""

    def at(self, revision: int) -> dict[str, State]:
        """Return the state of every product as of a revision."""
        past = {
            product: [row for row in rows if row[0] <= revision]
            for product, rows in self.truth.items()
        }
        return {product: max(rows)[1:] for product, rows in past.items() if rows}

    def streams(self) -> Iterator[tuple[str, Stream]]:
        """Yield every call of every client."""
        for name, streams in self.clients.items():
            for number, stream in enumerate(streams):
                yield f"{name}, call {number}", stream

    @property
    def deliveries(self) -> int:
        return sum(len(stream.deliveries) for _, stream in self.streams())


def is_bookmark(delivery: Any) -> bool:
    """Return whether a delivery is a bookmark."""
    return bool(delivery.WhichOneof("delivery") == "bookmark")


def revision_of(delivery: Any) -> int:
    """Return the revision of a delivery."""
    return int(delivery.bookmark.revision if is_bookmark(delivery) else delivery.changes.revision)


def states(delivery: Any) -> dict[str, State]:
    """Return the states in a delivery, by product."""
    return {
        item.product.rsplit("/", 1)[1]: (item.physical, item.reserve)
        for item in delivery.changes.stocks
    }


def walk(streams: list[Stream]) -> Iterator[tuple[Stream, Any, dict[str, State]]]:
    """Yield each delivery of a client with what it knows afterwards. A snapshot begins with no
    knowledge."""
    known: dict[str, State] = {}
    for stream in streams:
        if stream.resumed_at is None:
            known = {}
        for delivery in stream.deliveries:
            known |= states(delivery)
            yield stream, delivery, dict(known)


def snapshot(history: History) -> list[str]:
    """Check: all states of one revision R, then a bookmark with R, and afterwards only newer
    revisions."""
    wrong = []
    for name, stream in history.streams():
        ends = [
            place
            for place, delivery in enumerate(stream.deliveries)
            if delivery.bookmark.snapshot_complete
        ]
        if len(ends) != (stream.resumed_at is None) and not (
            stream.resumed_at is None and not stream.deliveries
        ):
            wrong.append(f"{name}: {len(ends)} snapshots were completed")
        for end in ends[:1]:
            before, revision = stream.deliveries[: end + 1], revision_of(stream.deliveries[end])
            known: dict[str, State] = {}
            for delivery in before:
                known |= states(delivery)
            if {revision_of(delivery) for delivery in before} != {revision}:
                wrong.append(f"{name}: the snapshot is of several revisions")
            if known != history.at(revision):
                wrong.append(f"{name}: the snapshot is not what the store had at {revision}")
            later = [
                delivery for delivery in stream.deliveries[end + 1 :] if not is_bookmark(delivery)
            ]
            wrong += [
                f"{name}: {revision_of(old)} after the snapshot"
                for old in later
                if revision_of(old) <= revision
            ]
    return wrong


def ordered(history: History) -> list[str]:
    """Check: revisions never go back, within a call and from one call to the next."""
    wrong = []
    for name, streams in history.clients.items():
        revisions = [revision_of(delivery) for stream in streams for delivery in stream.deliveries]
        wrong += [
            f"{name}: {other} after {one}" for one, other in pairwise(revisions) if other < one
        ]
    return wrong


def unique(history: History) -> list[str]:
    """Check: what one revision changed is delivered once per call."""
    wrong = []
    for name, stream in history.streams():
        whole = [
            delivery.changes.revision
            for delivery in stream.deliveries
            if not is_bookmark(delivery) and not delivery.changes.continued
        ]
        wrong += [
            f"{name}: {revision} came {whole.count(revision)} times"
            for revision in set(whole)
            if whole.count(revision) > 1
        ]
    return wrong


def atomic(history: History) -> list[str]:
    """Check: what one commit changed is delivered together."""
    wrong = []
    for name, streams in history.clients.items():
        for _, delivery, known in walk(streams):
            if is_bookmark(delivery) or delivery.changes.continued:
                continue
            torn = [
                pair
                for pair in history.pairs
                if len({known[product][1] for product in pair if product in known}) > 1
            ]
            wrong += [
                f"{name}: at {revision_of(delivery)} only half of {pair} had come" for pair in torn
            ]
    return wrong


def reliable(history: History) -> list[str]:
    """Check: the last state of every key that a client has is the store's, and every state is that
    of its delivery's revision."""
    wrong = []
    for name, streams in history.clients.items():
        newest, last = 0, dict[str, State]()
        for _, delivery, known in walk(streams):
            last = known
            newest, truth = revision_of(delivery), history.at(revision_of(delivery))
            off = [
                product for product, state in states(delivery).items() if truth[product] != state
            ]
            wrong += [f"{name}: at {newest} {product} was different" for product in off]
        if last != history.at(newest):
            wrong.append(f"{name}: what is known in the end is not what the store had at {newest}")
    return wrong


def resumable(history: History) -> list[str]:
    """Check: a token resumes with everything that came after it and nothing older, from any
    server."""
    wrong = []
    for name, streams in history.clients.items():
        missing = {id(stream) for stream in streams if stream.resumed_at is not None}
        for stream, delivery, known in walk(streams):
            if id(stream) not in missing:
                continue
            if not is_bookmark(delivery) and delivery.changes.revision <= (stream.resumed_at or 0):
                wrong.append(
                    f"{name}: {delivery.changes.revision} again after a token of "
                    f"{stream.resumed_at}"
                )
            if is_bookmark(delivery):
                missing.discard(id(stream))
                if known != history.at(delivery.bookmark.revision):
                    wrong.append(
                        f"{name}: the token of {stream.resumed_at} did not bring everything "
                        f"up to {delivery.bookmark.revision}"
                    )
    return wrong


def bookmarkable(history: History) -> list[str]:
    """Check: at a bookmark the client has what the store had."""
    return [
        f"{name}: at the bookmark {delivery.bookmark.revision} something is missing"
        for name, streams in history.clients.items()
        for _, delivery, known in walk(streams)
        if is_bookmark(delivery) and known != history.at(delivery.bookmark.revision)
    ]


GUARANTEES: dict[str, Callable[[History], list[str]]] = {
    check.__name__: check
    for check in (snapshot, ordered, unique, atomic, reliable, resumable, bookmarkable)
}
