"""Certificates for tests, issued on demand."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Pair = tuple[bytes, bytes]
"""(certificate, key), both PEM."""


@dataclass
class Ca:
    """A certificate authority."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self._certificate = self._sign("ca", self.key, [])

    @property
    def pem(self) -> bytes:
        """The certificate in PEM, for those who trust it."""
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(self, common_name: str, *, uri: str = "") -> Pair:
        """Issue a certificate for this machine, or for the client that `uri` names."""
        key = ec.generate_private_key(ec.SECP256R1())
        local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = self._sign(
            common_name, key, [x509.UniformResourceIdentifier(uri)] if uri else local
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM), private

    def _sign(self, common_name: str, key: Any, names: list[Any]) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        ca = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(ca)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def written(folder: Path, pair: Pair, name: str = "server") -> tuple[Path, Path]:
    """Write the pair as files. A second call replaces them."""
    paths = (folder / f"{name}.pem", folder / f"{name}.key")
    for path, content in zip(paths, pair, strict=True):
        path.write_bytes(content)
    return paths
