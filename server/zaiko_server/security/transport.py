"""What protects the wire: TLS, and the refusal to do without where others could listen."""

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
    """The server would be open to others; the message says what to do."""


class CertificateUnusable(Exception):
    """The files do not make a certificate; the message says which and why."""


def is_local(listen: str) -> bool:
    """Whether only this machine reaches it. Names other than localhost may resolve to anything."""
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
    """Raises Exposed when others than this machine could call, and TLS or tokens are missing."""
    if is_local(listen) or (tls and tokens):
        return
    missing = [
        text
        for given, text in ((tls, "--tls-cert and --tls-key"), (tokens, "--auth tokens"))
        if not given
    ]
    raise Exposed(
        f"{listen} can be reached from other machines, and everybody there could read and "
        "change everything. "
        f"Add {' and '.join(missing)}, listen on 127.0.0.1, or say --insecure if something "
        "else protects it."
    )


class ServerTls:
    """TLS of the server: its certificate chain and key (PEM), and, for mutual TLS, the CA whose
    clients are let in. The files are looked at for each new connection and read again when they
    have changed; what does not fit together is logged, and the last good pair stays. Raises
    CertificateUnusable at once for a first pair that does not."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._files = [path for path in (certificate, key, client_ca) if path is not None]
        self._certificate, self._key, self._client_ca = certificate, key, client_ca
        self._seen = self._stamp()
        self._last = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """For `add_secure_port`."""
        return grpc.dynamic_ssl_server_credentials(
            self._last, self._fetch, require_client_authentication=self._client_ca is not None
        )

    def _fetch(self) -> Any:
        """Called by gRPC's threads for every handshake; None keeps what there is."""
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
        # gRPC takes anything, and refuses every handshake later on.
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
