"""What a check has found, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad; also the exit code of the command, by the worst finding."""

    OK = 0
    WARNING = 1
    """Nothing is wrong for buyers yet, or it mends itself; somebody should look."""
    PROBLEM = 2
    """Something does not work, or may be sold twice, until somebody acts."""


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """`check` says what was looked at, `subject` whose it is (a shop, a file), `message` what is
    so, `owner` who must act (MERCHANT, PLATFORM, SYSTEM), `do` what to do. Nothing of it holds a
    credential."""

    level: Severity
    check: str
    message: str
    do: str = ""
    subject: str = ""
    owner: str = "SYSTEM"


def ok(check: str, message: str, subject: str = "") -> DoctorFinding:
    """All is well."""
    return DoctorFinding(Severity.OK, check, message, subject=subject, owner="")


def warning(
    check: str, message: str, do: str, subject: str = "", owner: str = "SYSTEM"
) -> DoctorFinding:
    """See Severity.WARNING."""
    return DoctorFinding(Severity.WARNING, check, message, do, subject, owner)


def problem(
    check: str, message: str, do: str, subject: str = "", owner: str = "SYSTEM"
) -> DoctorFinding:
    """See Severity.PROBLEM."""
    return DoctorFinding(Severity.PROBLEM, check, message, do, subject, owner)


def worst(found: Iterable[DoctorFinding]) -> Severity:
    """The level of the whole."""
    return max((finding.level for finding in found), default=Severity.OK)
