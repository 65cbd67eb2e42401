"""Checks of what is installed and configured on this machine."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from zaiko.v1 import connector_pb2
from zaiko_core.domain.errors import SecretKeyMissing
from zaiko_core.storage.secrets import SecretBox

from zaiko_server.cli.show import last, word
from zaiko_server.config import Config
from zaiko_server.doctor.findings import Finding, ok, problem, warning
from zaiko_server.security.transport import CertificateUnusable, Exposed

OLDEST_PYTHON = (3, 11)
_NEEDED = ("zaiko", "grpcio", "protobuf", "sqlalchemy", "httpx", "cryptography")


def versions(python: tuple[int, ...], installed: Mapping[str, str]) -> Iterator[Finding]:
    """`installed`: versions by distribution."""
    said = ".".join(map(str, python[:3]))
    if tuple(python[:2]) < OLDEST_PYTHON:
        yield problem(
            "python",
            f"Python {said} is too old",
            f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer.",
        )
    missing = [name for name in _NEEDED if name not in installed]
    if missing:
        yield problem(
            "packages",
            f"not installed: {', '.join(missing)}",
            "Install zaiko again: pip install --force-reinstall zaiko.",
        )
    zaikos = {
        name: number for name, number in sorted(installed.items()) if name.startswith("zaiko")
    }
    yield ok(
        "packages",
        f"Python {said}; " + ", ".join(f"{name} {number}" for name, number in zaikos.items()),
    )


def connectors(found: Iterable[connector_pb2.Connector]) -> Iterator[Finding]:
    """Those that failed to load, and why."""
    loaded = []
    for connector in found:
        if connector.HasField("failure"):
            failure = connector.failure
            message = f"failed to load ({word(failure, 'stage')}): {failure.message}"
            remedy = failure.hint or f"Install {connector.distribution} again, or remove it."
            yield problem("connectors", message, remedy, last(connector.name))
        else:
            loaded.append(f"{last(connector.name)} {connector.version}".rstrip())
    if loaded:
        yield ok("connectors", ", ".join(loaded))
    else:
        yield problem(
            "connectors",
            "none is loaded, so no shop can run",
            "Install one, such as zaiko-shopify, and restart the server.",
        )


def configuration(environment: Mapping[str, str]) -> Iterator[Finding]:
    """What a server that is started with this environment would refuse."""
    try:
        config = Config.read(environment=environment)
        config.tls()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "_".join(map(str, first["loc"][:1])).upper()
        yield problem(
            "configuration",
            f"ZAIKO_{name}: {first['msg']}",
            "Correct the variable; see docs/operations/deploy.md.",
        )
    except (Exposed, CertificateUnusable) as error:
        yield problem(
            "configuration", str(error), "See docs/operations/deploy.md: what listens where."
        )
    else:
        how = (
            f"{'TLS' if config.tls_cert else 'no TLS'}, "
            f"{'tokens' if config.auth == 'tokens' else 'no tokens'}"
        )
        if config.insecure and not (config.tls_cert and config.auth == "tokens"):
            yield warning(
                "configuration",
                f"{config.listen} is open beyond this machine ({how})",
                "Be sure that something else protects it.",
            )
        else:
            yield ok("configuration", f"listens on {config.listen}, {how}")


def keys(path: Path, given: Iterable[str], sealed: Mapping[str, bytes]) -> Iterator[Finding]:
    """Whether the keys open what every shop has sealed. `given` are keys of the environment, which
    come before the file; `sealed` is by shop. The file is not made."""
    known = list(given)
    if not known:
        if not path.exists():
            if sealed:
                yield problem(
                    "keys",
                    "the key file is missing",
                    "Put the file back, from its own back-up (keys.md).",
                    str(path),
                )
            else:
                yield ok("keys", "no key yet; the first start makes one", str(path))
            return
        try:
            known = path.read_text().split()
        except OSError as error:
            yield problem(
                "keys",
                f"cannot be read: {error.strerror}",
                "Let the server's user read it.",
                str(path),
            )
            return
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield warning(
                "keys", "others on this machine may read the key", f"chmod 600 {path}", str(path)
            )
    try:
        box = SecretBox(known)
    except (ValueError, IndexError):
        yield problem(
            "keys",
            "holds no usable key",
            "Put the right file back; a key is 44 characters of base64 (keys.md).",
            str(path),
        )
        return
    closed = [shop for shop, secrets in sealed.items() if not _opens(box, secrets)]
    for shop in closed:
        yield problem(
            "keys",
            "no key opens the shop's credentials",
            "Put the key that sealed them into the key file, or enter them again.",
            shop,
        )
    yield ok(
        "keys", f"{len(sealed) - len(closed)} of {len(sealed)} sealed credentials can be opened"
    )


def _opens(box: SecretBox, sealed: bytes) -> bool:
    try:
        box.reseal(sealed)
    except SecretKeyMissing:
        return False
    return True
