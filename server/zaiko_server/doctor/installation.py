"""Checks of the configuration and keys on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from zaiko_cli.doctor.findings import DoctorFinding, ok, problem, warning
from zaiko_core.domain.errors import SecretKeyMissing
from zaiko_core.storage.high_water_mark import (
    HighWaterMark,
    HighWaterMarkFile,
    has_gone_back,
)
from zaiko_core.storage.secrets import SecretBox

from zaiko_server.config import Config
from zaiko_server.security.transport import CertificateUnusable, Exposed


def configuration() -> Iterator[DoctorFinding]:
    """Check what a server that is started with the environment of this process would refuse."""
    try:
        config = Config()
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


def record_path(db: str) -> Path | None:
    """Return where a server with the environment of this process would record how far the database
    `db` has come; None where it would not."""
    try:
        return Config(database=db).high_water_mark_file()
    except ValidationError:
        return None


def high_water_mark(
    path: Path | None, now: HighWaterMark, former: Iterable[str]
) -> Iterator[DoctorFinding]:
    """Check that a database that was restored or exchanged would be noticed: what is recorded at
    `path` of how far it has come, against the database now. `former` are its earlier epochs."""
    if path is None:
        yield warning(
            "witness",
            "nothing records how far the database has come: one that is restored is not noticed, "
            "and shops run with --no-witness only",
            "Give --state-dir (ZAIKO_STATE_DIR) a folder that the server may write.",
        )
        return
    before = HighWaterMarkFile(path).read()
    where = path if path.exists() else path.parent
    if not os.access(where if where.exists() else where.parent, os.W_OK):
        yield problem(
            "witness",
            "cannot be written, so shops do not run",
            "Let the server's user write the folder, or name another one with --state-dir.",
            str(path),
        )
    elif before is None:
        yield ok("witness", "nothing is recorded yet; the first start does it", str(path))
    elif before.epoch not in (now.epoch, *former):
        yield problem(
            "witness",
            "is of another database",
            "Is --db right, and its disk there? If so, start once with --new-database.",
            str(path),
        )
    elif has_gone_back(before, now):
        yield problem(
            "witness",
            "the database is older than this host has seen it: it was restored",
            "Follow docs/operations/backup.md; the next start prepares it.",
            str(path),
        )
    else:
        yield ok("witness", "the database is as far as this host has seen it", str(path))


def keys(path: Path, given: Iterable[str], sealed: Mapping[str, bytes]) -> Iterator[DoctorFinding]:
    """Check that the keys open every shop's sealed credentials. `given` are keys of the
    environment, which win over the file. `sealed` is by shop. Does not create the file."""
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
