"""A finding of a check, and its severity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """The severity of a finding. The worst one is the exit code of the command."""

    OK = 0
    WARNING = 1
    """Nothing is wrong for buyers yet, or it recovers alone. A person should check."""
    PROBLEM = 2
    """Something does not work, or may be oversold, until a person acts."""


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """`check` names what was checked and `subject` its owner (a shop, a file). `message` says what
    was found. `owner` says who must act (MERCHANT, PLATFORM, SYSTEM, CONNECTOR) and `do` what to
    do. No field holds a credential."""

    level: Severity
    check: str
    message: str
    do: str = ""
    subject: str = ""
    owner: str = "SYSTEM"


def ok(check: str, message: str, subject: str = "") -> DoctorFinding:
    """Return a finding that all is well."""
    return DoctorFinding(Severity.OK, check, message, subject=subject, owner="")


def warning(
    check: str, message: str, do: str, subject: str = "", owner: str = "SYSTEM"
) -> DoctorFinding:
    """Return a finding of Severity.WARNING."""
    return DoctorFinding(Severity.WARNING, check, message, do, subject, owner)


def problem(
    check: str, message: str, do: str, subject: str = "", owner: str = "SYSTEM"
) -> DoctorFinding:
    """Return a finding of Severity.PROBLEM."""
    return DoctorFinding(Severity.PROBLEM, check, message, do, subject, owner)


def worst(found: Iterable[DoctorFinding]) -> Severity:
    """Return the worst severity of the findings."""
    return max((finding.level for finding in found), default=Severity.OK)
