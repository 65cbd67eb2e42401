"""Rules about opening a shop, checking it, and sharing it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence

import pytest

from zaiko_sdk import (
    Account,
    Capability,
    Connector,
    ConnectorError,
    CredentialsRejected,
    Finding,
    FindingLevel,
    Listing,
    Retry,
)
from zaiko_sdk.testing.contract.bench import ContractBench
from zaiko_sdk.testing.contract.rule import rule
from zaiko_sdk.testing.faults import Fault, FaultKind
from zaiko_sdk.testing.simulator import NewListing

_MANY = 10_000
_LONGEST = 200


class ShopRules:
    """One opened shop, as a whole."""

    @rule(
        why=(
            "The host opens thousands of shops when it starts; a request at that point would delay "
            "all others."
        ),
        fix="Build objects only in `open` and __init__; send requests in the methods.",
    )
    def test_opening_asks_the_platform_nothing(self, bench: ContractBench) -> None:
        """Opening and closing a shop sends no request."""
        before = sum(bench.shop.counters().values())
        bench.run(
            bench.kind.open(
                bench.context(bench.state), bench.kind.settings.model_validate(bench.settings)
            ).aclose()
        )
        assert sum(bench.shop.counters().values()) == before, "a request was sent"

    @rule(
        why="This is what a merchant sees after entering the settings.",
        fix="Return at least one finding of level OK from `check` when all is well.",
    )
    def test_check_finds_a_good_shop_good(self, bench: ContractBench) -> None:
        """`check` of a shop that is set up right has findings, none of them an error, each with a
        reason and a message."""
        findings = bench.run(_check(bench))
        assert findings, "no finding at all"
        bad = [finding.message for finding in findings if finding.level is FindingLevel.ERROR]
        assert not bad, f"errors: {bad}"
        assert all(finding.reason and finding.message for finding in findings), (
            "a finding without a reason or a message"
        )
        assert all(
            finding.expires_at is None or finding.expires_at.tzinfo for finding in findings
        ), "expires_at without a time zone"

    @rule(
        why=(
            "The merchant must read in the form that the key is wrong; an exception would look "
            "like an outage."
        ),
        fix=(
            "In `check`, turn Pause, Skip and Stop into a finding of level ERROR with the error's "
            "reason and message."
        ),
    )
    def test_check_tells_wrong_credentials_as_a_finding(self, bench: ContractBench) -> None:
        """`check` with credentials that the platform refuses answers with a finding of level
        ERROR."""
        connector = bench.open(secrets=False)
        found = bench.attempt("check", connector.check())
        assert not isinstance(found, ConnectorError), f"check raised {type(found).__name__}"
        assert any(finding.level is FindingLevel.ERROR for finding in found), (
            f"check found nothing wrong: {list(found)}"
        )

    @rule(
        why=(
            "Two accounts may number their orders alike: one taken for the other, or one connected "
            "as two shops, counts orders wrongly."
        ),
        fix=(
            "Return the platform's own id of the account from `account`, which no other account "
            "has; None only where the platform does not say."
        ),
    )
    def test_an_account_is_known_from_others(self, bench: ContractBench) -> None:
        """`account` answers with the same id at every opening, and with another one in another
        account of the platform; the id is 1 to 200 characters without blanks."""
        # Some platforms name the account in its orders only.
        (sku,) = bench.stock_up(10)
        bench.shop.place_order({sku: 1})
        first, again = (bench.run(_account(bench.open())) for _ in range(2))
        if first is None:
            pytest.skip("the platform does not say which account it is")
        assert isinstance(first, Account), f"account returned {first!r}"
        if bench.kind.account_of is not None:
            named = bench.kind.account_of(bench.kind.settings.model_validate(bench.settings))
            assert named == first, f"account_of names {named}, and account says {first}"
        proper = 0 < len(first.id) <= _LONGEST and first.id.isprintable() and " " not in first.id
        assert proper, f"{first.id!r} can be no id"
        assert again is not None, "the second opening did not say"
        assert first.id == again.id, f"the account is {first.id}, then {again.id}"
        with bench.elsewhere() as (connector, other):
            other.add_listings([NewListing(sku, 10)])
            other.place_order({sku: 1})
            found = bench.run(_account(connector))
        assert found is not None, "another account is not named"
        assert found.id != first.id, f"two accounts are both {first.id}"

    @rule(
        why="An outage of the platform must not look like an error of the merchant.",
        fix="Let Retry errors pass out of `check`.",
    )
    def test_check_of_a_silent_platform_is_no_finding(self, bench: ContractBench) -> None:
        """`check` raises Retry when the platform cannot be asked."""
        connector = bench.open()
        bench.server.inject(Fault(FaultKind.DROP, times=_MANY))
        found = bench.attempt("check", connector.check())
        assert isinstance(found, Retry), f"the platform did not answer, and check said {found!r}"

    @rule(
        why=(
            "Only Pause holds the shop and notifies the merchant; after any other error zaiko "
            "tries again and again with an invalid key."
        ),
        fix="Turn the platform's refusal of the credentials into CredentialsRejected.",
    )
    def test_wrong_credentials_hold_the_shop(self, bench: ContractBench) -> None:
        """Reading with credentials that the platform refuses raises CredentialsRejected, within two
        hours."""
        connector = bench.open(secrets=False)
        for _ in range(3):
            found = bench.attempt("list_listings", bench.reading_listings(connector))
            assert isinstance(found, ConnectorError), "read all the same"
            # On some platforms a new key works only after a while; until then it is not known to be
            # wrong.
            if not isinstance(found, Retry):
                break
            bench.clock.offset += 3600
        assert isinstance(found, CredentialsRejected), f"raised {found!r}"

    @rule(
        why="More people read logs and errors than may know the credentials.",
        fix=(
            "Raise `from None` out of httpx, whose errors hold the request; log no headers and no "
            "URL with a token."
        ),
    )
    def test_no_error_and_no_log_line_holds_a_credential(self, bench: ContractBench) -> None:
        """Whatever the platform answers, errors with their traceback and log lines hold no
        credential."""
        leaks: list[str] = []
        for known in (True, False):
            secrets = bench.secrets(known=known)
            for reply in _echoes(" ".join(secrets)):
                connector = bench.open(secrets=known)
                bench.server.inject(reply)
                found = bench.attempt("check", connector.check())
                bench.server.clear_faults()
                text = repr(found)
                if isinstance(found, ConnectorError):
                    text += "".join(traceback.format_exception(found)) + found.platform_message
                leaks += [
                    f"{type(found).__name__} of check" for secret in secrets if secret in text
                ]
            leaks += [
                f"log line {event}"
                for event, fields in bench.log.lines
                for secret in secrets
                if secret in f"{event} {fields!r}"
            ]
        assert not leaks, f"these hold a credential: {sorted(set(leaks))}"

    @rule(
        Capability.LIST_LISTINGS,
        why="A person may check the shop while it runs.",
        fix=(
            "Guard shared state (a token that is being renewed) with an asyncio.Lock; keep no "
            "state of a call on self."
        ),
    )
    def test_check_and_listings_may_overlap_a_run(self, bench: ContractBench) -> None:
        """Calls of several tasks at once, from the first request on, are all answered rightly."""
        skus = bench.stock_up(*[5] * 25)
        bench.try_switch("page_size", 10)
        connector = bench.open()

        async def at_once() -> list[dict[str, Listing]]:
            checking = asyncio.create_task(connector.check())
            found = await asyncio.gather(*(bench.reading_listings(connector) for _ in range(3)))
            assert not any(finding.level is FindingLevel.ERROR for finding in await checking), (
                "check found an error"
            )
            return found

        found = bench.attempt("check and list_listings at once", at_once())
        assert not isinstance(found, ConnectorError), f"raised {found!r}"
        assert all(sorted(reading) == sorted(skus) for reading in found), (
            "readings at once disturbed each other"
        )

    @rule(
        Capability.LIST_LISTINGS,
        why=(
            "A run in one process and a check in another hold the same credentials; single-use "
            "tokens are refused to the second."
        ),
        fix=(
            "Keep rotated tokens in ShopContext.state; when one is refused, load again before "
            "giving up (docs/connectors.md §9)."
        ),
    )
    def test_two_processes_may_hold_one_shop(self, bench: ContractBench) -> None:
        """Two connectors with one state take turns, and a third opened later goes on from there."""
        skus = bench.stock_up(5)
        one, other = bench.open(), bench.open()
        for connector in (one, other, one, other, bench.open()):
            found = bench.attempt("list_listings", bench.reading_listings(connector))
            assert not isinstance(found, ConnectorError), (
                f"the shop's credentials were lost between two processes: {found!r}"
            )
            assert list(found) == skus

    @rule(
        Capability.LIST_LISTINGS,
        why="Runs are cancelled: when the server stops, when a lease is lost, by a person.",
        fix=(
            "Leave no half-done state: use `async with` for locks and limiters, and shield the "
            "saving of a rotated token."
        ),
    )
    def test_a_cancelled_call_leaves_the_shop_usable(self, bench: ContractBench) -> None:
        """After a call was cancelled in any of its requests, the next one is answered."""
        skus = bench.stock_up(5)
        connector = bench.open()
        for _ in bench.hits(lambda place: Fault(FaultKind.LATENCY, skip=place, seconds=0.3)):

            async def cut_short() -> None:
                reading = asyncio.create_task(bench.reading_listings(connector))
                await asyncio.wait([reading], timeout=0.15)
                reading.cancel()
                await asyncio.wait([reading])

            bench.run(cut_short())
            found = bench.attempt(
                "list_listings after a cancelled one", bench.reading_listings(connector)
            )
            assert not isinstance(found, ConnectorError), f"raised {found!r}"
            assert list(found) == skus

    @rule(
        why=(
            "The host calls it once at the end, also after an error, and an exception here would "
            "hide that error."
        ),
        fix="Close what was opened, and expect that the platform cannot be reached.",
    )
    def test_closing_never_fails(self, bench: ContractBench) -> None:
        """`aclose` after failed calls raises nothing."""
        connector = bench.kind.open(
            bench.context(bench.state), bench.kind.settings.model_validate(bench.settings)
        )
        bench.server.inject(Fault(FaultKind.DROP, times=_MANY))
        bench.attempt("check", connector.check())
        try:
            bench.run(connector.aclose())
        except Exception as error:
            raise AssertionError(f"aclose raised {type(error).__name__}: {error}") from error


async def _account(connector: Connector) -> Account | None:
    return await connector.account()


async def _check(bench: ContractBench) -> Sequence[Finding]:
    return await bench.open().check()


def _echoes(words: str) -> list[Fault]:
    """Return faults in which the platform quotes what it was sent."""
    return [
        Fault(
            FaultKind.REFUSE,
            status=401,
            body='{"errors":[{"message":"bad token ' + words + '"}]}',
            times=_MANY,
        ),
        Fault(FaultKind.REFUSE, status=500, body=words, times=_MANY),
        Fault(FaultKind.REFUSE, status=200, body='{"data":"' + words + '"}', times=_MANY),
        Fault(FaultKind.DROP, times=_MANY),
    ]
