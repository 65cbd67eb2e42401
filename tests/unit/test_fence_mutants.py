"""A test of the tests: with any one rule of the fence, the escrow, the drift audit or the decision
changed, a test of theirs fails.

`pytest tests/unit/test_fence_mutants.py --thorough` tries a few of the rules, with `--mutants` (as
in .ci/run) all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough
TESTS = Path(__file__).parents[1]

FENCE: dict[str, tuple[str, str]] = {
    "an order explains what was missing": (
        "absorbed = min(own.units, belief.unexplained)",
        "absorbed = 0",
    ),
    "an order lowers what is expected": (
        "expected=None if belief.expected is None else belief.expected - rest",
        "expected=belief.expected",
    ),
    "an order lowers the pending write": (
        "replace(pending, quantity=pending.quantity - rest)",
        "pending",
    ),
    "an order older than a taken-over number is in it": ("contained = rest if", "contained = 0 if"),
    "an uncertain order is not subtracted twice": (
        "uncertain_added = min(rest, belief.uncertain) if own.at <= belief.unexplained_since else 0",  # noqa: E501
        "uncertain_added = 0",
    ),
    "released units make the number to be read": ("or own.released > 0 or contained > 0", ""),
    "units that the shop reserves are not missing": (
        "expected=None if belief.expected is None else belief.expected - more",
        "expected=belief.expected",
    ),
    "nor from a pending write": (
        "replace(pending, quantity=pending.quantity - more)",
        "pending",
    ),
    "an order may be of reserved units": ("or belief.reserved > 0", ""),
    "units given back are an explanation": (
        "returned = (0, belief.unshipped, belief.released)",
        "returned = (0, belief.unshipped)",
    ),
    "a cancel of the rest gives back the rest": (
        "returned = (0, belief.unshipped, belief.released)",
        "returned = (0, belief.released)",
    ),
    "a pending write is an explanation": (
        "value in (belief.expected, *pending)",
        "value in (belief.expected,)",
    ),
    "an unconditional write may come late": (
        "(belief.pending.quantity, belief.pending.absolute)",
        "(belief.pending.quantity,)",
    ),
    "the likely explanation is the smallest": (
        "missing, uncertain_added = possible[0] - quantity",
        "missing, uncertain_added = possible[-1] - quantity",
    ),
    "the less likely explanation is uncertain": ("possible[-1] - possible[0]", "0"),
    "what was suspected may come back": (
        "-min(belief.unexplained,",
        "-min(0,",
    ),
    "a new suspicion has its full time": (
        "since = now if missing > 0 or uncertain_added > 0 else",
        "since =",
    ),
    "a taken-over number is dated": (
        "adopted_at=at if drift is ReadingVerdict.EXTRA else",
        "adopted_at=",
    ),
    "progress is measured": ("return belief.ineffective + 1", "return belief.ineffective"),
    "nothing is sent while a write is unsettled": (
        "belief.pending is not None or belief.must_read",
        "belief.must_read",
    ),
    "what must be read is read": (
        "belief.pending is not None or belief.must_read or",
        "belief.pending is not None or",
    ),
    "only compare-and-set writes unread": (
        "(mode is not WriteMode.COMPARE_AND_SET and not fresh)",
        "False",
    ),
    "a suspicion ends": ("or now - belief.unexplained_since < visibility", "or True"),
    "a suspicion lasts": ("or now - belief.unexplained_since < visibility", ""),
    "suspected units are not offered": (
        "want = max(0, target - belief.unexplained)",
        "want = target",
    ),
    "a raise is held back by doubt": (
        "want = max(0, belief.expected, want - belief.uncertain)",
        "pass",
    ),
    "a lowering is not": (
        "if belief.expected is not None and want > belief.expected:",
        "if belief.expected is not None:",
    ),
    "a suspicion is looked at again": (
        "recheck_at = belief.unexplained_since + visibility if waiting else None",
        "recheck_at = None",
    ),
    "an unconditional write carries its number": (
        "absolute = quantity if mode is WriteMode.SET else None",
        "absolute = None",
    ),
    "an unconditional write is read back": (
        "pending=None, must_read=True, replaced=belief.expected",
        "pending=None, must_read=False, replaced=belief.expected",
    ),
    "a refused write is followed by a reading": (
        "must_read=True, replaced=replaced)",
        "must_read=False, replaced=replaced)",
    ),
}
ESCROW: dict[str, tuple[str, str]] = {
    "a raise takes only what nobody exposes": (
        "return min(wanted, max(own, ",
        "return max(wanted, max(own, ",
    ),
    "nobody is raised while a shop is unread": (
        "if any(other is None for other in others):",
        "if False:",
    ),
    "a pending write is exposed": (
        "pending = (belief.pending.quantity, belief.pending.absolute or 0) if",
        "pending = () if",
    ),
    "units that may come back are exposed": (
        "+ belief.released + belief.unexplained + belief.uncertain",
        "+ belief.unexplained + belief.uncertain",
    ),
    "reserved units may be sold": ("+ belief.uncertain + belief.reserved", "+ belief.uncertain"),
    "units sold unseen are exposed": (
        "+ belief.released + belief.unexplained + belief.uncertain",
        "+ belief.released + belief.uncertain",
    ),
    "an unmovable shop keeps its units": ("units = max(0, units - fixed)", "units = max(0, units)"),
    "quotas follow demand": ("holder.key: holder.recent + 1", "holder.key: 1"),
    "a tie goes to the holder": ("-held[key], key))", "key))"),
    "nobody starves": ("if spare < 0 or starving:", "if spare < 0:"),
    "sales fade": ("now + before * (PERIOD - elapsed) // PERIOD", "now + before"),
}
DRIFT: dict[str, tuple[str, str]] = {
    "a lost push": ("and quantity == before.expected", "and False"),
    "an acknowledged push that was not applied": ("and quantity == before.replaced", "and False"),
    "an edit": ("if drift is ReadingVerdict.EXTRA and", "if False and"),
    "an order that is still to come is no drift": (
        "if missing <= 0 or after.expected is None:",
        "if after.expected is None:",
    ),
    "orders that are not complete": ("if not around.orders_complete:", "if False:"),
    "what own orders may have done has no name": (
        "elif before.is_busy:",
        "elif False:",
    ),
    "nor has a higher number": (
        "DriftCause.UNKNOWN if before.is_busy or is_written else DriftCause.EDITED_IN_SHOP",
        "DriftCause.EDITED_IN_SHOP",
    ),
    "units that the platform counts are an order": (
        "elif around.committed_more >= missing:",
        "elif False:",
    ),
    "a drop is an edit only where the platform says so": (
        "elif before.tells_states:",
        "elif True:",
    ),
    "drops again and again": ("around.drops + 1 >= DROPS", "False"),
    "a part of a bundle": ("elif around.sold_unlinked:", "elif False:"),
    "a wrong link": (
        "difference.cause in (DriftCause.EDITED_IN_SHOP, DriftCause.UNKNOWN) and around",
        "False and around",
    ),
}
DECISION: dict[str, tuple[str, str]] = {
    "what has no effect is not sent without limit": (
        "if belief.ineffective >= WITHOUT_EFFECT and now < link.try_at:",
        "if False:",
    ),
    "a link that cannot be read fails": (
        "if seen is not None and seen.problem is not None:",
        "if False:",
    ),
    "what was read is settled": (
        "settled, verdict = fence.observe(",
        "_, verdict = fence.observe(",
    ),
    "a reading shows differences": (
        "difference = drift.on_reading(known, settled, verdict, seen.quantity)",
        "difference = None",
    ),
    "a suspicion expires before the quota is asked": (
        "belief = perceived.belief",
        "belief = perceived.dropped or perceived.belief",
    ),
    "a reading of this round is fresh": (
        "breakdown.quantity, policy.mode, fresh=seen is not None,",
        "breakdown.quantity, policy.mode, fresh=True,",
    ),
    "dropped units are a difference": (
        "settled if is_dropped else None",
        "None",
    ),
    "escrow limits the number": (
        "min(breakdown.quantity, limit)",
        "breakdown.quantity",
    ),
    "the maximum limits the number": (
        "min(breakdown.quantity, policy.maximum)",
        "breakdown.quantity",
    ),
    "a plugin cannot raise the number": (
        "within = min(max(0, quantity), breakdown.target)",
        "within = max(0, quantity)",
    ),
    "a plugin cannot show less than nothing": (
        "within = min(max(0, quantity), breakdown.target)",
        "within = min(quantity, breakdown.target)",
    ),
    "units that the shop reserves are not offered": (
        "max(0, breakdown.quantity - belief.reserved)",
        "breakdown.quantity",
    ),
    "the second plugin follows the first": (
        "breakdown = breakdown.then(f",
        "breakdown = Breakdown(breakdown.target).then(f",
    ),
    "nothing is sent in shadow": ("if link.shadow:", "if False:"),
    "shadow compares what was read": (
        "Read(compared) if seen is None else Compared(compared, seen.quantity)",
        "Read(compared)",
    ),
    "shadow waits for a reading": (
        "Read(compared) if seen is None else Compared(compared, seen.quantity)",
        "Compared(compared, seen and seen.quantity)",
    ),
    "a held difference is left to people": (
        "if finding is not None and finding.held:",
        "if False:",
    ),
    "only a held difference is": (
        "if finding is not None and finding.held:",
        "if finding is not None:",
    ),
    "a held difference waits for a day": ("due_at=now + HOLD", "due_at=None"),
    "a link that waits for units is checked again": (
        "now + QUOTA_RECHECK if waits else None",
        "None",
    ),
    "only such a link does": ("now + QUOTA_RECHECK if waits else None", "now + QUOTA_RECHECK"),
    "the earlier time to look again counts": (
        "min(filter(None, recheck), default=None)",
        "max(filter(None, recheck), default=None)",
    ),
    "a link sent too often waits": ("if pause_until is not None:", "if False:"),
    "so does one that must be read": (
        "return Read(assessment, pause_until)",
        "return Read(assessment)",
    ),
    "what must be read is not sent": ("if plan.step is Step.READ:", "if False:"),
    "a number that is right is not sent": ("if plan.step is Step.DONE:", "if False:"),
    "unexplained units are named": (
        "breakdown.then(Label.SUSPECTED, suspected)",
        "breakdown",
    ),
    "the breakdown ends at the number": (".then(Label.DOUBT, quantity)", ""),
    "SYNCED means that what is withheld is named": (
        "if plan.step is not Step.READ:",
        "if plan.step is Step.WRITE:",
    ),
    "what expired says more than a reading": (
        "drift.on_expiry(perceived.dropped, perceived.belief, around) or found",
        "found or drift.on_expiry(perceived.dropped, perceived.belief, around)",
    ),
    "a difference that was dropped is found": (
        "if perceived.dropped is not None: found",
        "if False: found",
    ),
    "people read the number that is shown": (
        "shown, expected, cause = difference.shown, difference.expected",
        "shown, expected, cause = difference.expected, difference.shown",
    ),
}
DEMAND: dict[str, tuple[str, str]] = {
    "a line is what it names": ("return self.listing == other.listing", "return True"),
    "the listing that a line named before is given up": (
        "found.append(_given_up(stored, old, at))",
        "pass",
    ),
    "a line that nobody removed is kept": (
        "return self.version != stored.version and bool(self.lines)",
        "return True",
    ),
    "the rest of a partial shipment is what may come back": (
        "return max(0, held - line.fulfilled)",
        "return held",
    ),
}
UNKNOWN: dict[str, tuple[str, str]] = {
    "an order that cannot be read may have taken anything": ("self.unreadable > 0 or", ""),
    "an order that is not counted has come since the number was right": (
        "and max(placed, seen) >= first",
        "",
    ),
    "an order that came later took nothing": ("placed <= last and", ""),
}
WITHHELD: list[tuple[str, str, str, str]] = [
    (
        "fence",
        "what an order of unknown content may have taken is kept",
        "kept or needs_reading(belief, mode, fresh=fresh) or",
        "needs_reading(belief, mode, fresh=fresh) or",
    ),
    (
        "decision",
        "other shops are sent the lower number",
        "min(breakdown.quantity, left)",
        "breakdown.quantity",
    ),
    (
        "decision",
        "a first number is not raised while an order cannot be read",
        "if link.unknown.unreadable and",
        "if False and",
    ),
    (
        "decision",
        "units that are withheld are looked at again",
        "now + UNKNOWN_RECHECK if is_kept or link.elsewhere else None",
        "None",
    ),
]
NAMED: dict[str, tuple[str, str]] = {
    "a named order that was known and is absent has vanished": (
        "each.order not in present and each.order not in known and",
        "each.order not in present and",
    ),
    "a named order is asked for again": ("each.reads < len(_WAITS)", "False"),
    "it is asked for again after 2, 5 and 15 seconds": ("_WAITS[each.reads]", "_WAITS[0]"),
    "an error ends with the hour": ("now - each.named_at < _KEPT", "True"),
}
WEBHOOKS: dict[str, tuple[str, str]] = {
    "what a notification names reaches the run": (
        "usable(hint.order_ids) if is_read_by_id else []",
        "[]",
    ),
}
ACCOUNTS: dict[str, tuple[str, str]] = {
    "a used shop stays with its account": ("is_other and is_used(uow, record.shop)", "False"),
    "one account is not two shops of a merchant": ("holder.shop != record.shop", "False"),
    "one account is not two merchants'": ("holder.merchant != uow.merchant", "False"),
    "the account of former settings counts for nothing": (
        "(record.settings, record.secrets) != (asked.settings, asked.secrets)",
        "False",
    ),
}
OPEN_COUNTS: dict[str, tuple[str, str]] = {
    "an order in flight is no difference": ("now - before.since > visibility", "True"),
    "two counts that stay different are found": ("now - before.since > visibility", "False"),
    "a count that changes begins again": (
        "(before.committed, before.counted) != (committed, counted)",
        "False",
    ),
    "what was found stays found": ("before.is_found or now", "now"),
}
QUOTA: dict[str, tuple[str, str]] = {
    "a part counts in its own units": ("limits.append(now // part.count)", "limits.append(now)"),
    "the scarcest part limits": (
        "(min(limits) if limits else None)",
        "(max(limits) if limits else None)",
    ),
    "a link below its quota waits": ("waits or now <", "waits or False and now <"),
    "the link itself is a holder": (
        "None if shown is None else shown * part.count, part.recent",
        "0, part.recent",
    ),
    "what it sold lately counts": (
        "None if shown is None else shown * part.count, part.recent",
        "None if shown is None else shown * part.count, 0",
    ),
}
SENDING: dict[str, tuple[str, str]] = {
    "sync that is not offered is not sent": ("if paused or not offered:", "if paused:"),
}
SETTLING: dict[str, dict[str, tuple[str, str]]] = {
    "zaiko_core.app.sync": {
        "a number that is acknowledged settles what it was computed from": (
            "link = replace(link, settled_revision=write.revision)",
            "pass",
        ),
    },
    "zaiko_core.storage.links": {
        "a newer change hides no older one": (
            "before), else_=links.c.settled_revision)",
            "before), else_=before)",
        ),
    },
}

FACTS = [
    (
        "zaiko_core.storage.schema.columns",
        "unit/test_units.py",
        "a sum of units has 64 bits",
        "UNITS = BigInteger()",
        "UNITS = Integer()",
    ),
    (
        "zaiko_core.app.posting",
        "unit/test_facts.py",
        "an oversell is of a state that is committed",
        "uow.stocks.post(fresh)}",
        "uow.stocks.post(fresh)}\n    root_cause.examine(uow, list(moved.values()))",
    ),
    (
        "zaiko_core.app.stock",
        "unit/test_facts.py",
        "a count is as of its moment",
        "adjustment.product, adjustment.warehouse, revision=as_of",
        "adjustment.product, adjustment.warehouse, revision=uow.revision",
    ),
    (
        "zaiko_core.storage.stocks",
        "unit/test_facts.py",
        "a corrected count holds",
        "func.coalesce(func.nullif(table.c.as_of, 0), table.c.revision)",
        "table.c.revision",
    ),
    (
        "zaiko_core.app.transfer",
        "unit/test_facts.py",
        "a transfer adds up to nothing",
        "(move.to_warehouse, move.quantity, move.cause + SECOND_ENTRY),",
        "",
    ),
]
"""Rules of facts and sums: module, tests, name, and the change."""
CLOCK_STEPS: dict[str, dict[str, tuple[str, str]]] = {
    "zaiko_core.storage.jobs": {
        "a lease that cannot be is void": (
            "table.c.lease_until <= now, void)",
            "table.c.lease_until <= now)",
        ),
    },
    "zaiko_core.sync.clock_watch": {
        "what would wait for the clock is brought back": ("if noted.step > _STEP:", "if False:"),
    },
}
WITNESS: dict[str, dict[str, tuple[str, str]]] = {
    "zaiko_core.sync.restore_detector": {
        "another database is refused": ("if before.epoch not in former:", "if False:"),
    },
    "zaiko_core.bootstrap": {
        "no shop runs without a witness": (
            "config.run_shops and config.needs_witness and not",
            "False and not",
        ),
    },
}

CLOSING: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("zaiko_core.domain.shop_word", "store/test_closing.py"): {
        "a shop's word frees nothing once the warehouse reports": (
            "return not self.has_feed",
            "return True",
        ),
        "a warehouse that reports owes each shipment": (
            "return self.has_feed or not self.frees",
            "return not self.frees",
        ),
    },
    ("zaiko_core.domain.demand", "store/test_closing.py"): {
        "units that only the shop calls shipped stay promised": (
            "self.fulfilled if self.frees else self.fulfilled - self.unshipped",
            "self.fulfilled",
        ),
        "units refunded without restocking stay off sale": (
            "(line.doubtful if word.keeps_unrestocked else 0)",
            "0",
        ),
    },
    ("zaiko_core.app.closing", "store/test_closing.py"): {
        "deleting a shop asks what becomes of its orders": (
            "if open_orders is None and (",
            "if False and (",
        ),
    },
    ("zaiko_core.app.order_numbers", "store/test_closing.py"): {
        "a number of two orders is refused": ("if len(found) > 1:", "if False:"),
        "what is recorded under a number is the order's": ("if len(orders) == 1:", "if False:"),
    },
    ("zaiko_core.app.bulk_link", "store/test_closing.py"): {
        "a linked listing is a twin too": ("linked=None", "linked=False"),
    },
    ("zaiko_core.app.catalogue_reading", "sync/test_catalogue_reading.py"): {
        "an order that names an unknown listing has the catalogue read": (
            "listing not in known or",
            "False or",
        ),
        "a catalogue is read less and less often": ("if due > uow.now:", "if False:"),
        "only new listings are linked": ("since=since,", "since=0,"),
    },
    ("zaiko_core.sync.guard", "sync/test_checkups.py"): {
        "a check says how far back orders are read": ("if reach is None:", "if True:"),
    },
}

ENGINE: list[tuple[str, str, str, str, str]] = [
    (
        "zaiko_core.sync.sender",
        "sync/test_sending_permission.py",
        "permission is asked before each batch",
        "if not await run.read(lambda uow: self.is_allowed(uow, run.claim.shop)):",
        "if False:",
    ),
    (
        "zaiko_core.sync.shop_run",
        "sync/test_two_abilities.py",
        "what stops sending does not stop the reading of orders",
        "sending_retry_at=context.now + retry.wait if has_read_orders else None",
        "sending_retry_at=None",
    ),
    (
        "zaiko_core.sync.link_pusher",
        "sync/test_two_abilities.py",
        "numbers that fall are sent first",
        "write.quantity < write.expected",
        "write.quantity > write.expected",
    ),
    (
        "zaiko_core.app.shops",
        "sync/test_at_once.py",
        "another interval takes hold at once",
        "if before.interval != changed.interval:",
        "if False:",
    ),
    (
        "zaiko_core.storage.links",
        "sync/test_sync_now.py",
        "SyncNow reads what the shop shows",
        'more = {"must_read": True, "ineffective": 0} if unread else {}',
        "more = {}",
    ),
]
"""Rules outside the pure modules: their tests run the engine on SQLite."""

MUTANTS = [
    *FACTS,
    *(
        ("zaiko_core.domain.demand", "unit/test_order_lines.py", name, *change)
        for name, change in DEMAND.items()
    ),
    *(
        ("zaiko_core.domain.unknown_orders", "unit/test_unknown_orders.py", name, *change)
        for name, change in UNKNOWN.items()
    ),
    *(
        (f"zaiko_core.domain.{module}", "unit/test_unknown_orders.py", *change)
        for module, *change in WITHHELD
    ),
    *(
        ("zaiko_core.domain.fence", "unit/test_fence.py", name, *change)
        for name, change in FENCE.items()
    ),
    *(
        ("zaiko_core.domain.escrow", "unit/test_escrow.py", name, *change)
        for name, change in ESCROW.items()
    ),
    *(
        ("zaiko_core.domain.drift", "unit/test_drift.py", name, *change)
        for name, change in DRIFT.items()
    ),
    *(
        ("zaiko_core.domain.decision", "unit/test_decision.py", name, *change)
        for name, change in DECISION.items()
    ),
    *(
        ("zaiko_core.domain.named_orders", "unit/test_named_orders.py", name, *change)
        for name, change in NAMED.items()
    ),
    *(
        ("zaiko_core.supervision.webhooks", "sync/test_named_orders.py", name, *change)
        for name, change in WEBHOOKS.items()
    ),
    *(
        ("zaiko_core.app.accounts", "sync/test_accounts.py", name, *change)
        for name, change in ACCOUNTS.items()
    ),
    *(
        ("zaiko_core.domain.escrow", "unit/test_decision.py", name, *change)
        for name, change in QUOTA.items()
    ),
    *(
        ("zaiko_core.domain.open_counts", "unit/test_open_counts.py", name, *change)
        for name, change in OPEN_COUNTS.items()
    ),
    *(
        ("zaiko_core.domain.sending", "unit/test_sending.py", name, *change)
        for name, change in SENDING.items()
    ),
    *ENGINE,
    *(
        (module, "sync/test_settled.py", name, *change)
        for module, changes in SETTLING.items()
        for name, change in changes.items()
    ),
    *(
        (module, tests, name, *change)
        for (module, tests), changes in CLOSING.items()
        for name, change in changes.items()
    ),
    *(
        (module, "sync/test_clock_steps.py", name, *change)
        for module, changes in CLOCK_STEPS.items()
        for name, change in changes.items()
    ),
    *(
        (module, "sync/test_restored.py", name, *change)
        for module, changes in WITNESS.items()
        for name, change in changes.items()
    ),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rule" in metafunc.fixturenames:
        chosen = (
            MUTANTS if metafunc.config.getoption("--mutants") else MUTANTS[:: len(MUTANTS) // 4]
        )
        names = [f"{mutant[0].rpartition('.')[2]}-{mutant[2]}" for mutant in chosen]
        metafunc.parametrize(("module", "tests", "rule", "old", "new"), chosen, ids=names)


def test_a_changed_rule_is_noticed(module: str, tests: str, rule: str, old: str, new: str) -> None:
    done = run(tests, module, old, new)
    assert done.returncode == 1, (
        f"no test noticed that this rule was changed: {rule}\n{done.stdout}\n{done.stderr}"
    )


@pytest.mark.parametrize("tests", sorted({mutant[1] for mutant in MUTANTS}))
def test_with_no_rule_changed_they_pass(tests: str) -> None:
    done = run(tests, "zaiko_core.domain.fence", "Pure.", "Pure.")
    assert done.returncode == 0, done.stdout + done.stderr


def run(tests: str, module: str, old: str, new: str) -> subprocess.CompletedProcess[str]:
    """These tests in a process of their own: the module is loaded with the rule changed before
    anything else imports it."""
    environment = os.environ | {
        "ZAIKO_MUTATION": json.dumps({"module": module, "old": old, "new": new}),
        "PYTHONPATH": str(TESTS),
    }
    options = [
        "-q",
        "-x",
        *(["--noconftest"] if tests.startswith("unit/") else ["-k", "not postgresql"]),
        "-p",
        "support.mutation",
        "-p",
        "support.stores",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    command = [sys.executable, "-m", "pytest", *options, str(TESTS / tests)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
