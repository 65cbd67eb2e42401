"""The beginning and the end of a run of one shop, and what people ask of runs (ADR 0005). Each
function is one transaction's work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from zaiko_core.app.due_marks import link_names, mark_links_unread, mark_shop_due
from zaiko_core.app.ports import UnitOfWork
from zaiko_core.app.records import ChangeKind, FoundShop, RunRecord, RunResult, RunState, Trigger
from zaiko_core.domain.errors import NotFound, OperationDone
from zaiko_core.domain.polling import next_fetch


def sync_now(
    uow: UnitOfWork, *, shops: Collection[str] = (), link: tuple[str, str] | None = None
) -> list[str]:
    """Handle every enabled link of these shops (or this link) as soon as possible, also those that
    back off: read what the shop shows, fetch orders, and put right what differs. Return the shops
    that were triggered; a paused shop is not. A run in progress is joined. (For a product:
    `shops.sync_product`.)"""
    triggered = set(shops)
    for shop in shops:
        mark_shop_due(uow, shop)
    if link is not None:
        mark_links_unread(uow, link[0], [link[1]])
        triggered.add(link[0])
    uow.trigger(triggered, by=Trigger.REQUEST)
    uow.changed(ChangeKind.SHOP, triggered)
    return sorted(triggered)


def begin_run(uow: UnitOfWork, run: RunRecord, *, unended: bool) -> None:
    """Write down that a run has begun, and (`unended`) that runs under older tokens have died. A
    second call changes nothing. Raises LeaseLost."""
    uow.hold_lease(run.shop, run.token)
    dead = uow.runs.abandon(run.shop, before_token=run.token) if unended else ()
    uow.runs.put(replace(run, started_revision=uow.revision))
    uow.changed(ChangeKind.RUN, [f"{run.shop}/{name}" for name in (*dead, run.run)])
    uow.changed(ChangeKind.SHOP, [run.shop])


def note_orders_read(uow: UnitOfWork, run: RunRecord, at: int) -> None:
    """Write down that every order that the shop showed at `at` (µs) is ingested, while the run goes
    on. Raises LeaseLost."""
    uow.hold_lease(run.shop, run.token)
    uow.shops.save_orders_read(run.shop, at)
    uow.changed(ChangeKind.SHOP, [run.shop])


def cancel_run(uow: UnitOfWork, shop: str, run: str) -> RunRecord:
    """Ask a run to end after its present step, whichever replica runs it. Return the run, still
    RUNNING. What asked for a run until now waits for the shop's interval; what comes later makes
    the shop due as always. A second call changes nothing, also after the run has ended CANCELLED.
    Raises NotFound, and OperationDone for a run that has ended otherwise."""
    found = uow.runs.get(shop, run)
    name = f"merchants/{uow.merchant}/shops/{shop}/runs/{run}"
    if found is None:
        raise NotFound(name)
    if found.state not in (RunState.RUNNING, RunState.CANCELLED):
        raise OperationDone(
            f"the run has ended as {found.state.value} and cannot be cancelled", operation=name
        )
    if found.state is RunState.RUNNING:
        uow.shops.cancel(shop, found.token)
    return found


def end_run(
    uow: UnitOfWork, found: FoundShop, run: RunRecord, result: RunResult, *, began: bool
) -> bool:
    """Record how a run ended: on the shop, which is released, on the run, and, when the shop waits
    for a person or goes on again, on its links. Return whether the run is written down: one that
    succeeded without having begun did nothing. A cancelled run found nothing out about the shop:
    its problem stays. Raises LeaseLost."""
    shop = found.shop
    written = began or not result.succeeded or shop.problem is not None
    due_at = uow.shops.release(
        shop.shop,
        run.token,
        replace(result, problem=shop.problem, sending_retry_at=shop.sending_retry_at)
        if result.state is RunState.CANCELLED
        else result,
        next_in=_next_in(uow, found, result, began=began),
        run_id=run.run if written else None,
    )
    if due_at is not None:
        uow.due(max(0, due_at - uow.now))
    uow.changed(ChangeKind.SHOP, [shop.shop])
    if not written:
        return False
    ended = replace(
        run,
        state=result.state,
        started_revision=uow.revision,
        ended_at=uow.now,
        counts=result.counts,
        problem=result.problem,
    )
    uow.runs.put(ended)
    uow.changed(ChangeKind.RUN, [f"{shop.shop}/{run.run}"])
    # Links are held with the shop's problem and released with it: a shop without one has none.
    if result.held or (result.succeeded and shop.problem is not None and result.problem is None):
        moved = uow.links.hold(shop.shop, result.held)
        uow.changed(ChangeKind.LINK, link_names(moved))
        if moved and result.succeeded:
            uow.trigger([shop.shop])
    return True


def _next_in(uow: UnitOfWork, found: FoundShop, result: RunResult, *, began: bool) -> int | None:
    """Return the delay in µs until the shop is due again; None: its interval."""
    if result.state is RunState.CANCELLED:
        return None
    if not result.succeeded and result.sending_retry_at is None:
        return result.retry_in
    return 0 if result.is_unfinished else _turn(uow, found, result, began=began)


def _turn(uow: UnitOfWork, found: FoundShop, result: RunResult, *, began: bool) -> int:
    """Return the delay in µs until it is the shop's turn, or one of its links is due. What became
    due since the claim, and not by this run, has triggered the shop."""
    shop = found.shop
    ordered_at = uow.now if result.counts.orders_changed else shop.ordered_at
    fetch = next_fetch(
        uow.now, shop.interval, ordered_at=ordered_at, place=found.place, shops=found.shops
    )
    if result.sending_retry_at is not None:
        moments: list[int | None] = [result.sending_retry_at]
    else:
        moments = [uow.links.next_due(shop.shop) if began else found.links_due_at]
        if shop.additions_due_at is not None:
            moments.append(uow.additions.next_due(shop.shop))
    if shop.named_due_at is not None:
        moments.append(uow.named_orders.next_due(shop.shop))
    return max(0, min([fetch, *(moment - uow.now for moment in moments if moment is not None)]))
