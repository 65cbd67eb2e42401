"""Checks of the distributions that are installed on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zaiko_cli.doctor.findings import DoctorFinding, ok, problem

OLDEST_PYTHON = (3, 11)
_NEEDED = ("zaiko-cli", "zaiko-client", "grpcio", "protobuf")
_NEEDED_BY_SERVER = ("sqlalchemy", "httpx", "cryptography")


def versions(python: tuple[int, ...], installed: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Check the Python release and the distributions; `installed` has versions by name."""
    said = ".".join(map(str, python[:3]))
    if tuple(python[:2]) < OLDEST_PYTHON:
        yield problem(
            "python",
            f"Python {said} is too old",
            f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer.",
        )
    needed = (*_NEEDED, *(_NEEDED_BY_SERVER if "zaiko" in installed else ()))
    missing = [name for name in needed if name not in installed]
    if missing:
        ours = "zaiko" if "zaiko" in installed else "zaiko-cli"
        yield problem(
            "packages",
            f"not installed: {', '.join(missing)}",
            f"Install {ours} again: pip install --force-reinstall {ours}.",
        )
    zaikos = {
        name: number for name, number in sorted(installed.items()) if name.startswith("zaiko")
    }
    yield ok(
        "packages",
        f"Python {said}; " + ", ".join(f"{name} {number}" for name, number in zaikos.items()),
    )
