"""Clients that watch through every fault, and record what they receive."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc
from watch.guarantees import Stream, revision_of
from zaiko.v1 import stock_service_pb2, stock_service_pb2_grpc, watch_pb2


class Watcher(threading.Thread):
    """One client of the stock watch. Whenever its call ends, it goes on at the next replica."""

    def __init__(self, addresses: list[str], merchant: str, place: int) -> None:
        super().__init__(daemon=True, name=f"watcher {place} of {merchant}")
        self.merchant = merchant
        self.streams: list[Stream] = []
        self._addresses, self._place = addresses, place
        self._token, self._is_complete = "", False
        self._reached = 0
        self._done = threading.Event()
        self._call: Any = None

    def run(self) -> None:
        while not self._done.is_set():
            address = self._addresses[self._place % len(self._addresses)]
            self._place += 1
            with grpc.insecure_channel(
                address, options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                try:
                    self._follow(stock_service_pb2_grpc.StockServiceStub(channel))
                except grpc.RpcError:
                    time.sleep(0.1)

    def finish(self, revision: int) -> None:
        """Watch until this revision has been delivered, then end. Fail after 40 s."""
        deadline = time.monotonic() + 40
        while self._reached < revision:
            assert time.monotonic() < deadline, (
                f"{self.name} is at {self._reached}, not at {revision}"
            )
            time.sleep(0.05)
        self.stop()

    def stop(self) -> None:
        """End the watch at once."""
        self._done.set()
        if self._call is not None:
            self._call.cancel()
        self.join(10)

    def _follow(self, stub: Any) -> None:
        resumes = bool(self._token) and self._is_complete
        if not resumes:
            start = watch_pb2.WatchStart(snapshot=watch_pb2.WatchSnapshot())
        else:
            start = watch_pb2.WatchStart(resume_token=self._token)
        stream = Stream(self._reached if resumes else None)
        self._call = stub.WatchStocks(
            stock_service_pb2.WatchStocksRequest(parent=f"merchants/{self.merchant}", start=start),
            timeout=60,
        )
        for delivery in self._call:
            stream.deliveries.append(delivery)
            self._token, self._reached = delivery.resume_token, revision_of(delivery)
            if not self.streams or self.streams[-1] is not stream:
                # An incomplete snapshot cannot be resumed: the next call begins it again.
                self._is_complete = self._is_complete or delivery.bookmark.snapshot_complete
                if self._is_complete:
                    self.streams.append(stream)
            if self._done.is_set():
                return
