"""Fixtures that every folder may use."""

import json
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import support.properties  # noqa: F401 - before any property
from support.stores import (
    db,
    own_postgresql,
    postgresql,
    sqlite_template,
    sqlite_url,
    store_url,
)

__all__ = ["db", "own_postgresql", "postgresql", "sqlite_template", "sqlite_url", "store_url"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background jobs ignore it, and with them every process that a test starts and
    # interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keeps one event loop for the whole session: grpc.aio polls for every loop that it has met,
    also for closed ones."""
    yield  # noqa: PT022 - the loop lives until a generator fixture ends


# What hardly depends on the store is tried on PostgreSQL with --thorough only; transactions, claims
# and migrations always are.
LITTLE_STORE = {
    "accounts",
    "authentication",
    "rates",
    "transport",
    "fuzz",
    "refusals",
    "validation",
    "masks",
    "status",
    "audit",
    "bundles",
    "cancelled_runs",
    "checkups",
    "escrow",
    "explain",
    "fence_simulation",
    "hooks",
    "oversell_observers",
    "oversells",
    "receiving_only",
    "shadow",
    "suspects",
    "triggers",
    "webhooks",
    "connector_state",
}


def _on_postgresql(item: pytest.Item) -> bool:
    given = getattr(item, "callspec", None)
    return given is not None and "postgresql" in (
        given.params.get("store_url"),
        given.params.get("module_store"),
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker is left with one of them at the end."""
    for item in items:
        if item.path.stem.removeprefix("test_") in LITTLE_STORE and _on_postgresql(item):
            item.add_marker(pytest.mark.thorough)
    slow = ("/tests/e2e/", "/tests/sync/", "/tests/store/")
    items.sort(
        key=lambda item: next(
            (n for n, part in enumerate(slow) if part in item.path.as_posix()), len(slow)
        )
    )
    if not config.getoption("--thorough"):
        for item in items:
            if item.get_closest_marker("thorough"):
                item.add_marker(
                    pytest.mark.skip(reason="takes long: run with --thorough, as .ci/run does")
                )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--mutants", action="store_true", help="whether test_fence_mutants.py changes every rule"
    )
    parser.addoption(
        "--thorough",
        action="store_true",
        help="also what takes minutes, and what .ci/run shows in another way too",
    )
    parser.addoption(
        "--clients",
        action="store_true",
        help="build and run the example clients in every language that is here",
    )
    parser.addoption(
        "--lines",
        choices=["cables", "proxies"],
        help="what leads to the database in tests/cluster; else what can be",
    )
    parser.addoption(
        "--seeds", type=int, default=3, help="how many storms test_fault_injection.py goes through"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the storms met, in sum."""
    met: Counter[str] = Counter()
    storms = 0
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in getattr(report, "user_properties", []):
            if name == "faults" and report.when == "call":
                met.update(json.loads(value))
                storms += 1
    if storms:
        terminalreporter.section(f"{storms} storms, {sum(met.values())} faults")
        for what, times in sorted(met.items()):
            terminalreporter.write_line(f"{times:7d}  {what}")
