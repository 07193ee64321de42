"""Certificates made for a test, as files next to a web configuration."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import trustme


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory with server.crt, server.key, ca.pem (of clients) and junk.pem."""

    path: Path
    server_ca: trustme.CA
    client_ca: trustme.CA

    def write(self, text: str) -> Path:
        """Write the web configuration."""
        file = self.path / "web.yml"
        file.write_text(text)
        return file

    def renew(self) -> None:
        """Write a new certificate with its key."""
        issue_server(self.path, self.server_ca)

    def client(self, *names: str, ca: trustme.CA | None = None) -> ssl.SSLContext:
        """Return a client's context, with a certificate for the names if there are any."""
        context = ssl.create_default_context()
        self.server_ca.configure_trust(context)
        if names:
            (ca or self.client_ca).issue_cert(*names).configure_cert(context)
        return context


def new_place(path: Path) -> Place:
    place = Place(path=path, server_ca=trustme.CA(), client_ca=trustme.CA())
    place.renew()
    place.client_ca.cert_pem.write_to_path(path / "ca.pem")
    (path / "junk.pem").write_text("no certificate\n")
    return place


def issue_server(path: Path, ca: trustme.CA) -> None:
    issued = ca.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(path / "server.key")
    issued.cert_chain_pems[0].write_to_path(path / "server.crt")


def hashed(password: str) -> str:
    """Return a cheap bcrypt hash."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
