"""TLS of the server, and the check that a server which others can reach uses it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

_log: Any = structlog.get_logger("zaiko.tls")


class Exposed(Exception):
    """Other machines could call the server unprotected. The message says what to do."""


class CertificateUnusable(Exception):
    """The files are not a usable certificate and key. The message says which file, and why."""


def is_local(listen: str) -> bool:
    """Return whether only this machine can reach the address. A name other than localhost counts as
    reachable, because it may resolve to anything."""
    if listen.startswith(("unix:", "unix-abstract:")):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(listen: str, *, tls: bool, tokens: bool) -> None:
    """Raise Exposed when other machines can call, and TLS or tokens are missing."""
    if is_local(listen) or (tls and tokens):
        return
    missing = [
        text
        for given, text in ((tls, "--tls-cert and --tls-key"), (tokens, "--auth tokens"))
        if not given
    ]
    raise Exposed(
        f"{listen} can be reached from other machines, and everyone there could read and "
        "change everything. "
        f"Add {' and '.join(missing)}, listen on 127.0.0.1, or say --insecure if something "
        "else protects it."
    )


class ServerTls:
    """TLS of the server: its certificate chain and key (PEM) and, for mutual TLS, the CA of
    accepted clients. Each new connection checks whether the files changed, and then reads them
    again. Unusable files are logged, and the last good pair stays. The constructor raises
    CertificateUnusable for a first pair that is unusable."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._files = [path for path in (certificate, key, client_ca) if path is not None]
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._seen = self._stamp()
        self._last = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials for `add_secure_port`."""
        return grpc.dynamic_ssl_server_credentials(
            self._last, self._fetch, require_client_authentication=self._client_ca is not None
        )

    def _fetch(self) -> Any:
        """Return the changed certificate, or None to keep the current one. gRPC calls it from its
        own threads, for every handshake."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return None
            self._last, self._seen = self._read(), stamp
        except (CertificateUnusable, OSError) as error:
            _log.error("certificate_unusable", problem=str(error))
            return None
        _log.info("certificate_read", files=[str(path) for path in self._files])
        return self._last

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        try:
            stats = [path.stat() for path in self._files]
        except OSError as error:
            raise CertificateUnusable(f"{error.filename}: {error.strerror}") from None
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)

    def _read(self) -> Any:
        chain, key = _bytes(self._certificate), _bytes(self._key)
        ca = None if self._client_ca is None else _bytes(self._client_ca)
        # gRPC accepts any bytes here, and then fails every handshake.
        try:
            found = x509.load_pem_x509_certificates(chain)[0]
        except ValueError as error:
            raise CertificateUnusable(
                f"{self._certificate} is not a certificate in PEM: {error}"
            ) from None
        try:
            private = load_pem_private_key(key, None)
        except (ValueError, TypeError) as error:
            raise CertificateUnusable(
                f"{self._key} is not a key in PEM without a password: {error}"
            ) from None
        if _public(private.public_key()) != _public(found.public_key()):
            raise CertificateUnusable(f"{self._key} is not the key of {self._certificate}")
        if ca is not None:
            try:
                x509.load_pem_x509_certificates(ca)
            except ValueError as error:
                raise CertificateUnusable(
                    f"{self._client_ca} is not a certificate in PEM: {error}"
                ) from None
        return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=ca)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{path}: {error.strerror}") from None


def _public(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
