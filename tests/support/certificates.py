"""Certificates of authorities that are made for a test, for servers on loopback."""

import ssl
from pathlib import Path

import trustme


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the context of a server with a certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(tls)
    return tls


def loopback_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a server on 127.0.0.1."""
    return server_tls(authority.issue_cert("127.0.0.1"))


def authority_file(folder: Path, authority: trustme.CA) -> Path:
    """Write the file by which clients trust an authority."""
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path
