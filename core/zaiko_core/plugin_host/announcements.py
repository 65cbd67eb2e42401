"""Turns what a run left in the store into the events that observers receive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zaiko_sdk import (
    CredentialsExpiring,
    Oversold,
    OversoldCleared,
    RunFinished,
    ShopHeld,
    ShopResumed,
    Trouble,
    errors,
)

from zaiko_core.app.records import (
    ClearedRecord,
    OversellRecord,
    RunRecord,
    RunResult,
    RunState,
    ShopRecord,
)
from zaiko_core.domain import owners
from zaiko_core.domain.expiry import newly_reached
from zaiko_core.domain.problem import Problem
from zaiko_core.plugin_host.observers import Observers

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_LOADED = "CONNECTOR_NOT_LOADED"


def announce(
    observers: Observers,
    merchant: str,
    before: ShopRecord,
    run: RunRecord,
    result: RunResult,
    ended_at: datetime,
) -> None:
    """Tell observers of a run after its end was committed. `before` is the shop as the run found it
    under its lease: the store remembers what the shop waited for, so a change is announced by the
    process that ran the shop, and only by that one."""
    shop = f"merchants/{merchant}/shops/{before.shop}"
    trouble = None if result.problem is None else _trouble(result.problem)
    observers.publish(
        "zaiko_run_finished",
        RunFinished(
            shop=shop,
            connector=before.connector,
            run=run.run,
            trigger=run.trigger,
            state=result.state.value,
            started_at=_EPOCH + timedelta(microseconds=run.started_at or 0),
            ended_at=ended_at,
            orders_changed=result.counts.orders_changed,
            pushed=result.counts.pushed,
            confirmed=result.counts.confirmed,
            failed=result.counts.failed,
            trouble=trouble,
        ),
    )
    waited_for = (
        before.problem.reason
        if before.problem is not None and before.problem.reason in waiting_reasons()
        else None
    )
    if result.held and trouble is not None:
        if trouble.reason != waited_for:
            observers.publish(
                "zaiko_shop_held", ShopHeld(shop, before.connector, trouble, ended_at)
            )
    elif waited_for is not None and result.state is not RunState.FAILED:
        observers.publish(
            "zaiko_shop_resumed", ShopResumed(shop, before.connector, waited_for, ended_at)
        )


def announce_expiry(
    observers: Observers, merchant: str, before: ShopRecord, expire_at: int | None, at: int
) -> None:
    """Tell observers of credentials that end soon, once for each step, after the check was
    recorded. `before` is the shop as it was then."""
    days = newly_reached(
        expire_at, at, known=before.credentials_expire_at, known_at=before.checked_at
    )
    if days is not None and expire_at is not None:
        shop = f"merchants/{merchant}/shops/{before.shop}"
        announced_at = _EPOCH + timedelta(microseconds=at)
        ends = _EPOCH + timedelta(microseconds=expire_at)
        observers.publish(
            "zaiko_credentials_expiring",
            CredentialsExpiring(shop, before.connector, days, ends, announced_at),
        )


def announce_oversell(
    observers: Observers, merchant: str, fact: OversellRecord | ClearedRecord
) -> None:
    """Tell observers of an oversell, or of its end, after the commit that recorded it."""
    product, at = (
        f"merchants/{merchant}/products/{fact.product}",
        _EPOCH + timedelta(microseconds=fact.at),
    )
    if isinstance(fact, ClearedRecord):
        ended = tuple(_oversell(merchant, number) for number in fact.oversells)
        observers.publish("zaiko_oversold_cleared", OversoldCleared(product, ended, at))
        return
    found, by = fact.root_cause, fact.by
    observers.publish(
        "zaiko_oversold",
        Oversold(
            oversell=_oversell(merchant, by.seq),
            product=product,
            units=fact.units,
            short=fact.short,
            shop=f"merchants/{merchant}/shops/{by.shop}" if by.shop else "",
            order=by.number or by.order if by.shop else "",
            cause=found.cause.value,
            setting=found.setting.value,
            owner=owners.OF_CAUSES[found.cause.value],
            message=found.message,
            at=at,
        ),
    )


def _oversell(merchant: str, movement: int) -> str:
    # As zaiko_server.names writes it: padded, so that names sort in the order of recording.
    return f"merchants/{merchant}/oversells/{movement:016d}"


def waiting_reasons() -> frozenset[str]:
    """Return the reasons for which a shop waits for a person."""
    return errors.waiting_reasons() | {_NOT_LOADED}


def _trouble(problem: Problem) -> Trouble:
    return Trouble(problem.reason, problem.owner, problem.message)
