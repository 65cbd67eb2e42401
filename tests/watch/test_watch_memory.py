"""The memory of a watch that is not read: its position and one read, however much changes
meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.world import MERCHANT
from watch.watch_bench import Bench, serve
from zaiko.v1 import sync_service_pb2, watch_pb2
from zaiko_core.app.records import ChangeKind
from zaiko_core.domain.ids import listing_id
from zaiko_server.watch import topics
from zaiko_server.watch.watch_stream import UNACKNOWLEDGED, WatchStream

pytestmark = pytest.mark.anyio
GOODS = [f"p{number:02d}" for number in range(20)]
CHANGES = 500
Request = sync_service_pb2.WatchSyncSessionRequest


class Readings:
    """Counts reads, and the items of the largest."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.readings = 0
        self.largest = 0
        real = topics.Topic._responses

        def pieces(
            topic: Any, revision: int, content: Any, *, before: str, after: str
        ) -> list[Any]:
            made = real(topic, revision, content, before=before, after=after)
            self.readings += 1
            self.largest = max(self.largest, sum(len(piece.changes.items) for piece in made))
            return made

        monkeypatch.setattr(topics.Topic, "_responses", pieces)


async def _change_all(bench: Bench, times: int) -> int:
    """Change every link `times` times, each in a separate commit. Return the newest revision."""
    newest = 0
    for _ in range(times):
        for name in GOODS:
            key = f"aa/{listing_id(name)}"
            newest = await bench.db.write(
                MERCHANT,
                lambda uow, key=key: (uow.changed(ChangeKind.LINK, [key]), uow.revision)[1],
            )
    return newest


@pytest.mark.thorough
async def test_a_watch_that_is_never_acknowledged_holds_one_read_of_the_matching_keys_at_most(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(sqlite_url, lambda world: world.begin(GOODS, ["aa"])) as bench:
        for name in GOODS:
            bench.world.link("aa", name)
        readings = Readings(monkeypatch)
        # Taken one by one from the stream itself: no socket buffers anything for the client.
        received: list[Any] = []
        requested: asyncio.Queue[Any] = asyncio.Queue()

        async def requests() -> Any:
            while (request := await requested.get()) is not None:
                yield request

        stream = WatchStream(
            bench.watch_server.hub.slots, bench.watch_server._sync_watch, check=lambda request: None
        )
        start = watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
        subjects = sync_service_pb2.WatchSyncRequest.Filter(
            subjects=[sync_service_pb2.WatchSyncRequest.SUBJECT_LINK_STATUS]
        )
        wanted = sync_service_pb2.WatchSyncRequest(
            parent=f"merchants/{MERCHANT}", filter=subjects, start=start
        )
        await requested.put(Request(watch_id=1, create=wanted))
        responses = stream.responses(requests())
        async with asyncio.timeout(60):
            while (
                len(received) < UNACKNOWLEDGED + 1
            ):  # created, and what may be sent without acknowledgement
                if len(received) > 3:
                    await _change_all(bench, 1)
                received.append(await anext(responses))
            before = readings.readings
            newest = await _change_all(bench, CHANGES // len(GOODS))
            assert readings.readings == before, "nothing is read for a watch without room"
            [watch] = stream._watches.values()
            held = {
                name: value
                for name, value in vars(watch).items()
                if isinstance(value, (list, dict, set))
            }
            assert held == {}
            assert stream._outbox.qsize() <= 1

            await requested.put(
                Request(watch_id=1, ack=Request.Acknowledgement(delivery=UNACKNOWLEDGED))
            )
            update = (await anext(responses)).update
            while update.HasField("bookmark"):
                # On a busy machine the changes took longer than the interval of bookmarks.
                update = (await anext(responses)).update
        await responses.aclose()

    assert update.changes.revision == newest
    assert sorted(item.link_status.sku for item in update.changes.items) == GOODS
    assert readings.largest == len(GOODS)


async def test_a_watch_whose_messages_are_not_taken_reads_nothing_more(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(sqlite_url, lambda world: world.begin(GOODS, ["aa"])) as bench:
        for name in GOODS:
            bench.world.link("aa", name)
        request = sync_service_pb2.WatchSyncRequest(parent=f"merchants/{MERCHANT}")
        messages = bench.watch_server._sync_watch(request).messages()
        while not (await anext(messages)).bookmark.snapshot_complete:
            pass
        await _change_all(bench, 1)
        await anext(messages)
        readings = Readings(monkeypatch)
        newest = await _change_all(bench, CHANGES // len(GOODS))
        assert readings.readings == 0
        while (taken := (await anext(messages)).changes).revision < newest:
            pass
        await messages.aclose()

    assert len(taken.items) == len(GOODS) + 1  # each link once, and the shop that counts them
    assert readings.readings <= 2
